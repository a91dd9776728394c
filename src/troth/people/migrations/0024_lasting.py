"""Until when an application may see something of a person, and in which order it lists people."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Let an answer to an application end by itself."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("people", "0023_browsers")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

"""The keys of imported lines, which end."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Let the old ones be found."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("intake", "0014_model")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

"""By which invitation somebody joined an organization."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Let whoever joined by an invitation be told so when they open it again."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("people", "0024_lasting")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

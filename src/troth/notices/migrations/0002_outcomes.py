"""What became of each notice, and which of them wait behind the urgent ones."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Add them."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("notices", "0001_tables")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

"""The tables of the room `people`; roles, grants, rules and functions come from the policy, never from here."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Create them."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = [("notices", "0001_tables")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

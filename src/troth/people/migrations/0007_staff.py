"""The operator's staff with their roles, in the place of the one flag that an account had."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Create them, and take the flag away."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("people", "0005_organizations")]
    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
        migrations.RemoveField("account", "is_operator"),
    ]

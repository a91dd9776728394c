"""What the operator announces, and how far it got."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Add it."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("consent", "0008_owner"), ("notices", "0002_outcomes")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

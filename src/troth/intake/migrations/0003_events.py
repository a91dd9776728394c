"""What applications send of people, what was taken already, and what was refused."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Add them."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("intake", "0002_hour"), ("people", "0021_senders")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

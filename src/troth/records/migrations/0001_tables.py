"""What people post, and the files of it."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Create the tables."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = [("people", "0021_senders"), ("consent", "0012_withdrawn")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

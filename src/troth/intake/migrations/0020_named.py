"""Keys of events as 128 bits, where they were 256."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Make them shorter, also those that are there."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("intake", "0019_every_metadata")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

"""What applications say in their own words of every kind of event, and how a page was asked for and answered."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Add it to the kinds that have none yet."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("intake", "0018_nodes")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

"""What applications say of events in their own words, by the schema that they declared."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Add it to the kinds that have some."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("intake", "0009_transactions")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

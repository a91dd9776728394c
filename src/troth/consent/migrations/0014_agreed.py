"""The version that somebody agreed to last."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Keep it beside what it lets."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("consent", "0013_channels")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

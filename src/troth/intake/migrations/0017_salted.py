"""Whose day's salt made the bits of a count, so that past days can be counted, too."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Say it of each count."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("intake", "0016_imported")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

"""By which channel people are told of a version."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Say it of each telling."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("consent", "0012_withdrawn"), ("notices", "0003_channels")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

"""Notices that are letters."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Say of each notice how it reaches its person."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("notices", "0002_outcomes")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

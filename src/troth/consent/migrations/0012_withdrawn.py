"""Mails that say that a version was withdrawn."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Let a telling take back another one."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("consent", "0011_answers")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

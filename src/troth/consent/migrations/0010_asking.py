"""Questions whether people want a purpose, and a no as an answer."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Create what holds them."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("consent", "0009_announcements")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

"""What applications send is cut into months, and what was sent before is moved into them."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Cut, and move."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("intake", "0003_events")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

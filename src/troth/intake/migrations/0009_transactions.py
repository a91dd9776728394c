"""What people bought, sent or changed, and where they were, as applications tell it."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Add both."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("intake", "0008_page_views")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

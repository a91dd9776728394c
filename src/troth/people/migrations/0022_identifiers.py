"""Browsers that are known by an anonymous identifier, and what people tied to their accounts of what they left."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Add them."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("people", "0021_senders")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

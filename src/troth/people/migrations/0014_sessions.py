"""Sessions, as far as a policy collects them, and what is known of a device."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Create them."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("people", "0013_names")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

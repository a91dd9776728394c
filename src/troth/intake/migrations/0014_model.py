"""The model of the device that a page of an application was shown on."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Add it to the pages of applications."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("intake", "0012_metadata")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

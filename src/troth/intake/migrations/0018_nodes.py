"""What each process of the intake says of itself, where all of them are read together."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Make room for it."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("intake", "0017_salted")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

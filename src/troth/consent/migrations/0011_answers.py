"""A choice that names what it answers to."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Take the form away that names nothing."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("consent", "0010_asking")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

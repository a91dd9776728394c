"""With which keys applications send events, which kinds they declared, and what each calls a person."""

from pathlib import Path
from typing import ClassVar

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Add them."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("people", "0020_supplied")]
    operations: ClassVar[list[migrations.RunSQL]] = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]

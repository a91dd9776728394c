"""The tables of the room `people` and the sign-in library's user model; roles and rules come from the policy."""

from pathlib import Path
from typing import ClassVar

import django.utils.timezone
from django.db import migrations, models

SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    """Create them."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = [("notices", "0001_tables")]
    operations: ClassVar[list[migrations.operations.base.Operation]] = [
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="Account",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("subject", models.UUIDField(unique=True)),
                ("email", models.EmailField(max_length=254, unique=True)),
                ("is_active", models.BooleanField(default=True)),
                ("is_operator", models.BooleanField(default=False)),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={"db_table": "people_account"},
        ),
    ]

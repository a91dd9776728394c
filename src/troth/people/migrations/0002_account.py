"""The sign-in library's user model."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """Create it."""

    dependencies = (("people", "0001_tables"),)
    operations = (
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
    )

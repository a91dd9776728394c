"""The sign-in library's user: an account, tied to the subject whose data it opens."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone


class AccountManager(BaseUserManager["Account"]):
    """Finds accounts by e-mail address, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> "Account":
        """Return the account of an address."""
        return self.get(email__iexact=username)


class Account(AbstractBaseUser):
    """An account; everything about the person stands in governed tables under `subject`."""

    id = models.BigAutoField(primary_key=True)
    subject = models.UUIDField(unique=True)
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now)

    objects = AccountManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        """The table's name."""

        db_table = "people_account"

    def __str__(self) -> str:
        """Say which account, without its address."""
        return f"account {self.pk}"

    def has_perm(self, _permission: str, _thing: Any = None) -> bool:  # noqa: ANN401 - Django's signature
        """Refuse: what may be done is the database's to say."""
        return False

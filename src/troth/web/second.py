"""How the sign-in library does passkeys, authenticator apps and recovery codes here: names, secrets, what may go."""

import base64
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

import qrcode
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from qrcode.image.svg import SvgPathImage

from troth.database import published

#: What proves somebody by itself or beside the password; recovery codes only stand in for them.
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
#: Seconds for which a session is shown the same key while somebody sets an app up.
SAME = 30 * 60


class SecondAdapter(DefaultMFAAdapter):
    """Everything is named by the service's fixed address and the policy; secrets are kept encrypted."""

    error_messages: ClassVar[dict[str, Any]] = DefaultMFAAdapter.error_messages | {
        "cannot_delete_authenticator": _("This is your only way in. Set a password first."),
        "cannot_generate_recovery_codes": _("Recovery codes stand in for a passkey or an app. Add one of them first."),
        "incorrect_code": _("This did not work. Try again."),
        "key_replaced": _("The key that you scanned is too old. Scan the one above, and delete the other in the app."),
        "unverified_email": _("Prove your address first."),
    }

    def get_totp_issuer(self) -> str:
        """Return the name under which an app lists the code."""
        return str(published.current().policy.name)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Return whom a passkey is for: the service's own host, whatever Host the request named."""
        return {"id": urlsplit(settings.BASE_URL).hostname or "localhost", "name": self.get_totp_issuer()}

    def generate_authenticator_name(self, user: Any, type: Any) -> str:  # noqa: ANN401, A002 - the library's signature
        """Return a name for a passkey that its person can tell from the others."""
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return gettext("Passkey %(number)s") % {"number": number}

    def build_totp_svg(self, url: str) -> str:
        """Return the pattern that an app scans, to stand in the page itself."""
        return str(qrcode.make(url, image_factory=SvgPathImage).to_string(encoding="unicode"))

    def encrypt(self, text: str) -> str:
        """Encrypt what an app or recovery codes are made from, so that a copy of the tables lets nobody in."""
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Decrypt it. Raises InvalidToken for what was not encrypted here."""
        return _box().decrypt(encrypted_text.encode()).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Refuse to take the last way in from an account without a password."""
        return not last_factor(authenticator) or cast("bool", authenticator.user.has_usable_password())


def unproven(held: str) -> str | None:
    """Return the key that a session holds encrypted until an app proves it; None for none, and for one too old."""
    try:
        return _box().decrypt(held.encode(), ttl=SAME).decode()
    except InvalidToken:
        return None


def last_factor(authenticator: Authenticator) -> bool:
    """Whether it is the only passkey or app of its account."""
    others = Authenticator.objects.filter(user_id=authenticator.user_id, type__in=FACTORS)
    return not others.exclude(pk=authenticator.pk).exists()


def has_passkey(account: Any) -> bool:  # noqa: ANN401 - an account
    """Whether somebody has a passkey."""
    return bool(Authenticator.objects.filter(user_id=account.pk, type=Authenticator.Type.WEBAUTHN).exists())


def _box() -> Fernet:
    key = HKDF(SHA256(), length=32, salt=None, info=b"troth second factors").derive(settings.SECRET_KEY.encode())
    return Fernet(base64.urlsafe_b64encode(key))

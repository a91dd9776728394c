"""What a password must not be, with the reason (NIST SP 800-63B-4: length and a blocklist, no composition rules)."""

import re
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from troth.database import published

#: Alone, and beside a second factor.
SHORTEST, SHORTEST_BESIDE = 15, 8
LONGEST = 1024
SHORTEST_WORD = 5


def second_factor(account: Any) -> bool:  # noqa: ANN401 - an account, or what is not one yet
    """Whether somebody shows an authenticator app or a passkey beside the password."""
    if getattr(account, "pk", None) is None:
        return False
    return bool(is_mfa_enabled(account, [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]))


def shortest(account: Any) -> int:  # noqa: ANN401 - the same
    """Return how many characters a password needs at least."""
    return SHORTEST_BESIDE if second_factor(account) else SHORTEST


class LongEnough:
    """Length is what counts; less of it is needed where a second factor stands beside the password."""

    def validate(self, password: str, user: Any = None) -> None:  # noqa: ANN401 - Django's signature
        """Raise ValidationError below 15 characters, or 8 beside a second factor."""
        least = shortest(user)
        if len(password) < least:
            words = _("A password needs at least %(least)s characters.") % {"least": least}
            raise ValidationError(words, code="password_too_short")

    def get_help_text(self) -> str:
        """Say the rule."""
        return ""


class LongestLength:
    """Longer ones cost the service more to check than they give anybody."""

    def validate(self, password: str, _user: Any = None) -> None:  # noqa: ANN401 - Django's signature
        """Raise ValidationError beyond 1,024 characters."""
        if len(password) > LONGEST:
            raise ValidationError(_("This password is longer than 1,024 characters."), code="password_too_long")

    def get_help_text(self) -> str:
        """Say the rule."""
        return ""


class NotLeaked(CommonPasswordValidator):
    """Passwords found in leaks are the first that anybody tries, also with something hung on to reach the length."""

    def validate(self, password: str, user: Any = None) -> None:  # noqa: ARG002, ANN401 - Django's signature
        """Raise ValidationError for a leaked password, plain, repeated, or padded with digits and signs."""
        low = password.lower().strip()
        core = re.sub(r"[\d\W_]+$", "", re.sub(r"^[\d\W_]+", "", low))
        half = low[: len(low) // 2]
        tried = {low, core, half if half * 2 == low else low, _period(low)}
        if tried & self.passwords or len(set(low)) < SHORTEST_WORD:
            sentence = _("This password, or the core of it, is in lists of leaked passwords that attackers try first.")
            raise ValidationError(sentence, code="password_leaked")

    def get_help_text(self) -> str:
        """Say the rule."""
        return ""


class NotOneself:
    """The service's, the operator's and the person's own names are easily guessed."""

    def validate(self, password: str, user: Any = None) -> None:  # noqa: ANN401 - Django's signature
        """Raise ValidationError when little is left of the password without such a word."""
        words = {"troth"} | set(re.split(r"[^\w]+", getattr(user, "email", "") or ""))
        words |= set(re.split(r"[^\w]+", published.current().policy.operator))
        words |= set(re.split(r"[^\w]+", getattr(user, "name", "") or ""))
        rest = password.lower()
        for word in sorted((w.lower() for w in words if len(w) >= SHORTEST_WORD), key=len, reverse=True):
            rest = rest.replace(word, "")
        if rest != password.lower() and len(set(rest)) < SHORTEST_WORD:
            raise ValidationError(
                _("This password is little more than a name that others know."), code="password_own_name"
            )

    def get_help_text(self) -> str:
        """Say the rule."""
        return ""


def _period(text: str) -> str:
    """Return the shortest part whose repetition is the text."""
    place = (text + text).find(text, 1)
    return text[:place] if text and place < len(text) else text

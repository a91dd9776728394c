"""What names a notice or a person in an address: only this place makes one, and none opens what another kind does."""

import base64
import binascii
import hmac
import uuid
from enum import StrEnum

from troth.database import place

TAG = 8  # bytes
#: Characters of a token: 24 bytes in Base32 without padding; mail servers may change the case of an address.
LENGTH = 39
#: The local part of an address has at most 64 octets (RFC 5321, section 4.5.3.1.1).
LONGEST_PART = 64


class Kind(StrEnum):
    """What a token is for: that a notice came back, or that somebody wants no announcements."""

    RETURNED = "r"
    STOP = "s"


def made(kind: Kind, what: uuid.UUID) -> str:
    """Return the token of a notice (its UUID) or a person (the subject)."""
    return base64.b32encode(what.bytes + _tag(kind, what.bytes)).decode().rstrip("=").lower()


def meant(kind: Kind, token: str) -> uuid.UUID | None:
    """Return what a token names; None where this place did not make it, or made it for something else."""
    try:
        told = base64.b32decode(token.upper() + "=" * (-len(token) % 8)) if len(token) == LENGTH else b""
    except (binascii.Error, ValueError):
        return None
    named, tag = told[:16], told[16:]
    # The last character holds spare bits: only what would be written so is this place's own.
    if len(told) != 16 + TAG or not hmac.compare_digest(tag, _tag(kind, named)):
        return None
    found = uuid.UUID(bytes=named)
    return found if made(kind, found) == token.lower() else None


def address(kind: Kind, what: uuid.UUID, sender: str) -> str:
    """Return an address beside the sender's own (RFC 5233), so that one mailbox receives them all."""
    name, _, domain = sender.rpartition("@")
    return f"{name}+{kind}.{made(kind, what)}@{domain}"


def fits(sender: str) -> bool:
    """Whether such addresses can stand beside a sender's."""
    name, _, domain = sender.rpartition("@")
    return bool(domain) and 0 < len(name.encode()) <= LONGEST_PART - len("+r.") - LENGTH


def _tag(kind: Kind, named: bytes) -> bytes:
    key = place.secrets_of(place.current()).derive("addresses of notices")
    return hmac.digest(key, kind.encode() + named, "sha256")[:TAG]

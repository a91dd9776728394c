"""The keys that sign tokens: made and turned by the keeper, sealed with the place's secret, read by the server.

A key signs for thirty days. Its successor is shown two days before it begins to sign, so that everybody who checks
signatures knows it by then; its own public half is shown for another week.
"""

import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from psycopg import Connection

from troth.database import connect, place
from troth.database.errors import FolderRefusal
from troth.database.place import Place
from troth.database.statements import load

SQL = load("troth.people")
SIGNS, AHEAD, SHOWN = timedelta(days=30), timedelta(days=2), timedelta(days=7)
LABEL = "keys that sign tokens"
BITS, NONCE = 3072, 12


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key (PEM, PKCS 8), since when it signs, until when its public half is shown (None: not known yet)."""

    kid: str
    pem: str
    signs_from: datetime
    shown_until: datetime | None


def keep(connection: Connection[Any], where: Place, *, now: datetime | None = None) -> None:
    """Make the key that is missing, or the next one, and forget those that are shown no more. The owner's to call."""
    moment = now or datetime.now(UTC)
    row = connection.execute(SQL["newest_key"].encode()).fetchone()
    if row is None:
        _make(connection, where, moment)
    elif row[0] <= moment - SIGNS + AHEAD:
        turn(connection, where, max(row[0] + SIGNS, moment + AHEAD))
    connection.execute(SQL["forget_keys"].encode(), {"now": moment})


def turn(connection: Connection[Any], where: Place, begins: datetime | None = None) -> None:
    """Make the next key, which signs from `begins` on, by default once everybody knows it. The owner's to call."""
    since = begins or datetime.now(UTC) + AHEAD
    with connection.transaction():
        connection.execute(SQL["retire_keys"].encode(), {"until": since + SHOWN})
        _make(connection, where, since)


def replace(connection: Connection[Any], where: Place) -> None:
    """Sign with a new key from now on and believe none of those before, as after one became known."""
    with connection.transaction():
        connection.execute(SQL["forget_every_key"].encode())
        _make(connection, where, datetime.now(UTC))


def held() -> Sequence[SigningKey]:
    """Return the keys that are shown, the newest first. Raises FolderRefusal when the secret does not open them."""
    with connect.acting("door") as connection:
        rows = connection.execute(SQL["signing_keys"].encode()).fetchall()
    secret = place.secrets_of(place.current()).derive(LABEL)
    return [SigningKey(kid, _opened(secret, kid, bytes(sealed)), begins, until) for kid, sealed, begins, until in rows]


def _make(connection: Connection[Any], where: Place, begins: datetime) -> None:
    key = generate_private_key(public_exponent=65537, key_size=BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    kid = urlsafe_b64encode(sha256(public).digest()).rstrip(b"=").decode()
    nonce = os.urandom(NONCE)
    sealed = nonce + AESGCM(place.secrets_of(where).derive(LABEL)).encrypt(nonce, pem, kid.encode())
    connection.execute(SQL["add_key"].encode(), {"kid": kid, "sealed": sealed, "begins": begins})


@lru_cache(maxsize=8)
def _opened(secret: bytes, kid: str, sealed: bytes) -> str:
    try:
        return AESGCM(secret).decrypt(sealed[:NONCE], sealed[NONCE:], kid.encode()).decode()
    except InvalidTag as error:
        sentence = "the keys that sign tokens were sealed with another secret than this place's"
        raise FolderRefusal(sentence, advice="restore `roles.key`, or run `troth app replace-keys`") from error

"""Each version bears the operator's signature (Ed25519) over its number, both texts and its day.

What was altered is refused. A service from before there were signatures signs what is in force once; from then on a
version without one is an altered one.
"""

import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection

from troth.database import place
from troth.database.errors import DatabaseRefusal
from troth.database.statements import load

FORMAT = "troth-policy-version-1"


class AlteredVersion(DatabaseRefusal):
    """A version that is not what this operator's key signed."""

    code = "policy-altered"


def covered(*, version: int, digest: str, terms_digest: str, effective: str) -> bytes:
    """Return what a signature covers: RFC 8785 JSON; digests are SHA-256 in hex, the day is ISO 8601."""
    told = {"digest": digest, "effective": effective, "format": FORMAT, "terms": terms_digest, "version": version}
    return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()


def check(connection: Connection[Any]) -> None:
    """Refuse to go on from a version in force that this operator's key did not sign. Raises AlteredVersion."""
    row = _newest(connection)
    if row is None:
        return
    version, digest, terms_digest, effective, signature, unsigned = row
    if unsigned:
        sign(connection)
        return
    told = covered(version=version, digest=digest, terms_digest=terms_digest, effective=str(effective))
    if not holds(told, bytes(signature or b"")):
        sentence = f"version {version} is in force, and is not what this operator's key signed"
        raise AlteredVersion(sentence, advice="restore a backup, with the secrets that belong to it")


def sign(connection: Connection[Any]) -> None:
    """Sign the newest version as it stands."""
    row = _newest(connection)
    if row is not None:
        version, digest, terms_digest, effective, _, _ = row
        told = covered(version=version, digest=digest, terms_digest=terms_digest, effective=str(effective))
        connection.execute(_sql("add_signature"), {"version": version, "signer": _signer(), "signature": seal(told)})


def countersign(connection: Connection[Any], key: Ed25519PrivateKey) -> int:
    """Let a successor's key sign what is in force, word for word as it was signed before; return the version.

    Raises AlteredVersion where what is in force is not what this operator's key signed.
    """
    check(connection)
    row = _newest(connection)
    if row is None:
        raise AlteredVersion("no version is in force", advice="start `troth serve`, which applies one")
    version, digest, terms_digest, effective, _, _ = row
    told = covered(version=version, digest=digest, terms_digest=terms_digest, effective=str(effective))
    signer = key.public_key().public_bytes_raw()
    connection.execute(_sql("add_signature"), {"version": version, "signer": signer, "signature": key.sign(told)})
    return int(version)


def known(connection: Connection[Any], signer: bytes) -> bool:
    """Whether a key ever signed a version here."""
    return bool(connection.execute(_sql("signer_known"), {"signer": signer}).fetchone())


def seal(message: bytes) -> bytes:
    """Return this operator's signature of a message."""
    return _key().sign(message)


def holds(message: bytes, signature: bytes) -> bool:
    """Whether this operator's key signed a message."""
    try:
        _key().public_key().verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _newest(connection: Connection[Any]) -> tuple[Any, ...] | None:
    return connection.execute(_sql("version_signed"), {"signer": _signer()}).fetchone()


def _signer() -> bytes:
    return _key().public_key().public_bytes_raw()


def _key() -> Ed25519PrivateKey:
    return place.secrets_of(place.current()).operator


def _sql(name: str) -> bytes:
    return load("troth.database.sql")[name].encode()

"""Each version bears the operator's signature (Ed25519) over its number, both texts, its day and what it asks.

What was signed is also remembered outside the database: an older version that was put back, a version that is gone and
one that was altered, in force or before, are refused at the start and whenever something is to follow. A service from
before there were signatures signs what is in force once; from then on a version without one is an altered one.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from psycopg import Connection
from psycopg.rows import class_row

from troth.database import place
from troth.database.errors import DatabaseRefusal
from troth.database.statements import load

FORMAT = "troth-policy-version-2"
#: What was signed before a signature covered whether people must agree again.
EARLIER = "troth-policy-version-1"
#: In the data folder: the SHA-256 (hex) of what was signed, by version, and of what waits for its day.
FILE = "versions-signed.json"
BACK = "restore a backup, with the secrets that belong to it"


class AlteredVersion(DatabaseRefusal):
    """A version that is not what this operator's key signed."""

    code = "policy-altered"


@dataclass(frozen=True, slots=True)
class Held:
    """A version as the database holds it, by what its texts are (`digest`, `terms`) and not by what is said of them.

    `named` is whether what is said of them is so; `signed` is every signature, by the key that made it.
    """

    version: int
    digest: str
    terms: str
    effective: str
    floor: bool
    raised: int
    named: bool
    signed: Mapping[str, str]

    def covered(self, form: str = FORMAT) -> bytes:
        """Return what a signature of it covers."""
        told: dict[str, str | int] = {"version": self.version, "digest": self.digest}
        told |= {"terms": self.terms, "effective": self.effective}
        return covered(form, told if form == EARLIER else told | {"floor": self.floor, "raised": self.raised})

    @property
    def mark(self) -> str:
        """What it is remembered by."""
        return sha256(self.covered()).hexdigest()

    def vouched(self, signer: bytes, form: str = FORMAT) -> bool:
        """Whether a key signed it."""
        try:
            signature = bytes.fromhex(self.signed.get(signer.hex(), ""))
            Ed25519PublicKey.from_public_bytes(signer).verify(signature, self.covered(form))
        except (InvalidSignature, ValueError):
            return False
        return True


def covered(form: str, told: Mapping[str, str | int]) -> bytes:
    """Return what a signature covers: RFC 8785 JSON; digests are SHA-256 in hex, the day is ISO 8601."""
    return json.dumps({**told, "format": form}, separators=(",", ":"), sort_keys=True).encode()


def check(connection: Connection[Any]) -> None:
    """Refuse to go on from versions that are not those which were signed here. Raises AlteredVersion.

    What was signed since is remembered: a process that died between its commit and its memory loses nothing.
    """
    held, known = _held(connection), recall()
    for told in altered(held, known):
        raise told
    if held and not known and not any(each.signed for each in held):
        _sign(connection, held[-1])
    elif held and not held[-1].vouched(_signer()):
        _sign(connection, held[-1])  # in the earlier form, which told nothing of what is asked
    _remember(held, known)


def broken(connection: Connection[Any]) -> list[str]:
    """Return a sentence for each version that is not what was signed here."""
    return [told.sentence for told in altered(_held(connection), recall())]


def altered(held: Iterable[Held], known: Mapping[int, str]) -> list[AlteredVersion]:
    """Return a refusal for each version, oldest first in `held`, that is not what was signed or remembered."""
    every = {each.version: each for each in held}
    refused = [_gone(version) for version in sorted(known.keys() - every.keys())]
    signed = known or any(each.signed for each in every.values())
    for version, each in every.items():
        if version in known:
            sound = each.named and each.mark == known[version]
        else:
            signers = [bytes.fromhex(signer) for signer in each.signed]
            sound = each.named and (not signers or any(each.vouched(s) or each.vouched(s, EARLIER) for s in signers))
        if version == max(every) and signed:
            ours = each.vouched(_signer()) or (version not in known and each.vouched(_signer(), EARLIER))
            sound = sound and ours
        if not sound:
            state = "is" if version == max(every) else "was"
            sentence = f"version {version} {state} in force, and is not what this operator's key signed"
            refused.append(AlteredVersion(sentence, advice=BACK))
    return refused


def sign(connection: Connection[Any]) -> None:
    """Sign the newest version as it stands."""
    for newest in _held(connection)[-1:]:
        _sign(connection, newest)


def remember(connection: Connection[Any]) -> None:
    """Remember outside the database what was committed."""
    _remember(_held(connection), recall())


def recall() -> dict[int, str]:
    """Return what the data folder remembers of each version that was signed here. Raises AlteredVersion."""
    return _recall()[0]


def expected() -> str | None:
    """Return what the data folder remembers of the one version that may wait for its day. Raises AlteredVersion.

    Empty where nothing may wait; None where nothing was ever remembered of it.
    """
    return _recall()[1]


def expect(waiting: str) -> None:
    """Remember what may wait for its day from now on; empty is nothing. Raises AlteredVersion."""
    known, before = _recall()
    if waiting != before:
        _write(known, waiting)


def _recall() -> tuple[dict[int, str], str | None]:
    file = _file()
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        waiting = str(told["waiting"]) if "waiting" in told else None
        return {int(version): str(mark) for version, mark in told["versions"].items()}, waiting
    except FileNotFoundError:
        return {}, None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        sentence = f"`{file}` does not say which versions were signed: {error}"
        raise AlteredVersion(sentence, advice="bring back a copy of it; only without any may it be removed") from error


def _remember(held: Iterable[Held], known: Mapping[int, str]) -> None:
    """Add what is new. What is remembered stays, whatever the database says of it by now."""
    told = {**{each.version: each.mark for each in held}, **known}
    if told != known:
        _write(told, expected())


def _write(versions: Mapping[int, str], waiting: str | None) -> None:
    told: dict[str, Any] = {"versions": {str(version): versions[version] for version in sorted(versions)}}
    told |= {} if waiting is None else {"waiting": waiting}
    place.replace_file(_file(), (json.dumps(told, indent=1) + "\n").encode(), 0o600)


def countersign(connection: Connection[Any], key: Ed25519PrivateKey) -> int:
    """Let a successor's key sign what is in force, word for word as it was signed before; return the version.

    Raises AlteredVersion where what is in force is not what this operator's key signed.
    """
    check(connection)
    held = _held(connection)
    if not held:
        raise AlteredVersion("no version is in force", advice="start `troth serve`, which applies one")
    _sign(connection, held[-1], key)
    return held[-1].version


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


def _gone(version: int) -> AlteredVersion:
    advice = f"restore a backup that has it; if you put an older copy back on purpose, remove `{FILE}`"
    return AlteredVersion(f"version {version} was in force here, and the database has it no more", advice=advice)


def _held(connection: Connection[Any]) -> list[Held]:
    with connection.cursor(row_factory=class_row(Held)) as cursor:
        return cursor.execute(_sql("versions_signed")).fetchall()


def _sign(connection: Connection[Any], held: Held, key: Ed25519PrivateKey | None = None) -> None:
    key = key or _key()
    told = {"version": held.version, "signer": key.public_key().public_bytes_raw()}
    connection.execute(_sql("add_signature"), {**told, "signature": key.sign(held.covered())})


def _file() -> Path:
    return place.current().data / FILE


def _signer() -> bytes:
    return _key().public_key().public_bytes_raw()


def _key() -> Ed25519PrivateKey:
    return place.secrets_of(place.current()).operator


def _sql(name: str) -> bytes:
    return load("troth.database.sql")[name].encode()

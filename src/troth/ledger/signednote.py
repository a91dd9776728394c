"""Signed notes: a few lines of text with Ed25519 signatures below; a checkpoint is one that tells a tree's head.

Sources: https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint; RFC 8032 for Ed25519.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from troth.ledger.errors import CheckpointRefusal

ED25519 = b"\x01"
DASH = "\u2014"
ADVICE = "take the checkpoint as the ledger gave it, and the key from somewhere you trust"


@dataclass(frozen=True, slots=True)
class Key:
    """Whose signature is believed: a name without spaces or plus signs, and an Ed25519 public key of 32 bytes."""

    name: str
    public: bytes

    @property
    def hint(self) -> bytes:
        """The four bytes that say which key signed."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    @property
    def written(self) -> str:
        """The key as verifiers take it: name, hint in hex, and key in base64, joined by plus signs."""
        return f"{self.name}+{self.hint.hex()}+{_base64(ED25519 + self.public)}"

    @classmethod
    def read(cls, text: str) -> "Key":
        """Read a written key. Raises CheckpointRefusal."""
        name, _, rest = text.strip().partition("+")
        hint, _, coded = rest.partition("+")
        raw = _decoded(coded)
        key = cls(name, raw[1:])
        if not name or raw[:1] != ED25519 or len(raw) != 33 or key.hint.hex() != hint:  # noqa: PLR2004 - kind and key
            raise CheckpointRefusal(f"`{text.strip()}` is no key of a ledger", advice="see /ledger/key")
        return key

    @classmethod
    def of(cls, name: str, private: Ed25519PrivateKey) -> "Key":
        """Return the public half of a signer."""
        return cls(name, private.public_key().public_bytes_raw())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a tree: whose ledger (`origin`), how many entries, the root's 32 bytes; further lines may follow."""

    origin: str
    size: int
    root: bytes
    more: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text that is signed."""
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), _base64(self.root), *self.more))


def signed(text: str, signers: Sequence[tuple[str, Ed25519PrivateKey]]) -> str:
    """Return the note of a text that ends with a line break, signed by each."""
    lines = [
        f"{DASH} {name} {_base64(Key.of(name, private).hint + private.sign(text.encode()))}\n"
        for name, private in signers
    ]
    return f"{text}\n{''.join(lines)}"


def opened(note: str, keys: Sequence[Key]) -> Checkpoint:
    """Return the checkpoint that a note holds, signed by one of the keys at least. Raises CheckpointRefusal."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    if not any(_holds(text, line, keys) for line in signatures.splitlines()):
        raise CheckpointRefusal("the checkpoint is signed by none of the keys that are believed", advice=ADVICE)
    return read(text)


def read(text: str) -> Checkpoint:
    """Return the checkpoint of a text, whoever signed it. Raises CheckpointRefusal."""
    lines = text.splitlines()
    if len(lines) < 3 or not lines[0] or not lines[1].isdecimal() or str(int(lines[1])) != lines[1]:  # noqa: PLR2004
        raise CheckpointRefusal(
            "this is no checkpoint: it has an origin, a size and a root, a line each", advice=ADVICE
        )
    head = _decoded(lines[2])
    if len(head) != 32:  # noqa: PLR2004 - SHA-256
        raise CheckpointRefusal("the checkpoint's root is no SHA-256", advice=ADVICE)
    return Checkpoint(lines[0], int(lines[1]), head, tuple(lines[3:]))


def _holds(text: str, line: str, keys: Sequence[Key]) -> bool:
    """Whether a line is a signature of one of the keys; a key whose signature is wrong spoils the note."""
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != DASH:  # noqa: PLR2004 - dash, name, signature
        raise CheckpointRefusal("a line below the checkpoint is no signature", advice=ADVICE)
    raw = _decoded(parts[2])
    for key in keys:
        if (key.name, key.hint) == (parts[1], raw[:4]):
            try:
                Ed25519PublicKey.from_public_bytes(key.public).verify(raw[4:], text.encode())
            except InvalidSignature:
                sentence = f"the signature of `{key.name}` does not hold"
                raise CheckpointRefusal(sentence, advice=ADVICE) from None
            return True
    return False


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CheckpointRefusal(f"`{text[:60]}` is no base64", advice=ADVICE) from None

"""What an entry is, and how its hash is made; whoever verifies needs nothing else.

Source: RFC 6962 section 2.1 for the prefixes of leaf and node, RFC 8785 for the JSON.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

type Fact = str | int | bool | None
type Facts = dict[str, Fact]

ORIGIN = bytes(32)  # what the first entry names as its previous hash
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger: actor and subject are salted digests of 32 bytes, or None."""

    index: int
    at: datetime
    action: str
    actor: bytes | None
    subject: bytes | None
    facts: Facts
    previous: bytes
    hash: bytes

    def canonical(self) -> bytes:
        """Return the bytes the hash covers: RFC 8785 JSON, the time in microseconds since 1970 in UTC."""
        told = {
            "action": self.action,
            "actor": self.actor.hex() if self.actor is not None else None,
            "at": (self.at - EPOCH) // timedelta(microseconds=1),
            "facts": self.facts,
            "index": self.index,
            "subject": self.subject.hex() if self.subject is not None else None,
        }
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()

    def leaf(self) -> bytes:
        """Return the entry's own digest, 32 bytes."""
        return hashlib.sha256(b"\x00" + self.canonical()).digest()

    def linked(self) -> bytes:
        """Return what `hash` has to be, given the `previous` that the entry names."""
        return hashlib.sha256(b"\x01" + self.previous + self.leaf()).digest()


def mark(salt: bytes, party: UUID) -> bytes:
    """Return the digest that stands for `party` in the entry that `salt` (32 bytes) was made for."""
    return hmac.digest(salt, party.bytes, "sha256")

"""Whose a row is, told by its subject alone: nobody is the least UUID, and anonymous identifiers are the greatest.

So row rules and checks need no look at another table: a comparison tells a person from whoever is not known. They are
of version 8 (RFC 9562, section 5.8) behind 48 bits that are all set; no UUID of version 4 or 7 is as great.
"""

import uuid
from collections.abc import Collection, Iterator
from secrets import randbits

from troth.policy.meaning import Whose

NOBODY = "'00000000-0000-0000-0000-000000000000'"
#: The least anonymous identifier.
LEAST = uuid.UUID("ffffffff-ffff-8000-8000-000000000000")
KNOWN = f"subject < '{LEAST}'::uuid"
#: Both as bytes, which compare as UUIDs do.
NONE, FIRST = bytes(16), LEAST.bytes


def identifier() -> uuid.UUID:
    """Return a new anonymous identifier: 74 random bits."""
    return uuid.UUID(int=LEAST.int | randbits(12) << 64 | randbits(62))


def whose(subject: uuid.UUID) -> Whose:
    """Return whose rows carry a subject."""
    told = subject.bytes
    if told >= FIRST:
        return Whose.IDENTIFIER
    return Whose.PERSON if told != NONE else Whose.NOBODY


def of(kind: Whose) -> str:
    """Return the condition that a row is a person's, an identifier's or nobody's."""
    match kind:
        case Whose.NOBODY:
            return f"subject = {NOBODY}::uuid"
        case Whose.IDENTIFIER:
            return f"subject >= '{LEAST}'::uuid"
        case Whose.PERSON:
            return f"subject <> {NOBODY}::uuid AND {KNOWN}"


def beside(kind: Whose) -> str:
    """Return the condition that a row is of another kind."""
    match kind:
        case Whose.NOBODY:
            return f"subject <> {NOBODY}::uuid"
        case Whose.IDENTIFIER:
            return KNOWN
        case Whose.PERSON:
            return f"(subject = {NOBODY}::uuid OR subject >= '{LEAST}'::uuid)"


def only(kinds: Collection[Whose], there: Collection[Whose]) -> Iterator[str]:
    """Yield what leaves of the kinds of rows that are there those of some kinds."""
    if len(kinds) == 1 < len(there):
        yield from map(of, kinds)
    else:
        yield from (beside(kind) for kind in Whose if kind in there and kind not in kinds)

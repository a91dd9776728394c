"""The keeper grows the tree by what was committed, and signs its head; one that does not follow is never signed.

What was signed last is also remembered outside the database. Where the database has a signed head and the data folder
remembers none, this is a restored copy: the ledger goes on under an origin of its own, which names the old head.
"""

import json
import re
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from psycopg import Connection

from troth.database import place
from troth.database.keeper import Keeper
from troth.database.place import Place, replace_file
from troth.database.statements import load
from troth.ledger import queries, signednote, tree
from troth.ledger.actions import record
from troth.ledger.entry import Facts
from troth.ledger.errors import CheckpointRefusal, LedgerRefusal
from troth.ledger.signednote import Checkpoint, Key
from troth.ledger.tiles import Held

SQL = load("troth.ledger.sql")
FILE = "ledger-signed.json"
#: Entries that one transaction takes into the tree.
STEP = 20_000


class Stored(MutableMapping[tuple[int, int], bytes]):
    """Tiles as the database holds them, each read once; what is set is written by `keep`."""

    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection
        self.read: dict[tuple[int, int], bytes] = {}

    def __getitem__(self, key: tuple[int, int]) -> bytes:
        if key not in self.read:
            asked = {"level": key[0], "number": key[1]}
            row = self.connection.execute(SQL["tile"].encode(), asked).fetchone()
            if row is None:
                raise KeyError(key)
            self.read[key] = bytes(row[0])
        return self.read[key]

    def __setitem__(self, key: tuple[int, int], hashes: bytes) -> None:
        self.read[key] = hashes

    def __delitem__(self, key: tuple[int, int]) -> None:
        del self.read[key]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.read)

    def __len__(self) -> int:
        return len(self.read)

    def keep(self, changed: dict[tuple[int, int], bytes]) -> None:
        """Write tiles."""
        rows = [{"level": level, "number": number, "hashes": held} for (level, number), held in changed.items()]
        with self.connection.cursor() as cursor:
            cursor.executemany(SQL["keep_tile"].encode(), rows)


@dataclass(frozen=True, slots=True)
class Head:
    """A signed head as it is stored, with its note."""

    origin: str
    size: int
    root: bytes
    note: str


def taught(keeper: Keeper) -> Keeper:
    """Return the keeper, who now signs the ledger's head at each turn; what does not follow is told, and left."""

    def sign(connection: Connection[Any]) -> None:
        try:
            sequence(connection, keeper.where)
        except LedgerRefusal as refusal:
            keeper.tell(str(refusal))

    keeper.always = (*keeper.always, sign)
    return keeper


def newest(connection: Connection[Any]) -> Head | None:
    """Return the newest signed head."""
    row = connection.execute(SQL["checkpoint"].encode()).fetchone()
    return Head(row[0], row[1], bytes(row[2]), row[3]) if row else None


def key(where: Place, origin: str) -> Key:
    """Return the key under which an origin's checkpoints are believed."""
    return Key.of(origin, place.secrets_of(where).ledger)


def sequence(connection: Connection[Any], where: Place) -> Head | None:
    """Take what was committed since into the tree and sign its head; return it, or None while there is no entry.

    Raises CheckpointRefusal when the tree is not the one that was signed before.
    """
    signed, file = newest(connection), where.data / FILE
    remembered = recall(file)
    if remembered is not None and not _follows(signed, remembered):
        raise _refused(signed, remembered)
    if signed is not None and remembered is None:
        signed = _continue(connection, signed)
    while (signed.size if signed else 0) < _many(connection) or (
        signed and remembered and remembered.size < signed.size
    ):
        signed = _grow(connection, where, signed, remembered)
        remembered = Checkpoint(signed.origin, signed.size, signed.root)
        remember(file, remembered)
    return signed


def sign_again(connection: Connection[Any], where: Place) -> None:
    """Sign the newest head with the key of now, after another key signed it."""
    head = newest(connection)
    if head is not None:
        text = Checkpoint(head.origin, head.size, head.root).text
        note = signednote.signed(text, [(head.origin, place.secrets_of(where).ledger)])
        connection.execute(SQL["sign_checkpoint_again"].encode(), {"origin": head.origin, "note": note})


def _follows(signed: Head | None, remembered: Checkpoint) -> bool:
    """Whether what the database signed last can come after what the data folder remembers."""
    return signed is not None and signed.origin == remembered.origin and signed.size >= remembered.size


def _many(connection: Connection[Any]) -> int:
    row = connection.execute(SQL["newest_index"].encode()).fetchone()
    return int(row[0]) + 1 if row else 0


def _grow(connection: Connection[Any], where: Place, signed: Head | None, remembered: Checkpoint | None) -> Head:
    """Take the next entries into the tree, if any, and sign; the tree of before must be the one that was signed."""
    with connection.transaction():
        stored = Stored(connection)
        held, size = Held(stored), signed.size if signed else 0
        if any(known and tree.root(known.size, held.node) != known.root for known in (signed, remembered)):
            raise _refused(signed, remembered)
        leaves = [entry.leaf() for entry in queries.few(connection, after=size - 1, limit=STEP)]
        if signed and signed.note and not leaves:
            return signed
        stored.keep(held.extend(size, leaves))
        origin = signed.origin if signed else f"{urlsplit(where.address).hostname or 'localhost'}/ledger"
        head = Checkpoint(origin, size + len(leaves), tree.root(size + len(leaves), held.node))
        note = signednote.signed(head.text, [(origin, place.secrets_of(where).ledger)])
        told = {"origin": origin, "size": head.size, "root": head.root, "note": note}
        connection.execute(SQL["keep_checkpoint"].encode(), told)
    return Head(origin, head.size, head.root, note)


def _continue(connection: Connection[Any], old: Head) -> Head:
    """Begin an origin of its own for a restored copy, whose first new entry names the head that was restored."""
    name, _, number = old.origin.rpartition("/")
    origin = f"{name}/{int(number) + 1}" if re.fullmatch(r"\d+", number) else f"{old.origin}/2"
    facts: Facts = {"size": old.size, "root": old.root.hex(), "origin": sha256(old.origin.encode()).hexdigest()}
    with connection.transaction():
        record(connection, action="ledger-continued", actor=None, subject=None, facts=facts)
    return Head(origin, old.size, old.root, "")


def _refused(signed: Head | None, remembered: Checkpoint | None) -> CheckpointRefusal:
    now = f"{signed.size} entries" if signed else "no entry"
    before = f"`{remembered.origin}` with {remembered.size}" if remembered else "another"
    sentence = f"the ledger's tree of {now} does not follow from the head that was signed last, {before}"
    advice = (
        f"nothing more is signed: see `troth ledger verify`; if you put an older copy back on purpose, remove `{FILE}`"
    )
    return CheckpointRefusal(sentence, advice=advice)


def recall(file: Path) -> Checkpoint | None:
    """Return the head that was signed last, as the data folder remembers it. Raises CheckpointRefusal."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return Checkpoint(str(told["origin"]), int(told["size"]), bytes.fromhex(told["root"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        sentence = f"`{file}` does not say which head was signed last: {error}"
        raise CheckpointRefusal(sentence, advice="bring back a copy of it") from error


def remember(file: Path, head: Checkpoint) -> None:
    """Write which head was signed last."""
    told = {"origin": head.origin, "size": head.size, "root": head.root.hex()}
    replace_file(file, (json.dumps(told) + "\n").encode(), 0o644)

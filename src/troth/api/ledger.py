"""The ledger as it is published: its key, signed head, tiles, entries and proofs, readable by anybody and any verifier.

Source: https://c2sp.org/tlog-tiles. Nothing in it says who somebody is.
"""

import json
import re

from troth.api.refusals import Refusal
from troth.consent import handover
from troth.database import connect, place
from troth.ledger import published, sequencing, tiles
from troth.ledger.errors import CheckpointRefusal

ROOT = "/ledger/"
#: What stands below it under one name; beside it tiles, entries and proofs.
NAMES = ("checkpoint", "key", "keys")
NUMBERED = re.compile(r"(entry|proof)/(0|[1-9]\d{0,17})")
TEXT, BYTES, JSON = "text/plain; charset=utf-8", "application/octet-stream", "application/json"
#: A full tile never changes; the head is another one in a moment.
FOR_GOOD, FOR_NOW = "public, max-age=31536000, immutable", "no-cache"

type Answer = tuple[str, bytes, str]


def answer(path: str) -> Answer:
    """Return the type, the bytes and how long they hold, of what stands below `/ledger/`. Raises Refusal."""
    name = path.removeprefix(ROOT)
    tile, numbered = tiles.named(name), NUMBERED.fullmatch(name)
    with connect.acting("door") as connection:
        head = sequencing.newest(connection)
        if head is None:
            raise Refusal("ledger-empty")
        if name in NAMES:
            return _named(name, head)
        if tile is not None and (held := published.tile(connection, tile, head)) is not None:
            return BYTES, held, FOR_GOOD
        if numbered is not None:
            try:
                entry, proof = published.proven(connection, int(numbered[2]))
            except CheckpointRefusal as refusal:
                raise Refusal("not-found", refusal.sentence) from refusal
            return (JSON, entry, FOR_GOOD) if numbered[1] == "entry" else (TEXT, proof.text.encode(), FOR_NOW)
    raise Refusal("not-found")


def _named(name: str, head: sequencing.Head) -> Answer:
    if name == "checkpoint":
        return TEXT, head.note.encode(), FOR_NOW
    if name == "key":
        return TEXT, f"{sequencing.key(place.current(), head.origin).written}\n".encode(), FOR_NOW
    told = [handover.told_of(each, head.origin) for each in handover.changes()]
    return JSON, json.dumps(told, indent=1).encode(), FOR_NOW

"""What of the ledger is handed out: tiles, entries and proofs; and whether the signed tree is that of the entries."""

from typing import Any

from psycopg import Connection

from troth.database.place import Place
from troth.database.statements import load
from troth.ledger import queries, sequencing, signednote, tiles, tree
from troth.ledger.errors import CheckpointRefusal
from troth.ledger.proofs import Proof
from troth.ledger.sequencing import Head, Stored
from troth.ledger.tiles import HASH, HEIGHT, WIDTH, Held, Tile

SQL = load("troth.ledger.sql")
LOOK = "stop writing, and compare with a backup and with heads that were kept elsewhere"


def proven(connection: Connection[Any], index: int) -> tuple[bytes, Proof]:
    """Return an entry's bytes and the proof that it is in the tree. Raises CheckpointRefusal where it is not yet."""
    head = sequencing.newest(connection)
    if head is None or index >= head.size:
        many = head.size if head else 0
        sentence = f"the signed tree has {many} entries, counted from 0; {index} is not among them"
        raise CheckpointRefusal(sentence, advice="take an earlier one, or wait until the next head is signed")
    hashes = tree.inclusion(index, head.size, Held(Stored(connection)).node)
    return queries.few(connection, after=index - 1, limit=1)[0].canonical(), Proof(index, tuple(hashes), head.note)


def tile(connection: Connection[Any], asked: Tile, head: Head) -> bytes | None:
    """Return what a tile holds, or None where the tree does not reach so far."""
    if asked.number * WIDTH + asked.width > head.size >> (HEIGHT * (asked.level or 0)):
        return None
    if asked.level is None:
        found = queries.few(connection, after=asked.number * WIDTH - 1, limit=asked.width)
        return tiles.bundle([entry.canonical() for entry in found])
    return Stored(connection)[asked.level, asked.number][: asked.width * HASH]


def judge(connection: Connection[Any], where: Place) -> Head | None:
    """Return the signed head, after making its tree again from the entries; None where nothing is signed yet.

    Raises CheckpointRefusal when signature, root or a stored tile is another than it should be.
    """
    head = sequencing.newest(connection)
    if head is None:
        return None
    told = signednote.opened(head.note, [sequencing.key(where, head.origin)])
    if (told.origin, told.size, told.root) != (head.origin, head.size, head.root):
        raise CheckpointRefusal("the stored head is not what was signed", advice=LOOK)
    made = Held({})
    for begin in range(0, head.size, sequencing.STEP):
        found = queries.few(connection, after=begin - 1, limit=min(sequencing.STEP, head.size - begin))
        made.extend(begin, [entry.leaf() for entry in found])
    if tree.root(head.size, made.node) != head.root:
        raise CheckpointRefusal("the entries are not those whose head was signed", advice=LOOK)
    for (level, number), hashes in made.tiles.items():
        if Stored(connection).get((level, number), b"")[: len(hashes)] != hashes:
            raise CheckpointRefusal(f"the tile {Tile(level, number).path} is not that of the entries", advice=LOOK)
    return head

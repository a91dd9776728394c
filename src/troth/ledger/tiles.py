"""The tree cut into tiles, as `tlog-tiles` names and fills them: 256 hashes each, the last of a level perhaps fewer.

Source: https://c2sp.org/tlog-tiles. A tile (level, number) holds nodes of height `8 * level`, from
`256 * number` on.
"""

import re
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass

from troth.ledger.tree import node_hash

HEIGHT, WIDTH, HASH = 8, 256, 32
LONGEST_ENTRY = 2**16 - 1
PATH = re.compile(r"tile/(entries|\d|[1-5]\d|6[0-3])((?:/x\d{3})*/\d{3})(?:\.p/(\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class Tile:
    """Which tile: `level` None is a bundle of entries; `width` 256, or fewer for the last one as it was once."""

    level: int | None
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Return what it is called below the log's address."""
        name = "entries" if self.level is None else str(self.level)
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return f"tile/{name}/{numbered(self.number)}{partial}"


def numbered(number: int) -> str:
    """Write a tile's number in groups of three digits: 1234067 as `x001/x234/067`."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03}")
    return "/".join(reversed(groups))


def named(path: str) -> Tile | None:
    """Return the tile of a path, or None where no tile can be called so."""
    found = PATH.fullmatch(path)
    if found is None:
        return None
    number = int(found[2].replace("/", "").replace("x", ""))
    level = None if found[1] == "entries" else int(found[1])
    tile = Tile(level, number, int(found[3] or WIDTH))
    return tile if tile.path == path and tile.width else None


def of_size(size: int, begin: int = 0) -> Iterator[Tile]:
    """Yield the tiles of hashes that a tree has and that of `begin` entries had not, level by level."""
    level = 0
    while size >> (HEIGHT * level):
        now, before = size >> (HEIGHT * level), begin >> (HEIGHT * level)
        for number in range(before // WIDTH, (now + WIDTH - 1) // WIDTH) if now > before else ():
            yield Tile(level, number, min(WIDTH, now - number * WIDTH))
        level += 1


def bundle(entries: list[bytes]) -> bytes:
    """Return entries as a tile of entries holds them: each behind its length in two bytes."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def folded(hashes: bytes) -> bytes:
    """Return the node over neighbours that lie one behind the other, as many as a power of two."""
    level = [hashes[place : place + HASH] for place in range(0, len(hashes), HASH)]
    while len(level) > 1:
        level = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


@dataclass(frozen=True, slots=True)
class Held:
    """The nodes of a tree whose tiles are held somewhere: tile -> its hashes one behind the other."""

    tiles: MutableMapping[tuple[int, int], bytes]

    def node(self, height: int, index: int) -> bytes:
        """Return a node. Raises KeyError when its tile is not held, or ends before it."""
        level = height // HEIGHT
        inside = height - level * HEIGHT
        first = index << inside
        begin, many = first % WIDTH, 1 << inside
        part = self.tiles[level, first // WIDTH][begin * HASH : (begin + many) * HASH]
        if len(part) != many * HASH:
            raise KeyError((height, index))
        return folded(part)

    def extend(self, size: int, leaves: list[bytes]) -> dict[tuple[int, int], bytes]:
        """Append the leaves' hashes to the tree of `size`, and return the tiles that changed, with what they hold."""
        changed: dict[tuple[int, int], bytes] = {}
        added, level, first = leaves, 0, size
        while added:
            full = self._append(level, first, added, changed)
            added = [folded(self.tiles[level, number]) for number in full]
            first, level = first // WIDTH, level + 1
        return changed

    def _append(self, level: int, first: int, added: list[bytes], changed: dict[tuple[int, int], bytes]) -> list[int]:
        """Fill the tiles of a level from its node `first` on; return the numbers of those that became full."""
        full = []
        for place, each in enumerate(added, first):
            key = level, place // WIDTH
            self.tiles[key] = self.tiles.get(key, b"")[: (place % WIDTH) * HASH] + each
            changed[key] = self.tiles[key]
            if place % WIDTH == WIDTH - 1:
                full.append(place // WIDTH)
        return full

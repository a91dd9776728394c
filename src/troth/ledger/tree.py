"""The Merkle tree over the ledger's entries: roots, and proofs that an entry or an older tree is in one.

Source: RFC 6962 section 2.1 (hashes and proofs), RFC 9162 sections 2.1.3 and 2.1.4 (verifying them). Indexes count from
0, hashes are 32 bytes. A *node* (height, index) is the hash over the `2**height` entries from `index * 2**height` on.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

type Nodes = Callable[[int, int], bytes]

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry's bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash over two neighbours."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(size: int, nodes: Nodes) -> bytes:
    """Return the root of the tree over the first `size` entries."""
    return _range(0, size, nodes) if size else EMPTY


def inclusion(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that entry `index` is in the tree of `size`. Raises ValueError when it is not."""
    if not 0 <= index < size:
        raise ValueError(f"there is no entry {index} in a tree of {size}")
    return _path(index, 0, size, nodes)


def consistency(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that the tree of `old` entries is the beginning of that of `new`. Raises ValueError."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} is no beginning of one of {new}")
    return _subproof(old, 0, new, nodes, whole=True) if 0 < old < new else []


def includes(entry: bytes, index: int, size: int, proof: Sequence[bytes], head: bytes) -> bool:
    """Whether the proof shows `entry` (a leaf's hash) at `index` of the tree of `size` whose root is `head`."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, entry
    for step in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(step, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == head


def continues(old: int, new: int, proof: Sequence[bytes], old_head: bytes, new_head: bytes) -> bool:
    """Whether the proof shows that the tree of `old` entries is the beginning of that of `new`."""
    if not 0 <= old <= new or (old in (0, new) and proof):
        return False
    if old == new:
        return old_head == new_head
    if old == 0:
        return old_head == EMPTY
    steps = [old_head, *proof] if old & (old - 1) == 0 else list(proof)
    return bool(steps) and _climbed(old, new, steps) == (old_head, new_head)


def _climbed(old: int, new: int, steps: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Return both roots as the steps make them, or None where they are too many or too few."""
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return None
        if place & 1 or place == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, step)
        place, last = place >> 1, last >> 1
    return (before, after) if last == 0 else None


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _range(begin: int, end: int, nodes: Nodes) -> bytes:
    size = end - begin
    if size & (size - 1) == 0:
        height = size.bit_length() - 1
        return nodes(height, begin >> height)
    middle = begin + _split(size)
    return node_hash(_range(begin, middle, nodes), _range(middle, end, nodes))


def _path(index: int, begin: int, end: int, nodes: Nodes) -> list[bytes]:
    if end - begin == 1:
        return []
    middle = begin + _split(end - begin)
    if index < middle:
        return [*_path(index, begin, middle, nodes), _range(middle, end, nodes)]
    return [*_path(index, middle, end, nodes), _range(begin, middle, nodes)]


def _subproof(old: int, begin: int, end: int, nodes: Nodes, *, whole: bool) -> list[bytes]:
    if old == end - begin:
        return [] if whole else [_range(begin, end, nodes)]
    middle = begin + _split(end - begin)
    if old <= middle - begin:
        return [*_subproof(old, begin, middle, nodes, whole=whole), _range(middle, end, nodes)]
    rest = _subproof(old - (middle - begin), middle, end, nodes, whole=False)
    return [*rest, _range(begin, middle, nodes)]


def grown(leaves: Iterator[bytes]) -> tuple[int, bytes]:
    """Return size and root of the tree over leaves' hashes, in memory that grows with its height only."""
    size = 0
    peaks: list[bytes] = []
    for leaf in leaves:
        size, carried = size + 1, leaf
        place = size
        while not place & 1:
            carried, place = node_hash(peaks.pop(), carried), place >> 1
        peaks.append(carried)
    head = peaks.pop() if peaks else EMPTY
    while peaks:
        head = node_hash(peaks.pop(), head)
    return size, head

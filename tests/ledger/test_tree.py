"""RFC 6962: roots and proofs over any size, and what is refused when a bit of them is another."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.ledger import tiles, tree
from troth.ledger.tiles import Held, Tile

#: The tree of RFC 6962's reference implementation: its inputs, and the roots over the first 1 to 8 of them.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def grow(many: int, step: int = 1000) -> Held:
    """A tree of many entries, appended some at a time."""
    held = Held({})
    for begin in range(0, many, step):
        held.extend(begin, [leaf(place) for place in range(begin, min(many, begin + step))])
    return held


def leaf(place: int) -> bytes:
    return tree.leaf_hash(str(place).encode())


def plainly(leaves: list[bytes]) -> bytes:
    """The root as RFC 6962 section 2.1 defines it, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + plainly(leaves[:k]) + plainly(leaves[k:])).digest()


def test_the_known_roots_come_out() -> None:
    leaves = [tree.leaf_hash(bytes.fromhex(each)) for each in INPUTS]
    held = Held({})
    held.extend(0, leaves)
    assert [tree.root(size, held.node).hex() for size in range(1, 9)] == ROOTS
    assert tree.root(0, held.node) == tree.EMPTY


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 255, 256, 257, 600])
def test_tiles_and_streams_make_the_same_root_as_the_definition(size: int) -> None:
    leaves = [leaf(place) for place in range(size)]
    assert tree.root(size, grow(size, step=100).node) == plainly(leaves)
    assert tree.grown(iter(leaves)) == (size, plainly(leaves))


@given(st.integers(1, 600), st.data())
def test_every_entry_is_proven_and_no_other_in_its_place(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    head, proof = tree.root(size, TREE.node), tree.inclusion(index, size, TREE.node)
    assert tree.includes(leaf(index), index, size, proof, head)
    assert not tree.includes(leaf(index + 1), index, size, proof, head)
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index)) if size > 1 else 1
    assert not tree.includes(leaf(index), other, size, proof, head)
    for broken in ([*proof, proof[-1]] if proof else [leaf(0)], proof[:-1] if proof else [leaf(1)]):
        assert not tree.includes(leaf(index), index, size, broken, head)
    if proof:
        flipped = [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]]
        assert not tree.includes(leaf(index), index, size, flipped, head)


@given(st.integers(0, 600), st.integers(0, 600))
def test_an_older_tree_is_shown_to_be_the_beginning_and_a_fork_is_not(one: int, other: int) -> None:
    old, new = sorted((one, other))
    before, after = tree.root(old, TREE.node), tree.root(new, TREE.node)
    proof = tree.consistency(old, new, TREE.node)
    assert tree.continues(old, new, proof, before, after)
    assert not tree.continues(old, new, [*proof, leaf(0)], before, after)
    if old:
        assert not tree.continues(old, new, proof, leaf(9999), after)
    if new:
        assert not tree.continues(old, new, proof, before, leaf(9999)) or old == 0
    if proof:
        assert not tree.continues(old, new, proof[:-1], before, after)
        assert not tree.continues(old, new, [leaf(9999), *proof[1:]], before, after)


TREE = grow(601)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 67, 3), "tile/1/067.p/3"),
        (Tile(None, 1234067), "tile/entries/x001/x234/067"),
        (Tile(63, 999, 255), "tile/63/999.p/255"),
    ],
)
def test_a_tile_is_named_as_the_standard_says(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert tiles.named(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/64/000",
        "tile/0/0",
        "tile/0/x000/001",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/../000",
        "tile/entries/000\n",
    ],
)
def test_nothing_else_is_a_tile(path: str) -> None:
    assert tiles.named(path) is None


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_the_tiles_that_a_growth_touches_are_all_named(one: int, other: int) -> None:
    old, new = sorted((one, other))
    found = list(tiles.of_size(new, old))
    assert len(set(found)) == len(found)
    assert {(tile.level, tile.number) for tile in found if tile.level == 0} == {
        (0, number) for number in range(old // 256, -(-new // 256)) if new > old
    }


def test_appending_a_few_changes_a_few_tiles() -> None:
    held = grow(255)
    assert set(held.extend(255, [leaf(255), leaf(256)])) == {(0, 0), (0, 1), (1, 0)}
    assert held.tiles[1, 0] == tree.root(256, held.node)

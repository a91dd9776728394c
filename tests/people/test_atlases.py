"""What is written as a file in the MaxMind DB format is what the format's own reader finds in it."""

import ipaddress
from pathlib import Path

import maxminddb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from troth.people.atlases import BITS, Range, Tree, networks

KINDS: dict[int, type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]] = {
    4: ipaddress.IPv4Address,
    6: ipaddress.IPv6Address,
}


def apart(version: int, numbers: list[int]) -> list[Range]:
    """Return ranges between each two of these numbers, in their order, none over another."""
    cut = sorted(set(numbers))
    return [(a, b - 1, {"name": f"n{a % 7}", "number": a % 70_000}) for a, b in zip(cut[::2], cut[1::2], strict=False)]


@settings(max_examples=60, deadline=None)
@given(
    four=st.lists(st.integers(0, 2**32 - 1) | st.integers(2**24, 2**24 + 5_000), max_size=30),
    six=st.lists(st.integers(2**96, 2**128 - 1) | st.integers(2**125, 2**125 + 5_000), max_size=30),
)
def test_every_range_is_found_to_its_ends_and_nothing_beside_it(
    tmp_path_factory: pytest.TempPathFactory, four: list[int], six: list[int]
) -> None:
    tree = Tree()
    told = {4: apart(4, four), 6: apart(6, six)}
    for version, ranges in told.items():
        tree.add(version, ranges)
    file = tmp_path_factory.mktemp("atlas") / "some.mmdb"
    file.write_bytes(tree.file("some"))
    with maxminddb.open_database(file) as reader:
        for version, ranges in told.items():
            for first, last, value in ranges:
                for each in {first, last, (first + last) // 2}:
                    assert reader.get(KINDS[version](each)) == value
                for each in (first - 1, last + 1):
                    inside = any(a <= each <= b for a, b, _ in ranges)
                    if not inside and 2**96 * (version == 6) <= each < 2 ** BITS[version]:
                        assert reader.get(KINDS[version](each)) is None


@pytest.mark.parametrize("length", [0, 28, 29, 284, 285, 9_000])
def test_words_of_any_length_and_what_the_file_is_are_read(tmp_path: Path, length: int) -> None:
    tree = Tree()
    tree.add(4, [(2**24, 2**24 + 255, {"name": "ñ" * (length // 2), "number": 0})])
    file = tmp_path / "some.mmdb"
    file.write_bytes(tree.file("a few words"))
    for mode in (maxminddb.MODE_AUTO, maxminddb.MODE_FILE):
        with maxminddb.open_database(file, mode) as reader:
            assert reader.get("1.0.0.7") == {"name": "ñ" * (length // 2), "number": 0}
            assert (reader.metadata().database_type, reader.metadata().ip_version) == ("a few words", 6)


def test_a_range_is_cut_into_the_fewest_networks() -> None:
    assert list(networks(0, 2**32 - 1, 32)) == [(0, 0)]
    assert list(networks(1, 8, 32)) == [(1, 32), (2, 31), (4, 30), (8, 32)]
    assert list(networks(5, 4, 32)) == []

"""A table of ranges of addresses as a file in the MaxMind DB format (version 2.0), so that one reader reads everything.

Source: maxmind.github.io/MaxMind-DB. Half a million ranges take minutes to insert one by one; as they come sorted, each
one's way through the tree begins where the one before it was left.
"""

import ipaddress
import struct
import sys
import time
from array import array
from collections.abc import Iterable, Iterator

#: An inclusive range of addresses, as numbers of the version that is said with it, and what stands there.
type Range = tuple[int, int, dict[str, str | int]]
MARK = b"\xab\xcd\xefMaxMind.com"
BITS = {4: 32, 6: 128}
#: A child that leads nowhere.
NOWHERE = 0
#: The types of values; those from EXTENDED on are named in a byte of their own.
TEXT, SHORT, LONG, MAP, LONGEST, LIST, EXTENDED = 2, 5, 6, 7, 9, 11, 8


class Tree:
    """A binary tree of addresses; children are nodes, or below zero the places of values among the data."""

    def __init__(self) -> None:
        """Begin with a root alone."""
        self.children = array("q", (NOWHERE, NOWHERE))
        self.data = bytearray()
        self.places: dict[tuple[str | int, ...], int] = {}
        self.way = [0]
        self.before = 0

    def add(self, version: int, ranges: Iterable[Range]) -> None:
        """Add ranges of a version, each behind the one before, none over another."""
        for first, last, value in ranges:
            place = self._placed(value)
            for network, length in networks(first, last, BITS[version]):
                whole = length + (BITS[6] - BITS[version])
                self._lead(network, whole, -1 - place)

    def _lead(self, network: int, length: int, leaf: int) -> None:
        """Let the way of a network end at a leaf, beginning where it parts from the way before."""
        common = BITS[6] - (network ^ self.before).bit_length()
        del self.way[min(common, length - 1, len(self.way) - 1) + 1 :]
        for depth in range(len(self.way) - 1, length - 1):
            slot = 2 * self.way[-1] + (network >> (BITS[6] - 1 - depth) & 1)
            if self.children[slot] == NOWHERE:
                self.children[slot] = len(self.children) // 2
                self.children.extend((NOWHERE, NOWHERE))
            self.way.append(self.children[slot])
        self.children[2 * self.way[-1] + (network >> (BITS[6] - length) & 1)] = leaf
        self.before = network

    def _placed(self, value: dict[str, str | int]) -> int:
        known = tuple(value.values())
        if known not in self.places:
            self.places[known] = len(self.data)
            self.data += encoded(value)
        return self.places[known]

    def file(self, about: str) -> bytes:
        """Return the file; `about` says what it is and where it comes from."""
        nodes = len(self.children) // 2
        told = (
            nodes if child == NOWHERE else child if child > NOWHERE else nodes + 16 - 1 - child
            for child in self.children
        )
        records = array("I", told)
        if sys.byteorder == "little":
            records.byteswap()
        described = headed(MAP, 9) + b"".join(encoded(name) + each for name, each in _metadata(nodes, about))
        return records.tobytes() + bytes(16) + bytes(self.data) + MARK + described


def _metadata(nodes: int, about: str) -> Iterator[tuple[str, bytes]]:
    yield "node_count", numeral(LONG, nodes)
    for name, each in (("record_size", 32), ("ip_version", 6)):
        yield name, numeral(SHORT, each)
    yield "binary_format_major_version", numeral(SHORT, 2)
    yield "binary_format_minor_version", numeral(SHORT, 0)
    yield "build_epoch", numeral(LONGEST, int(time.time()))
    yield "database_type", encoded(about)
    yield "languages", headed(LIST, 0)
    yield "description", encoded({"en": about})


def networks(first: int, last: int, bits: int) -> Iterator[tuple[int, int]]:
    """Yield the networks of a range, the largest that fit: the first address and the length of the prefix."""
    while first <= last:
        size = min(first & -first or 1 << bits, 1 << (last - first + 1).bit_length() - 1)
        yield first, bits - size.bit_length() + 1
        first += size


def numbered(address: str) -> int:
    """Return an address as a number. Raises ValueError where it is none."""
    return int(ipaddress.ip_address(address))


def encoded(value: dict[str, str | int] | str | int) -> bytes:
    """Return a value as the format writes it."""
    match value:
        case dict():
            parts = (encoded(key) + encoded(each) for key, each in value.items())
            return headed(MAP, len(value)) + b"".join(parts)
        case str():
            text = value.encode()
            return headed(TEXT, len(text)) + text
        case int():
            return numeral(LONG, value)


def numeral(kind: int, value: int) -> bytes:
    """Return a number of a kind, in as few bytes as it takes."""
    digits = value.to_bytes((value.bit_length() + 7) // 8)
    return headed(kind, len(digits)) + digits


def headed(kind: int, size: int) -> bytes:
    """Return the control bytes of a value of fewer than 65,821 bytes."""
    first, more = (kind << 5, b"") if kind < EXTENDED else (0, bytes([kind - 7]))
    if size < 29:  # noqa: PLR2004 - as the format says
        return bytes([first | size]) + more
    if size < 285:  # noqa: PLR2004 - as the format says
        return bytes([first | 29]) + more + bytes([size - 29])
    return bytes([first | 30]) + more + struct.pack(">H", size - 285)

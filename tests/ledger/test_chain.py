"""The verifier says no to every change of a chain, and names the first entry that is wrong."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.ledger.entry import ORIGIN, Entry, Fact, mark
from troth.ledger.verify import Flaw, Head, verify

ALICE = UUID("018f0000-0000-7000-8000-00000000a11c")
START = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


def chain(length: int) -> list[Entry]:
    entries: list[Entry] = []
    for index in range(length):
        alice = mark(sha256(bytes([index])).digest(), ALICE)
        facts: dict[str, Fact] = {"version": index, "purpose": "understand", "again": True, "none": None}
        previous = entries[-1].hash if entries else ORIGIN
        told = Entry(index, START + timedelta(seconds=index), "objection", alice, alice, facts, previous, b"")
        entries.append(replace(told, hash=told.linked()))
    return entries


def test_an_untouched_chain_holds() -> None:
    entries = chain(5)
    verdict = verify(entries)
    assert verdict.sound
    assert verdict.head == Head(5, entries[-1].hash)


def test_no_entries_are_a_sound_beginning() -> None:
    assert verify([]).head == Head(0, ORIGIN)


def test_the_bytes_that_are_hashed_are_those_the_database_documents() -> None:
    entry = Entry(7, START, "agreed", b"\x01" * 32, None, {"version": 3, "by": "form", "a": None}, ORIGIN, b"")
    assert entry.canonical() == (
        b'{"action":"agreed","actor":"' + b"01" * 32 + b'","at":1795435200123456,'
        b'"facts":{"a":null,"by":"form","version":3},"index":7,"subject":null}'
    )
    assert entry.linked() == sha256(b"\x01" + ORIGIN + sha256(b"\x00" + entry.canonical()).digest()).digest()


def flipped(value: Any, bit: int) -> Any:
    """Return the same value with one bit changed, whatever it is."""
    match value:
        case bytes():
            at = bit // 8 % len(value)
            return value[:at] + bytes([value[at] ^ (1 << bit % 8)]) + value[at + 1 :]
        case str():
            at = bit // 8 % len(value)
            return value[:at] + chr(ord(value[at]) ^ (1 << bit % 7)) + value[at + 1 :]
        case datetime():
            return value + timedelta(microseconds=1 << bit % 20)
        case dict():
            key = sorted(value)[bit % len(value)]
            return value | {key: flipped(value[key], bit)}
        case bool() | None:
            return 1 if value is None else not value
        case int():
            return value ^ (1 << bit % 30)
    raise AssertionError(value)


@given(at=st.integers(0, 4), name=st.sampled_from([f.name for f in fields(Entry)]), bit=st.integers(0, 4096))
def test_every_flipped_bit_of_every_field_is_seen(at: int, name: str, bit: int) -> None:
    entries = chain(5)
    entries[at] = replace(entries[at], **{name: flipped(getattr(entries[at], name), bit)})
    verdict = verify(entries, remembered=Head(5, chain(5)[-1].hash))
    assert not verdict.sound
    # A change of the last field, `hash`, of the last entry shows there; none shows before the entry that was changed.
    assert verdict.head.size >= at


@pytest.mark.parametrize("bit", range(256))
def test_every_flipped_bit_of_a_hash_names_the_entry(bit: int) -> None:
    entries = chain(3)
    entries[1] = replace(entries[1], hash=flipped(entries[1].hash, bit))
    assert (verify(entries).flaw, verify(entries).index) == (Flaw.EDITED, 1)


def test_an_entry_that_is_taken_out_is_missed() -> None:
    entries = chain(5)
    del entries[2]
    assert (verify(entries).flaw, verify(entries).index) == (Flaw.MISSING, 2)


def test_the_first_entry_taken_out_is_missed() -> None:
    assert (verify(chain(5)[1:]).flaw, verify(chain(5)[1:]).index) == (Flaw.MISSING, 0)


def test_two_entries_that_change_places_are_seen() -> None:
    entries = chain(5)
    entries[1], entries[2] = replace(entries[2], index=1), replace(entries[1], index=2)
    assert (verify(entries).flaw, verify(entries).index) == (Flaw.UNLINKED, 1)


def test_an_entry_that_comes_twice_is_seen() -> None:
    entries = chain(3)
    assert verify([*entries, entries[1]]).flaw is Flaw.REORDERED


def test_an_edit_whose_hash_was_made_anew_breaks_the_next_link() -> None:
    entries = chain(3)
    edited = replace(entries[1], action="consent")
    entries[1] = replace(edited, hash=edited.linked())
    assert (verify(entries).flaw, verify(entries).index) == (Flaw.UNLINKED, 2)


def rewritten(entries: list[Entry], at: int) -> list[Entry]:
    """Return what somebody makes who edits one entry and then links all the later ones anew."""
    made = entries[:at]
    for entry in [replace(entries[at], action="consent"), *entries[at + 1 :]]:
        linked = replace(entry, previous=made[-1].hash if made else ORIGIN)
        made.append(replace(linked, hash=linked.linked()))
    return made


@pytest.mark.parametrize("at", range(5))
def test_a_rewritten_chain_is_betrayed_by_the_head_seen_before(at: int) -> None:
    entries = chain(5)
    forged = rewritten(entries, at)
    assert verify(forged).sound, "the forgery is consistent in itself"
    found = verify(forged, remembered=Head(5, entries[-1].hash))
    assert (found.flaw, found.index, found.head.size) == (Flaw.REPLACED, 4, 4)  # entries 0 to 3 stand before it


@pytest.mark.parametrize("left", range(5))
def test_a_dropped_tail_or_an_older_copy_is_seen(left: int) -> None:
    entries = chain(5)
    verdict = verify(entries[:left], remembered=Head(5, entries[-1].hash))
    assert (verdict.flaw, verdict.index) == (Flaw.TRUNCATED, left)


def test_an_older_copy_that_went_on_is_seen() -> None:
    entries = chain(6)
    fork = rewritten(entries, 3)
    assert verify(fork, remembered=Head(5, entries[4].hash)).flaw is Flaw.REPLACED


def test_a_chain_that_grew_since_holds() -> None:
    entries = chain(8)
    assert verify(entries, remembered=Head(5, entries[4].hash)).sound


@given(salt=st.binary(min_size=32, max_size=32))
def test_without_the_salt_a_digest_says_nothing_about_whom(salt: bytes) -> None:
    assert mark(salt, ALICE) != sha256(ALICE.bytes).digest()
    assert mark(salt, ALICE) != mark(sha256(salt).digest(), ALICE)

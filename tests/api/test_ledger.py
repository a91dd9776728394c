"""The ledger is published for everybody, in the form that verifiers of transparency logs read."""

from typing import Any

import pytest
from psycopg import Connection

from tests.api.test_lean import asked
from tests.conftest import Person
from troth.database.place import Place
from troth.ledger import sequencing
from troth.ledger.proofs import Proof
from troth.ledger.sequencing import Head
from troth.ledger.signednote import Key, opened

FOR_GOOD = b"public, max-age=31536000, immutable"


@pytest.fixture
def head(owner: Connection[Any], database: Place, cast: dict[str, Person]) -> Any:
    (database.data / sequencing.FILE).unlink(missing_ok=True)
    yield sequencing.sequence(owner, database)
    (database.data / sequencing.FILE).unlink(missing_ok=True)


def test_before_the_first_head_there_is_nothing(database: Place) -> None:
    assert (asked("/ledger/checkpoint").status, asked("/ledger/checkpoint").code) == (404, "ledger-empty")


def test_the_head_is_signed_with_the_key_beside_it(head: Head) -> None:
    told = opened(asked("/ledger/checkpoint").content.decode(), [Key.read(asked("/ledger/key").content.decode())])
    assert (told.size, told.root) == (head.size, head.root)
    assert asked("/ledger/checkpoint").headers[b"content-type"] == b"text/plain; charset=utf-8"
    assert asked("/ledger/checkpoint").headers[b"cache-control"] == b"no-cache"


def test_tiles_hold_hashes_and_entries(head: Head, cast: dict[str, Person]) -> None:
    tile = asked(f"/ledger/tile/0/000.p/{head.size}")
    assert (tile.status, len(tile.content)) == (200, 32 * head.size)
    assert tile.headers[b"cache-control"] == FOR_GOOD
    assert asked("/ledger/tile/0/000.p/3").content == tile.content[:96], "as it was once"
    entries = asked(f"/ledger/tile/entries/000.p/{head.size}").content
    first = entries[2 : 2 + int.from_bytes(entries[:2])]
    assert first == asked("/ledger/entry/0").content
    for person in cast.values():
        assert str(person.subject).encode() not in entries
        assert person.email.encode() not in entries


def test_each_entry_comes_with_its_proof(head: Head) -> None:
    key = Key.read(asked("/ledger/key").content.decode())
    entry = asked("/ledger/entry/5")
    assert entry.headers[b"content-type"] == b"application/json"
    assert Proof.read(asked("/ledger/proof/5").content.decode()).shows(entry.content, [key]).size == head.size


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/000",
        "tile/0/001.p/1",
        "tile/9/000.p/1",
        "tile/entries/999",
        "entry/999",
        "proof/999",
        "entry/-1",
        "entry/01",
        "entry/x",
        "",
        "../me",
        "entry/9999999999999999999",
    ],
)
def test_what_is_not_there_is_not_there(head: Head, path: str) -> None:
    assert asked(f"/ledger/{path}").status == 404


def test_it_is_only_read(head: Head) -> None:
    said = asked("/ledger/checkpoint", method="POST")
    assert (said.status, said.headers[b"allow"]) == (405, b"GET, HEAD")
    assert asked("/ledger/checkpoint", method="HEAD").content == b""

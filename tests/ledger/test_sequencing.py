"""The keeper signs heads of what was committed, one following from the other, and none that does not."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.ledger.conftest import Connect
from troth.database.place import Place
from troth.ledger import actions, published, sequencing, signednote, tree
from troth.ledger.errors import CheckpointRefusal
from troth.ledger.tiles import Held


@pytest.fixture
def ledger(owner: Connect, bare_server: Place) -> Any:
    """The owner's autocommitting connection to an empty ledger, whose data folder remembers nothing."""
    (bare_server.data / sequencing.FILE).unlink(missing_ok=True)
    connection = owner()
    connection.autocommit = True
    return connection


def write(connection: Connection[Any], many: int) -> None:
    for number in range(many):
        actions.record(connection, action="tried", actor=None, subject=None, facts={"number": number})


def sign(connection: Connection[Any], where: Place) -> sequencing.Head:
    head = sequencing.sequence(connection, where)
    assert head is not None
    return head


def test_an_empty_ledger_has_no_head(ledger: Connection[Any], bare_server: Place) -> None:
    assert sequencing.sequence(ledger, bare_server) is None


def test_heads_follow_one_another_and_are_those_of_the_entries(ledger: Connection[Any], bare_server: Place) -> None:
    heads = []
    for many in (1, 3, 300, 0, 5):
        write(ledger, many)
        heads.append(sign(ledger, bare_server))
    assert [head.size for head in heads] == [1, 4, 304, 304, 309]
    nodes = Held(sequencing.Stored(ledger)).node
    for old, new in itertools.pairwise(heads):
        proof = tree.consistency(old.size, new.size, nodes)
        assert tree.continues(old.size, new.size, proof, old.root, new.root)
        assert signednote.opened(new.note, [sequencing.key(bare_server, new.origin)]).root == new.root
    assert published.judge(ledger, bare_server) == heads[-1]
    assert json.loads((bare_server.data / sequencing.FILE).read_text())["root"] == heads[-1].root.hex()


def test_steps_make_the_same_tree(ledger: Connection[Any], bare_server: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencing, "STEP", 7)
    write(ledger, 40)
    assert sign(ledger, bare_server).size == 40
    assert published.judge(ledger, bare_server) is not None


def test_an_action_that_is_not_committed_is_in_no_head(
    ledger: Connection[Any], owner: Connect, bare_server: Place
) -> None:
    write(ledger, 2)
    other = owner()
    actions.record(other, action="tried", actor=None, subject=None)
    assert sign(ledger, bare_server).size == 2
    other.rollback()
    write(ledger, 1)
    assert sign(ledger, bare_server).size == 3


def test_each_entry_is_proven_to_whoever_has_the_key(ledger: Connection[Any], bare_server: Place) -> None:
    write(ledger, 20)
    head = sign(ledger, bare_server)
    key = sequencing.key(bare_server, head.origin)
    for index in (0, 7, 19):
        entry, proof = published.proven(ledger, index)
        assert proof.shows(entry, [key]).size == 20
        with pytest.raises(CheckpointRefusal):
            proof.shows(entry.replace(b"tried", b"tired"), [key])
    with pytest.raises(CheckpointRefusal, match="not among them"):
        published.proven(ledger, 20)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("UPDATE troth.ledger_entry SET action = 'tired' WHERE index = 3", "entries are not those"),
        (
            "UPDATE troth.ledger_tile SET hashes = overlay(hashes placing '\\x00' from 5 for 1)",
            "not that of the entries",
        ),
        ("UPDATE troth.ledger_checkpoint SET size = 9", "not what was signed"),
        ("UPDATE troth.ledger_checkpoint SET note = replace(note, '10', '11')", "does not hold"),
    ],
)
def test_what_is_edited_by_hand_is_seen(ledger: Connection[Any], bare_server: Place, broken: str, said: str) -> None:
    write(ledger, 10)
    sign(ledger, bare_server)
    ledger.execute(broken.encode())
    with pytest.raises(CheckpointRefusal, match=said):
        published.judge(ledger, bare_server)


@pytest.mark.parametrize(
    "broken",
    [
        "UPDATE troth.ledger_tile SET hashes = overlay(hashes placing '\\x00' from 5 for 1)",
        "UPDATE troth.ledger_checkpoint SET root = sha256('another')",
        "UPDATE troth.ledger_checkpoint SET size = 4",
        "UPDATE troth.ledger_checkpoint SET origin = 'elsewhere.example'",
        "DELETE FROM troth.ledger_checkpoint",
    ],
)
def test_a_head_that_does_not_follow_is_never_signed(ledger: Connection[Any], bare_server: Place, broken: str) -> None:
    write(ledger, 10)
    sign(ledger, bare_server)
    ledger.execute(broken.encode())
    write(ledger, 1)
    with pytest.raises(CheckpointRefusal, match="does not follow"):
        sequencing.sequence(ledger, bare_server)
    assert ledger.execute("SELECT count(*) FROM troth.ledger_checkpoint WHERE size > 10").fetchone() == (0,)


def cut(connection: Connection[Any], where: Place) -> None:
    """Take the newest entries away, and make tree and head what they were before: the database alone shows nothing."""
    write(connection, 4)
    sign(connection, where)
    names = ("ledger_tile", "ledger_checkpoint")
    kept = {name: connection.execute(f"SELECT * FROM troth.{name}".encode()).fetchall() for name in names}
    write(connection, 6)
    sign(connection, where)
    connection.execute("DELETE FROM troth.ledger_entry WHERE index > 3")
    for name, rows in kept.items():
        connection.execute(f"DELETE FROM troth.{name}".encode())
        with connection.cursor() as cursor:
            marks = ", ".join(["%s"] * len(rows[0]))
            cursor.executemany(f"INSERT INTO troth.{name} VALUES ({marks})".encode(), rows)


def test_a_cut_that_the_database_does_not_show_is_not_signed_over(ledger: Connection[Any], bare_server: Place) -> None:
    cut(ledger, bare_server)
    write(ledger, 1)
    with pytest.raises(CheckpointRefusal, match="does not follow"):
        sequencing.sequence(ledger, bare_server)


def test_without_what_the_data_folder_remembers_it_would_be(ledger: Connection[Any], bare_server: Place) -> None:
    cut(ledger, bare_server)
    sequencing.remember(bare_server.data / sequencing.FILE, signednote.read(_note(ledger)))
    write(ledger, 1)
    assert sign(ledger, bare_server).size == 5


def _note(connection: Connection[Any]) -> str:
    head = sequencing.newest(connection)
    assert head is not None
    return head.note.partition("\n\n")[0] + "\n"


def test_a_restored_copy_goes_on_under_an_origin_that_names_the_old_head(
    ledger: Connection[Any], bare_server: Place
) -> None:
    write(ledger, 10)
    old = sign(ledger, bare_server)
    file: Path = bare_server.data / sequencing.FILE
    for origin in ("localhost/ledger/2", "localhost/ledger/3"):
        file.unlink()
        new = sign(ledger, bare_server)
        assert (new.origin, new.size) == (origin, old.size + 1)
        told = json.loads(published.proven(ledger, new.size - 1)[0])
        assert (told["action"], told["facts"]["size"], told["facts"]["root"]) == (
            "ledger-continued",
            old.size,
            old.root.hex(),
        )
        old = new


def test_a_fall_between_signing_and_remembering_is_caught_up(ledger: Connection[Any], bare_server: Place) -> None:
    write(ledger, 3)
    first = sign(ledger, bare_server)
    write(ledger, 3)
    sign(ledger, bare_server)
    file = bare_server.data / sequencing.FILE
    sequencing.remember(file, signednote.Checkpoint(first.origin, first.size, first.root))
    assert sign(ledger, bare_server).size == 6
    assert json.loads(file.read_text())["size"] == 6

"""`troth ledger verify` reads as the steward, says yes or no, and remembers outside the database how far it saw."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.ledger.conftest import Connect
from troth.cli.ledger import ledger
from troth.database.place import Place
from troth.ledger.actions import record
from troth.ledger.remembered import FILE


@pytest.fixture
def remembered(bare_server: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TROTH_DATA", str(bare_server.data))
    file = bare_server.data / FILE
    file.unlink(missing_ok=True)
    return file


def verify(*arguments: str) -> Result:
    return CliRunner().invoke(ledger, ["verify", *arguments], catch_exceptions=False)


def grow(owner: Connect, entries: int) -> None:
    with owner() as connection:
        for _ in range(entries):
            record(connection, action="agreed", actor=None, subject=None)


def test_a_sound_ledger_is_said_to_hold_and_its_head_is_kept_in_the_data_folder(
    owner: Connect, remembered: Path
) -> None:
    grow(owner, 3)
    said = verify()
    assert said.exit_code == 0
    assert "the ledger holds: 3 entries" in said.output
    assert json.loads(remembered.read_text())["size"] == 3
    grow(owner, 2)
    assert "the 3 seen before are among them" in verify().output
    assert json.loads(remembered.read_text())["size"] == 5


def test_a_cut_ledger_is_refused_and_what_was_seen_is_not_forgotten(owner: Connect, remembered: Path) -> None:
    grow(owner, 3)
    assert verify().exit_code == 0
    with owner() as connection:
        connection.execute("DELETE FROM troth.ledger_entry WHERE index = 2")
    for _ in range(2):
        said = verify()
        assert said.exit_code == 1
        assert "entry 2 was seen before and is gone" in said.output
        assert "counted from 0; the 2 before it each follow from the one before" in said.output
    assert json.loads(remembered.read_text())["size"] == 3


def test_the_json_form_names_flaw_and_index(owner: Connect, remembered: Path) -> None:
    grow(owner, 3)
    with owner() as connection:
        connection.execute("UPDATE troth.ledger_entry SET action = 'consent' WHERE index = 1")
    said = verify("--format", "json")
    assert said.exit_code == 1
    told = json.loads(said.output)
    assert (told["sound"], told["flaw"], told["index"], told["size"]) == (False, "edited", 1, 1)
    assert not remembered.exists()


def test_another_file_can_remember(owner: Connect, remembered: Path, tmp_path: Path) -> None:
    grow(owner, 1)
    assert verify("--remember", str(tmp_path / "elsewhere.json")).exit_code == 0
    assert (tmp_path / "elsewhere.json").exists()
    assert not remembered.exists()


def test_a_head_that_was_taken_away_shows_what_that_of_the_data_folder_no_longer_does(
    owner: Connect, remembered: Path, tmp_path: Path
) -> None:
    away = tmp_path / "ledger-head.json"
    grow(owner, 3)
    assert verify("--remember", str(away)).exit_code == 0
    with owner() as connection:
        connection.execute("DELETE FROM troth.ledger_entry WHERE index = 2")
    remembered.unlink(missing_ok=True)
    assert verify().exit_code == 0, "whoever can write the folder takes its memory"
    said = verify("--remember", str(away))
    assert said.exit_code == 1
    assert "entry 2 was seen before and is gone" in said.output
    grow(owner, 2)
    assert "entry 2 is another one than was seen before" in verify("--remember", str(away)).output


def test_a_spoiled_memory_is_reported_and_left_as_it_is(owner: Connect, remembered: Path) -> None:
    grow(owner, 1)
    remembered.write_text("{}")
    said = verify()
    assert said.exit_code == 1
    assert "does not say what the ledger's last head was" in said.output
    assert remembered.read_text() == "{}"


def test_an_entry_no_ledger_can_hold_is_reported(owner: Connect, remembered: Path) -> None:
    grow(owner, 1)
    with owner() as connection:
        connection.execute("UPDATE troth.ledger_entry SET at = 'infinity'")
    said = verify()
    assert said.exit_code == 1
    assert "cannot be read" in said.output
    assert not remembered.exists()

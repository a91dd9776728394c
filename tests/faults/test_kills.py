"""Nothing acknowledged is lost, and nothing is stored twice, whichever process is killed in mid-load."""

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.serving import Serving

pytestmark = pytest.mark.xdist_group("faults")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("faults") / "data").start()
    yield serving
    serving.stop()


def sign_up(service: Serving, name: str) -> tuple[uuid.UUID, str]:
    subject, token = uuid.uuid4(), uuid.uuid4().hex
    with service.connect("door") as door:
        newest = door.execute("SELECT version, digest, terms_digest FROM troth.policy_version").fetchone()
        door.execute("SELECT troth.claim(%s)", (subject,))
        door.execute("INSERT INTO troth.subject (subject, kind) VALUES (%s, 'person')", (subject,))
        door.execute(
            "INSERT INTO troth.person (subject, email, name) VALUES (%s, %s, %s)", (subject, f"{token}@x.example", name)
        )
        door.execute("SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", (subject, *(newest or ())))
        door.execute("SELECT troth.open_token(%s, sha256(%s), now() + interval '1 hour')", (subject, token.encode()))
    return subject, token


class Load:
    """People who agree and correct their names, remembering what was acknowledged."""

    def __init__(self, service: Serving) -> None:
        self.service, self.agreed, self.named = service, set[uuid.UUID](), dict[uuid.UUID, str]()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self.thread.start()
        return self

    def __exit__(self, *_told: object) -> None:
        self.ended.set()
        self.thread.join(60)

    def _run(self) -> None:
        while not self.ended.is_set():
            try:
                subject, token = sign_up(self.service, "before")
                self.agreed.add(subject)
                wanted = uuid.uuid4().hex
                with self.service.connect("self") as mine:
                    mine.execute("SELECT set_config('troth.token', %s, true)", (token,))
                    mine.execute("UPDATE troth.person SET name = %s", (wanted,))
                self.named[subject] = wanted
            except psycopg.Error:
                time.sleep(0.1)

    def check(self) -> None:
        with self.service.connect("provide") as provide:
            stored = dict(provide.execute("SELECT subject, name FROM person").fetchall())
            agreements = dict(provide.execute("SELECT subject, count(*) FROM agreement GROUP BY subject").fetchall())
        assert self.agreed <= set(stored)
        assert all(agreements[subject] == 1 for subject in self.agreed)
        assert {subject: stored[subject] for subject in self.named} == self.named


def until(what: object, seconds: float = 75) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if what():  # type: ignore[operator]
                return
        except psycopg.Error:
            pass
        assert time.monotonic() < deadline, "it did not come back"
        time.sleep(0.2)


def answers(service: Serving) -> bool:
    with service.connect("provide") as provide:
        return provide.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("part", ["server", "postmaster"])
def test_killing_a_part_loses_nothing_acknowledged_and_it_comes_back(service: Serving, part: str) -> None:
    before = service.children()[part]
    assert before
    with Load(service) as load:
        time.sleep(1.5)
        os.kill(before[0], signal.SIGKILL)
        until(lambda: [pid for pid in service.children()[part] if pid not in before])
        until(lambda: answers(service))
        time.sleep(1.5)
    assert load.named
    load.check()
    service.run("ledger", "verify")
    service.run("policy", "drift")


def test_killing_the_keeper_ends_everything_and_a_new_one_finds_it_all(service: Serving) -> None:
    parts = service.children()
    assert service.process is not None
    with Load(service) as load:
        time.sleep(1.5)
        service.process.kill()
        service.process.wait(10)
    gone = [*parts["server"], *parts["postmaster"]]
    until(lambda: not [pid for pid in gone if Path(f"/proc/{pid}").exists()])
    service.start()
    assert load.named
    load.check()
    service.run("ledger", "verify")


def test_a_second_keeper_of_the_same_folder_is_refused_with_a_sentence(service: Serving) -> None:
    done = service.run("serve", "--port", "1", check=False)
    assert done.returncode == 1
    assert "is already served by process" in done.stderr
    assert "name another folder with --data" in done.stderr


def test_a_clean_stop_ends_with_zero_and_starts_again_quickly(service: Serving) -> None:
    assert service.stop() == 0
    assert service.stop() == 0
    began = time.monotonic()
    service.start()
    print(f"second start {time.monotonic() - began:.1f} s")


def test_a_backup_restores_whole_and_a_damaged_one_is_refused(service: Serving, tmp_path: Path) -> None:
    subject, _ = sign_up(service, "kept")
    service.run("backup", "create", str(tmp_path / "backup"))
    restored = Serving(tmp_path / "again")
    restored.run("backup", "restore", str(tmp_path / "backup"))
    restored.start()
    try:
        with restored.connect("provide") as provide:
            assert provide.execute("SELECT name FROM person WHERE subject = %s", (subject,)).fetchone() == ("kept",)
        restored.run("policy", "drift")
        restored.run("ledger", "verify")
    finally:
        restored.stop()
    dump = tmp_path / "backup" / "database.dump"
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)
    done = Serving(tmp_path / "third").run("backup", "restore", str(tmp_path / "backup"), check=False)
    assert done.returncode == 1
    assert "was changed: database.dump" in done.stderr
    assert not (tmp_path / "third").exists()


def test_an_analyst_gets_a_string_that_a_client_takes_and_sees_what_the_purpose_sees(service: Serving) -> None:
    sign_up(service, "seen")
    address = service.run("analyst", "add", "ann", "--purpose", "provide").stdout.strip()
    with psycopg.connect(address) as ann:
        assert ann.execute("SELECT count(*) > 0 FROM person").fetchone() == (True,)
        for attempt in (
            "SET ROLE troth_provide",
            "SELECT password FROM troth.people_account",
            "SELECT ip FROM troth.access",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), ann.transaction():
                ann.execute(attempt.encode())
    assert "ann" in service.run("analyst", "list").stdout
    service.run("policy", "drift")
    twice = service.run("analyst", "add", "ann", "--purpose", "provide", check=False)
    assert twice.returncode == 1
    assert "there is an analyst `ann` already" in twice.stderr
    service.run("analyst", "remove", "ann")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)
    service.run("policy", "drift")


def test_the_keeper_refuses_what_the_operator_did_not_sign(service: Serving) -> None:
    with service.connect("steward") as steward:
        steward.execute("INSERT INTO troth.keeper_request (kind, payload, signature) VALUES ('analyst.add', %s, %s)",
                        ('{"name": "mallory", "purpose": "provide"}', b"x" * 64))  # fmt: skip
    until(lambda: answered(service))
    assert "mallory" not in service.run("analyst", "list").stdout


def answered(service: Serving) -> bool:
    with service.connect("steward") as steward:
        return steward.execute(
            "SELECT granted FROM troth.keeper_request WHERE signature = %s", (b"x" * 64,)
        ).fetchone() == (False,)

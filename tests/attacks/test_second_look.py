"""What somebody else tried after all the other attacks: each of these once worked."""

import json
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection, IsolationLevel, errors

from tests.browsing import PASSWORD, Browser, browser, code, settings
from tests.conftest import Person
from troth.database import connect, place
from troth.database.keeper import SQL, Keeper
from troth.database.requests import signed

__all__ = ["browser", "settings"]
ALICE, OTHER = "alice@harbor.example", "a completely different sentence"


def entered(database: place.Place, role: str, **more: str) -> Connection[Any]:
    """Return a connection of a role beside the pool's, which may be ended."""
    return psycopg.connect(**connect.parameters(role, database) | more)


def logged(database: place.Place) -> str:
    """Return all that PostgreSQL has written into its logs so far."""
    return "".join(file.read_text("utf-8", "replace") for file in Path(database.data / "log").iterdir())


def time_passes(keeper: Keeper, owner: Connection[Any], person: Person) -> None:
    """Let somebody write, and the keeper look."""
    for kind in ("consent", "withdrawal"):
        with connect.acting("self", token=person.token) as mine:
            mine.execute("SELECT troth.choose('announce', %s)", (kind,))
    keeper._end_old_snapshots(owner)


def test_no_snapshot_is_handed_on_past_its_time(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    with pytest.raises(errors.InsufficientPrivilege), connect.acting("understand") as reader:
        reader.execute("SELECT pg_export_snapshot()")
    # Where no superuser could take that away, the keeper ends whoever took a snapshot over.
    owner.execute("GRANT EXECUTE ON FUNCTION pg_export_snapshot() TO troth_understand")
    keeper = Keeper(database)
    keeper._end_old_snapshots(owner)
    with entered(database, "understand") as first, entered(database, "understand") as second:
        for reader in (first, second):
            reader.isolation_level = IsolationLevel.REPEATABLE_READ
        (snapshot,) = first.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
        time_passes(keeper, owner, cast["bob"])
        second.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'".encode())
        assert second.execute("SELECT count(*) FROM access").fetchone()
        time_passes(keeper, owner, cast["bob"])
        assert first.execute("SELECT count(*) FROM access").fetchone()  # its own, and young
        with pytest.raises(psycopg.OperationalError):
            second.execute("SELECT count(*) FROM access")


def test_the_keeper_lets_a_backup_take_its_time(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    keeper = Keeper(database)
    with connect.owning(database) as backup:
        backup.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT count(*) FROM troth.person")
        for _ in range(3):
            time_passes(keeper, owner, cast["bob"])
            time.sleep(2)
        time_passes(keeper, owner, cast["bob"])
        assert backup.execute("SELECT count(*) FROM troth.person").fetchone() == (4,)


def test_a_signed_request_is_carried_out_once(owner: Connection[Any], database: place.Place) -> None:
    keeper = Keeper(database, next_round=time.monotonic() + 999)

    def ask(kind: str, payload: str, signature: bytes) -> Any:
        told = {"kind": kind, "payload": payload, "signature": signature}
        with connect.acting("steward") as steward:
            return (steward.execute(SQL["ask"].encode(), told).fetchone() or ("",))[0]

    def answered(request: Any) -> Any:
        keeper.turn()
        with connect.acting("steward") as steward:
            return steward.execute(SQL["answer"].encode(), {"request": request}).fetchone()

    key = place.secrets_of(database).operator
    asked = [("analyst.add", {"name": "eve", "purpose": "protect"}), ("analyst.remove", {"name": "eve"})]
    for kind, told in asked:
        payload = json.dumps(told)
        assert answered(ask(kind, payload, key.sign(signed(kind, payload))))[0] is True
    with connect.acting("steward") as steward:
        seen = steward.execute("SELECT kind, payload, signature FROM troth.keeper_request").fetchall()
    copies = [ask(*seen[0]), ask(*seen[0])]
    assert [answered(copy)[0] for copy in copies] == [False, False]
    assert owner.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'troth\\_analyst\\_%'").fetchall() == []


@pytest.mark.asvs("16.2.5")
def test_no_error_of_a_reader_writes_what_it_read_into_the_log(cast: dict[str, Person], database: place.Place) -> None:
    with pytest.raises(psycopg.Error) as told, connect.acting("provide") as reader:
        reader.execute("SELECT email::int FROM person")
    assert "@harbor.example" in str(told.value)  # whoever may read it is told
    with pytest.raises(psycopg.OperationalError):
        entered(database, "understand", password="a guess").close()
    deadline = time.monotonic() + 30  # PostgreSQL's collector writes in its own time, one line after the other
    while "password authentication failed" not in (texts := logged(database)):  # what a log is for is there
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "invalid input syntax" not in texts


@pytest.mark.parametrize("other", ["postgres", "template1", "troth_template"])
def test_a_role_enters_no_database_but_its_own(database: place.Place, other: str) -> None:
    """Elsewhere it could make what no policy governs, and park there what it read."""
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        entered(database, "understand", dbname=other).close()


@pytest.mark.parametrize("agreed", [False, True])
def test_a_new_password_ends_whoever_is_still_on_the_way_in(
    browser: Browser, owner: Connection[Any], *, agreed: bool
) -> None:
    """Mallory signs up with Alice's address, and waits until Alice has proven it and chosen a password of hers."""
    browser.begin(ALICE, "Mallory")
    alice = Browser()
    alice.post("/password/forgotten", {"email": ALICE})
    alice.post("/password/forgotten/code", {"code": code(owner, ALICE)})
    alice.post("/password/forgotten/new", {"password1": OTHER, "password2": OTHER})
    alice.sign_in(ALICE, OTHER)
    if agreed:
        assert alice.agree().headers["Location"] == "/me"
    for answer in ("agree", "decline"):
        assert browser.agree(answer).headers["Location"] == "/sign-in"
    assert browser.get("/me").status_code == 303
    held = owner.execute("SELECT count(*) FROM troth.agreement").fetchone()
    assert held == (1 if agreed else 0,)


def test_signing_up_does_the_same_work_for_an_address_that_is_taken(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock told who has an account: hashing a password takes longer than everything else."""
    from django.contrib.auth.hashers import Argon2PasswordHasher

    hashed: list[str] = []
    real = Argon2PasswordHasher.encode

    def counted(self: Any, password: str, salt: str) -> Any:
        hashed.append(password)
        return real(self, password, salt)

    Browser().sign_up(owner, ALICE)
    monkeypatch.setattr(Argon2PasswordHasher, "encode", counted)
    work = []
    for email in (ALICE, "zelda@harbor.example"):
        hashed.clear()
        Browser().begin(email, "Somebody")
        work.append(len(hashed))
    assert work[0] == work[1] > 0


def test_a_crowd_of_guesses_does_not_push_out_the_limit_of_one_account(
    browser: Browser, owner: Connection[Any], settings: Any
) -> None:
    from django.core.cache import cache

    Browser().sign_up(owner, ALICE)
    settings.ACCOUNT_RATE_LIMITS = settings.LIMITS
    for number in range(20):
        Browser().post("/sign-in", {"login": ALICE, "password": "a guess"}, REMOTE_ADDR=f"192.0.2.{number}")
    for number in range(1000):  # as failures about other accounts leave them
        cache.set(f"other-{number}", [1.0], 300)
    answer = Browser().post("/sign-in", {"login": ALICE, "password": PASSWORD}, REMOTE_ADDR="198.51.100.9")
    assert "too many" in answer.content.decode().lower()


@pytest.mark.asvs("1.3.3", "16.4.1")
@pytest.mark.parametrize(
    ("email", "name"),
    [
        ('"\x1b]0;owned\x07"@harbor.example', "Eve"),
        ('"\x7f"@harbor.example', "Eve"),
        (ALICE, "Eve\x9b31m"),
        (ALICE, "\x7fEve"),
    ],
)
def test_nobody_writes_to_the_operators_terminal(
    browser: Browser, owner: Connection[Any], email: str, name: str
) -> None:
    """Mails without a server, and the answers of `troth query`, show there."""
    assert browser.begin(email, name).status_code == 200
    assert owner.execute("SELECT count(*) FROM troth.person").fetchone() == (0,)

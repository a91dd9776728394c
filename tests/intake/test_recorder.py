"""Accesses reach the database behind the answers: none lost while it is away, none taken down by a neighbour."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Person, count
from tests.intake.sending import finished
from troth.database import connect, published
from troth.database.place import Place
from troth.intake import queries, recorder
from troth.intake.decisions import Decisions
from troth.intake.event import Event, now
from troth.intake.recorder import Recorder
from troth.intake.store import Store
from troth.policy.meaning import Occasion, Precision

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NOBODY = uuid.UUID(int=0)


def an_access(subject: uuid.UUID = NOBODY, url: str = "/policy", **told: Any) -> Event:
    whole: dict[str, Any] = {
        "at": now(),
        "method": "GET",
        "status": 200,
        "ip": "192.0.2.77",
        "agent": FIREFOX,
        "asked": time.monotonic(),
    }
    whole |= {"uses": 0 if subject == NOBODY else -1}
    return Event(**(whole | told), url=url, subject=subject)


def in_purposes(*names: str) -> int:
    """Return the bits of somebody who is in these purposes alone."""
    return sum(1 << published.current().bits[name] for name in names)


def run(scenario: Callable[[Recorder], Any]) -> Recorder:
    """Start a recorder, let a scenario happen, stop it."""

    async def whole() -> Recorder:
        each = Recorder()
        await each.start()
        try:
            await scenario(each)
        finally:
            await each.stop()
        return each

    return finished(whole())


async def stored(each: Recorder, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while each.waiting or each.counts or each.taken or each.shelved.holds:
        assert time.monotonic() < deadline, (len(each.waiting), each.counts)
        await asyncio.sleep(0.02)


def rows(owner: Connection[Any], url: str = "/") -> list[tuple[Any, ...]]:
    query = (
        "SELECT subject, url, host(ip), text(network), referrer, browser, system, kind FROM troth.access"
        " WHERE url ^@ %s AND at > statement_timestamp() - interval '1 day' ORDER BY at, id"
    )
    return owner.execute(query, (url,)).fetchall()


def counted(owner: Connection[Any]) -> dict[tuple[str, str], int]:
    return {(o, r): n for o, r, n in owner.execute("SELECT outcome, reason, count FROM troth.intake_count").fetchall()}


def test_a_member_is_recorded_as_the_policy_says_with_a_device_and_sees_it(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]

    async def scenario(each: Recorder) -> None:
        each.record(an_access(alice.subject, "/recorded?token=hunter2", referrer="https://elsewhere.example/x"))
        each.record(an_access(alice.subject, "/recorded/again"))

    run(scenario)
    first = rows(owner, "/recorded")[0]
    assert first == (
        alice.subject, "/recorded?token=-", "192.0.2.77", "192.0.2.0/24", "https://elsewhere.example/", "Firefox 140", "Linux", "computer",
    )  # fmt: skip
    assert [one.url for one in queries.accesses(alice.token, path="/recorded")] == [
        "/recorded/again",
        "/recorded?token=-",
    ]
    assert queries.accesses(cast["bob"].token, path="/recorded") == []
    devices = owner.execute(
        "SELECT count(*) FROM troth.device WHERE subject = %s AND kind = 'computer'", (alice.subject,)
    ).fetchone()
    assert devices == (2,)  # the one of the cast, and this one, once


def test_a_visitor_is_recorded_without_subject_address_or_device(owner: Connection[Any]) -> None:
    async def scenario(each: Recorder) -> None:
        each.record(an_access(url="/visited"))

    run(scenario)
    assert rows(owner, "/visited") == [
        (NOBODY, "/visited", "192.0.2.0", "192.0.2.0/24", None, "Firefox 140", None, "computer")
    ]
    assert owner.execute("SELECT count(*) FROM troth.device WHERE subject = %s", (NOBODY,)).fetchone() == (0,)


def test_a_wrong_hint_of_uses_is_repaired_by_the_database(cast: dict[str, Person], owner: Connection[Any]) -> None:
    async def scenario(each: Recorder) -> None:
        each.record(an_access(cast["alice"].subject, "/overstamped", uses=-1))
        each.record(an_access(cast["bob"].subject, "/understamped", uses=in_purposes("understand")))

    run(scenario)
    stamps = owner.execute(
        "SELECT a.url, a.uses = p.uses AND p.uses > 0 FROM troth.access a JOIN troth.permitted p USING (subject) WHERE a.url ~ 'stamped'"
    ).fetchall()
    assert sorted(stamps) == [("/overstamped", True), ("/understamped", True)]
    assert count("understand", "SELECT count(*) FROM access WHERE url LIKE '%stamped'") == 2


@pytest.mark.asvs("16.3.3")
def test_what_is_refused_is_counted_by_reason_and_never_by_content(owner: Connection[Any]) -> None:
    async def scenario(each: Recorder) -> None:
        for hours in (1, 2, 3):
            each.record(an_access(url="/too/early", at=now().replace(year=now().year + hours)))

    run(scenario)
    assert rows(owner, "/too") == []
    assert counted(owner)["refused", "in-the-future"] == 3


def test_an_event_that_the_database_refuses_takes_no_neighbour_with_it(
    owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A status no row can hold, as if every check in Python had failed."""
    caplog.set_level(logging.CRITICAL)

    async def scenario(each: Recorder) -> None:
        for place in range(50):
            each.record(an_access(url=f"/beside/{place}", status=10**6 if place == 17 else 200))

    run(scenario)
    assert {url for _, url, *_ in rows(owner, "/beside")} == {f"/beside/{place}" for place in range(50) if place != 17}
    assert sum(many for (outcome, _), many in counted(owner).items() if outcome == "dropped") == 1


def test_an_event_that_something_unforeseen_stumbles_over_does_not_end_the_intake(
    owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    real = Store.write

    async def stumbling(self: Store, connection: Any, events: Any, *told: Any) -> None:
        if any(event.url == "/stumbled/3" for event in events):
            raise LookupError
        await real(self, connection, events, *told)

    monkeypatch.setattr(Store, "write", stumbling)

    async def scenario(each: Recorder) -> None:
        for place in range(5):
            each.record(an_access(url=f"/stumbled/{place}"))
        await stored(each)
        assert each.task is not None
        assert not each.task.done()

    run(scenario)
    assert {url for _, url, *_ in rows(owner, "/stumbled")} == {f"/stumbled/{place}" for place in (0, 1, 2, 4)}
    assert counted(owner)["dropped", "database-LookupError"] == 1


def test_while_the_database_is_away_accesses_wait_and_keep_what_was_read_from_them(
    owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "PAUSES", (0.01, 0.05, 0.1, 0.2, 0.2))
    real, failures = (
        Store.write,
        iter(
            (
                ConnectionResetError(),
                asyncpg.AdminShutdownError(),
                asyncpg.CrashShutdownError(),
                asyncpg.InternalClientError(),
            )
        ),
    )

    async def away(self: Store, *told: Any) -> None:
        error = next(failures, None)
        if error:
            raise error
        await real(self, *told)

    monkeypatch.setattr(Store, "write", away)

    async def scenario(each: Recorder) -> None:
        each.record(an_access(url="/patient"))
        await stored(each)

    run(scenario)
    assert rows(owner, "/patient") == [
        (NOBODY, "/patient", "192.0.2.0", "192.0.2.0/24", None, "Firefox 140", None, "computer")
    ]
    assert not [key for key in counted(owner) if key[0] == "dropped"]


def test_when_the_policy_cannot_be_read_for_a_moment_the_intake_goes_on(
    owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "PAUSES", (0.01, 0.05, 0.1))
    real, failures = published.current, iter((psycopg.OperationalError("away"), published.NothingPublished("none yet")))

    def current(role: str) -> published.Published:
        error = next(failures, None)
        if error:
            raise error
        return real(role)

    monkeypatch.setattr(published, "current", current)

    async def scenario(each: Recorder) -> None:
        each.record(an_access(url="/unread"))
        await stored(each)
        assert each.task is not None
        assert not each.task.done()

    run(scenario)
    assert len(rows(owner, "/unread")) == 1


def test_killed_connections_lose_and_double_nothing(owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "ANSWERED", 5.0)  # one that ends while it is opened is waited for so long

    async def scenario(each: Recorder) -> None:
        for place in range(1500):
            each.record(an_access(url=f"/killed/{place}"))
            if place % 100 == 0:
                await asyncio.sleep(0.01)
                owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'troth_intake'")
        await stored(each, 60)

    run(scenario)
    found = [url for _, url, *_ in rows(owner, "/killed")]
    assert len(found) == len(set(found)) == 1500


def test_a_connection_that_never_answers_is_given_up_for_another(
    owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "ANSWERED", 2.0)
    monkeypatch.setattr(recorder, "PAUSES", (0.01, 0.05, 0.1))
    real, silent = Store.write, iter((True,))

    async def never(self: Store, *told: Any) -> None:
        if next(silent, False):
            await asyncio.Event().wait()
        await real(self, *told)

    monkeypatch.setattr(Store, "write", never)

    async def scenario(each: Recorder) -> None:
        each.record(an_access(url="/silent"))
        await stored(each)

    run(scenario)
    assert len(rows(owner, "/silent")) == 1


def test_stopping_stores_what_waits(owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "CLOSING", 60.0)  # however busy the machine is

    async def scenario(each: Recorder) -> None:
        for place in range(6000):
            each.record(an_access(url=f"/last/{place}"))

    each = run(scenario)
    assert not each.waiting
    assert len(rows(owner, "/last")) == 6000


def test_a_full_queue_drops_and_counts(owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "ROOM", 10)

    async def scenario(each: Recorder) -> None:
        for place in range(25):
            each.record(an_access(url=f"/crowd/{place}"))

    run(scenario)
    assert len(rows(owner, "/crowd")) == 10
    assert counted(owner)["dropped", "queue-full"] == 15


def test_what_a_kill_takes_is_counted_at_the_next_start(
    database: Place, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed() -> None:
        each = Recorder()
        await each.start()
        for place in range(7):
            each.record(an_access(url=f"/gone/{place}"))
        assert each.task is not None
        each.task.cancel()  # and no stop: the process is no more
        await each.shelved.stop()  # the kernel lets go of its folder

    asyncio.run(killed())

    async def nothing(_each: Recorder) -> None:
        pass

    run(nothing)
    assert rows(owner, "/gone") == []
    assert counted(owner)["dropped", "killed"] == 7
    run(nothing)
    assert counted(owner)["dropped", "killed"] == 7


@pytest.mark.parametrize("attempt", ["SELECT url FROM troth.access", "SELECT browser FROM troth.device", "SELECT key FROM troth.imported",
                                     "UPDATE troth.access SET url = ''", "DELETE FROM troth.access", "SELECT email FROM troth.person"])  # fmt: skip
def test_the_intake_only_inserts(database: Place, attempt: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("intake") as intake:
        intake.execute(attempt.encode())


@pytest.mark.parametrize(
    ("subject", "column", "value"),
    [
        (NOBODY, "referrer", "https://elsewhere.example/"),
        (NOBODY, "ip", "192.0.2.77"),
        (NOBODY, "ended_at", "2026-01-01"),
    ],
)
def test_the_database_refuses_what_the_policy_does_not_collect_whatever_python_says(
    database: Place, subject: uuid.UUID, column: str, value: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("intake") as intake:
        intake.execute(
            f"INSERT INTO troth.access (subject, at, id, {column}) VALUES (%s, statement_timestamp(), uuidv7(), %s)".encode(),
            (subject, value),
        )


def test_a_recorder_that_judges_wrongly_is_refused_by_the_database(
    owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Python is made to believe that visits keep whole addresses."""
    caplog.set_level(logging.CRITICAL)
    real = Decisions.of

    def generous(plan: Any, bits: Any) -> Any:
        found = real(plan, bits)
        kept = dict(found.kept)
        kept[Occasion.VISIT] = dict(kept[Occasion.VISIT]) | {"ip": Precision.AS_IS}
        return replace(found, kept=kept)

    monkeypatch.setattr(Decisions, "of", generous)

    async def scenario(each: Recorder) -> None:
        each.record(an_access(url="/whole/address"))

    run(scenario)
    assert rows(owner, "/whole") == []
    assert counted(owner)["dropped", "database-42501"] == 1

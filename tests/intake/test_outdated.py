"""An access that was captured before a withdrawal and is stored after it holds what is permitted then, and nothing more."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.attacks.test_identifiers import make_known
from tests.conftest import Person
from tests.intake.test_declined import FIREFOX, decide, rows
from tests.intake.test_recorder import an_access, run, stored
from troth.consent import actions
from troth.database import connect
from troth.intake import queries, recorder
from troth.intake.recorder import Recorder
from troth.intake.rolling import Roller
from troth.intake.store import Store

CLAUSE = "collect-access-ip-on-access-2"
REFUSAL = "RAISE EXCEPTION 'somebody is in no purpose that may use this' USING ERRCODE = 'TR070';"
INSERT = "INSERT INTO troth.access (subject, at, id, url{}) VALUES (%s, statement_timestamp(), uuidv7(), '/lied'{})"


def said(subject: uuid.UUID, uses: int, url: str) -> dict[str, Any]:
    return {"subject": subject, "uses": uses, "url": url, "referrer": "https://elsewhere.example/", "agent": FIREFOX}


def nothing_stored(owner: Connection[Any], cast: dict[str, Person]) -> None:
    bob = cast["bob"]
    before = decide(bob)

    async def scenario(each: Recorder) -> None:
        each.record(an_access(**said(bob.subject, before, "/captured")))
        each.record(an_access(**said(cast["alice"].subject, before, "/captured/beside")))
        decide(bob, protect="objection", understand="objection")

    run(scenario)
    assert [url for (url,) in owner.execute("SELECT url FROM troth.access WHERE url ^@ '/captured'")] == [
        "/captured/beside"
    ]
    refused = [(each.kind, each.reason, each.clause, each.count) for each in queries.refusals(bob.token)]
    assert refused == [("access", "person-declined", CLAUSE, 1)]
    assert [(each.kind, each.reason, each.count) for each in queries.refused(by_clause=True)] == [
        ("access", "person-declined", 1)
    ]
    assert queries.refusals(cast["alice"].token) == []


def nothing_more_stored(owner: Connection[Any], cast: dict[str, Person]) -> None:
    bob = cast["bob"]
    before = decide(bob)

    async def scenario(each: Recorder) -> None:
        each.record(an_access(**said(bob.subject, before, "/captured/whole")))
        decide(bob, protect="objection")

    run(scenario)
    assert rows(owner, "/captured/whole") == [("GET", 200, None, "192.0.2.0", "Firefox 140", None, "computer")]
    assert queries.refusals(bob.token) == []


CONTROLS = (nothing_stored, nothing_more_stored)


@pytest.mark.parametrize("control", CONTROLS)
def test_what_was_captured_before_an_objection_is_judged_by_it(
    cast: dict[str, Person], owner: Connection[Any], control: Callable[..., None]
) -> None:
    control(owner, cast)
    with connect.acting("steward") as steward:
        assert steward.execute("SELECT * FROM troth.misstamped() WHERE rows > 0").fetchall() == []


@pytest.mark.parametrize("control", CONTROLS)
def test_mutation_without_the_trigger_it_would_be_stored(
    cast: dict[str, Person], owner: Connection[Any], control: Callable[..., None]
) -> None:
    lenient(owner, "access")
    with pytest.raises(AssertionError):
        control(owner, cast)


def lenient(owner: Connection[Any], table: str) -> None:
    """Let the trigger refuse nothing."""
    (body,) = owner.execute(f"SELECT pg_get_functiondef('troth.stamp_{table}'::regproc)".encode()).fetchone() or ("",)
    assert REFUSAL in body
    owner.execute(body.replace(REFUSAL, "").encode())


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """What the store answers before it stores again."""
    monkeypatch.setattr(recorder, "PAUSES", (0.01, 0.3, 0.3))
    real, errors = Store.write, list[Exception]()

    async def away(self: Store, *told: Any) -> bool:
        if errors:
            raise errors.pop()
        return await real(self, *told)

    monkeypatch.setattr(Store, "write", away)
    return errors


def test_what_waited_for_the_database_is_judged_anew_and_by_what_it_was_captured_under(
    cast: dict[str, Person], owner: Connection[Any], failing: list[Exception]
) -> None:
    """Bob objects while it waits, and Alice, who had objected when hers was captured, permits it meanwhile."""
    alice, bob = cast["alice"], cast["bob"]
    before, objecting = decide(bob), decide(alice, protect="objection", understand="objection")
    failing += [ConnectionResetError(), OSError()]

    async def scenario(each: Recorder) -> None:
        each.record(an_access(**said(bob.subject, before, "/waited")))
        each.record(an_access(**said(alice.subject, objecting, "/waited/too")))
        while failing:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)
        decide(bob, protect="objection", understand="objection")
        decide(alice, protect="permission", understand="permission")
        await stored(each)

    run(scenario)
    assert rows(owner, "/waited") == rows(owner, "/waited/too") == []
    assert [(each.reason, each.count) for each in queries.refusals(bob.token)] == [("person-declined", 1)]
    assert [(each.reason, each.count) for each in queries.refusals(alice.token)] == [("person-declined", 1)]


def test_a_device_whose_batch_failed_is_described_by_the_next_one(
    cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "PAUSES", (0.01, 0.01))
    bob, failures = cast["bob"], [ConnectionResetError(), OSError()]
    uses = decide(bob)
    real = Roller.roll

    async def torn(self: Roller, *told: Any) -> None:
        if failures:
            raise failures.pop()
        await real(self, *told)

    monkeypatch.setattr(Roller, "roll", torn)

    async def scenario(each: Recorder) -> None:
        each.record(an_access(**said(bob.subject, uses, "/torn")))
        while failures:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)
        each.record(an_access(**said(bob.subject, uses, "/next")))

    run(scenario)
    named = uuid.uuid5(bob.subject, "Firefox 140|Linux|computer")
    assert owner.execute("SELECT kind FROM troth.device WHERE device = %s", (named,)).fetchall() == [("computer",)]


def refusal(statement: str, *told: object) -> str:
    try:
        with connect.acting("intake") as intake:
            intake.execute(statement.encode(), told)
    except psycopg.Error as error:
        return error.sqlstate or "?"
    return ""


def test_the_trigger_refuses_what_an_intake_lies_about(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice, bob, device = (
        cast["alice"].subject,
        cast["bob"],
        "INSERT INTO troth.device (subject, device{}) VALUES (%s, uuidv7(){})",
    )
    decide(bob, protect="objection")
    plain, referred = INSERT.format("", ""), INSERT.format(", referrer", ", 'https://elsewhere.example/'")
    assert [refusal(each, bob.subject) for each in (plain, referred)] == ["", "TR070"]
    assert [refusal(each, alice) for each in (plain, referred)] == ["", ""]
    decide(bob, understand="objection")
    assert refusal(plain, bob.subject) == "TR070"
    decide(bob, personalise="consent")
    assert [refusal(each, bob.subject) for each in (plain, INSERT.format(", status", ", 200"))] == ["", "TR070"]
    assert refusal(plain, uuid.UUID(int=0)) == ""
    known = make_known(owner)
    assert [refusal(each, known) for each in (plain, INSERT.format(", status", ", 200"))] == ["", ""]
    owner.execute("UPDATE troth.permitted SET uses = 0 WHERE subject = ANY (%s)", ([known, bob.subject],))
    assert [refusal(plain, each) for each in (known, bob.subject, uuid.uuid4())] == ["TR070"] * 3
    assert refusal(device.format("", ""), bob.subject) == "TR070"
    bits = owner.execute("SELECT 1::bigint << bit FROM troth.unit WHERE purpose = 'personalise'").fetchone()
    owner.execute("UPDATE troth.permitted SET uses = %s WHERE subject = %s", (*(bits or ()), bob.subject))
    assert [refusal(device.format(f", {name}", ", 'x'"), bob.subject) for name in ("kind", "model")] == ["", "TR070"]


def test_of_a_browser_that_objects_nothing_is_stored_that_its_signal_is_about(cast: dict[str, Person]) -> None:
    bob = cast["bob"]
    decide(bob, protect="objection")
    marked = INSERT.format(", uses", ", -1")
    assert [refusal(each, bob.subject) for each in (INSERT.format("", ""), marked)] == ["", "TR070"]
    actions.choose(token=bob.token, purpose="protect", kind="permission")
    assert refusal(marked, bob.subject) == ""

"""What is sensitive is never stored of somebody who is not known: refused with the clause, and by the database again."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person
from tests.intake.sending import event, registered, sent
from tests.intake.test_recorder import an_access, rows, run, stored
from troth.database import apply, connect, published
from troth.database.catalog import load
from troth.intake import queries
from troth.intake.decisions import Decisions
from troth.intake.event import NOBODY, Event, Refused
from troth.intake.recorder import Recorder
from troth.intake.steps import through
from troth.policy import parse
from troth.policy.plan import plan

CLAUSE = "apart"
DUTY = "keep anonymous identifiers apart from sensitive data [P19]\n"
FIRST = POLICY.read_text(encoding="utf-8")
#: Where somebody came from is sensitive, and of whoever is known it is collected for what they consent to.
SENSITIVE = (
    FIRST.replace("version 1 effective", "version 2 effective").replace("access.time, access.referrer", "access.time")
    + "\ncategory access.referrer sensitive [P19]\ncollect access.referrer on access [P19]\n"
    "    for personalise while consented\n"
)
#: Crashes are sensitive, as an application's may be that serves the sick.
CRASHES = (
    FIRST.replace("version 1 effective", "version 2 effective").replace("crash.report, crash.time", "crash.time")
    + "\ncategory crash.report sensitive [P19]\ncollect crash.report on crash [P19]\n    for personalise while consented\n"
)
FROM = "https://clinic.example/"
PURPOSES = ("provide", "protect", "understand", "personalise", "announce")


def decisions(source: str) -> Decisions:
    planned = plan(parse.read(source, "test.troth"), load())
    return Decisions.of(planned, {unit.purpose: PURPOSES.index(unit.purpose) for unit in planned.units})


def test_the_policy_that_is_tried_says_what_it_is_to_say() -> None:
    assert decisions(SENSITIVE).apart == {("access", "referrer"): CLAUSE, ("page_view", "referrer"): CLAUSE}
    assert ("crash", "message") in decisions(CRASHES).apart
    assert decisions(FIRST).apart == {}


def test_a_visit_that_holds_something_sensitive_is_refused_with_the_clause() -> None:
    strict, lax = decisions(SENSITIVE), decisions(SENSITIVE.replace(DUTY, ""))
    assert through(an_access(referrer=FROM), strict) == Refused("sensitive-of-nobody", CLAUSE, "visit")
    assert isinstance(through(an_access(), strict), Event)
    # Without the clause it is what no clause collects: dropped, and the visit stands.
    dropped = through(an_access(referrer=FROM), lax)
    assert isinstance(dropped, Event)
    assert dropped.referrer is None


def test_somebody_who_is_known_and_consented_has_theirs_kept() -> None:
    kept = through(an_access(uuid.uuid4(), referrer=FROM), decisions(SENSITIVE))
    assert isinstance(kept, Event)
    assert kept.referrer == FROM


@pytest.fixture
def sensitive(cast: dict[str, Person], owner: Connection[Any]) -> Iterator[dict[str, Person]]:
    apply.apply(owner, SENSITIVE, TERMS)
    published.forget()
    yield cast
    connect.close()


def test_it_is_counted_by_its_clause_and_its_neighbours_are_stored(
    sensitive: dict[str, Person], owner: Connection[Any]
) -> None:
    async def scenario(each: Recorder) -> None:
        each.record(an_access(url="/apart/with", referrer=FROM))
        each.record(an_access(url="/apart/without"))
        await stored(each)

    run(scenario)
    assert [row[:2] for row in rows(owner, "/apart")] == [(NOBODY, "/apart/without")]
    (mine,) = [each for each in queries.counts() if each.reason == "sensitive-of-nobody"]
    assert (mine.outcome, mine.kind, mine.clause, mine.count) == ("refused", "visit", CLAUSE, 1)


def test_the_database_refuses_it_whatever_python_made_of_it(
    sensitive: dict[str, Person], owner: Connection[Any]
) -> None:
    insert = b"INSERT INTO troth.access (subject, at, id, url, referrer) VALUES (%s, statement_timestamp(), uuidv7(), '/', %s)"
    with connect.acting("intake") as intake:
        intake.execute(insert, (NOBODY, None))
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("intake") as intake:
        intake.execute(insert, (NOBODY, FROM))


def test_what_an_application_sends_of_nobody_is_refused_by_the_clause_when_it_is_sensitive(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    notes = registered(owner)
    apply.apply(owner, CRASHES, TERMS)
    published.forget()
    answer = sent(event("crash", "", "apart-0001"), key=notes.key)
    assert (answer.status, answer.body["reason"], answer.body["clause"]) == (403, "sensitive-of-nobody", CLAUSE)
    assert owner.execute("SELECT count(*) FROM troth.crash").fetchone() == (0,)
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"),
        connect.acting("intake") as intake,
    ):
        intake.execute(
            "INSERT INTO troth.crash (subject, at, id, application, message)"
            " VALUES (%s, statement_timestamp(), uuidv7(), %s, 'x')",
            (NOBODY, notes.application),
        )

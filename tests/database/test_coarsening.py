"""What becomes coarse with age: hidden until it has, made so in place, and never taken in finer than its age allows."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person, count
from troth.database import apply, connect, published, retention
from troth.database.catalog import load
from troth.database.drift import drift
from troth.intake.decisions import Decisions
from troth.intake.event import Event, now
from troth.intake.steps import through
from troth.policy import parse
from troth.policy.facts import Fact, Kind
from troth.policy.meaning import Precision, Window, WindowKind
from troth.policy.plan import plan
from troth.policy.planned import Coarsening, Counted, Plan
from troth.policy.roles import Target
from troth.policy.routines import routines
from troth.policy.sql import desired

FIRST = POLICY.read_text(encoding="utf-8")
SECOND = (
    FIRST.replace("version 1 effective", "version 2 effective") + "\ncoarsen access.ip to network after 30 days [P8]\n"
)
DAYS = 30
FINE, COARSE = "192.0.2.77", "192.0.2.0/24"
ACCESS = (
    "INSERT INTO troth.access (subject, at, id, method, url, status, ip)"
    " VALUES (%s, statement_timestamp() - make_interval(secs => %s), uuidv7(), 'GET', '/', 200, %s)"
)


@pytest.fixture
def coarsening(cast: dict[str, Person], owner: Connection[Any]) -> Iterator[dict[str, Person]]:
    """The cast, whose addresses become networks after thirty days."""
    apply.apply(owner, SECOND, TERMS)
    published.forget()
    owner.execute("DELETE FROM troth.access")
    yield cast
    connect.close()


def stored(owner: Connection[Any], person: Person, days: float, ip: str | None = FINE) -> None:
    """An access as it came in then, before anybody asked for less."""
    owner.execute(ACCESS.encode(), (person.subject, days * 86400, ip))


def addresses(owner: Connection[Any], person: Person) -> list[str]:
    found = owner.execute("SELECT ip::text FROM troth.access WHERE subject = %s ORDER BY at DESC", (person.subject,))
    return [ip for (ip,) in found]


def seen(purpose: str, person: Person) -> int:
    return count(purpose, f"SELECT count(*) FROM access WHERE subject = '{person.subject}'")


def takes(person: Person, days: float, ip: str | None) -> bool:
    """Whether the database takes such an access from the intake, whatever Python made of it."""
    try:
        with connect.acting("intake") as intake:
            intake.execute(ACCESS.encode(), (person.subject, days * 86400, ip))
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


MINUTE = 1 / 1440


def test_an_exact_address_is_hidden_from_whoever_reads_it_from_the_day_on(
    coarsening: dict[str, Person], owner: Connection[Any]
) -> None:
    alice, bob, charlie = coarsening["alice"], coarsening["bob"], coarsening["charlie"]
    stored(owner, alice, DAYS - MINUTE)
    stored(owner, bob, DAYS)
    stored(owner, charlie, DAYS, COARSE)
    stored(owner, charlie, DAYS, None)
    assert (seen("protect", alice), seen("protect", bob), seen("protect", charlie)) == (1, 0, 2)
    # A purpose that reads no address sees the row as long as its own window lasts.
    with connect.acting("self", token=bob.token) as mine:
        mine.execute("SELECT troth.choose('personalise', 'consent')")
    assert seen("personalise", bob) == 1
    # So does the person: it is their own.
    with connect.acting("self", token=bob.token) as mine:
        assert mine.execute("SELECT ip::text FROM troth.access").fetchall() == [(f"{FINE}/32",)]
    # Who may see only networks never saw more, and keeps its own window.
    assert (seen("understand", alice), seen("understand", charlie)) == (1, 0)


def test_it_is_made_coarse_in_place_and_is_seen_again(coarsening: dict[str, Person], owner: Connection[Any]) -> None:
    alice, bob = coarsening["alice"], coarsening["bob"]
    stored(owner, alice, DAYS - MINUTE)
    stored(owner, bob, DAYS)
    stored(owner, bob, DAYS + 1, "2001:db8:1:2::77")
    stored(owner, bob, DAYS + 2, None)
    before = owner.execute("SELECT id, network FROM troth.access ORDER BY id").fetchall()
    access = next(kept for kept in retention.status() if kept.table == "access")
    assert (access.rows, access.due, access.fine) == (4, 0, 2)
    assert [(c.column, c.precision, c.days) for c in access.coarsenings] == [("ip", Precision.NETWORK, DAYS)]
    assert retention.run() == retention.Done(removed=0, coarsened=2)
    assert addresses(owner, bob) == [COARSE, "2001:db8:1::/48", None]
    assert addresses(owner, alice) == [f"{FINE}/32"]
    assert seen("protect", bob) == 3
    assert owner.execute("SELECT id, network FROM troth.access ORDER BY id").fetchall() == before
    assert retention.run() == retention.Done(0, 0)
    facts = owner.execute("SELECT facts FROM troth.ledger_entry WHERE action = 'retained'").fetchall()
    assert facts == [({"coarsened_access": 2},)]
    assert drift(owner).lines() == []


def test_it_goes_in_batches(coarsening: dict[str, Person], owner: Connection[Any]) -> None:
    owner.execute(
        "INSERT INTO troth.access (subject, at, id, ip) SELECT %s, statement_timestamp() - interval '40 days' - g / 900 * interval '1 hour', uuidv7(),"
        " '192.0.2.0'::inet + g %% 200 + 1 FROM generate_series(1, 6000) AS g",
        (coarsening["bob"].subject,),
    )
    batches: list[int] = []
    assert retention.run(advance=batches.append) == retention.Done(removed=0, coarsened=6000)
    assert batches == [5000, 1000]
    assert set(addresses(owner, coarsening["bob"])) == {COARSE}


def test_the_intake_takes_no_address_finer_than_its_age_allows(coarsening: dict[str, Person]) -> None:
    bob = coarsening["bob"]
    assert takes(bob, DAYS - MINUTE, FINE)
    assert not takes(bob, DAYS, FINE)
    assert takes(bob, DAYS, COARSE)
    assert takes(bob, DAYS, None)


def test_an_old_log_is_coarsened_on_its_way_in(coarsening: dict[str, Person]) -> None:
    policy = published.current()
    decisions = Decisions.of(policy.plan, policy.bits)
    for days, kept in ((DAYS - 1, FINE), (DAYS, COARSE), (DAYS + 1, COARSE)):
        event = Event(at=now() - timedelta(days=days), subject=coarsening["bob"].subject, ip=FINE, uses=-1)
        outcome = through(event, decisions)
        assert isinstance(outcome, Event)
        assert outcome.ip == kept
        assert takes(coarsening["bob"], days, kept)


def test_a_time_that_is_no_key_becomes_a_day(cast: dict[str, Person], owner: Connection[Any]) -> None:
    apply.apply(owner, SECOND.replace("access.ip to network", "agreement.time to day"), TERMS)
    owner.execute(
        "UPDATE troth.agreement SET at = date_trunc('day', at, 'UTC') - interval '40 days' + interval '7 hours' WHERE subject = %s",
        (cast["bob"].subject,),
    )
    everybody = "SELECT count(*) FROM agreement"
    assert count("provide", everybody) == 3
    assert retention.run() == retention.Done(removed=0, coarsened=1)
    assert count("provide", everybody) == 4
    assert count("provide", "SELECT count(*) FROM agreement WHERE at = date_trunc('day', at, 'UTC')") == 1


def test_several_coarsenings_of_a_table_each_come_to_their_end(cast: dict[str, Person], owner: Connection[Any]) -> None:
    """One that is through does not hide from the other what is left for it, though they share how far a run is."""
    steps = [
        Coarsening("agreement", "at", precision, days, "x", "agreement.time")
        for precision, days in ((Precision.HOUR, 10), (Precision.DAY, 40))
    ]
    found = routines(replace(published.current().plan, coarsenings=tuple(steps)), load(), published.current().bits)
    owner.execute("GRANT UPDATE (at) ON troth.agreement TO troth_stamper")
    owner.execute(next(f.sql for f in found if f.name == "retain").encode())
    owner.execute(
        "INSERT INTO troth.agreement (subject, version, policy_digest, terms_digest, how, wording, language, at)"
        " SELECT subject, 1, '', '', '', '', '', date_trunc('day', statement_timestamp(), 'UTC') - days * interval '1 day'"
        " + interval '77.01 minutes' + g * interval '1 second' FROM troth.person,"
        " (VALUES (20, 3000), (60, 1500)) AS c (days, many), generate_series(1, many) AS g WHERE subject IN (%s, %s)",
        (cast["alice"].subject, cast["bob"].subject),
    )
    # All become hours, and the older ones then days.
    assert retention.run().coarsened == 9000 + 3000
    hours = "SELECT count(*), count(*) FILTER (WHERE at = date_trunc('hour', at, 'UTC')), count(*) FILTER (WHERE at = date_trunc('day', at, 'UTC'))"
    assert owner.execute(f"{hours} FROM troth.agreement WHERE wording = ''".encode()).fetchone() == (9000, 9000, 3000)


# Mutations: each control taken away, and what it kept from happening happens.


def test_without_it_in_the_row_rule_the_exact_address_would_be_seen(
    coarsening: dict[str, Person], owner: Connection[Any]
) -> None:
    stored(owner, coarsening["bob"], DAYS)
    assert seen("protect", coarsening["bob"]) == 0
    owner.execute("ALTER POLICY protect_select ON troth.access USING (at > statement_timestamp() - interval '90 days')")
    assert seen("protect", coarsening["bob"]) == 1
    assert any("access.protect_select" in line for line in drift(owner).lines())


def test_without_it_in_the_intakes_check_the_exact_address_would_come_in(
    coarsening: dict[str, Person], owner: Connection[Any]
) -> None:
    assert not takes(coarsening["bob"], DAYS, FINE)
    owner.execute(
        "ALTER POLICY intake_insert ON troth.access WITH CHECK (at > statement_timestamp() - interval '90 days')"
    )
    assert takes(coarsening["bob"], DAYS, FINE)


def test_without_it_in_the_sweep_the_exact_address_would_stay(
    coarsening: dict[str, Person], owner: Connection[Any]
) -> None:
    stored(owner, coarsening["bob"], DAYS)
    blind = routines(replace(published.current().plan, coarsenings=()), load(), published.current().bits)
    owner.execute(next(f.sql for f in blind if f.name == "retain").encode())
    assert retention.run() == retention.Done(0, 0)
    assert addresses(owner, coarsening["bob"]) == [f"{FINE}/32"]
    # The status still sees it, and so does drift.
    assert next(kept.fine for kept in retention.status() if kept.table == "access") == 1
    assert any("troth.retain(uuid)" in line for line in drift(owner).lines())


# What the emitter makes of a plan, without a database.

COMPILED = plan(parse.read(FIRST, "test"), load())
UNITS = (*(unit.purpose for unit in COMPILED.units), *COMPILED.audiences)
TARGET = Target("troth", {unit: bit for bit, unit in enumerate(UNITS)}, {})


def with_coarsenings(*coarsenings: Coarsening) -> Plan:
    return replace(COMPILED, coarsenings=coarsenings)


def made(compiled: Plan, kind: Kind, name: str) -> Fact:
    return next(fact for fact in desired(compiled, load(), TARGET) if (fact.kind, fact.name) == (kind, name))


NETWORK = Coarsening("access", "ip", Precision.NETWORK, DAYS, "coarsen-ip", "access.ip")


def test_a_purpose_whose_window_is_no_longer_needs_no_rule() -> None:
    def rule(role: str, *coarsenings: Coarsening) -> str:
        return made(with_coarsenings(*coarsenings), Kind.RULE, f"access.{role}_select").make

    assert rule("protect", replace(NETWORK, days=90)) == rule("protect")
    assert "interval '720 hours' OR (ip IS NULL OR ip = network(set_masklen(" in rule("protect", NETWORK)
    assert rule("understand", NETWORK) == rule("understand")
    assert rule("self", NETWORK) == rule("self")


def test_who_only_counts_counts_no_exact_value_either() -> None:
    counted = Counted("understand", "access", ("ip",), Window(WindowKind.DAYS, 90), "count-ip")
    compiled = replace(with_coarsenings(NETWORK), counted=(counted,))
    assert "set_masklen" in made(compiled, Kind.FUNCTION, "troth.count_understand_access()").make
    assert (
        "set_masklen"
        not in made(replace(compiled, coarsenings=()), Kind.FUNCTION, "troth.count_understand_access()").make
    )


def test_the_sweep_may_change_what_it_coarsens_and_only_that() -> None:
    def may(compiled: Plan) -> set[str]:
        facts = desired(compiled, load(), TARGET)
        return {
            f.name
            for f in facts
            if f.kind is Kind.GRANT and f.value == "UPDATE" and f.name.endswith("to troth_stamper")
        }

    assert may(with_coarsenings(NETWORK)) - may(with_coarsenings()) == {'"troth"."access" ("ip") to troth_stamper'}

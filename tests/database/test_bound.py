"""Rows of whoever has not agreed to a version that keeps them for longer go when the one that they agreed to says."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person, make, visit
from tests.database.test_retention import aged, ended, left, of, told
from troth.database import apply, connect, published, retention
from troth.database.drift import drift
from troth.database.keeper import Keeper
from troth.database.place import Place

FIRST = POLICY.read_text(encoding="utf-8")
NINETY = "collect crash.report, crash.time, crash.metadata on crash [P9]\n    for provide 90 days"
#: How the default policy keeps who somebody is, on two occasions.
AFTER = "    for provide while the account exists then 30 days"


def keeping(number: int, days: int) -> str:
    """Return a version that keeps crashes for so many days."""
    text = FIRST.replace("version 1 effective", f"version {number} effective")
    assert NINETY in text
    deadline = f"within {max(days, 90)} days"
    return text.replace(NINETY, NINETY.replace("90", str(days))).replace("within 90 days", deadline)


def ends_with_the_account(number: int) -> str:
    """Return a version that keeps nothing of who somebody is once the account has ended."""
    text = FIRST.replace("version 1 effective", f"version {number} effective")
    assert AFTER in text
    return text.replace(AFTER, AFTER.removesuffix(" then 30 days"))


def applied(owner: Connection[Any], source: str) -> None:
    apply.apply(owner, source, TERMS)
    published.forget()


def agree(owner: Connection[Any], person: Person) -> None:
    newest = apply.newest(owner)
    assert newest is not None
    told = (person.subject, newest.version, newest.digest, newest.terms_digest)
    with connect.acting("door") as door:
        door.execute("SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", told)


def crashed(owner: Connection[Any], person: Person, days: float, many: int = 1) -> None:
    """Store crashes of somebody's as they came in then, when they were taken: nothing judges them now."""
    with owner.transaction():
        owner.execute("SET LOCAL session_replication_role = replica")
        owner.execute(
            "INSERT INTO troth.crash (subject, at, id, application, kind, uses)"
            " SELECT asked.subject, statement_timestamp() - make_interval(secs => %s), uuidv7(), 'boat', 'ValueError',"
            " coalesce(p.uses, 0) FROM generate_series(1, %s), (SELECT %s AS subject) AS asked"
            " LEFT JOIN troth.permitted AS p ON p.subject = asked.subject",
            (days * 86400, many, person.subject),
        )


def crashes(owner: Connection[Any], *people: Person) -> list[int]:
    return [left(owner, person, "crash") for person in people]


@pytest.fixture
def longer(cast: dict[str, Person], owner: Connection[Any]) -> Iterator[dict[str, Person]]:
    """The cast under a version that keeps crashes for 180 days and no more for 90; only Alice agreed to it."""
    applied(owner, keeping(2, 180))
    agree(owner, cast["alice"])
    yield cast
    published.forget()


def test_what_a_person_did_not_agree_to_keep_longer_goes_when_it_would_have(
    longer: dict[str, Person], owner: Connection[Any]
) -> None:
    alice, bob, charlie = longer["alice"], longer["bob"], longer["charlie"]
    for person in (alice, bob):
        crashed(owner, person, 90)
    crashed(owner, charlie, 90 - 60 / 86400)
    assert of("crash").due == 1
    assert retention.run() == retention.Done(removed=1, coarsened=0)
    assert crashes(owner, alice, bob, charlie) == [1, 0, 1]
    assert told(owner) == [{"removed_crash": 1}]
    crashed(owner, alice, 180)
    assert retention.run().removed == 1, "whoever agreed keeps it for what they agreed to, and no longer"
    assert drift(owner).lines() == []


def test_whoever_agrees_in_time_keeps_their_rows(longer: dict[str, Person], owner: Connection[Any]) -> None:
    bob, charlie = longer["bob"], longer["charlie"]
    for person in (bob, charlie):
        crashed(owner, person, 80)
    agree(owner, bob)
    for person in (bob, charlie):
        aged(owner, person, 95, "crash")
    assert retention.run().removed == 1
    assert crashes(owner, bob, charlie) == [1, 0]


def test_what_agreed_ahead_binds_keeps_them_from_its_day_on(cast: dict[str, Person], owner: Connection[Any]) -> None:
    alice = cast["alice"]
    crashed(owner, alice, 95)
    owner.execute(
        "INSERT INTO troth.agreement_ahead (subject, version, policy_digest, terms_digest, wording, language)"
        " SELECT %s, 2, %s, terms_digest, 'I agree.', 'en' FROM troth.policy_version",
        (alice.subject, published.current().policy.digest),
    )
    applied(owner, keeping(2, 180))
    owner.execute(
        "UPDATE troth.agreement_ahead SET policy_digest = (SELECT max(digest) FILTER (WHERE version = 2) FROM troth.policy_version)"
    )
    with connect.acting("steward") as steward:
        assert steward.execute("SELECT troth.bind_ahead(10)").fetchone() == (1,)
    assert (retention.run().removed, crashes(owner, alice)) == (0, [1])


def test_what_counts_is_the_version_agreed_to_last(cast: dict[str, Person], owner: Connection[Any]) -> None:
    """60, then 30, then 90 days: whoever agreed to the first, to the second too, or to none of the later ones."""
    applied(owner, keeping(2, 60))
    first, second, last = (make(owner, name) for name in ("First", "Second", "Last"))
    applied(owner, keeping(3, 30))
    agree(owner, second)
    applied(owner, keeping(4, 90))
    agree(owner, last)
    people = (first, second, last, cast["bob"])  # Bob agreed to ninety days, before all that
    for days in (29, 31, 59, 61, 89, 91):
        for person in people:
            crashed(owner, person, days)
    assert of("crash").due == 3 + 5 + 1 + 1
    retention.run()
    assert crashes(owner, *people) == [3, 1, 5, 5]


PROTECT = "for protect 90 days"


def looked(owner: Connection[Any], person: Person, days: float) -> None:
    """Store an access of somebody's as it came in then."""
    visit(person)
    aged(owner, person, days, "access")


def test_what_also_stays_while_somebody_consents_does_so_for_them_alone(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """Accesses stay ninety days, and for whoever consents to `personalise` as long as they do."""
    alice, bob, charlie = cast["alice"], cast["bob"], cast["charlie"]
    for person in (alice, charlie):
        with connect.acting("self", token=person.token) as viewer:
            viewer.execute("SELECT troth.choose('personalise', 'consent')")
    text = FIRST.replace("version 1 effective", "version 2 effective")
    assert PROTECT in text
    applied(owner, text.replace(PROTECT, PROTECT.replace("90", "365")).replace("within 90 days", "within 365 days"))
    for person in (alice, bob, charlie):
        looked(owner, person, 100)
    with connect.acting("self", token=charlie.token) as viewer:
        viewer.execute("SELECT troth.choose('personalise', 'withdrawal')")
    many = {person.name: left(owner, person, "access") for person in (alice, bob, charlie)}
    assert of("access").due == many["Bob"] + many["Charlie"] > 0
    retention.run()
    assert [left(owner, person, "access") for person in (alice, bob, charlie)] == [many["Alice"], 0, 0]


def test_less_than_was_agreed_to_holds_for_everybody(cast: dict[str, Person], owner: Connection[Any]) -> None:
    applied(owner, keeping(2, 30))
    for person in cast.values():
        crashed(owner, person, 31)
    assert retention.run().removed == len(cast)


def test_what_only_the_newer_version_keeps_after_the_end_goes_with_the_account(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    applied(owner, ends_with_the_account(2))
    for person in cast.values():
        agree(owner, person)
    applied(owner, keeping(3, 90))
    alice, bob = cast["alice"], cast["bob"]
    agree(owner, alice)
    for person in (alice, bob):
        ended(owner, person, 29)
    assert [left(owner, person, "person") for person in (alice, bob)] == [1, 0]
    # The agreement stays for a year, and says which version binds the rest; without it, that is remembered.
    owner.execute("DELETE FROM troth.agreement WHERE subject = %s", (bob.subject,))
    assert owner.execute("SELECT troth.fold(%s) IS NOT NULL", (bob.subject,)).fetchone() == (True,)
    bound = owner.execute("SELECT agreed FROM troth.permitted WHERE subject = %s", (bob.subject,)).fetchone()
    assert bound == (2,)


def test_visits_and_whoever_agreed_to_nothing_follow_the_version_in_force(
    longer: dict[str, Person], owner: Connection[Any]
) -> None:
    dana = longer["dana"]
    stranger = make(owner, "Stranger", agreed=False)
    owner.execute("INSERT INTO troth.permitted (subject, uses) VALUES (%s, 0)", (stranger.subject,))
    crashed(owner, dana, 100)
    crashed(owner, stranger, 100)
    assert retention.run().removed == 1
    assert crashes(owner, stranger, dana) == [1, 0]


def test_more_than_one_batch_goes(longer: dict[str, Person], owner: Connection[Any]) -> None:
    crashed(owner, longer["bob"], 100, many=5003)
    batches: list[int] = []
    assert retention.run(advance=batches.append).removed == 5003
    assert batches == [5000, 3]


def test_what_is_left_an_hour_past_its_time_is_overdue(longer: dict[str, Person], owner: Connection[Any]) -> None:
    def overdue() -> list[str]:
        with connect.acting("steward") as steward:
            found = steward.execute("SELECT table_name FROM troth.overdue() WHERE overdue").fetchall()
        return [name for (name,) in found]

    crashed(owner, longer["alice"], 100)
    crashed(owner, longer["bob"], 90 + 0.5 / 24)
    assert overdue() == []
    crashed(owner, longer["bob"], 90 + 1.5 / 24)
    assert overdue() == ["crash"]


def test_the_next_day_is_the_one_of_who_did_not_agree(longer: dict[str, Person], owner: Connection[Any]) -> None:
    crashed(owner, longer["bob"], 80)
    due = of("crash").next_due
    (in_days,) = owner.execute("SELECT round(extract(epoch FROM %s - now()) / 86400)", (due,)).fetchone() or (None,)
    assert in_days == 10


def test_it_holds_over_a_version_that_was_in_force_before_troth_wrote_this_down(
    database: Place, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """A database of before: two versions, nobody agreed to the second, and neither says how long it keeps what."""
    applied(owner, keeping(2, 180))
    undone = (
        "DROP TABLE troth.version_retention",
        "DROP INDEX troth.permitted_agreed",
        "ALTER TABLE troth.permitted DROP COLUMN agreed CASCADE, DROP COLUMN consents CASCADE",
        "DELETE FROM troth.django_migrations WHERE (app, name) IN"
        " (('database', '0010_version_retention'), ('consent', '0014_agreed'))",
    )
    for each in undone:
        owner.execute(each.encode())
    Keeper(database).prepare(keeping(2, 180), TERMS)
    assert owner.execute("SELECT DISTINCT agreed FROM troth.permitted ORDER BY 1").fetchall() == [(1,), (None,)]
    crashed(owner, cast["bob"], 100)
    assert retention.run().removed == 1
    assert drift(owner).lines() == []


# Mutations: each control taken away, and what it kept from happening happens.


def test_without_what_was_agreed_to_it_would_stay(longer: dict[str, Person], owner: Connection[Any]) -> None:
    crashed(owner, longer["bob"], 100)
    owner.execute("UPDATE troth.permitted SET agreed = NULL")
    assert retention.run().removed == 0


def test_without_what_the_version_says_it_would_stay(longer: dict[str, Person], owner: Connection[Any]) -> None:
    crashed(owner, longer["bob"], 100)
    owner.execute("DELETE FROM troth.version_retention WHERE version = 1")
    assert retention.run().removed == 0
    # What any policy is carried out with writes it down again.
    assert apply.apply(owner, keeping(2, 180), TERMS).changed == 0
    assert retention.run().removed == 1


def test_nothing_looks_at_rows_where_nobody_is_bound_to_less(longer: dict[str, Person], owner: Connection[Any]) -> None:
    """The sweep's own question: without anybody bound to less there is no moment from which rows would be looked at."""
    from troth.policy.bound import reached

    asked = f"SELECT {reached(published.current('steward').plan.longest('crash'))} IS NULL"
    assert owner.execute(asked.encode()).fetchone() == (False,)
    for person in longer.values():
        agree(owner, person)
    assert owner.execute(asked.encode()).fetchone() == (True,)

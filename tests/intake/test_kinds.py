"""What people bought and where they were, as applications tell it: exact, within bounds, no finer than each purpose may know."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person
from tests.intake.sending import Application, Sent, registered, sent
from tests.rights.asking import erased, exported, part
from troth.database import apply, connect, published
from troth.database.catalog import load
from troth.intake import queries, timeline
from troth.intake.decisions import Decisions
from troth.intake.sent import coarse_degrees
from troth.policy import parse
from troth.policy.meaning import Precision
from troth.policy.plan import plan

EVERY = ("transaction", "location")
BOUGHT = {"item": "A lamp", "amount": "19.95", "currency": "EUR"}
THERE = {"latitude": 41.388791, "longitude": 2.158992, "accuracy": 12.5, "altitude": 20.0, "source": "gps"}
FIRST = POLICY.read_text(encoding="utf-8")
#: The same, but that nobody may know the place as it is.
ROUGHLY = FIRST.replace("version 1 effective", "version 2 effective").replace(
    "    for provide 30 days\n    for understand 30 days as region\n", "    for understand 30 days as region\n"
)


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice and Bob use, and which tells of both kinds."""
    made = registered(owner, events=EVERY)
    for name in ("alice", "bob"):
        made.knows(cast[name])
    return made


def tell(notes: Application, kind: str, data: Any, key: str = "event-0001", **told: Any) -> Sent:
    event = {"key": key, "kind": kind, "person": notes.names["Alice"], "data": data} | told
    return sent(event, key=notes.key)


def rows(owner: Connection[Any], columns: str, table: str) -> list[tuple[Any, ...]]:
    return owner.execute(f"SELECT {columns} FROM troth.{table}".encode()).fetchall()


def choose(person: Person, purpose: str, kind: str) -> None:
    with connect.acting("self", token=person.token) as mine:
        mine.execute("SELECT troth.choose(%s, %s)", (purpose, kind))


# Transactions


@pytest.mark.parametrize("amount", ["19.95", "0.1", "-5", "1000", "0.0001", "123456789012345.1234"])
def test_an_amount_is_stored_as_it_was_told(notes: Application, owner: Connection[Any], amount: str) -> None:
    assert tell(notes, "transaction", BOUGHT | {"amount": amount}).status == 201
    assert rows(owner, "item, amount, currency", "transaction") == [("A lamp", Decimal(amount), "EUR")]
    assert rows(owner, "amount::text", "transaction") == [(amount,)]


@pytest.mark.parametrize(
    "told",
    [
        {"amount": 19.95}, {"amount": "1e5"}, {"amount": "NaN"}, {"amount": "Infinity"}, {"amount": "1" * 16},
        {"amount": "0.00001"}, {"amount": "19.95\n"}, {"amount": "19,95"}, {"amount": ""}, {"amount": "+1"},
        {"currency": "eur"}, {"currency": "EURO"}, {"currency": "EUR\n"}, {"currency": None}, {"amount": None},
        {"item": ""}, {"item": "x" * 201}, {"item": None}, {"card": "4111 1111 1111 1111"},
    ],
)  # fmt: skip
def test_what_is_no_transaction_is_refused(notes: Application, owner: Connection[Any], told: dict[str, Any]) -> None:
    answer = tell(notes, "transaction", BOUGHT | told)
    assert (answer.status, answer.body["reason"]) == (422, "malformed")
    assert rows(owner, "item", "transaction") == []


def test_what_was_bought_may_have_come_to_nothing_that_is_told(notes: Application, owner: Connection[Any]) -> None:
    assert tell(notes, "transaction", {"item": "A plan that is free"}).status == 201
    assert rows(owner, "item, amount, currency", "transaction") == [("A plan that is free", None, None)]


def test_what_stands_in_an_item_that_should_not_is_taken_out(notes: Application, owner: Connection[Any]) -> None:
    tell(notes, "transaction", BOUGHT | {"item": "A lamp\u0000 for bob@harbor.example, card 4111 1111 1111 1111"})
    assert rows(owner, "item", "transaction") == [("A lamp for [e-mail], card [card]",)]
    assert {(each.outcome, each.kind) for each in queries.counts() if each.outcome == "reduced"} == {
        ("reduced", "transaction")
    }


def test_the_database_takes_no_amount_and_no_currency_that_is_none(notes: Application, cast: dict[str, Person]) -> None:
    statement = (
        "INSERT INTO troth.transaction (subject, at, id, application, item, amount, currency)"
        " VALUES (%s, statement_timestamp(), uuidv7(), %s, 'A lamp', %s, %s)"
    )
    for amount, currency in (("NaN", "EUR"), ("Infinity", "EUR"), ("1e15", "EUR"), ("0.00001", "EUR"), ("1", "eu")):
        with pytest.raises(psycopg.errors.CheckViolation), connect.acting("intake") as intake:
            intake.execute(statement, (cast["alice"].subject, notes.application, amount, currency))


def test_a_transaction_stays_as_long_as_the_account_and_its_person_cannot_delete_it(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    tell(notes, "transaction", BOUGHT)
    owner.execute("UPDATE troth.transaction SET at = at - interval '900 days'")
    with connect.acting("provide") as provide:
        assert provide.execute("SELECT item, amount FROM transaction").fetchall() == [("A lamp", Decimal("19.95"))]
    for other in ("protect", "understand"):
        with pytest.raises(psycopg.Error), connect.acting(other) as purpose:
            purpose.execute("SELECT item FROM troth.transaction")
    (mine,) = timeline.items(alice.token, of=["transaction"])
    assert (mine.words, mine.more, mine.deleted_by) == ("A lamp", "19.95 EUR", "")
    assert not timeline.remove(alice.token, mine)
    (row,) = part(exported(owner, alice), "transaction").rows
    assert (row.values["item"], row.values["amount"], row.values["currency"]) == ("A lamp", 19.95, "EUR")
    assert erased(owner, alice)["transaction"]["stays"] == 1
    assert queries.transactions(cast["bob"].token) == []


# Where somebody was


def test_each_purpose_knows_a_place_no_finer_than_it_may(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    assert tell(notes, "location", THERE).status == 201
    wanted = (Decimal("41.38879"), Decimal("2.15899"), 12.5, 20.0, "gps", "41.3, 2.1", "41, 2")
    columns = "latitude, longitude, accuracy, altitude, source, city, region"
    assert rows(owner, columns, "location") == [wanted]
    with connect.acting("provide") as provide:
        assert provide.execute(f"SELECT {columns} FROM location".encode()).fetchall() == [wanted]
    with connect.acting("understand") as understand:
        assert understand.execute("SELECT region, day FROM location").fetchall() == [
            ("41, 2", datetime.now(UTC).date())
        ]
    for column in ("latitude", "longitude", "city", "accuracy", "altitude", "source", "at", "hour", "application"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("understand") as understand:
            understand.execute(f"SELECT {column} FROM troth.location".encode())
    choose(cast["alice"], "understand", "objection")
    with connect.acting("understand") as understand:
        assert understand.execute("SELECT region FROM location").fetchall() == []


@pytest.mark.parametrize(
    ("degrees", "city", "region"),
    [
        ((41.38879, 2.15899), "41.3, 2.1", "41, 2"), ((-0.00001, -0.00001), "-0.1, -0.1", "-1, -1"),
        ((90, 180), "90.0, 180.0", "90, 180"), ((-90, -180), "-90.0, -180.0", "-90, -180"), ((0, 0), "0.0, 0.0", "0, 0"),
    ],
)  # fmt: skip
def test_cells_are_the_same_wherever_they_are_made(
    notes: Application, owner: Connection[Any], degrees: tuple[float, float], city: str, region: str
) -> None:
    tell(notes, "location", {"latitude": degrees[0], "longitude": degrees[1]})
    assert rows(owner, "city, region", "location") == [(city, region)]
    for precision, wanted in ((Precision.CITY, city), (Precision.REGION, region)):
        made = [Decimal(coarse_degrees(f"{each:.5f}", precision)) for each in degrees]
        assert made == [Decimal(each) for each in wanted.split(", ")]


@pytest.mark.parametrize(
    "told",
    [
        {"latitude": 90.00001}, {"latitude": -91}, {"longitude": 180.1}, {"longitude": -1e300}, {"latitude": "41.4"},
        {"latitude": None}, {"accuracy": -1}, {"accuracy": 1e9}, {"altitude": 1e7}, {"source": "a spy"}, {"speed": 3},
        {"latitude": True},
    ],
)  # fmt: skip
def test_what_is_no_place_on_earth_is_refused(notes: Application, owner: Connection[Any], told: dict[str, Any]) -> None:
    answer = tell(notes, "location", THERE | told)
    assert (answer.status, answer.body["reason"]) == (422, "malformed")
    assert rows(owner, "latitude", "location") == []


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0x29"])
def test_what_is_no_number_of_json_is_refused(notes: Application, owner: Connection[Any], number: bytes) -> None:
    data = b'{"latitude": ' + number + b', "longitude": 2}'
    body = b'{"key": "event-0001", "kind": "location", "person": "%s", "data": %s}'
    assert sent(body % (notes.names["Alice"].encode(), data), key=notes.key).status in (400, 422)
    assert rows(owner, "latitude", "location") == []


def test_the_database_takes_no_place_that_is_none(notes: Application, cast: dict[str, Person]) -> None:
    statement = (
        "INSERT INTO troth.location (subject, at, id, application, latitude, longitude, accuracy)"
        " VALUES (%s, statement_timestamp(), uuidv7(), %s, %s, %s, %s)"
    )
    for values in (("90.1", "0", "1"), ("0", "-180.1", "1"), ("NaN", "0", "1"), ("0", "0", "NaN"), ("0", "0", "-1")):
        with pytest.raises(psycopg.errors.CheckViolation), connect.acting("intake") as intake:
            intake.execute(statement, (cast["alice"].subject, notes.application, *values))


def test_where_no_purpose_may_know_the_place_itself_it_is_not_stored(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """Of each number only the side of its cell, by the intake, and nothing finer by the database."""
    assert ROUGHLY != FIRST
    apply.apply(owner, ROUGHLY, TERMS)
    published.forget()
    assert tell(notes, "location", THERE).status == 201
    columns = "latitude, longitude, region"
    assert rows(owner, columns, "location") == [(Decimal(41), Decimal(2), "41, 2")]
    statement = (
        "INSERT INTO troth.location (subject, at, id, application, latitude)"
        " VALUES (%s, statement_timestamp(), uuidv7(), %s, %s)"
    )
    with connect.acting("intake") as intake:
        intake.execute(statement, (cast["alice"].subject, notes.application, "-42"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("intake") as intake:
        intake.execute(statement, (cast["alice"].subject, notes.application, "-41.5"))


def test_whoever_is_in_no_purpose_for_the_place_itself_has_their_region_stored() -> None:
    planned = plan(parse.read(FIRST, "test.troth"), load())
    decisions = Decisions.of(planned, {unit.purpose: nth for nth, unit in enumerate(planned.units)})
    from troth.intake.kinds import KINDS

    names = [unit.purpose for unit in planned.units]
    for purposes, precision in ((("understand",), Precision.REGION), (("understand", "provide"), Precision.AS_IS)):
        bits = sum(1 << names.index(purpose) for purpose in purposes)
        assert decisions.part(KINDS["location"], bits, objects=False).kept["latitude"] is precision


def test_a_person_sees_where_they_were_and_deletes_it(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    for nth, whose in enumerate(("Alice", "Alice", "Bob")):
        tell(notes, "location", THERE, key=f"event-000{nth}", person=notes.names[whose])
    first, second = timeline.items(alice.token, of=["location"])
    assert (first.words, first.more) == ("41.38879, 2.15899", "gps")
    assert {use.purpose for clause in first.clauses for use in clause.uses} == {"provide", "understand"}
    assert timeline.remove(alice.token, first)
    assert [item.id for item in timeline.items(alice.token, of=["location"])] == [second.id]
    (row,) = part(exported(owner, alice), "location").rows
    assert (row.values["latitude"], row.values["longitude"]) == (41.38879, 2.15899)
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (alice.subject,))
    assert tell(notes, "location", THERE, key="event-0009").body["outcome"] == "refused"
    assert len(queries.locations(cast["bob"].token)) == 1


def test_no_place_is_kept_past_its_window(notes: Application, owner: Connection[Any]) -> None:
    late = (datetime.now(UTC) - timedelta(days=31)).isoformat()
    answer = tell(notes, "location", THERE, at=late)
    assert answer.body["reason"] == "older-than-every-window"
    tell(notes, "location", THERE)
    owner.execute("UPDATE troth.location SET at = at - interval '30 days 1 minute'")
    for purpose, column in (("provide", "latitude"), ("understand", "region")):
        with connect.acting(purpose) as reading:
            assert reading.execute(f"SELECT {column} FROM location".encode()).fetchall() == []


def test_an_application_that_did_not_declare_a_kind_cannot_send_it(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    other = registered(owner, events=("crash",))
    other.knows(cast["alice"])
    told: Sequence[tuple[str, Any]] = (("transaction", BOUGHT), ("location", THERE))
    for kind, data in told:
        assert tell(other, kind, data, key=f"undeclared-{kind}").body["reason"] == "not-declared"

"""The policies beside the default: complete in two languages, and on a database they do what is expected of them."""

import os
import re
import shutil
import tempfile
import tomllib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.browsing import Browser, browser
from tests.conftest import QUICK, Person, count, forget, make
from troth.database import connect, embedded, place, retention
from troth.database.catalog import load
from troth.database.drift import drift
from troth.database.keeper import Keeper
from troth.policy import parse
from troth.policy.covering import covered
from troth.policy.meaning import Audience, Occasion, Policy, Precision, Storage, Verb
from troth.policy.plan import plan
from troth.policy.planned import Plan
from troth.policy.viewing import narrowed

__all__ = ["browser"]

FOLDER = Path(__file__).parents[2] / "policies"
NAMES = ("patient-portal", "city-maintenance", "shop-newsletter")
VISITOR = uuid.UUID(int=0)
#: How the expectations say on which occasion something is left in a table.
LEFT = {Occasion.ACCESS: "an access", Occasion.VISIT: "a visit"}
#: The kinds of clauses that can cite promises and whose texts can be translated.
CITING = re.compile(r"^(?!policy|operator|call|note)[a-z]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ruled:
    """A policy with what it compiles to and what is expected of it."""

    name: str
    source: str
    policy: Policy
    plan: Plan
    true: tuple[str, ...]
    false: tuple[str, ...]


def ruled(name: str) -> Ruled:
    source = (FOLDER / f"{name}.troth").read_text(encoding="utf-8")
    expected = tomllib.loads((Path(__file__).parent / "expectations" / f"{name}.toml").read_text(encoding="utf-8"))
    policy = parse.read(source, f"{name}.troth")
    return Ruled(name, source, policy, plan(policy, load()), tuple(expected["true"]), tuple(expected["false"]))


@pytest.fixture(scope="module", params=NAMES)
def sample(request: pytest.FixtureRequest) -> Ruled:
    return ruled(request.param)


# What the expectations can say


def columns() -> Iterator[str]:
    yield from (f"{table.name}.{column.name}" for table in load() for column in table.columns if column.category)


def exactly(precision: Precision) -> str:
    return "as is" if precision is Precision.AS_IS else f"as {precision}"


def sayable(policy: Policy) -> set[str]:
    """Return every sentence that an expectation can be: only of these can one be false, rather than misspelt."""
    categories = {category.name for category in policy.categories} | load().categories
    purposes = [purpose.name for purpose in policy.purposes]
    said = {f"{p} {does} {column}" for p, does, column in product(purposes, ("reads", "counts"), columns())}
    said |= {f"{who} leaves {column} {exactly(p)}" for who, column, p in product(LEFT.values(), columns(), Precision)}
    said |= {f"{column} becomes {p}" for column, p in product(columns(), Precision)}
    said |= {f"{a} {does} {c}" for a, does, c in product(Audience, ("sees", "gets posts of"), categories)}
    said |= {f"the person may {verb} {c}" for verb, c in product(Verb, categories)}
    said |= {f"{share.recipient} gets {c}" for share, c in product(policy.shares, categories)}
    return said | {f"nothing holds {c}" for c in categories}


def holding(policy: Policy, made: Plan) -> set[str]:
    """Return the sentences that hold."""
    said = {f"{r.purpose} reads {r.table}.{r.column}" for r in made.readings}
    said |= {f"{c.purpose} counts {c.table}.{column}" for c in made.counted for column in c.columns}
    said |= {
        f"{LEFT[c.occasion]} leaves {c.table}.{c.column} {exactly(c.precision)}"
        for c in made.collected
        if c.occasion in LEFT
    }
    said |= {f"{c.table}.{c.column} becomes {c.precision}" for c in made.coarsenings}
    said |= {f"{sight.audience} sees {c}" for sight in policy.sights for c in sight.categories}
    said |= {
        f"{a} gets posts of {c}"
        for posting in policy.postings
        for a, c in product(posting.audiences, posting.categories)
    }
    said |= {f"the person may {v} {c}" for right in policy.rights for v, c in product(right.verbs, right.categories)}
    said |= {f"{share.recipient} gets {c}" for share in policy.shares for c in share.categories}
    return said | {f"nothing holds {each.category}" for each in made.unheld}


def test_the_plan_says_what_is_expected(sample: Ruled) -> None:
    known, held = sayable(sample.policy), holding(sample.policy, sample.plan)
    assert set(sample.true) | set(sample.false) <= known
    assert set(sample.true) <= held
    assert not set(sample.false) & held


def test_an_expectation_fails_where_the_policy_allows_more_or_less() -> None:
    portal = ruled("patient-portal")
    more = portal.source.replace("for protect 90 days as hashed", "for protect 90 days").replace(
        "version 1", "version 2"
    )
    policy = parse.read(more, "more")
    assert "protect reads device.device" in holding(policy, plan(policy, load())) & set(portal.false)
    less = portal.source.replace("coarsen access.ip to network after 30 days [P8]\n", "")
    policy = parse.read(less, "less")
    assert "access.ip becomes network" in set(portal.true) - holding(policy, plan(policy, load()))


# What each policy says


def test_every_clause_that_can_cites_a_promise(sample: Ruled) -> None:
    clauses = re.split(r"\n(?=[a-z#])", sample.source)
    bare = [each for each in clauses if CITING.match(each) and not re.search(r"\[P\d", each)]
    assert bare == []


def test_every_text_is_there_in_spanish_too(sample: Ruled) -> None:
    policy = sample.policy
    assert all("es" in dict(purpose.translations) for purpose in policy.purposes)
    texts = [each.texts for each in policy.called] + [each.texts for each in policy.notes]
    assert all("es" in dict(each) for each in texts)
    assert all(dict(purpose.translations)["es"] != purpose.sentence for purpose in policy.purposes)


def test_terms_stand_beside_each_policy() -> None:
    for policy in FOLDER.glob("*.troth"):
        assert policy.with_suffix(".terms.txt").read_text(encoding="utf-8").startswith("These terms and the policy are")


def test_the_cookies_of_the_service_are_said_with_their_true_lifetimes(browser: Browser, sample: Ruled) -> None:
    from django.conf import settings
    from django.http import HttpResponse
    from django.test import RequestFactory

    from troth.web import middleware
    from troth.web.views.pages import language

    response: HttpResponse = language(RequestFactory().post("/language", {"language": "es"}))
    lasting = {key: int(morsel["max-age"]) // 86400 for key, morsel in response.cookies.items()}
    ending = {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, middleware.COOKIE}
    assert (settings.SESSION_EXPIRE_AT_BROWSER_CLOSE, settings.CSRF_COOKIE_AGE) == (True, None)
    cookies = {s.key: (s.storage, s.days) for s in sample.policy.stored if "cookie" in s.storage}
    assert cookies == {key: (Storage.PERSISTENT_COOKIE, days) for key, days in lasting.items()} | dict.fromkeys(
        ending, (Storage.SESSION_COOKIE, None)
    )


# What each policy does


@dataclass(frozen=True, slots=True)
class House:
    """A policy in force on a server of its own."""

    ruled: Ruled
    owner: Connection[Any]


@pytest.fixture(scope="module")
def house(cluster: place.Place, sample: Ruled) -> Iterator[House]:
    """A server whose first policy is this one: roles belong to a whole server."""
    data = Path(tempfile.mkdtemp(prefix="troth-"))
    os.environ["TROTH_DATA"] = str(data)
    forget()
    place.prepare(data)
    where = embedded.located(data)
    server = embedded.Server(where, settings=QUICK)
    server.start()
    where.write()
    terms = (FOLDER / f"{sample.name}.terms.txt").read_text(encoding="utf-8")
    Keeper(where).prepare(sample.source, terms, name=f"{sample.name}.troth")
    with connect.owning(where) as owner:
        yield House(sample, owner)
    forget()
    server.stop()
    os.environ["TROTH_DATA"] = str(cluster.data)
    shutil.rmtree(data, ignore_errors=True)


def under(name: str) -> pytest.MarkDecorator:
    """Ask of one policy only."""
    return pytest.mark.parametrize("sample", [name], indirect=True, scope="module")


def may_read(purpose: str, column: str) -> bool:
    table, name = column.split(".")
    try:
        with connect.acting(purpose) as connection:
            connection.execute(f'SELECT "{name}" FROM troth."{table}" LIMIT 1'.encode())
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def choose(person: Person, purpose: str, kind: str) -> None:
    with connect.acting("self", token=person.token) as mine:
        mine.execute("SELECT troth.choose(%s, %s)", (purpose, kind))


def end(person: Person) -> None:
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (person.subject,))


def taken(subject: uuid.UUID, **values: object) -> bool:
    """Whether the database takes such an access from the intake."""
    names = "".join(f", {name}" for name in values)
    marks = ", %s" * len(values)
    try:
        with connect.acting("intake") as intake:
            intake.execute(
                f"INSERT INTO troth.access (subject, at, id{names}) VALUES (%s, statement_timestamp(), uuidv7(){marks})".encode(),
                (subject, *values.values()),
            )
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def rows(purpose: str, table: str, whose: Iterable[Person]) -> int:
    listed = ", ".join(f"'{person.subject}'" for person in whose)
    return count(purpose, f"SELECT count(*) FROM {table} WHERE subject IN ({listed})")


def test_it_is_in_force_and_nothing_drifts(house: House) -> None:
    assert drift(house.owner).lines() == []
    assert house.owner.execute("SELECT name, version FROM troth.policy_version").fetchall() == [
        (house.ruled.policy.name, 1)
    ]


def test_each_purpose_reads_on_the_database_what_the_plan_says_and_no_column_more(house: House) -> None:
    held = holding(house.ruled.policy, house.ruled.plan)
    for purpose, column in product([purpose.name for purpose in house.ruled.policy.purposes], columns()):
        assert may_read(purpose, column) is (f"{purpose} reads {column}" in held), f"{purpose} {column}"


def test_each_purpose_is_told_what_is_withheld(house: House) -> None:
    for purpose in house.ruled.policy.purposes:
        told = {w.column for w in house.ruled.plan.withheld if w.purpose == purpose.name}
        with connect.acting(purpose.name) as connection:
            assert {row[0] for row in connection.execute('SELECT "column" FROM withheld')} == told


@under("patient-portal")
def test_a_patient_is_treated_through_the_portal_only_while_they_say_yes(house: House) -> None:
    alice, charlie = make(house.owner, "Alice"), make(house.owner, "Charlie")
    assert rows("care", "person", [alice, charlie]) == 0
    choose(alice, "care", "consent")
    assert rows("care", "person", [alice]) == 1
    assert rows("care", "person", [charlie]) == 0
    choose(alice, "care", "withdrawal")
    assert rows("care", "person", [alice]) == 0


@under("patient-portal")
def test_records_stay_after_the_account_and_cannot_be_objected_to(house: House) -> None:
    bob = make(house.owner, "Bob")
    assert rows("records", "person", [bob]) == 1
    with pytest.raises(psycopg.Error):
        choose(bob, "records", "objection")
    end(bob)
    assert rows("records", "person", [bob]) == 1
    assert rows("care", "person", [bob]) == 0


@under("patient-portal")
def test_how_the_portal_is_used_is_counted_over_five_people_who_say_yes_and_no_fewer(house: House) -> None:
    people = [make(house.owner, name) for name in ("Una", "Duo", "Tres", "Quad", "Quin")]
    for person in people:
        assert taken(person.subject, url="/results", kind="telephone")
    counted = "SELECT coalesce(sum(people), 0) FROM access_counted WHERE \"column\" = 'url' AND value = '/results'"
    for person in people[:-1]:
        choose(person, "improve", "consent")
    assert count("improve", counted) == 0
    choose(people[-1], "improve", "consent")
    assert count("improve", counted) == 5
    choose(people[0], "improve", "withdrawal")
    assert count("improve", counted) == 0


@under("patient-portal")
def test_the_address_of_somebody_who_only_looks_in_is_not_taken(house: House) -> None:
    assert not taken(VISITOR, url="/", ip="192.0.2.77")
    assert taken(VISITOR, url="/", ip="192.0.2.0/24")
    assert not taken(VISITOR, url="/", browser="Firefox 140")


@under("city-maintenance")
def test_a_crew_may_object_to_mending_and_not_to_accounting(house: House) -> None:
    dana = make(house.owner, "Dana")
    assert taken(dana.subject, url="/map", status=500, system="Android 16")
    assert (rows("mend", "access", [dana]), rows("account", "person", [dana])) == (1, 1)
    choose(dana, "mend", "objection")
    assert rows("mend", "access", [dana]) == 0
    assert rows("protect", "access", [dana]) == 1
    end(dana)
    assert (rows("account", "person", [dana]), rows("provide", "person", [dana])) == (1, 1)
    house.owner.execute(
        "UPDATE troth.person SET ended_at = ended_at - interval '31 days' WHERE subject = %s", (dana.subject,)
    )
    assert (rows("account", "person", [dana]), rows("provide", "person", [dana])) == (1, 0)


@under("city-maintenance")
def test_mending_knows_the_hour_and_never_the_second(house: House) -> None:
    eve = make(house.owner, "Eve")
    assert taken(eve.subject, url="/map")
    with connect.acting("mend") as mend:
        row = mend.execute("SELECT hour FROM access WHERE subject = %s", (eve.subject,)).fetchone()
        assert row is not None
        assert (row[0].minute, row[0].second, row[0].microsecond) == (0, 0, 0)
    assert not may_read("mend", "access.at")


@under("shop-newsletter")
def test_the_shop_takes_a_page_and_a_time_and_nothing_of_who_only_looks_in(house: House) -> None:
    alice = make(house.owner, "Alice")
    assert taken(alice.subject, url="/bowls")
    for more in ({"ip": "192.0.2.77"}, {"ip": "192.0.2.0/24"}, {"browser": "Firefox 140"}, {"referrer": "/"}):
        assert not taken(alice.subject, url="/bowls", **more)
    assert not taken(VISITOR, url="/bowls")


def signed_up(columns: str, *values: str) -> uuid.UUID | None:
    """Return somebody new whom the door stored with such columns, or None where the database refused."""
    subject = uuid.uuid4()
    names, marks = "".join(f", {name}" for name in columns.split()), ", %s" * len(values)
    try:
        with connect.acting("door") as door:
            door.execute("SELECT troth.claim(%s)", (subject,))
            door.execute("INSERT INTO troth.subject (subject, kind) VALUES (%s, 'person')", (subject,))
            door.execute(f"INSERT INTO troth.person (subject{names}) VALUES (%s{marks})".encode(), (subject, *values))
    except psycopg.errors.InsufficientPrivilege:
        return None
    return subject


@under("shop-newsletter")
def test_the_shop_cannot_store_a_name_even_where_somebody_granted_the_column(house: House) -> None:
    assert signed_up("email", "ann@harbor.example")
    assert signed_up("email name", "bob@harbor.example", "Bob") is None
    house.owner.execute("GRANT INSERT (name) ON troth.person TO troth_door")
    try:
        assert signed_up("email name", "bob@harbor.example", "Bob") is None
        house.owner.execute("ALTER POLICY door_insert ON troth.person WITH CHECK (true)")
        assert signed_up("email name", "bob@harbor.example", "Bob")  # both walls are down: so they were what stood
        assert drift(house.owner).lines() != []
    finally:
        house.owner.execute("REVOKE INSERT (name) ON troth.person FROM troth_door")
        house.owner.execute(f"ALTER POLICY door_insert ON troth.person WITH CHECK ({check(house)})".encode())
        house.owner.execute("DELETE FROM troth.person WHERE name IS NOT NULL")
    assert signed_up("email", "eve@harbor.example")


def check(house: House) -> str:
    return covered(house.ruled.plan, load().table("person"))


@under("shop-newsletter")
def test_the_shop_cannot_change_to_a_name_what_it_may_change_to_an_address(house: House) -> None:
    ann = signed_up("email", "ann@harbor.example")
    with connect.acting("door") as door:
        assert door.execute("UPDATE troth.person SET email = 'a@b.example' WHERE subject = %s", (ann,)).rowcount == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("door") as door:
        door.execute("UPDATE troth.person SET name = 'Ann' WHERE subject = %s", (ann,))
    house.owner.execute("GRANT UPDATE (name) ON troth.person TO troth_door")
    try:
        with connect.acting("door") as door:
            door.execute("UPDATE troth.person SET name = 'Ann' WHERE subject = %s", (ann,))
        assert drift(house.owner).lines() != []
    finally:
        house.owner.execute("REVOKE UPDATE (name) ON troth.person FROM troth_door")
        house.owner.execute("UPDATE troth.person SET name = NULL")


@under("shop-newsletter")
def test_what_the_shop_does_not_show_is_empty_and_not_asked_for(house: House) -> None:
    mary = make(house.owner, "Mary")
    assert taken(mary.subject, url="/bowls")
    written = {"person": "SELECT email, name FROM troth.person", "device": "SELECT count(*) FROM troth.device"}
    written |= {"access": "SELECT url, host(ip), day = current_date FROM troth.access"}
    expected = {"person": ("mary@harbor.example", None), "device": (0,), "access": ("/bowls", None, True)}
    for table, statement in written.items():
        with connect.acting("self", token=mary.token) as mine:
            assert mine.execute(narrowed(statement, house.ruled.plan, load()).encode()).fetchone() == expected[table]
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            connect.acting("self", token=mary.token) as mine,
        ):
            mine.execute(statement.encode())  # as it is written, it asks for more than is shown


@under("shop-newsletter")
def test_the_newsletter_goes_to_who_says_yes_until_they_do_not(house: House) -> None:
    bob, charlie = make(house.owner, "Bob"), make(house.owner, "Charlie")
    choose(bob, "announce", "consent")
    assert (rows("announce", "person", [bob]), rows("announce", "person", [charlie])) == (1, 0)
    choose(bob, "announce", "withdrawal")
    assert rows("announce", "person", [bob]) == 0
    assert rows("provide", "person", [bob]) == 1


@under("shop-newsletter")
def test_a_grant_beyond_the_policy_is_seen_and_shows_what_it_opens(house: House) -> None:
    house.owner.execute("GRANT SELECT (url) ON troth.access TO troth_announce")
    try:
        assert may_read("announce", "access.url")
        assert drift(house.owner).lines() != []
    finally:
        house.owner.execute("REVOKE SELECT (url) ON troth.access FROM troth_announce")
    assert not may_read("announce", "access.url")


@under("city-maintenance")
def test_where_a_crew_was_becomes_a_region_after_a_day(house: House) -> None:
    finn = make(house.owner, "Finn")
    choose(finn, "dispatch", "consent")
    house.owner.execute("SET session_replication_role = replica")  # past the trigger that asks for the application
    house.owner.execute(
        "INSERT INTO troth.location (subject, at, id, application, latitude, longitude, uses)"
        " SELECT subject, statement_timestamp() - make_interval(hours => age), uuidv7(), 'map', 41.38879, -2.15899, uses"
        " FROM troth.permitted, unnest(ARRAY[2, 26]) AS age WHERE subject = %s",
        (finn.subject,),
    )  # fmt: skip
    house.owner.execute("RESET session_replication_role")
    assert retention.run().coarsened
    found = house.owner.execute(
        "SELECT latitude, longitude, region FROM troth.location WHERE subject = %s ORDER BY at DESC", (finn.subject,)
    ).fetchall()
    assert [tuple(map(str, row)) for row in found] == [
        ("41.38879", "-2.15899", "41, -3"),
        ("41.00000", "-3.00000", "41, -3"),
    ]
    assert (may_read("dispatch", "location.latitude"), may_read("schedule", "location.latitude")) == (True, False)
    assert (rows("dispatch", "location", [finn]), rows("schedule", "location", [finn])) == (1, 2)

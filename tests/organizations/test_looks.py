"""Whoever administers an organization sees people at a look alone, which is written down first and told to those people."""

from typing import Any

import pytest
from psycopg import Connection, Error, errors

from tests.browsing import Browser
from tests.conftest import Person
from tests.organizations.conftest import Harbor, call, looked
from tests.rights.asking import erased, exported, part
from troth.database import connect
from troth.people import holding, looking, organizations

NAMES = "SELECT name FROM troth.membership ORDER BY name"
LOOK = "SELECT troth.look_at_members(%s, %s, 'list')"
CARRY = "SELECT set_config('troth.token', %s, true), set_config('troth.look', %s, true)"
#: What somebody tries who would see members without leaving a trace.
PAST = (
    NAMES,
    "WITH f AS MATERIALIZED (SELECT set_config('troth.look', 'x', true)) SELECT name FROM f, troth.membership",
    "WITH f AS MATERIALIZED (SELECT troth.look_at_members('{org}', NULL, 'list') AS word),"
    " g AS MATERIALIZED (SELECT set_config('troth.look', word, true) FROM f) SELECT name FROM g, troth.membership",
    "SELECT name FROM (SELECT troth.look_at_members('{org}', NULL, 'list')) f, LATERAL (SELECT name FROM troth.membership) m",
)


def traces(owner: Connection[Any]) -> list[Any]:
    return owner.execute("SELECT kind, whom FROM troth.organization_look ORDER BY look").fetchall()


def told(person: Person) -> list[tuple[str | None, str | None, str, bool]]:
    return [(each.organization_name, each.who, each.kind, each.alone) for each in looking.at_me(person.token)]


def test_each_look_leaves_one_trace_that_those_who_were_looked_at_read(owner: Connection[Any], harbor: Harbor) -> None:
    dana, bob = harbor.dana, harbor.bob
    assert len(organizations.members(dana.token, harbor.organization)) == 3
    assert len(organizations.members(dana.token, harbor.organization, sought="bo")) == 1
    assert holding.seen(dana.token, harbor.organization, bob.subject).member is not None
    assert traces(owner) == [("list", None), ("search", None), ("member", bob.subject)]
    everybody = [("Harbor Rowing", "Dana", "search", False), ("Harbor Rowing", "Dana", "list", False)]
    assert told(bob) == [("Harbor Rowing", "Dana", "member", True), *everybody]
    assert told(harbor.alice) == everybody
    assert told(dana) == told(harbor.charlie) == told(harbor.olga) == [], "one's own looks, and those at others"
    assert looking.last_at_me(bob.token).keys() == {harbor.organization}
    entries = owner.execute(
        "SELECT facts ->> 'kind' FROM troth.ledger_entry WHERE action = 'members-read' ORDER BY index"
    )
    assert entries.fetchall() == [("list",), ("search",), ("member",)]


def test_who_has_no_business_there_sees_nothing_and_leaves_nothing(owner: Connection[Any], harbor: Harbor) -> None:
    for name in ("bob", "charlie", "olga"):
        assert looked(harbor.people[name].token, harbor.organization, NAMES) == []
    assert looked("forged", harbor.organization, NAMES) == []
    assert looked(harbor.dana.token, harbor.organization, NAMES, whom=harbor.charlie.subject) == [], "who is no member"
    assert traces(owner) == []


@pytest.mark.asvs("8.2.2")
@pytest.mark.parametrize("attempt", PAST)
def test_nothing_is_seen_past_a_look(harbor: Harbor, attempt: str) -> None:
    """Injected, forged, or asked in the very transaction that writes the look down."""
    with connect.acting("administrator", token=harbor.dana.token) as connection:
        assert connection.execute(attempt.format(org=harbor.organization).encode()).fetchall() == []


def test_a_look_opens_one_transaction_of_one_viewer_and_what_it_was_written_down_for(harbor: Harbor) -> None:
    dana, bob, org = harbor.dana, harbor.bob, harbor.organization
    assert looked(dana.token, org, NAMES, whom=bob.subject) == ["Bob"], "at one is at no other"

    def opened(token: str, *, as_whom: str, between: str = "", first: str = "") -> list[Any]:
        with connect.acting("administrator", token=token) as connection:
            row = connection.execute(LOOK.encode(), (org, None)).fetchone()
            connection.commit()
            if between:
                connection.execute(between.encode())
                connection.commit()
            if first:
                connection.execute(first.encode())
            connection.execute(CARRY.encode(), (as_whom, row[0] if row else None))
            found = connection.execute(NAMES.encode()).fetchall()
            connection.commit()
            connection.execute(CARRY.encode(), (as_whom, row[0] if row else None))
            assert connection.execute(NAMES.encode()).fetchall() == [], "the transaction after"
        return found

    assert len(opened(dana.token, as_whom=dana.token)) == 3
    assert opened(dana.token, as_whom=harbor.alice.token) == [], "another administrator carries it"
    assert opened(dana.token, as_whom=dana.token, between="SELECT 1") == [], "a transaction later"
    assert opened(dana.token, as_whom=dana.token, first="SET TRANSACTION ISOLATION LEVEL REPEATABLE READ") == []


def test_who_administers_no_longer_sees_nothing_at_the_next_statement(harbor: Harbor) -> None:
    with looking.looking("administrator", harbor.dana.token, harbor.organization, "list") as connection:
        assert len(connection.execute(NAMES.encode()).fetchall()) == 3
        call("administrator", harbor.alice.token, "SELECT troth.give_role(%s, %s, 'member')", harbor.organization,
             harbor.dana.subject)  # fmt: skip
        assert connection.execute(NAMES.encode()).fetchall() == []


def test_a_look_that_fails_is_written_down_all_the_same(owner: Connection[Any], harbor: Harbor) -> None:
    def fails() -> None:
        with looking.looking("administrator", harbor.dana.token, harbor.organization, "list") as connection:
            connection.execute(NAMES.encode()).fetchall()
            connection.execute(b"SELECT 1 / 0")

    with pytest.raises(errors.DivisionByZero):
        fails()
    assert traces(owner) == [("list", None)]


#: Each control taken away alone, and what is then seen of Bob: without a look, at a look at Alice, a transaction later.
WITHOUT = {
    "the row rule": "ALTER POLICY administrator_select ON troth.membership USING (organization = ANY (troth.administered_organizations()))",
    "the person of the look": "ALTER POLICY administrator_select ON troth.membership USING (organization = troth.looked_organization())",
}


def test_without_each_control_it_would_be_seen(owner: Connection[Any], harbor: Harbor) -> None:
    """The controls taken away, one after the other."""
    dana, alice, org = harbor.dana, harbor.alice, harbor.organization
    owner.execute(WITHOUT["the person of the look"].encode())
    assert looked(dana.token, org, NAMES, whom=alice.subject) == ["Alice", "Bob", "Dana"]
    owner.execute(WITHOUT["the row rule"].encode())
    with connect.acting("administrator", token=dana.token) as connection:
        assert len(connection.execute(NAMES.encode()).fetchall()) == 3


def test_nobody_reads_or_writes_traces_past_the_functions(harbor: Harbor) -> None:
    looked(harbor.dana.token, harbor.organization, NAMES)
    for role in ("administrator", "self", "member", "mirror", "staff", "door"):
        for statement in (
            "SELECT who FROM troth.organization_look",
            "SELECT digest FROM troth.organization_look",
            "DELETE FROM troth.organization_look",
            "UPDATE troth.organization_look SET kind = 'search'",
            "INSERT INTO troth.organization_look (subject) VALUES (gen_random_uuid())",
            "SELECT troth.looked()",
            "SELECT troth.forget_looks()",
        ):
            with pytest.raises(Error) as refused, connect.acting(role, token=harbor.dana.token) as connection:
                connection.execute(statement.encode())
            assert refused.value.sqlstate in ("42501", "42703"), (role, statement)


def test_traces_are_exported_erased_and_forgotten_after_a_year(owner: Connection[Any], harbor: Harbor) -> None:
    holding.seen(harbor.dana.token, harbor.organization, harbor.bob.subject)
    holding.seen(harbor.dana.token, harbor.organization, harbor.alice.subject)
    for person in (harbor.bob, harbor.dana):
        rows = part(exported(owner, person), "organization_look").rows
        assert {row.values["kind"] for row in rows} == {"member"}
        assert not any("digest" in row.values for row in rows)
    erased(owner, harbor.bob)
    assert traces(owner) == [("member", harbor.alice.subject)]
    owner.execute("UPDATE troth.organization_look SET at = at - interval '366 days'")
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.forget_looks()")
    assert traces(owner) == []


def test_the_page_names_who_looked_when_and_at_what(browser: Browser, owner: Connection[Any]) -> None:
    home = str(_founded(browser, owner))
    bob = Browser()
    whose = bob.sign_up(owner, "bob@harbor.example", "محمد بن عبد الرحمن")
    assert "Nobody has looked" in bob.get("/me/looks").content.decode()
    browser.post(f"{home}/joining", {"action": "link", "role": "member", "joins": "1", "days": "3"})
    word = browser.get(f"{home}/joining").content.decode().partition("/join/")[2].partition("<")[0].partition('"')[0]
    bob.post(f"/join/{word}")
    card = bob.get("/me/permissions?kind=organizations").content.decode()
    assert "never" in card
    for path in ("", "?name=mo", f"/{whose}"):
        assert browser.get(f"{home}/members{path}").status_code == 200
    page = bob.get("/me/looks").content.decode()
    for words in ("Alice", "Harbor Rowing", "at you alone", "the list of members", "a search by name"):
        assert words in page
    assert page.count("at you alone") == 1
    assert "times since" not in page
    for _again in range(2):
        browser.get(f"{home}/members/{whose}")
    page = bob.get("/me/looks").content.decode()
    assert page.count("at you alone") == 1
    assert "3 times since" in page, "what is looked at again and again is one line with its number"
    assert "never" not in bob.get("/me/permissions?kind=organizations").content.decode()
    assert "Nobody has looked" in browser.get("/me/looks").content.decode(), "one's own looks are nobody's"
    owner.execute(
        "INSERT INTO troth.organization_look (subject, organization, kind, digest, session, turn, at)"
        " SELECT subject, organization, 'list', sha256(n::text::bytea), 1, '', at + n * interval '6 minutes' FROM"
        " (SELECT subject, organization, at FROM troth.organization_look LIMIT 1) AS one, generate_series(1, 60) AS n"
    )
    first = bob.get("/me/looks").content.decode()
    assert first.count("<time") == looking.PAGE
    behind = first.partition('href="?before=')[2].partition('"')[0]
    second = bob.get(f"/me/looks?before={behind}").content.decode()
    assert 0 < second.count("<time") < looking.PAGE
    assert "Newest" in second


def _founded(browser: Browser, owner: Connection[Any]) -> Any:
    browser.sign_up(owner, "alice@harbor.example")
    return browser.post("/organizations", {"name": "Harbor Rowing"}).headers["Location"]

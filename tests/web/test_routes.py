"""Hardening 1: every route, asked by everybody; a route that is not in the table opens for nobody and fails here."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection, sql

from tests.attacks.test_second_factor import OPEN
from tests.browsing import Browser
from tests.web.second import hire
from tests.web.test_second_factor import ask_again
from tests.web.world import PEOPLE, an_hour_later, world

WHO = ("nobody", "unagreed", "alice", "olga")
#: Where somebody is sent who may not pass yet.
SENT = {
    "/sign-in": "in",
    "/agree": "agree",
    "/password/confirm": "conf",
    "/password/confirm/code": "conf",
}
#: What a form says, where an empty one would say nothing to refuse.
FORMS: dict[str, dict[str, str]] = {
    "asking": {"answer": "no"},
    "operator_asking": {"do": "ask", "purpose": "announce"},
    "language": {"language": "es"},
    "choose": {"kind": "objection"},
    "lent": {
        "do": "change",
        "categories": "person.name",
        "until": f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%d}",
    },
    "agreed": {"do": "end"},
    "permission_receipt": {"do": "end"},
    "answer_offer": {"answer": "join"},
    "announcements": {"do": "send", "en_subject": "News", "en_text": "There is some."},
    "answer_support": {"answer": "decline"},
    "answer_proposal": {"answer": "approve"},
    "support_look": {"area": "profile"},
    "staff": {"email": "mallory@harbor.example", "roles": "owner"},
    "staff_role": {"what": "give", "whom": "{staff}", "role": "owner"},
    "organization": {"action": "change", "name": "Taken"},
    "organization_members": {"action": "remove", "subject": "{dana}"},
    "organization_joining": {"action": "invite", "address": "mallory@harbor.example", "role": "owner"},
    "organization_roles": {"action": "set", "role": "mine", "may": "see"},
    "organization_ask": {"action": "ask"},
    "remove_application": {"name": "Harbor Notes"},
}
#: The first is kept by the browser alone; of the others nobody in the table has any to answer.
UNSHOWN = {"language", "answer_support", "answer_offer", "organization_ask"}
#: That somebody asked at all is written down: when a session was used last, and who looked at what they are lent.
TRACES = {"django_session", "session", "person_grant_use"}


@dataclass(frozen=True, slots=True)
class Row:
    """A route of the table: its path, and by who asks what a look and what a form answers."""

    route: str
    path: str
    cells: dict[str, tuple[str, str]]


def table() -> list[Row]:
    """Read `everybody.txt`."""
    text = (Path(__file__).parent / "everybody.txt").read_text(encoding="utf-8")
    head, *rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    cells = [[(look, form or look) for look, _stroke, form in (c.partition("/") for c in row[2:])] for row in rows]
    return [Row(row[0], row[1], dict(zip(head[2:], each, strict=True))) for row, each in zip(rows, cells, strict=True)]


def seen(answer: Any) -> str:
    """Return what an answer is, in the table's words."""
    if answer.status_code in (302, 303):
        return SENT.get(answer.headers["Location"].partition("?")[0], "away")
    return "page" if answer.status_code == 200 else str(answer.status_code)


def state(owner: Connection[Any]) -> dict[str, tuple[Any, ...]]:
    """Return a digest of every table, but for the traces that asking leaves."""
    query = (
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'troth'::regnamespace AND relkind IN ('r', 'p')"
    )
    names = {row[0].removeprefix("troth.") for row in owner.execute(query).fetchall()} - TRACES
    one = sql.SQL("SELECT {}, count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM troth.{} AS t")
    asked = sql.SQL(" UNION ALL ").join(one.format(name, sql.Identifier(name)) for name in sorted(names))
    return {row[0]: row[1:] for row in owner.execute(asked).fetchall()}


@pytest.fixture
def everybody(browser: Browser, owner: Connection[Any]) -> dict[str, Browser]:
    unagreed, alice, olga = Browser(), Browser(), Browser()
    unagreed.begin("eve@harbor.example", "Eve")
    alice.sign_up(owner, "alice@harbor.example")
    hire(owner, olga, olga.sign_up(owner, "olga@harbor.example", "Olga"), "owner")
    return {"nobody": browser, "unagreed": unagreed, "alice": alice, "olga": olga}


def walked(patterns: list[Any]) -> Iterator[Any]:
    for pattern in patterns:
        inner = getattr(pattern, "url_patterns", None)
        yield from [pattern] if inner is None else walked(inner)


def test_every_route_is_listed_with_its_audience_and_stands_in_the_table(browser: Browser) -> None:
    from django.urls import resolve

    from troth.config.urls import urlpatterns
    from troth.web.routes import ROUTES

    names = {pattern.name for pattern in walked(urlpatterns)}
    rows = table()
    assert names == set(ROUTES) == {row.route for row in rows}
    assert len(rows) == len(names)
    plain: dict[str, str] = defaultdict(lambda: "7f0e1c1e-0000-4000-8000-000000000000")
    for row in rows:
        assert set(row.cells) == {"visitor", "left", "unagreed", *PEOPLE}, row.route
        assert resolve(row.path.format_map(plain).partition("?")[0]).url_name == row.route


@pytest.mark.asvs("8.2.1")
def test_each_route_answers_everybody_as_the_table_says_and_who_may_not_changes_nothing(
    browser: Browser, owner: Connection[Any]
) -> None:
    made = world(owner)
    an_hour_later()
    wrong = [
        (row.route, who, got, look)
        for row in table()
        for who, (look, _form) in row.cells.items()
        if (got := seen(made.ask(who, row.path.format(**made.named)))) != look
    ]
    before = state(owner)
    for row in table():
        form = {name: value.format(**made.named) for name, value in FORMS.get(row.route, {}).items()}
        for who, (_look, wanted) in row.cells.items():
            if wanted != "may" and (got := seen(made.ask(who, row.path.format(**made.named), form))) != wanted:
                wrong.append((row.route, f"{who} with a form", got, wanted))
    assert not wrong, "\n".join(map(str, wrong))
    after = state(owner)
    assert [name for name in after if after[name] != before.get(name)] == []


@pytest.mark.parametrize("route", sorted(FORMS.keys() - UNSHOWN))
def test_whoever_may_with_the_same_form_changes_something(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    """The check of the check: what the table's forms ask for is really done for whom it is allowed."""
    for view in ("publishing", "staff", "support"):
        monkeypatch.setattr(f"troth.web.views.{view}.unconfirmed", lambda _: None)  # they have just confirmed
    made, row = world(owner), next(row for row in table() if row.route == route)
    who = next(who for who, (_look, form) in row.cells.items() if form == "may")
    before = state(owner)
    form = {name: value.format(**made.named) for name, value in FORMS[route].items()}
    got = seen(made.ask(who, row.path.format(**made.named), form))
    assert state(owner) != before, (who, got)


def test_whoever_is_asked_again_by_a_new_version_is_led_there_from_everywhere_and_changes_nothing(
    browser: Browser, owner: Connection[Any]
) -> None:
    """Who agreed to the version before may look at what is theirs, and change it, only once they have answered."""
    from troth.web.routes import ROLES, ROUTES, Audience

    made, behind = world(owner), {Audience.AGREED, *ROLES}
    ask_again(owner)
    before = state(owner)
    asked = [row for row in table() if ROUTES[row.route] in behind]
    assert len(asked) > 60
    for row in asked:
        path = row.path.format(**made.named)
        form = {name: value.format(**made.named) for name, value in FORMS.get(row.route, {}).items()}
        for who in ("alice", "owner", "support"):
            got = seen(made.ask(who, path)), seen(made.ask(who, path, form))
            assert got == ("agree", "agree"), (row.route, who)
    after = state(owner)
    assert [name for name in after if after[name] != before[name]] == []


def test_the_staff_needs_a_second_factor(
    everybody: dict[str, Browser], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = Browser()
    owner.execute(
        "INSERT INTO troth.staff (subject, role) VALUES (%s, 'owner')", (olga.sign_up(owner, "new@harbor.example"),)
    )
    assert "once you have a passkey or an app" in olga.get("/operator").content.decode()
    for path in ("/operator/staff", "/operator/publishing", "/operator/fields", "/applications"):
        assert olga.get(path).headers["Location"] == "/me/security"
        assert olga.post(path, FORMS["staff"]).headers["Location"] == "/me/security"
    assert "needs a passkey or an app" in olga.get("/me/security").content.decode()
    monkeypatch.setattr(
        "troth.web.gate.unsecured", lambda _: None
    )  # the page's control taken away: the database's holds
    monkeypatch.setattr("troth.web.views.staff.unconfirmed", lambda _: None)
    for path in ("/operator/staff", "/operator/publishing"):
        assert olga.get(path).status_code == olga.post(path, FORMS["staff"]).status_code == 404
    assert owner.execute("SELECT count(*) FROM troth.staff_invitation").fetchone() == (0,)
    owner.execute(OPEN)  # and the database's
    assert olga.get("/operator/publishing").status_code == 200
    assert olga.post("/operator/staff", FORMS["staff"]).status_code == 302
    assert owner.execute("SELECT count(*) FROM troth.staff_invitation").fetchone() == (1,)


@pytest.mark.asvs("13.4.5", "15.2.3")
def test_what_only_development_has_is_named_on_one_page(browser: Browser, settings: Any) -> None:
    settings.DEV = True
    page = browser.get("/dev/").content.decode()
    for path in ("/dev/components", "/dev/mail"):
        assert f'href="{path}"' in page
        assert browser.get(path).status_code == 200


def test_a_route_that_is_not_listed_opens_for_nobody(
    everybody: dict[str, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.web.routes import ROUTES

    monkeypatch.delitem(ROUTES, "policy")
    assert [everybody[who].get("/policy").status_code for who in WHO] == [404] * 4


@pytest.mark.asvs("8.4.1")
def test_what_is_not_yours_answers_as_what_is_not_there(everybody: dict[str, Browser]) -> None:
    import re

    def told(path: str) -> str:
        page = everybody["alice"].get(path).content.decode()
        return re.sub(r'csrfmiddlewaretoken" value="\w+"|name="next" value="[^"]*"', "", page)

    assert told("/operator") == told("/no-such-page")


@pytest.mark.asvs("8.3.1")
def test_without_the_gate_the_operators_page_would_open(
    everybody: dict[str, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    from troth.web.gate import Gate

    monkeypatch.setattr(Gate, "process_view", lambda *_: None)
    alice = Browser()
    alice.cookies = everybody["alice"].cookies
    assert alice.get("/operator").status_code == 200


def test_a_page_shows_only_ones_own_name(everybody: dict[str, Browser]) -> None:
    assert "Olga" in everybody["olga"].get("/me").content.decode()
    for path in (row.path for row in table() if "{" not in row.path):
        assert "Olga" not in everybody["alice"].get(path).content.decode(), path

"""Hardening 1: every route, asked by everybody; a route that is not in the table opens for nobody and fails here."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection, sql

from tests.attacks.test_second_factor import OPEN
from tests.browsing import PASSWORD, Browser, subject
from tests.conftest import PROJECT, copied, forget
from tests.keeping import keeping
from tests.web.second import hire
from tests.web.test_second_factor import ask_again
from tests.web.world import PEOPLE, an_hour_later, world
from troth.database import connect
from troth.database.place import Place

WHO = ("nobody", "unagreed", "alice", "olga")
#: Where somebody is sent who may not pass yet.
SENT = {
    "/sign-in": "in",
    "/agree": "agree",
    "/password/confirm": "conf",
    "/password/confirm/code": "conf",
}
WEEK = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%d}"
#: What a form says, where an empty one would say nothing to refuse.
FORMS: dict[str, dict[str, str]] = {
    "asking": {"answer": "no"},
    "operator_asking": {"do": "ask", "purpose": "announce"},
    "language": {"language": "es"},
    "choose": {"kind": "objection"},
    "narrow": {"kind": "objection"},
    "copy": {},
    "lent": {
        "do": "change",
        "categories": "person.name",
        "until": WEEK,
    },
    "agreed": {"do": "end"},
    "permission_receipt": {"do": "end"},
    "answer_offer": {"answer": "join"},
    "announcements": {"do": "send", "en_subject": "News", "en_text": "There is some."},
    "letters": {"do": "sent", "all": "1", "telling": "{telling}"},
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
    "renew_secret": {},
    "register_application": {"manifest": "{manifest}"},
    "fields": {"text": "{fields}"},
    "permissions_asked": {
        "address": "bob@harbor.example",
        "what": "announce",
        "reason": "News.",
        "days": "30",
        "ends": "at once",
    },
    "publishing": {"source": "{source}", "terms": "{terms}"},
    "support": {
        "email": "bob@harbor.example",
        "ticket": "T-2",
        "reason": "A bill.",
        "hours": "4",
        "areas": "profile",
    },
    "support_done": {},
    "end_support": {},
    "end_open": {},
    "narrow_support": {"areas": "profile"},
    "withdraw_invitation": {},
    "browser": {"answer": "yes", "policy": "{policy_digest}", "terms": "{terms_digest}"},
    "agree": {"answer": "agree", "policy": "{policy_digest}", "terms": "{terms_digest}"},
    "account_logout": {},
    "account_change_password": {
        "oldpassword": PASSWORD,
        "password1": "nine grey seals on a sandbank",
        "password2": "nine grey seals on a sandbank",
    },
    "account_email": {"email": "second@harbor.example", "action_add": ""},
    "name": {"name": "Alice Renamed"},
    "write_post": {"text": "Mine.", "readers": "public~~", "version": "1"},
    "edit_post": {"text": "Changed.", "readers": "public~~", "version": "1"},
    "delete_post": {},
    "give": {"categories": "person.name", "reason": "For the audit.", "until": WEEK},
    "give_records": {"records": "{visit}", "categories": "access.url", "reason": "This one.", "until": WEEK},
    "organizations": {"name": "Harbor Sailing"},
    "organization_permission": {"categories": "person.email", "reason": "Crews.", "days": "3", "ends": "at once"},
    "directory": {"what": "open", "name": "Staff list", "days": "30"},
    "end_session": {},
    "end_other_sessions": {},
    "offer_link": {},
    "close": {"password": PASSWORD},
}
#: Who tries it, where the first who may has more to say, or nothing to end.
FIRST = {"close": "charlie"}
#: What the sign-in library and its protocols answer, or what takes a code, a passkey or a browser's own store; beside each,
#: where it is tried.
LIBRARYS = {
    "logout": "tests/provider/test_sign_in.py",
    "account_login": "tests/web/test_sessions.py",
    "account_signup": "tests/web/test_way_in.py",
    "account_email_verification_sent": "tests/web/test_way_in.py",
    "another": "tests/web/test_way_in.py",
    "instead": "tests/web/test_way_in.py",
    "account_reset_password": "tests/web/test_codes_and_addresses.py",
    "account_complete_password_reset": "tests/web/test_codes_and_addresses.py",
    "account_signup_by_passkey": "tests/journeys/test_security.py",
    "mfa_signup_webauthn": "tests/journeys/test_security.py",
    "mfa_login_webauthn": "tests/journeys/test_security.py",
    "account_request_login_code": "tests/web/test_codes_and_addresses.py",
    "account_confirm_login_code": "tests/web/test_codes_and_addresses.py",
    "mfa_authenticate": "tests/web/test_second_factor.py",
    "mfa_trust": "tests/web/test_second_factor.py",
    "account_reauthenticate": "tests/web/test_second_factor.py",
    "account_set_password": "tests/journeys/test_security.py",
    "mfa_reauthenticate": "tests/web/test_second_factor.py",
    "mfa_reauthenticate_webauthn": "tests/journeys/test_security.py",
    "account_request_reauthentication_code": "tests/web/test_codes_and_addresses.py",
    "account_confirm_reauthentication_code": "tests/web/test_codes_and_addresses.py",
    "mfa_activate_totp": "tests/web/test_second_factor.py",
    "mfa_deactivate_totp": "tests/web/test_second_factor.py",
    "mfa_generate_recovery_codes": "tests/web/test_second_factor.py",
    "mfa_add_webauthn": "tests/journeys/test_security.py",
    "mfa_edit_webauthn": "tests/journeys/test_security.py",
    "mfa_remove_webauthn": "tests/journeys/test_security.py",
    "forget_browsers": "tests/web/test_remembering.py",
    "device_authorization": "tests/provider/test_devices.py",
    "identify_device": "tests/web/test_devices.py",
    "enter_link": "tests/people/test_linking.py",
}
#: What the keeper does, whom the pages ask.
KEPT = {"fields", "register_application", "remove_application", "renew_secret"}
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


def test_whoever_may_with_the_same_form_changes_something(
    browser: Browser, owner: Connection[Any], database: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of the check: what the table's forms ask for is really done for whom it is allowed, in a world each."""
    for view in ("publishing", "staff", "support", "letters"):
        monkeypatch.setattr(f"troth.web.views.{view}.unconfirmed", lambda _: None)  # they have just confirmed
    made, rows = world(owner), {row.route: row for row in table()}
    idle, cookies = [], made.cookies()
    with kept(database):
        for route in sorted(FORMS.keys() - UNSHOWN):
            row = rows[route]
            who = FIRST.get(route) or next(who for who, (_look, form) in row.cells.items() if form == "may")
            made.put_back(cookies)
            with again(database) as here, ExitStack() as beside:
                made.ask(who, "/password/confirm", {"password": PASSWORD})  # enough for whoever has no second factor
                if route in KEPT:
                    beside.enter_context(keeping(database))
                before = state(here)
                form = {name: value.format(**made.named) for name, value in FORMS[route].items()}
                answer = made.ask(who, row.path.format(**made.named), form)
                got = seen(answer)
                if answer.streaming:
                    b"".join(answer)  # read to its end, it closes what it holds
                if state(here) == before or got not in ("page", "away", "201"):
                    idle.append((route, who, got))
    assert idle == [], idle


@contextmanager
def kept(database: Place) -> Iterator[None]:
    """Keep the database as it is now, so that each part of a test can begin with it `again`."""
    forget()
    with connect.owning(database, database="postgres") as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'troth'")
        connection.execute("CREATE DATABASE troth_world TEMPLATE troth STRATEGY file_copy")
    yield
    with connect.owning(database, database="postgres") as connection:
        connection.execute("DROP DATABASE troth_world WITH (FORCE)")


@contextmanager
def again(database: Place) -> Iterator[Connection[Any]]:
    """Begin with what was `kept`, and yield the owner's connection to it."""
    forget()
    copied(database, "troth_world")
    with connect.owning(database) as here:
        yield here


def test_each_form_of_the_house_is_tried_by_whoever_may() -> None:
    rows = {row.route for row in table() if "may" in {form for _look, form in row.cells.values()}}
    assert rows | UNSHOWN == FORMS.keys() | LIBRARYS.keys()
    assert [path for path in LIBRARYS.values() if not (PROJECT / path).exists()] == []


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


def test_an_owner_stays_with_the_staff_until_they_own_nothing(
    everybody: dict[str, Browser], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("troth.web.views.staff.unconfirmed", lambda _: None)
    olga, other = everybody["olga"], Browser()
    hire(owner, other, other.sign_up(owner, "other@harbor.example"), "owner")
    told = {"what": "give", "role": "auditor", "whom": str(subject(owner, "olga@harbor.example"))}
    assert olga.post("/operator/staff/role", told).headers["Location"] == "/operator/staff"
    assert olga.post("/operator/staff/role", told | {"what": "end"}).headers["Location"] == "/operator/staff"
    ended = olga.post("/operator/staff/role", told | {"what": "end", "role": "owner"})
    assert ended.headers["Location"] == "/operator", "the page of the staff is there no more"


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

"""P10, P11 and hardening 16: where a person is signed in, with which devices; what signing out and forgetting end."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser, subject
from tests.conftest import POLICY, TERMS
from tests.people.test_places import NESTED, written

ALICE, BOB = "alice@harbor.example", "bob@harbor.example"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IDENTIFIER = "5c0c6ee2-6b1f-4a43-9a39-6a6a0a6b1f4a"


def viewer(browser: Browser) -> str:
    browser.get("/me")
    return str(browser.cookies["__Host-viewer"].value)


def session_of(owner: Connection[Any], browser: Browser) -> uuid.UUID:
    """Return which session a browser is, as the page names it."""
    query = "SELECT session FROM troth.session WHERE viewer = sha256(convert_to(%s, 'UTF8'))"
    row = owner.execute(query, (viewer(browser),)).fetchone()
    assert row is not None
    return uuid.UUID(str(row[0]))


def remembered(browser: Browser) -> Any:
    from tests.browsing import PASSWORD

    return browser.post("/sign-in", {"login": ALICE, "password": PASSWORD, "remember": "on"})


@pytest.fixture
def two(browser: Browser, owner: Connection[Any]) -> tuple[Browser, Browser]:
    """Alice's two browsers, the second one remembered."""
    browser.sign_up(owner, ALICE)
    other = Browser()
    other.defaults["HTTP_USER_AGENT"] = FIREFOX
    assert remembered(other).status_code == 302
    viewer(browser), viewer(other)
    return browser, other


def test_each_session_is_listed_as_far_as_the_policy_collects_it(
    two: tuple[Browser, Browser], owner: Connection[Any]
) -> None:
    page = two[1].get("/me/devices").content.decode()
    for told in ("Firefox 140", "Linux", "127.0.0.0/24", "this browser", "place not known"):
        assert told in page
    assert "127.0.0.1" not in page
    rows = owner.execute("SELECT host(ip), masklen(ip) FROM troth.session").fetchall()
    assert set(rows) == {("127.0.0.0", 24)}


def test_about_where_each_session_is_stands_there_and_is_kept_nowhere(
    two: tuple[Browser, Browser], owner: Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TROTH_GEO_DB", str(written(tmp_path / "places.mmdb", {"127.0.0.0/24": NESTED})))
    assert two[1].get("/me/devices").content.decode().count("about Seville, Spain") == 2
    two[1].cookies["__Host-language"] = "es"
    assert "más o menos en Sevilla, España" in two[1].get("/me/devices").content.decode()
    assert owner.execute("SELECT count(*) FROM troth.session AS s WHERE s::text LIKE '%Sevil%'").fetchone() == (0,)


@pytest.mark.asvs("7.4.4")
def test_one_browser_signs_another_out_and_nothing_lets_that_one_back_in(
    two: tuple[Browser, Browser], owner: Connection[Any]
) -> None:
    from troth.people import queries

    here, there = two
    token = viewer(there)
    assert here.post(f"/me/devices/sessions/{session_of(owner, there)}/end").status_code == 302
    assert queries.profile(token) is None  # in the database, at the next statement
    answer = there.get("/me")
    assert (answer.status_code, answer.headers["Clear-Site-Data"]) == (303, '"storage"')
    assert there.get("/me").status_code == 303  # nor does being remembered
    assert here.get("/me").status_code == 200
    entries = owner.execute("SELECT action FROM troth.ledger_entry ORDER BY index DESC LIMIT 1").fetchall()
    assert entries == [("session-ended",)]


def test_this_browser_signs_itself_out_from_the_list(two: tuple[Browser, Browser], owner: Connection[Any]) -> None:
    here, there = two
    here.post(f"/me/devices/sessions/{session_of(owner, here)}/end")
    assert here.get("/me").status_code == 303
    assert there.get("/me").status_code == 200


def test_a_stolen_cookie_is_dead_with_its_session(two: tuple[Browser, Browser], owner: Connection[Any]) -> None:
    here, there = two
    thief = Browser()
    thief.cookies["__Host-session"] = there.cookies["__Host-session"].value
    here.post(f"/me/devices/sessions/{session_of(owner, there)}/end")
    assert thief.get("/me").status_code == 303
    thief.cookies["__Host-viewer"] = here.cookies["__Host-viewer"].value[::-1]
    assert thief.get("/me").status_code == 303


def test_without_the_look_at_the_row_a_stolen_cookie_would_live_on(
    two: tuple[Browser, Browser], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    from troth.people import devices

    here, there = two
    here.post(f"/me/devices/sessions/{session_of(owner, there)}/end")
    monkeypatch.setattr(devices, "ended", lambda *_: False)
    assert there.get("/me").status_code == 200


def test_without_the_token_s_end_the_viewer_would_live_on(two: tuple[Browser, Browser], owner: Connection[Any]) -> None:
    """The control taken away, in the database."""
    from troth.people import queries

    here, there = two
    token, session = viewer(there), session_of(owner, there)
    body = owner.execute("SELECT pg_get_functiondef('troth.remove_sessions(uuid, uuid[])'::regprocedure)").fetchone()
    assert body is not None
    owner.execute(
        body[0].replace("DELETE FROM troth.request_token WHERE", "DELETE FROM troth.request_token WHERE false AND")
    )
    here.post(f"/me/devices/sessions/{session}/end")
    assert queries.profile(token) is not None


@pytest.mark.asvs("7.4.3")
def test_everything_else_is_signed_out_at_once(two: tuple[Browser, Browser], owner: Connection[Any]) -> None:
    from troth.people import queries

    here, there = two
    token = viewer(there)
    assert here.post("/me/devices/sessions/end").status_code == 302
    assert queries.profile(token) is None
    assert there.get("/me").status_code == 303
    assert here.get("/me").status_code == 200
    assert owner.execute("SELECT count(*) FROM troth.session").fetchone() == (1,)


def test_nobody_ends_or_forgets_what_is_not_theirs(two: tuple[Browser, Browser], owner: Connection[Any]) -> None:
    here, there = two
    bob = Browser()
    bob.sign_up(owner, BOB, "Bob")
    bob.post(f"/me/devices/sessions/{session_of(owner, there)}/end")
    device = uuid.uuid4()
    owner.execute("INSERT INTO troth.device (subject, device) VALUES (%s, %s)", (subject(owner, ALICE), device))
    bob.post(f"/me/devices/{device}/forget")
    assert bob.get(f"/me/devices/{device}/name").status_code == 404
    assert there.get("/me").status_code == 200
    assert owner.execute("SELECT count(*) FROM troth.device WHERE device = %s", (device,)).fetchone() == (1,)
    assert here.get(f"/me/devices/{device}/name").status_code == 200


def test_sign_out_and_a_new_password_leave_no_row_behind(two: tuple[Browser, Browser], owner: Connection[Any]) -> None:
    from tests.browsing import PASSWORD

    here, there = two
    there.post("/sign-out")
    assert owner.execute("SELECT count(*) FROM troth.session").fetchone() == (1,)
    remembered(there)
    other = "a completely different sentence"
    here.post("/password", {"oldpassword": PASSWORD, "password1": other, "password2": other})
    assert owner.execute("SELECT count(*) FROM troth.session").fetchone() == (1,)
    assert here.get("/me").status_code == 200
    here.post("/me/close", {"password": other})
    assert owner.execute("SELECT count(*) FROM troth.session").fetchone() == (0,)


def test_an_identifier_is_stored_as_another_for_each_account(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    assert "data-identify" in browser.get("/me").content.decode()
    assert browser.post("/me/devices/this", {"identifier": IDENTIFIER}).status_code == 204
    assert "data-identify" not in browser.get("/me").content.decode()
    browser.post("/sign-out")
    browser.sign_up(owner, BOB, "Bob")
    browser.post("/me/devices/this", {"identifier": IDENTIFIER})
    found = {row[0] for row in owner.execute("SELECT device FROM troth.session")}
    assert len(found) == 1
    everything = owner.execute("SELECT string_agg(s::text, '') FROM troth.session s").fetchone()
    assert everything is not None
    assert IDENTIFIER not in everything[0]
    assert browser.post("/me/devices/this", {"identifier": "x"}).status_code == 400


def test_a_device_is_named_and_forgotten(browser: Browser, owner: Connection[Any]) -> None:
    whose = browser.sign_up(owner, ALICE)
    browser.get("/me")
    browser.post("/me/devices/this", {"identifier": IDENTIFIER})
    device = owner.execute("SELECT device FROM troth.session").fetchone()
    assert device is not None
    owner.execute("INSERT INTO troth.device (subject, device, browser) VALUES (%s, %s, 'Lynx')", (whose, device[0]))
    assert browser.post(f"/me/devices/{device[0]}/name", {"name": "  The  old one "}).status_code == 302
    page = browser.get("/me/devices").content.decode()
    assert "The old one" in page
    assert "this device" in page
    answer = browser.post(f"/me/devices/{device[0]}/forget")
    assert answer.headers["Clear-Site-Data"] == '"cookies", "storage"'
    assert owner.execute("SELECT count(*) FROM troth.device").fetchone() == (0,)
    assert owner.execute("SELECT count(*) FROM troth.session").fetchone() == (0,)
    assert browser.get("/me").status_code == 303


def in_force(owner: Connection[Any], *without: str) -> None:
    from troth.database import apply, published

    text = POLICY.read_text(encoding="utf-8").replace(" version 1 ", " version 2 ")
    for part in without:
        assert part in text
        text = text.replace(part, "")
    apply.apply(owner, text, TERMS)
    published.forget()


def test_without_a_clause_no_session_is_stored_and_signing_out_elsewhere_works_all_the_same(
    browser: Browser, owner: Connection[Any]
) -> None:
    text = POLICY.read_text(encoding="utf-8")
    begin = text.index("collect session.ip")
    in_force(owner, text[begin : text.index("collect agreement.version")], ", session.*")
    browser.sign_up(owner, ALICE)
    other = Browser()
    other.sign_in(ALICE)
    page = browser.get("/me/devices").content.decode()
    assert "lets nobody know where you are signed in" in page
    assert "data-identify" not in page
    assert browser.post("/me/devices/this", {"identifier": IDENTIFIER}).status_code == 404
    assert owner.execute("SELECT count(*) FROM troth.session").fetchone() == (0,)
    browser.post("/me/devices/sessions/end")
    assert other.get("/me").status_code == 303
    assert browser.get("/me").status_code == 200


def test_without_the_declaration_no_browser_is_asked_for_an_identifier(
    browser: Browser, owner: Connection[Any]
) -> None:
    in_force(owner, 'store "troth-device" as browser storage for provide 365 days [P10]\n')
    browser.sign_up(owner, ALICE)
    assert "data-identify" not in browser.get("/me").content.decode()
    assert browser.post("/me/devices/this", {"identifier": IDENTIFIER}).status_code == 404


def test_hints_are_asked_for_only_as_far_as_the_policy_collects_what_they_tell(
    browser: Browser, owner: Connection[Any]
) -> None:
    wanted = "Sec-CH-UA-Model, Sec-CH-UA-Platform-Version, Sec-CH-UA-Full-Version-List"
    assert browser.get("/").headers["Accept-CH"] == wanted
    text = POLICY.read_text(encoding="utf-8")
    begin = text.index("collect device.model")
    in_force(owner, text[begin : text.index("collect session.ip")], ", device.name", ",\n    device.model")
    assert "Model" not in browser.get("/").headers["Accept-CH"]


def test_every_declared_limit_holds_where_the_database_is_asked_directly(
    browser: Browser, owner: Connection[Any]
) -> None:
    """A session is stored with its network alone, whatever the pages send."""
    import psycopg

    from troth.database import connect

    whose = browser.sign_up(owner, ALICE)
    made = "INSERT INTO troth.session (subject, session, ip) VALUES (%s, gen_random_uuid(), %s)"
    with connect.acting("door") as door:
        door.execute(made, (whose, "192.0.2.0/24"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("door") as door:
        door.execute(made, (whose, "192.0.2.77"))

"""Whoever declined what is in force is at no dead end: they say no to more, take a copy, or go."""

import re
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection

from tests.browsing import PASSWORD, Browser, subject
from tests.conftest import Person, employ, make
from tests.consent import test_agreeing as agreeing
from tests.consent.lending import offer, prove
from tests.consent.test_ending import widen
from tests.consent.test_support import opened
from tests.planting import sign_in
from tests.web.test_coming import ALICE, alice, publish, take_effect, written
from tests.web.test_routes import FORMS, seen, state, table
from tests.web.world import world
from troth.consent import agreed, permissions, support
from troth.database import published
from troth.ledger import queries as ledger
from troth.people import organizing
from troth.rights import document
from troth.web.templatetags.said import till

__all__ = ["alice", "written"]
#: Who needs no agreement to what is in force, by the names of their audiences.
OPEN = {"ANYBODY", "NEWCOMER", "SIGNED_IN", "HOLDER", "DEV"}
CHOICES = "SELECT purpose, kind FROM troth.choice WHERE subject = %s ORDER BY at"


@pytest.fixture
def declined(alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> Browser:
    alice.choose("personalise", "consent")
    publish(owner)
    take_effect(owner, monkeypatch)
    assert alice.agree("decline").headers["Location"] == "/declining"
    assert alice.get("/me").headers["Location"] == "/agree"
    return alice


def noes(browser: Browser) -> dict[str, dict[str, str]]:
    """Return what the buttons of the page send, by purpose."""
    page = browser.get("/declining").content.decode()
    found = re.findall(r'action="/declining/(\w+)".*?name="seen" value="([0-9a-f-]+)".*?value="(\w+)"', page, re.DOTALL)
    return {purpose: {"seen": seen, "kind": kind} for purpose, seen, kind in found}


def declines(owner: Connection[Any], whose: UUID) -> list[tuple[object, bool]]:
    """Return the versions whose decline stands in the ledger, with whether it is somebody's own act about themselves."""
    found = ledger.concerning(owner, whose, ["version-declined"])
    return [(each.facts["version"], each.actor == each.subject) for each in found]


def test_that_they_declined_stands_in_the_ledger_and_they_read_it(declined: Browser, owner: Connection[Any]) -> None:
    whose = subject(owner, ALICE)
    assert declines(owner, whose) == [(2, True)]
    (entry,) = ledger.concerning(owner, whose, ["version-declined"])
    now = published.current()
    assert entry.facts == {"version": 2, "policy": now.digest, "terms": now.terms_digest}
    declined.agree()
    done = declined.get("/me").content.decode().partition('id="events"')[2].partition("</section>")[0]
    assert done.count("You declined a version of the policy") == 1
    assert done.index("You agreed to the policy") < done.index("You declined a version"), "the newest first"


def test_the_page_that_asks_says_that_they_declined_and_of_a_pause_nothing(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner)
    take_effect(owner, monkeypatch)
    no = "You declined version 2. Your no holds until you agree"
    alice.agree("later")
    assert no not in alice.get("/agree").content.decode()
    alice.agree("decline")
    alice.get("/declining")  # which says it once
    assert alice.get("/agree").content.decode().count(no) == 1


def test_a_decline_before_the_day_and_one_on_the_way_in_stand_there_too(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whose = subject(owner, ALICE)
    publish(owner)
    alice.post("/coming", {"answer": "later"})
    assert declines(owner, whose) == [], "a pause is no answer"
    alice.post("/coming", {"answer": "decline"})
    assert declines(owner, whose) == [(2, True)]
    take_effect(owner, monkeypatch)
    alice.post("/agree", {"answer": "later"})
    assert declines(owner, whose) == [(2, True)]
    again = Browser()
    assert again.sign_in(ALICE).headers["Location"] == "/agree"
    again.agree("decline")
    again.post("/coming", {"answer": "decline"})
    assert declines(owner, whose) == [(2, True)] * 3


def test_they_say_no_to_what_still_goes_on_and_to_what_would_come(declined: Browser, owner: Connection[Any]) -> None:
    whose = subject(owner, ALICE)
    shown = noes(declined)
    assert {purpose: form["kind"] for purpose, form in shown.items()} == {
        "protect": "objection",
        "understand": "objection",
        "personalise": "withdrawal",
    }
    for purpose, form in shown.items():
        assert declined.post(f"/declining/{purpose}", form).headers["Location"] == "/declining"
    assert owner.execute(CHOICES, (whose,)).fetchall()[1:] == [(p, form["kind"]) for p, form in shown.items()]
    bits = "SELECT purpose FROM troth.unit, troth.permitted WHERE subject = %s AND retired_at IS NULL"
    bits += (
        " AND basis <> 'agreement' AND (uses >> bit) & 1 = 1 AND purpose IN ('protect', 'understand', 'personalise')"
    )
    assert owner.execute(bits.encode(), (whose,)).fetchall() == []
    assert noes(declined) == {}
    page = declined.get("/declining").content.decode()
    assert page.count("You objected to it.") == 2
    declined.agree()
    assert owner.execute(bits.encode(), (whose,)).fetchall() == [], "a no holds also once they agree"


@pytest.mark.parametrize("kind", ["consent", "permission", ""])
def test_they_allow_no_more_there(declined: Browser, owner: Connection[Any], kind: str) -> None:
    whose = subject(owner, ALICE)
    before = owner.execute(CHOICES, (whose,)).fetchall()
    form = {"kind": kind, "seen": noes(declined)["personalise"]["seen"]}
    assert declined.post("/declining/personalise", form).headers["Location"] == "/declining"
    assert declined.post("/me/purposes/personalise", form).headers["Location"] == "/agree"
    assert owner.execute(CHOICES, (whose,)).fetchall() == before
    assert "Here you can only say no" in declined.get("/declining").content.decode()


def test_a_no_from_an_older_page_is_told_so(declined: Browser, owner: Connection[Any]) -> None:
    old = noes(declined)["personalise"]
    assert declined.post("/declining/personalise", old).status_code == 302
    owner.execute("UPDATE troth.choice SET kind = 'consent' WHERE kind = 'withdrawal'")
    assert declined.post("/declining/personalise", old).status_code == 409


def test_the_database_takes_a_yes_of_nobody_who_has_not_agreed(declined: Browser, owner: Connection[Any]) -> None:
    from troth.consent import actions
    from troth.consent.errors import NotSignedIn

    token = declined.cookies["__Host-viewer"].value
    for purpose, kind in (("personalise", "consent"), ("protect", "permission")):
        with pytest.raises(NotSignedIn):
            actions.choose(token=token, purpose=purpose, kind=kind)
    actions.choose(token=token, purpose="protect", kind="objection")
    owner.execute("UPDATE troth.request_token SET expires_at = statement_timestamp()")
    with pytest.raises(NotSignedIn):
        actions.choose(token=token, purpose="personalise", kind="withdrawal")


def test_they_take_a_copy_and_close_their_account(declined: Browser, owner: Connection[Any]) -> None:
    page = declined.get("/declining").content.decode()
    assert 'href="/me/copy"' in page
    declined.post("/password/confirm", {"password": PASSWORD})
    assert "A copy of your data" in declined.get("/me/copy").content.decode()
    answer: Any = declined.post("/me/copy")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    found = {t.table: t for t in document.read(b"".join(answer.streaming_content)).tables}
    assert found["person"].rows[0].values["email"] == ALICE
    assert found["agreement"].rows
    assert declined.post("/me/close", {"password": PASSWORD}).headers["Location"] == "/closed"


def test_a_copy_is_handed_out_only_to_whoever_has_just_shown_who_they_are(
    alice: Browser, owner: Connection[Any]
) -> None:
    from tests.web.world import an_hour_later

    alice.post("/password/confirm", {"password": PASSWORD})
    assert alice.get("/me/copy").status_code == 200
    an_hour_later()
    for answer in (alice.get("/me/copy"), alice.post("/me/copy")):
        assert answer.status_code == 302
        assert "/confirm" in answer.headers["Location"] or "reauth" in answer.headers["Location"]
    noted = "SELECT count(*) FROM troth.ledger_entry WHERE action = 'exported-by-person'"
    assert owner.execute(noted).fetchone() == (0,)
    assert Browser().get("/me/copy").status_code == 303


def ends(browser: Browser) -> dict[str, list[str]]:
    """Return where the buttons of the page send, by kind of what is open to others."""
    found: dict[str, list[str]] = {}
    for path, kind in re.findall(r'action="(/declining/end/(\w+)/[^"]+)"', browser.get("/declining").content.decode()):
        found.setdefault(kind, []).append(path)
    return found


def test_what_is_open_to_others_stands_there_and_ends_there(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sue, bob = employ(owner, make(owner, "Sue"), "support"), make(owner, "Bob")
    alice.get("/me")
    mine = Person("Alice", subject(owner, ALICE), ALICE, alice.cookies["__Host-viewer"].value)
    opened(sue, mine)
    sign_in(owner, mine.subject)
    owner.execute("DELETE FROM troth.person_grant WHERE subject = %s", (mine.subject,))
    owner.execute("DELETE FROM troth.agreement_ahead")
    owner.execute(
        "UPDATE troth.agreed_permission SET answer = 'accepted', answered_at = now(), language = 'en',"
        " until = now() + interval '1 day' WHERE subject = %s",
        (mine.subject,),
    )
    offer(mine, "person.name")
    here = organizing.found(token=bob.token, name="Harbor Rowing")
    link = organizing.make_link(token=bob.token, organization=here, role="member", joins=1, days=1)
    organizing.accept(token=mine.token, word=link.rpartition("/")[2])
    publish(owner)
    take_effect(owner, monkeypatch)
    for path in ("/agree", "/declining", "/me/support"):
        page = alice.get(path).content.decode()
        assert "Support may look at your data" in page, path
        assert 'href="/me/support"' in page
    shown = ends(alice)
    assert {kind: len(paths) for kind, paths in shown.items()} == {
        "staff": 1, "applications": 1, "people": 1, "agreed": 1, "organizations": 1,
    }  # fmt: skip
    told = "It may go on telling us what you do in it"
    assert told in alice.get("/declining").content.decode()
    owner.execute("UPDATE troth.application SET events = '{}'")
    page = alice.get("/declining").content.decode()
    assert told not in page, "it declared nothing that it could send"
    assert "sees nothing of you" in page, "its questions are answered as to an unknown token"
    assert all(name in page for name in ("Sue", "Planted", "Harbor Rowing", "Somebody with your link"))
    for kind, path in ((kind, path) for kind, paths in shown.items() for path in paths):
        assert alice.post(path).headers["Location"] == "/declining"
        done = "Ended, as it was agreed." if kind == "agreed" else "Ended. Nothing of it is shown from this moment on."
        assert done in alice.get("/declining").content.decode()
    assert ends(alice) == {}
    assert "Support may look at your data" not in alice.get("/agree").content.decode()
    assert support.of_me(mine.token)[0].state == "ended"
    assert not any(each.live or each.waiting for each in permissions.grants(mine.token))
    for path in (path for paths in shown.values() for path in paths):
        assert alice.post(path).headers["Location"] == "/declining"
        assert "This is not open any more." in alice.get("/declining").content.decode()


@pytest.mark.parametrize("way", ["at once", "with notice", "at its end"])
def test_what_was_agreed_stands_there_until_it_is_over(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    alice.get("/me")
    mine = Person("Alice", subject(owner, ALICE), ALICE, alice.cookies["__Host-viewer"].value)
    olga = make(owner, "Olga")
    prove(owner, olga, operator=True)
    deal = {"ends": way, "notice": 5 if way == "with notice" else 0, "reason": "To find Alice."}
    which = agreeing.ask(olga, purpose=None, categories=["person.name"], **deal)
    agreeing.ask(olga, reason="Nobody answered this.")
    agreeing.answer(mine, which)
    publish(owner)
    take_effect(owner, monkeypatch)
    page = alice.get("/declining").content.decode()
    assert "To find Alice." in page
    assert "Nobody answered this." not in page
    assert ("It then ends after 5 days of notice." in page) == (way == "with notice")
    assert ends(alice) == ({"agreed": [f"/declining/end/agreed/{which}"]} if way != "at its end" else {})
    alice.post(f"/declining/end/agreed/{which}")
    page = alice.get("/declining").content.decode()
    assert ("Ended, as it was agreed." in page) == (way != "at its end")
    assert ("This is not open any more." in page) == (way == "at its end")
    assert "Nothing of it is shown from this moment on." not in page
    assert ends(alice) == {}
    until = next(each.over_at or each.until for each in agreed.mine(mine.token) if each.agreed == which)
    assert until
    assert ("To find Alice." in page) == (way != "at once"), "it is shown until its time"
    assert (f"until {till(until)} UTC" in page) == (way != "at once")
    owner.execute("UPDATE troth.agreed_permission SET until = now(), over_at = now() WHERE agreed = %s", (which,))
    assert "To find Alice." not in alice.get("/declining").content.decode()


@pytest.mark.parametrize(
    "path", ["/declining/end/everything/1", "/declining/end/people/not-one", "/declining/end/agreed"]
)
def test_what_names_nothing_ends_nothing(declined: Browser, path: str) -> None:
    assert declined.post(path).status_code in (302, 404)
    assert ends(declined) == {}


def test_whoever_is_in_an_organization_closes_their_account_too(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = make(owner, "Bob")
    assert alice.post("/organizations", {"name": "Harbor Rowing"}).status_code == 302
    link = organizing.make_link(
        token=alice.cookies["__Host-viewer"].value,
        organization=owner.execute("SELECT organization FROM troth.organization").fetchone()[0],  # type: ignore[index]
        role="administrator",
        joins=1,
        days=1,
    )
    organizing.accept(token=bob.token, word=link.rpartition("/")[2])
    publish(owner)
    take_effect(owner, monkeypatch)
    assert "Harbor Rowing" in alice.get("/me/close").content.decode()
    read = re.findall(r'name="read" value="([0-9a-f]{64})"', alice.get("/me/close").content.decode())
    assert alice.post("/me/close", {"password": PASSWORD, "read": read[0]}).headers["Location"] == "/closed"
    assert owner.execute("SELECT role FROM troth.membership WHERE subject = %s", (bob.subject,)).fetchone() == (
        "owner",
    )


def test_the_last_who_owns_an_organization_is_told_why_they_stay(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alice.post("/organizations", {"name": "Harbor Rowing"}).status_code == 302
    publish(owner)
    take_effect(owner, monkeypatch)
    (path,) = ends(alice)["organizations"]
    assert alice.post(path).headers["Location"] == "/declining"
    assert "an organization keeps an owner" in alice.get("/declining").content.decode()


def test_receipts_sessions_and_devices_are_theirs_and_nothing_there_gives(
    declined: Browser, owner: Connection[Any]
) -> None:
    page = declined.get("/declining").content.decode()
    found = re.findall(r'href="(/me/receipts/(?:agreement|choice)/[^"]+)"', page)
    assert len(found) == 2
    for path in found:
        receipt = declined.get(path).content.decode()
        assert f'{path}/file"' in receipt
        assert 'href="/declining"' in receipt
        assert declined.get(f"{path}/file").headers["Content-Type"] == "application/ld+json"
    assert declined.get("/me/receipts").headers["Content-Disposition"] == 'attachment; filename="receipts.jsonld"'
    devices = declined.get("/me/devices").content.decode()
    assert "this browser" in devices
    assert "Name it" not in devices
    assert declined.post("/me/devices/sessions/end").headers["Location"] == "/me/devices"
    assert "this browser" in declined.get("/me/devices").content.decode(), "they are signed in here still"


def test_whatever_may_give_something_sends_them_to_agree_first(owner: Connection[Any], browser: Browser) -> None:
    from troth.web.routes import ROUTES

    made = world(owner)
    widen(owner)
    closed = [each for each in table() if ROUTES[each.route].name not in OPEN]
    assert len(closed) > 80
    before = state(owner)
    for row in closed:
        path = row.path.format(**made.named)
        form = {name: value.format(**made.named) for name, value in FORMS.get(row.route, {}).items()}
        assert {seen(made.ask("alice", path)), seen(made.ask("alice", path, form))} == {"agree"}, row.route
    after = state(owner)
    assert [name for name in after if after[name] != before.get(name)] == []

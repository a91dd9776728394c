"""Whoever declined what is in force is at no dead end: they say no to more, take a copy, or go."""

import re
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import PASSWORD, Browser, subject
from tests.web.test_coming import ALICE, alice, publish, take_effect, written
from troth.rights import document

__all__ = ["alice", "written"]
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

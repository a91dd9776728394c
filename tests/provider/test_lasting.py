"""What an application may see ends on the day that its person set: as if they had ended it then, and to be let begin anew."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.provider.asking import Notes, brought
from troth.consent import applications
from troth.consent.errors import NoSuchApplication, NotAskedFor, OverAlready
from troth.database import connect
from troth.people.manifests import parsed

ALICE, PAGE = "alice@harbor.example", "/me/permissions?kind=applications"
NAME, EMAIL = "name:person.name:provide", "email:person.email:provide"
ENDS = "<dd>you end it</dd>"
TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"


@pytest.fixture
def alice(browser: Browser, owner: Connection[Any]) -> Browser:
    browser.sign_up(owner, ALICE)
    return browser


def pass_by(owner: Connection[Any]) -> None:
    """Let the days go by that somebody's answers last."""
    owner.execute(
        "UPDATE troth.application_grant SET at = at - interval '3 days', expires_at = expires_at - interval '2 days'"
    )


def viewer(browser: Browser) -> str:
    browser.get("/me")
    return str(browser.cookies["__Host-viewer"].value)


def answers(owner: Connection[Any]) -> list[tuple[Any, ...]]:
    return owner.execute(
        "SELECT claims, expires_at IS NOT NULL, until IS NOT NULL FROM troth.application_grant ORDER BY at, answer"
    ).fetchall()


def last(owner: Connection[Any]) -> str:
    row = owner.execute("SELECT action FROM troth.ledger_entry ORDER BY index DESC LIMIT 1").fetchone()
    assert row
    return str(row[0])


def test_a_last_day_is_set_shown_changed_and_taken_away(notes: Notes, alice: Browser, owner: Connection[Any]) -> None:
    tokens = notes.tokens(alice)
    assert ENDS in alice.get(PAGE).content.decode()
    path = f"/me/applications/{notes.id}/renew"
    assert alice.post(path, {"claims": [NAME, EMAIL], "until": TOMORROW}).headers["Location"] == PAGE
    page = alice.get(PAGE).content.decode()
    assert ENDS not in page
    assert f'name="until" value="{TOMORROW}"' in page
    assert answers(owner) == [([EMAIL, NAME], False, True), ([EMAIL, NAME], True, False)]
    assert last(owner) == "application-renewed"
    assert notes.told(tokens["access_token"]).json()["email"] == ALICE, "until then nothing is different"
    alice.post(path, {"claims": [NAME], "until": TOMORROW})
    assert "email" not in notes.told(tokens["access_token"]).json(), "narrower from that moment on"
    alice.post(path, {"claims": [NAME], "until": ""})
    assert ENDS in alice.get(PAGE).content.decode()
    assert notes.refresh(tokens["refresh_token"]).status_code == 200
    for wrong in ({"claims": [NAME, EMAIL]}, {"claims": [NAME], "until": "2020-01-01"}, {"until": "soon"}):
        before = answers(owner)
        alice.post(path, wrong)
        assert "Nothing was changed." in alice.get(PAGE).content.decode()
        assert answers(owner) == before, wrong


def test_after_its_last_day_it_is_told_nothing_and_gets_nothing(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    tokens, code = notes.tokens(alice), notes.code(alice)
    alice.post(f"/me/applications/{notes.id}/renew", {"claims": [NAME, EMAIL], "until": TOMORROW})
    pass_by(owner)
    assert notes.told(tokens["access_token"]).status_code == 401
    assert notes.active(tokens["access_token"]) == {"active": False}
    assert notes.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert notes.redeem(code).json()["error"] == "invalid_grant"
    assert brought(alice.get(notes.question(prompt="none")))["error"] in ("consent_required", "interaction_required")
    assert alice.get(notes.question()).status_code == 200, "it has to ask again"
    page = alice.get(PAGE).content.decode()
    assert "You sign in to no application" in page
    assert page.count("Allow it anew</button>") == 1, "of its answers that are over the last one"


def test_without_the_day_in_the_standing_everything_would_go_on(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    """The control taken away."""
    tokens = notes.tokens(alice)
    alice.post(f"/me/applications/{notes.id}/renew", {"claims": [NAME, EMAIL], "until": TOMORROW})
    pass_by(owner)
    assert notes.told(tokens["access_token"]).status_code == 401
    body = owner.execute("SELECT pg_get_functiondef('troth.application_standing'::regproc)").fetchone()
    assert body is not None
    dated = "AND coalesce(given.expires_at > statement_timestamp(), true) "
    assert dated in body[0]
    owner.execute(body[0].replace(dated, "").encode())
    assert notes.told(tokens["access_token"]).json()["email"] == ALICE


def test_what_is_over_begins_anew_with_what_is_ticked_and_opens_nothing_of_before(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    tokens = notes.tokens(alice)
    path = f"/me/applications/{notes.id}/renew"
    alice.post(path, {"claims": [NAME, EMAIL], "until": TOMORROW})
    pass_by(owner)
    alice.post(path, {"claims": [NAME], "until": TOMORROW})
    assert notes.told(tokens["access_token"]).status_code == 401, "a token of before is no token of now"
    assert notes.refresh(tokens["refresh_token"]).status_code == 400
    new = notes.tokens(alice)
    assert set(notes.told(new["access_token"]).json()) == {"sub", "name"}
    assert "Allow it anew" not in alice.get(PAGE).content.decode(), "it stands"
    alice.post(f"/me/applications/{notes.id}/end")
    alice.post(path, {"claims": [EMAIL]})
    assert "Nothing was changed." in alice.get(PAGE).content.decode(), "no more than the last answer"
    alice.post(path, {"claims": [NAME]})
    assert ENDS in alice.get(PAGE).content.decode()


def test_what_was_made_while_it_was_ended_opens_nothing_when_it_is_renewed(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    tokens = notes.tokens(alice)
    owner.execute("CREATE TEMP TABLE late AS SELECT * FROM troth.allauth_idp_oidc_token")
    alice.post(f"/me/applications/{notes.id}/end")
    owner.execute("INSERT INTO troth.allauth_idp_oidc_token OVERRIDING SYSTEM VALUE SELECT * FROM late")
    owner.execute("DROP TABLE late")
    alice.post(f"/me/applications/{notes.id}/renew", {"claims": [NAME]})
    assert notes.told(tokens["access_token"]).status_code == 401
    assert notes.refresh(tokens["refresh_token"]).status_code == 400


def test_no_token_is_made_of_what_is_ended_in_the_same_moment(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    """The answer stands when it is asked for, and is over when the token is there."""
    tokens = notes.tokens(alice)
    answered: list[Any] = []
    turning = threading.Thread(target=_turning, args=(notes, tokens["refresh_token"], answered))
    with owner.transaction():
        owner.execute("UPDATE troth.application_grant SET until = clock_timestamp() WHERE until IS NULL")
        turning.start()
        _wait_for_whoever_waits(owner)
    turning.join()
    assert [each.json().get("error") for each in answered] == ["invalid_grant"]
    made = "SELECT count(*) FROM troth.allauth_idp_oidc_token WHERE type = 'at'"
    assert owner.execute(made).fetchone() == (1,), "but the one of before"


def _turning(notes: Notes, token: str, answered: list[Any]) -> None:
    from django.db import connections

    answered.append(notes.refresh(token))
    connections.close_all()


def _wait_for_whoever_waits(owner: Connection[Any]) -> None:
    """Wait until another connection waits for what this one holds."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    until = time.monotonic() + 60
    while owner.execute(waiting).fetchone() == (0,):
        assert time.monotonic() < until, "nobody waits"
        time.sleep(0.02)


ONCE = """
CREATE SEQUENCE troth.met;
CREATE FUNCTION troth.meet() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF nextval('troth.met') <= TIMES THEN
        RAISE EXCEPTION 'deadlock detected' USING ERRCODE = 'deadlock_detected';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER meet BEFORE UPDATE ON troth.application_grant FOR EACH ROW WHEN (NEW.until IS NOT NULL) EXECUTE FUNCTION troth.meet();
"""


@pytest.mark.parametrize("times", [1, 2])
def test_who_ends_it_while_a_token_is_turned_in_does_not_fail(
    notes: Notes, alice: Browser, owner: Connection[Any], times: int
) -> None:
    """A token and an answer are held in another order by whoever turns one in: PostgreSQL ends one of the two."""
    tokens = notes.tokens(alice)
    owner.execute(ONCE.replace("TIMES", str(times)).encode())
    assert alice.post(f"/me/applications/{notes.id}/end").status_code == 302
    assert notes.told(tokens["access_token"]).status_code == 401
    assert [until for *_, until in answers(owner)] == [True]


def test_what_an_application_asks_for_after_the_last_day_is_all_that_it_is_told(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    notes.tokens(alice)
    alice.post(f"/me/applications/{notes.id}/renew", {"claims": [NAME, EMAIL], "until": TOMORROW})
    pass_by(owner)
    tokens = notes.tokens(alice, scope="openid profile")
    assert set(notes.told(tokens["access_token"]).json()) == {"sub", "name"}
    assert answers(owner)[-1] == ([NAME], False, False), "the address of the answer that is over is not carried on"


def test_what_is_asked_in_between_does_not_move_the_last_day(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    notes.tokens(alice, scope="openid profile")
    alice.post(f"/me/applications/{notes.id}/renew", {"claims": [NAME], "until": TOMORROW})
    notes.tokens(alice)
    assert answers(owner)[-1] == ([EMAIL, NAME], True, False)


def test_nobody_renews_more_than_they_gave_nor_for_another(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    bob = Browser()
    bob.sign_up(owner, "bob@harbor.example", "Bob")
    notes.tokens(alice, claims=["name"])
    told: dict[str, Any] = {"application": notes.id, "until": None}
    with pytest.raises(NoSuchApplication):
        applications.renew(token=viewer(bob), kept=[parsed(NAME)], **told)
    with pytest.raises(NotAskedFor):
        applications.renew(token=viewer(alice), kept=[parsed(NAME), parsed(EMAIL)], **told)
    with pytest.raises(OverAlready):
        applications.renew(
            token=viewer(alice), kept=[parsed(NAME)], application=notes.id, until=datetime(2020, 1, 1, tzinfo=UTC)
        )
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connect.acting("self", token=viewer(alice)) as connection:
        connection.execute("UPDATE troth.application_grant SET expires_at = NULL")
    assert len(answers(owner)) == 1


def test_an_application_that_was_removed_does_not_begin_anew(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    from troth.people import registering

    notes.tokens(alice)
    registering.remove(owner, {"application": notes.id})
    assert "Allow it anew" not in alice.get(PAGE).content.decode()
    with pytest.raises(NoSuchApplication):
        applications.renew(token=viewer(alice), application=notes.id, kept=[], until=None)

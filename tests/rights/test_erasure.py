"""Erasing a person: what a preview says is what goes, what stays is what a clause keeps, and nobody else is touched."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser, subject
from tests.conftest import Person, make
from tests.rights.asking import asked, at_once, erased, exported, held, part, plant, previewed
from troth.database import connect, published
from troth.database.catalog import load
from troth.database.drift import drift
from troth.database.errors import RequestRefusal
from troth.ledger import queries
from troth.ledger.verify import verify
from troth.policy.meaning import Verb
from troth.rights import erasing, keeping, persons

#: To which the request's own entries add.
SALTS = "ledger_salt"


@pytest.fixture
def planted(cast: dict[str, Person], owner: Connection[Any]) -> dict[str, Person]:
    """Alice and Bob with rows in every table."""
    for number, name in enumerate(("alice", "bob"), start=10):
        plant(owner, cast[name], number)
    return cast


def numbers(owner: Connection[Any]) -> dict[str, int]:
    return {name: len(rows) for name, rows in held(owner).items()}


def of(rows: dict[str, list[dict[str, Any]]], person: Person) -> dict[str, list[dict[str, Any]]]:
    """Return somebody's rows of the tables that name a subject."""
    return {name: [r for r in found if r.get("subject") == str(person.subject)] for name, found in rows.items()}


#: Of stamped tables, what no clause of the default policy keeps once an account has ended.
AT_ONCE = {"session", "earlier_name", "correction", "post", "attachment"}


def test_a_preview_counts_what_an_erasure_then_removes(planted: dict[str, Person], owner: Connection[Any]) -> None:
    alice = planted["alice"]
    told, before = previewed(owner, alice), numbers(owner)
    done, after = erased(owner, alice), numbers(owner)
    assert at_once(told) == at_once(done)
    removed = {name: before[name] - after[name] for name in before if name != SALTS}
    assert removed == {name: count for name, count in at_once(told).items() if name != SALTS}
    assert {name for name, count in removed.items() if count} == {
        "people_account", "account_emailaddress", "django_session", "notice", "request_token",
        "mfa_authenticator", "remembered",
        "application_grant", "application_code", "application_spent", "allauth_idp_oidc_token",
        "invitation", "staff_invitation", "staff", "support_access", "support_look", "policy_proposal", "policy_approval",
        "directory_grouped", "directory_act", "organization_look",
        "session", "earlier_name", "correction", "linked", "link_offer", "person_grant", "person_grant_use", "agreed_permission",
        "agreement_ahead", "refused_event", "post", "attachment",
    }  # fmt: skip
    assert {n: each["stays"] for n, each in told.items() if n != SALTS} == {
        name: each["stays"] for name, each in done.items() if name != SALTS
    }
    assert drift(owner).lines() == []


def test_a_preview_changes_nothing(planted: dict[str, Person], owner: Connection[Any]) -> None:
    before = held(owner)
    previewed(owner, planted["alice"])
    assert {name: rows for name, rows in held(owner).items() if name != SALTS} == {
        name: rows for name, rows in before.items() if name != SALTS
    }
    with connect.acting("self", token=planted["alice"].token) as mine:
        assert queries.about(mine, planted["alice"].subject)[0].action == "erasure-previewed"
    with connect.acting("steward") as steward:
        assert verify(queries.entries(steward)).sound


def test_nobody_else_loses_a_row(planted: dict[str, Person], owner: Connection[Any]) -> None:
    before = of(held(owner), planted["bob"])
    erased(owner, planted["alice"])
    assert of(held(owner), planted["bob"]) == before
    assert [row["user_id"] for row in held(owner)["account_emailaddress"]] == [before["people_account"][0]["id"]]
    assert part(exported(owner, planted["bob"]), "django_session").rows


def test_what_stays_has_a_clause_a_window_and_a_day(planted: dict[str, Person], owner: Connection[Any]) -> None:
    done = erased(owner, planted["alice"])
    (row,) = [row for row in held(owner)["subject"] if row["subject"] == str(planted["alice"].subject)]
    ended = datetime.fromisoformat(row["ended_at"])
    for table in load().stamped:
        told = done[table.name]
        kept = 0 if table.name in AT_ONCE else told["rows"]
        assert (told["stays"], told["at_once"]) == (kept, told["rows"] - kept), table.name
        assert not kept or told["until"] == max(each["until"] for each in told["because"]), table.name
        for each in told["because"]:
            assert each["clauses"]
            if each["kind"] == "account":
                assert datetime.fromisoformat(each["until"]) == ended + timedelta(days=each["days"])
    kept = {name: {(b["purpose"], b["days"]) for b in each["because"]} for name, each in done.items() if each["stays"]}
    assert kept == {
        "person": {("provide", 30)},
        "device": {("provide", 30), ("protect", 90)},
        "access": {("protect", 90), ("understand", 30)},
        "agreement": {("provide", 365)},
        "choice": {("provide", 365)},
        "membership": {("provide", 30)},
        "join_request": {("provide", 30)},
        "directory_entry": {("provide", 30)},
        "directory_awaited": {("provide", 30)},
        "notice_outcome": {("provide", 90)},
        "crash": {("provide", 90)},
        "activity": {("provide", 30)},
        "feature_use": {("understand", 30)},
        "page_view": {("protect", 90), ("understand", 30)},
        "transaction": {("provide", 365)},
        "location": {("provide", 30), ("understand", 30)},
        "subject": set(), "permitted": set(), SALTS: set(),
    }  # fmt: skip
    with connect.acting("announce") as announce:
        assert announce.execute("SELECT count(*) FROM person").fetchone() == (1,)  # Bob, who consented too


def test_what_has_outlasted_its_windows_goes_at_once(planted: dict[str, Person], owner: Connection[Any]) -> None:
    alice = planted["alice"]
    owner.execute(
        "UPDATE troth.access SET at = at - interval '90 days' WHERE subject = %s AND url = (SELECT min(url) FROM troth.access)",
        (alice.subject,),
    )
    with connect.acting("self", token=alice.token) as mine:
        mine.execute("SELECT troth.choose('personalise', 'consent')")  # keeps accesses while the account lasts
    owner.execute(
        "INSERT INTO troth.access (subject, at, id) SELECT %s, statement_timestamp() - make_interval(days => n), uuidv7()"
        " FROM unnest(ARRAY[29, 60, 91, 200]) AS n",
        (alice.subject,),
    )
    told = previewed(owner, alice)["access"]
    past = [row for row in of(held(owner), alice)["access"] if age(row) > timedelta(days=90)]
    assert (told["at_once"], told["stays"]) == (len(past), told["rows"] - len(past))
    assert len(past) >= 2
    assert at_once(erased(owner, alice))["access"] == len(past)
    assert all(age(row) < timedelta(days=90) for row in of(held(owner), alice)["access"])


def age(row: dict[str, Any]) -> timedelta:
    came = datetime.fromisoformat(row["at"])
    return datetime.now(came.tzinfo) - came


def test_what_stayed_goes_when_its_windows_end_and_takes_the_rest_along(
    planted: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = planted["alice"]
    erased(owner, alice)
    _pass(owner, alice, 366)
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
    assert {name: rows for name, rows in of(held(owner), alice).items() if rows} == {}
    with pytest.raises(RequestRefusal, match="nobody here is"):
        exported(owner, alice)


def test_what_somebody_has_erased_is_gone_by_the_deadline_that_they_read(
    planted: dict[str, Person], owner: Connection[Any]
) -> None:
    alice, policy, passed = planted["alice"], published.current().policy, 0
    erased(owner, alice)
    rights = sorted((r for r in policy.rights if Verb.ERASE in r.verbs), key=lambda right: right.days or 0)
    assert [right.days for right in rights] == [30, 90]
    for right in rights:
        _pass(owner, alice, (right.days or 0) - passed)
        passed = right.days or 0
        with connect.acting("steward") as steward:
            steward.execute("SELECT troth.sweep()")
        left = {name for name, rows in of(held(owner), alice).items() if rows}
        assert {c.category for name in left for c in load().table(name).columns}.isdisjoint(right.categories)


def _pass(owner: Connection[Any], person: Person, days: int) -> None:
    """Let days pass for what is left of somebody."""
    for table in load().stamped:
        owner.execute(
            f"UPDATE troth.{table.name} SET at = at - interval '1 day' * %(days)s,"
            " ended_at = ended_at - interval '1 day' * %(days)s WHERE subject = %(subject)s".encode(),
            {"days": days, "subject": person.subject},
        )


def test_rows_that_should_have_gone_and_did_not_undo_everything(
    planted: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(owner)
    # The control taken away: sessions are forgotten; what is looked for again finds them, though their account is gone.
    real = persons.outwards
    monkeypatch.setattr(erasing, "outwards", lambda catalog: [t for t in real(catalog) if t.name != "django_session"])
    with pytest.raises(RequestRefusal, match="`django_session` would be left that nothing keeps; nothing was erased"):
        erased(owner, planted["alice"])
    assert held(owner) == before
    monkeypatch.setattr(erasing, "_refuse_remains", lambda _: None)
    assert erased(owner, planted["alice"])["django_session"]["stays"] == 1


def test_an_account_ends_once(planted: dict[str, Person], owner: Connection[Any]) -> None:
    erased(owner, planted["alice"])
    with pytest.raises(RequestRefusal, match="this account ended on"):
        erased(owner, planted["alice"].subject)
    told = previewed(owner, planted["alice"].subject)
    assert set(at_once(told).values()) == {0}
    assert told["person"]["stays"] == 1


def test_real_sessions_go_too_signed_in_and_on_the_way_in(browser: Browser, owner: Connection[Any]) -> None:
    alice = browser.sign_up(owner, "alice@harbor.example")
    halfway, bob = Browser(), Browser()
    halfway.begin("alice-too@harbor.example")
    bob.sign_up(owner, "bob@harbor.example", "Bob")
    before = numbers(owner)["django_session"]
    told = previewed(owner, "Alice@harbor.example")
    assert told["django_session"]["at_once"] == len(part(exported(owner, alice), "django_session").rows) == 1
    erased(owner, alice)
    # Who has not agreed yet is on the way in: the session holds a login under way.
    assert at_once(erased(owner, subject(owner, "alice-too@harbor.example")))["django_session"] == 1
    assert numbers(owner)["django_session"] == before - 2
    assert [each.get("/me").status_code for each in (browser, halfway, bob)] == [303, 303, 200]
    assert browser.sign_in("alice@harbor.example").status_code == 200


def test_who_never_agreed_is_forgotten_entirely(owner: Connection[Any], cast: dict[str, Person]) -> None:
    erin = make(owner, "Erin", agreed=False)
    told = previewed(owner, erin)
    gone = {name: each["rows"] for name, each in erased(owner, erin).items()}
    assert at_once(told) | {SALTS: 0} == gone | {SALTS: 0}
    assert gone["person"] == gone["subject"] == 1
    assert not any(of(held(owner), erin).values())


def test_the_ledger_says_that_it_was_the_operator(planted: dict[str, Person], owner: Connection[Any]) -> None:
    alice = planted["alice"]
    erased(owner, alice)
    entries = queries.about(owner, alice.subject)[:2]
    assert [(each.action, each.actor) for each in entries] == [("erased-by-operator", None), ("account-closed", None)]
    assert {"by", "key", "reason", "removed", "kept"} == set(entries[0].facts)
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (planted["bob"].subject,))
    own = queries.about(owner, planted["bob"].subject)[0]
    assert own.actor == own.subject


def test_an_answer_that_nobody_waits_for_is_not_worked_for(planted: dict[str, Person], owner: Connection[Any]) -> None:
    before = held(owner)
    late = asked(planted["alice"]) | {"until": 0.0}
    for act in keeping.KINDS.values():
        with pytest.raises(RequestRefusal, match="nobody waits"):
            act(owner, late)
        with pytest.raises(RequestRefusal, match="is no word for a reason"):
            act(owner, asked(planted["alice"]) | {"reason": "alice@harbor.example"})
        with pytest.raises(RequestRefusal, match="nobody here is"):
            act(owner, asked(uuid.UUID(int=0)))
    assert held(owner) == before

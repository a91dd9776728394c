"""Announcements (P3, P4): only to whom it is permitted at the moment of sending, and each mail can be the last."""

import re
import uuid
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from tests.browsing import Browser
from tests.conftest import POLICY, TERMS, Person, employ
from tests.notices.mailing import SENDER, Sink, left, tally
from tests.notices.test_outcomes import statuses
from troth.consent import announcing
from troth.consent.errors import NotAnAnnouncement, NothingToPublish
from troth.database import apply, connect, published
from troth.database.drift import drift
from troth.database.errors import RequestRefusal
from troth.ledger import queries as ledger
from troth.notices import delivery, outbox, returned, tokens
from troth.notices.delivery import Route, deliver
from troth.notices.tokens import Kind

NEWS = {"en": {"subject": "A new quay", "text": "It opens in May."}}
#: A policy of which a clause lets the purpose know names alone.
ADDRESSED = "collect person.name, person.email on sign-up [P5]\n"
UNADDRESSED = (
    "collect person.email on sign-up [P5]\n    for provide while the account exists then 30 days\n"
    "collect person.name on sign-up [P5]\n"
)
BOTH = NEWS | {"es": {"subject": "Un muelle nuevo", "text": "Abre en mayo."}}


@pytest.fixture(autouse=True)
def written(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from django.test import override_settings

    for name, writer in announcing.WRITERS.items():
        monkeypatch.setitem(delivery.WRITERS, name, writer)
    for name, gate in announcing.GATES.items():
        monkeypatch.setitem(delivery.GATES, name, gate)
    monkeypatch.setattr(returned, "STOPPERS", [announcing.stop])
    with override_settings(RETURNS="/somewhere", DEFAULT_FROM_EMAIL=SENDER, BASE_URL="https://localhost"):
        yield
    published.forget()


@pytest.fixture
def olga(cast: dict[str, Person], owner: Connection[Any]) -> Person:
    return employ(owner, cast["dana"], "publisher")


def choose(person: Person, kind: str) -> None:
    with connect.acting("self", token=person.token) as mine:
        mine.execute("SELECT troth.choose('announce', %s)", (kind,))


def kinds(owner: Connection[Any], person: Person) -> list[str]:
    rows = owner.execute(
        "SELECT kind FROM troth.choice WHERE subject = %s AND purpose = 'announce' ORDER BY at, choice",
        (person.subject,),
    ).fetchall()
    return [row[0] for row in rows]


def send(owner: Connection[Any], sink: Sink) -> int:
    for _ in range(3):
        announcing.follow(owner)
    return deliver(Route(sink.url, SENDER, returns=True), many=True)


def recipients(sink: Sink) -> list[str]:
    return sorted(to[0] for to, _ in sink.taken)


def ways(mail: EmailMessage) -> tuple[str, str]:
    """Return the link and the address that end announcements, from the mail's headers."""
    found = re.fullmatch(r"<(https://[^>]+)>, <mailto:([^>?]+)\?subject=stop>", mail["List-Unsubscribe"])
    assert found, mail["List-Unsubscribe"]
    return found.group(1).removeprefix("https://localhost"), found.group(2)


@pytest.fixture
def mail(cast: dict[str, Person], olga: Person, owner: Connection[Any], sink: Sink) -> EmailMessage:
    """An announcement that Alice got."""
    choose(cast["alice"], "consent")
    announcing.announce(viewer=olga.token, texts=NEWS)
    assert send(owner, sink) == 1
    return sink.taken[-1][1]


def test_only_those_hear_of_it_who_permit_it(
    cast: dict[str, Person], olga: Person, owner: Connection[Any], sink: Sink
) -> None:
    for name in ("alice", "bob"):
        choose(cast[name], "consent")
    choose(cast["bob"], "withdrawal")
    announcing.announce(viewer=olga.token, texts=NEWS)
    assert send(owner, sink) == 1
    assert recipients(sink) == ["alice@harbor.example"]
    assert statuses(cast["alice"]) == [("sent", None)]
    assert statuses(cast["bob"]) == []
    (found,) = announcing.announcements()
    assert (found.queued, found.done_at is not None) == (1, True)
    assert send(owner, sink) == 0, "once"


def test_a_withdrawal_while_a_send_is_on_its_way_stops_it_for_that_person(
    cast: dict[str, Person], olga: Person, owner: Connection[Any], sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("alice", "bob"):
        choose(cast[name], "consent")
    announcing.announce(viewer=olga.token, texts=NEWS)
    announcing.follow(owner)
    assert left(owner) == 2
    assert owner.execute("SELECT DISTINCT address FROM troth.notice").fetchall() == [("",)], "no address waits"
    choose(cast["alice"], "withdrawal")
    assert send(owner, sink) == 1
    assert recipients(sink) == ["bob@harbor.example"]
    assert tally(owner) == {"sent": 1, "withdrawn": 1}
    # The control taken away: what was queued would leave, whatever was chosen since.
    announcing.announce(viewer=olga.token, texts=NEWS)
    announcing.follow(owner)
    choose(cast["bob"], "withdrawal")
    monkeypatch.setitem(delivery.GATES, "announcement", lambda _whose, _facts: "bob@harbor.example")
    assert send(owner, sink) == 1


def test_an_account_that_closed_or_an_address_that_changed_meanwhile_is_known_when_it_is_sent(
    cast: dict[str, Person], olga: Person, owner: Connection[Any], sink: Sink
) -> None:
    for name in ("alice", "bob"):
        choose(cast[name], "consent")
    announcing.announce(viewer=olga.token, texts=NEWS)
    announcing.follow(owner)
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (cast["alice"].subject,))
        door.execute("UPDATE troth.person SET email = 'new@harbor.example' WHERE subject = %s", (cast["bob"].subject,))
    assert send(owner, sink) == 1
    assert recipients(sink) == ["new@harbor.example"]


def test_nobody_is_written_to_whose_last_mail_came_back(
    cast: dict[str, Person], olga: Person, owner: Connection[Any], sink: Sink
) -> None:
    choose(cast["alice"], "consent")
    for wanted in (1, 0):
        announcing.announce(viewer=olga.token, texts=NEWS)
        assert send(owner, sink) == wanted
        owner.execute("UPDATE troth.notice_outcome SET outcome = 'bounced'")


def test_each_gets_it_in_their_language_where_it_has_one(
    cast: dict[str, Person], olga: Person, owner: Connection[Any], sink: Sink
) -> None:
    choose(cast["alice"], "consent")
    owner.execute("UPDATE troth.agreement SET language = 'es' WHERE subject = %s", (cast["alice"].subject,))
    for texts, subject, way in ((BOTH, "Un muelle nuevo", "un correo vacío"), (NEWS, "A new quay", "an empty mail")):
        announcing.announce(viewer=olga.token, texts=texts)
        assert send(owner, sink) == 1
        told = sink.taken[-1][1]
        assert told["Subject"] == subject
        assert all(way in part.get_content() for part in told.iter_parts()), "text and HTML"
        assert [part.get_content_type() for part in told.iter_parts()] == ["text/plain", "text/html"]


def test_a_send_goes_on_where_it_stopped_and_waits_while_the_outbox_is_full(
    cast: dict[str, Person], olga: Person, owner: Connection[Any], sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("alice", "bob", "charlie"):
        choose(cast[name], "consent")
    monkeypatch.setattr(announcing, "AT_ONCE", 1)
    monkeypatch.setattr(outbox, "ROOM", 2)
    announcing.announce(viewer=olga.token, texts=NEWS)
    for _ in range(5):
        announcing.follow(owner)
    assert left(owner) == 2
    for _ in range(3):
        send(owner, sink)
    assert recipients(sink) == [f"{name}@harbor.example" for name in ("alice", "bob", "charlie")]
    (found,) = announcing.announcements()
    assert found.done_at is not None


def test_told_twice_that_it_goes_on_after_somebody_the_database_does_it_once(
    cast: dict[str, Person], olga: Person, owner: Connection[Any]
) -> None:
    which = announcing.announce(viewer=olga.token, texts=NEWS)
    people = [cast["alice"].subject]
    for many in (1, 0):
        with connect.acting("steward") as steward:
            row = steward.execute(
                "SELECT troth.queue_announcement(%s, %s, %s, false)", (which, uuid.UUID(int=0), people)
            )
            assert row.fetchone() == (many,)


def test_a_send_that_is_stopped_goes_to_nobody_else(
    cast: dict[str, Person], olga: Person, owner: Connection[Any], sink: Sink
) -> None:
    choose(cast["alice"], "consent")
    which = announcing.announce(viewer=olga.token, texts=NEWS)
    announcing.follow(owner)
    with pytest.raises(NothingToPublish):
        announcing.stop_sending(viewer=cast["bob"].token, announcement=which)
    announcing.stop_sending(viewer=olga.token, announcement=which)
    assert send(owner, sink) == 0
    assert tally(owner) == {"withdrawn": 1}


def test_who_publishes_announces_and_nobody_else(cast: dict[str, Person], owner: Connection[Any]) -> None:
    employ(owner, cast["charlie"], "support", "auditor", "analyst")
    for name in ("alice", "charlie"):
        with pytest.raises(NothingToPublish):
            announcing.announce(viewer=cast[name].token, texts=NEWS)
    for role in ("self", "door", "announce", "intake"):
        with pytest.raises(InsufficientPrivilege), connect.acting(role) as connection:
            connection.execute("SELECT troth.announce('{}')")
    assert announcing.announcements() == []


def test_the_operators_key_announces_too_and_both_stand_in_the_ledger(olga: Person, owner: Connection[Any]) -> None:
    announcing.by_key(owner, {"texts": BOTH})
    announcing.announce(viewer=olga.token, texts=NEWS)
    assert len(announcing.announcements()) == 2
    assert [each.action for each in ledger.entries(owner)][-2:] == ["announced", "announced"]
    with pytest.raises(RequestRefusal, match="an announcement says something"):
        announcing.by_key(owner, {"texts": {}})


@pytest.mark.parametrize(
    "told",
    [
        {}, {"fr": NEWS["en"]}, {"en": "news"}, {"en": {"subject": "", "text": "x"}}, {"en": {"subject": "x", "text": " "}},
        {"en": {"subject": "x\ny", "text": "z"}}, {"en": {"subject": "x" * 201, "text": "z"}},
        {"en": {"subject": "x", "text": "z" * 20_001}}, {"en": {"subject": "x\0", "text": "z"}},
    ],
)  # fmt: skip
def test_what_is_no_announcement_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(NotAnAnnouncement):
        announcing.checked(told)


def test_where_the_policy_lets_nobody_be_told_of_news_nobody_is(
    cast: dict[str, Person], olga: Person, owner: Connection[Any], sink: Sink
) -> None:
    choose(cast["alice"], "consent")
    announcing.announce(viewer=olga.token, texts=NEWS)
    announcing.follow(owner)
    text = POLICY.read_text(encoding="utf-8").replace(" version 1 ", " version 2 ")
    assert ADDRESSED in text
    apply.apply(owner, text.replace(ADDRESSED, UNADDRESSED), TERMS)
    published.forget()
    assert send(owner, sink) == 0
    assert left(owner) == 0
    assert announcing.listeners() is None
    with pytest.raises(NotAnAnnouncement, match="no clause"):
        announcing.announce(viewer=olga.token, texts=NEWS)
    published.forget()


# The last mail


def test_the_headers_are_what_mail_programs_press(mail: EmailMessage, sink: Sink) -> None:
    """RFC 8058, section 3.1: one HTTPS address, and the very words of the form that is sent."""
    link, to = ways(mail)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    lines = sink.raw[-1].split(b"\r\n")
    assert any(line.startswith(b"List-Unsubscribe: <https://") and link.encode() in line for line in lines), (
        "in one piece"
    )
    text = mail.get_body(("plain",))
    assert text is not None
    assert link in text.get_content()
    assert to in text.get_content()


def test_one_click_ends_it_without_cookie_or_token_of_a_form(
    mail: EmailMessage, cast: dict[str, Person], olga: Person, owner: Connection[Any], sink: Sink
) -> None:
    stranger = Browser(csrf=True)
    answer = stranger.post(ways(mail)[0], {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert "No more announcements" in answer.content.decode()
    assert kinds(owner, cast["alice"]) == ["consent", "withdrawal"]
    entry = ledger.about(owner, cast["alice"].subject)[0]
    assert (entry.action, entry.facts) == ("withdrawal", {"purpose": "announce"})
    assert drift(owner).lines() == []
    announcing.announce(viewer=olga.token, texts=NEWS)
    assert send(owner, sink) == 0


def test_a_withdrawal_by_link_has_a_receipt_like_any_other(
    mail: EmailMessage, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    from troth.consent import queries, receipts

    Browser().post(ways(mail)[0])
    newest = queries.choices(cast["alice"].token)[0]
    made = receipts.choice(token=cast["alice"].token, which=newest.choice, address="https://localhost")
    assert receipts.verified(made.content, receipts.key()).facts.kind == "withdrawal"


def test_looking_at_the_page_as_a_scanner_does_changes_nothing(
    mail: EmailMessage, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    before = ledger.entries(owner)
    for _ in range(3):
        page = Browser().get(ways(mail)[0])
        assert page.status_code == Browser().head(ways(mail)[0]).status_code == 200
        assert "Nothing has changed so far" in page.content.decode()
        assert "alice" not in page.content.decode(), "whose it is, it does not say"
    assert Browser().put(ways(mail)[0]).status_code == 405
    assert kinds(owner, cast["alice"]) == ["consent"]
    assert len(list(ledger.entries(owner))) == len(list(before))


def test_a_forged_or_altered_link_is_as_one_that_is_not_there(
    mail: EmailMessage, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    path, token = ways(mail)[0].rsplit("/", 1)
    alice = cast["alice"].subject
    forged = [token[:at] + ("b" if token[at] == "a" else "a") + token[at + 1 :] for at in range(len(token))]
    forged += [token[:-1], token + "a", tokens.made(Kind.RETURNED, alice), str(alice), "=" * 39, "ä" * 39]
    for each in forged:
        for ask in (Browser().get, Browser().post):
            assert ask(f"{path}/{each}").status_code == 404, each
    assert kinds(owner, cast["alice"]) == ["consent"]
    # The control taken away: without the tag, anybody's token can be made from their subject.
    from base64 import b32encode

    made = b32encode(alice.bytes + bytes(tokens.TAG)).decode().rstrip("=").lower()
    assert Browser().post(f"{path}/{made}").status_code == 404


def test_the_tag_is_what_refuses_a_forged_link(
    mail: EmailMessage, cast: dict[str, Person], owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away: a token without a secret opens for everybody whose subject is known."""
    from base64 import b32encode

    monkeypatch.setattr(tokens, "_tag", lambda *_: bytes(tokens.TAG))
    made = b32encode(cast["alice"].subject.bytes + bytes(tokens.TAG)).decode().rstrip("=").lower()
    assert Browser().post(f"/announcements/stop/{made}").status_code == 200
    assert kinds(owner, cast["alice"])[-1] == "withdrawal"


def test_anothers_link_ends_what_is_theirs_and_nothing_of_whoever_opens_it(
    mail: EmailMessage, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    choose(cast["bob"], "consent")
    browser = Browser()
    browser.cookies["__Host-viewer"] = cast["bob"].token
    assert browser.post(ways(mail)[0]).status_code == 200
    assert kinds(owner, cast["bob"]) == ["consent"]
    assert kinds(owner, cast["alice"]) == ["consent", "withdrawal"]


def test_the_link_only_ever_withdraws_however_often_it_comes_back(
    mail: EmailMessage, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    link = ways(mail)[0]
    for _ in range(3):
        assert Browser().post(link, {"kind": "consent"}).status_code == 200
    assert kinds(owner, cast["alice"]) == ["consent", "withdrawal"], "written down once"
    choose(cast["alice"], "consent")
    assert Browser().post(link).status_code == 200
    assert kinds(owner, cast["alice"]) == ["consent", "withdrawal", "consent", "withdrawal"]
    assert announcing.listeners() == 0


def test_whoever_said_no_meanwhile_takes_nothing_back(
    mail: EmailMessage, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    choose(cast["alice"], "refusal")
    assert Browser().post(ways(mail)[0]).status_code == 200
    assert kinds(owner, cast["alice"]) == ["consent", "refusal"]


def test_of_an_account_that_closed_the_link_changes_nothing(
    mail: EmailMessage, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (cast["alice"].subject,))
    assert Browser().post(ways(mail)[0]).status_code == 200
    assert kinds(owner, cast["alice"]) == ["consent"]


def test_an_empty_mail_to_the_stated_address_is_enough(
    mail: EmailMessage, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    to = ways(mail)[1]
    away = f"From: x@mx.example\nTo: {to}\nAuto-Submitted: auto-replied\n\nI am away."
    assert returned.receive(away.encode()) == "unread", "no machine withdraws for anybody"
    assert kinds(owner, cast["alice"]) == ["consent"]
    asked = f"From: somebody@mx.example\nDelivered-To: {to.upper()}\nSubject: stop\n\n"
    assert returned.receive(asked.encode()) == "stopped"
    assert kinds(owner, cast["alice"]) == ["consent", "withdrawal"]
    assert returned.receive(asked.replace("+s.", "+r.").replace("+S.", "+R.").encode()) == "unread"


def test_under_a_legitimate_interest_the_same_link_objects(cast: dict[str, Person], owner: Connection[Any]) -> None:
    for changed in (True, False):
        with connect.acting("door") as door:
            row = door.execute("SELECT troth.stop_purpose(%s, 'understand')", (cast["alice"].subject,)).fetchone()
        assert row == (changed,)
    rows = owner.execute("SELECT kind FROM troth.choice WHERE subject = %s", (cast["alice"].subject,)).fetchall()
    assert rows == [("objection",)]
    with connect.acting("door") as door:
        for purpose in ("provide", "nothing"):
            row = door.execute("SELECT troth.stop_purpose(%s, %s)", (cast["alice"].subject, purpose)).fetchone()
            assert row == (False,)


@pytest.mark.parametrize("role", ["self", "staff", "announce", "intake", "steward"])
def test_nobody_but_the_door_withdraws_for_others(role: str, cast: dict[str, Person]) -> None:
    for attempt in ("stop_purpose(%s, 'understand')", "put_choice(%s, 'announce', 'consent')"):
        with pytest.raises(InsufficientPrivilege), connect.acting(role) as connection:
            connection.execute(f"SELECT troth.{attempt}".encode(), (cast["alice"].subject,))

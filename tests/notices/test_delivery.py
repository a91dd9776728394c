"""Mail: one message each, whole, encrypted beyond this machine, kept until it left and no longer."""

import smtplib
from typing import Any

import pytest
from psycopg import Connection
from psycopg.errors import DivisionByZero

from tests.browsing import Browser, mails
from tests.notices.mailing import ALICE, SENDER, Sink, due_now, left, post


def test_a_code_reaches_its_person_once_and_is_then_forgotten(
    browser: Browser, owner: Connection[Any], sink: Sink
) -> None:
    from troth.notices.delivery import Route, deliver

    browser.begin(ALICE)
    browser.agree()
    assert deliver(Route(sink.url, SENDER)) == 1
    assert left(owner) == 0
    assert deliver(Route(sink.url, SENDER)) == 0
    ((to, message),) = sink.taken
    assert to == [ALICE]
    assert message["To"] == ALICE
    assert message["From"] == SENDER
    assert "code" in message["Subject"].lower()


def test_what_fails_is_tried_again_later(owner: Connection[Any], sink: Sink) -> None:
    from troth.notices.delivery import Route, deliver

    route = Route(sink.url, SENDER)
    post()
    sink.refusing = True
    assert deliver(route) == 0
    row = owner.execute("SELECT tries, next_try_at > statement_timestamp() FROM troth.notice").fetchone()
    assert row == (1, True)
    sink.refusing = False
    assert deliver(route) == 0  # not due yet
    due_now(owner)
    assert deliver(route) == 1


def test_one_bad_notice_does_not_hold_up_the_others(owner: Connection[Any], sink: Sink) -> None:
    from troth.notices.delivery import Route, deliver

    post(address="not an address\r\nBcc: mallory@evil.example")
    post()
    assert deliver(Route(sink.url, SENDER)) == 1
    assert [to for to, _ in sink.taken] == [[ALICE]]


def test_a_notice_that_never_leaves_is_dropped_in_the_end(owner: Connection[Any]) -> None:
    from troth.notices.delivery import TRIES, Route, deliver

    post()
    owner.execute("UPDATE troth.notice SET tries = %s", (TRIES - 1,))
    assert deliver(Route("smtp://127.0.0.1:1", SENDER)) == 0
    assert left(owner) == 0


def test_an_address_that_does_not_exist_is_not_tried_again_and_holds_up_nobody(
    owner: Connection[Any], sink: Sink
) -> None:
    from troth.notices.delivery import Route, deliver

    sink.unknown.add("gone@harbor.example")
    post(address="gone@harbor.example")
    post()
    assert deliver(Route(sink.url, SENDER)) == 1
    assert left(owner) == 0


def test_many_notices_leave_over_few_connections(
    owner: Connection[Any], sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.notices import delivery

    monkeypatch.setattr(delivery, "MOST_CARRIED", 5)
    for _ in range(12):
        post()
    assert delivery.deliver(delivery.Route(sink.url, SENDER)) == 12
    assert sink.greeted == 3


def test_whoever_is_killed_after_the_server_took_it_sends_it_again_as_the_same_message(
    owner: Connection[Any], sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once, and twice is seen to be one: both have the Message-ID of the notice."""
    from troth.notices import delivery

    route = delivery.Route(sink.url, SENDER)
    post()
    with monkeypatch.context() as killing:
        killing.setattr(delivery, "SQL", {**delivery.SQL, "settle": "SELECT 1 / 0"})
        with pytest.raises(DivisionByZero):
            delivery.deliver(route)
    assert left(owner) == 1
    assert delivery.deliver(route) == 1
    assert left(owner) == 0
    first, second = (message["Message-ID"] for _, message in sink.taken)
    assert first == second


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r", "\r\n\r\n", "\x0b", "\x85", "\u2028"])
def test_no_line_break_adds_a_header_or_a_recipient(owner: Connection[Any], sink: Sink, ending: str) -> None:
    from troth.notices.delivery import Route, deliver

    post(subject=f"A word{ending}Bcc: mallory@evil.example", text=f"Hi{ending}.{ending}QUIT{ending}")
    assert deliver(Route(sink.url, SENDER)) == 1
    ((to, message),) = sink.taken
    assert to == [ALICE]
    assert message["Bcc"] is None
    assert {key.lower() for key in message} >= {"to", "from", "subject", "date", "message-id"}
    assert len(message.get_all("Subject") or []) == 1


@pytest.mark.asvs("12.3.1")
def test_beyond_this_machine_mail_goes_encrypted_or_not_at_all(
    owner: Connection[Any], sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sink offers no STARTTLS: as another machine's server it gets neither the code nor the password."""
    from troth.notices import delivery, letters

    monkeypatch.setattr(delivery, "LOOPBACK", frozenset())
    post()
    route = delivery.Route(sink.url.replace("//", "//me:secret@"), SENDER)
    with pytest.raises(smtplib.SMTPNotSupportedError):
        route.send(letters.compose(ALICE, {"subject": "s", "text": "t"}, SENDER))
    assert delivery.deliver(route) == 0
    assert sink.taken == []


def test_a_mail_belongs_to_its_person_and_goes_with_them(browser: Browser, owner: Connection[Any]) -> None:
    from tests.browsing import PASSWORD

    browser.sign_up(owner, ALICE)
    before = mails(owner, ALICE)
    assert before
    assert browser.post("/me/close", {"password": PASSWORD}).status_code == 302
    (after,) = mails(owner, ALICE)
    assert after not in before, "the one that says so was written after that"
    assert after["subject"].endswith("Your account is closed")


def test_a_mail_is_written_in_the_transaction_that_caused_it(browser: Browser, owner: Connection[Any]) -> None:
    from django.core.mail import send_mail
    from django.db import transaction

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        send_mail("s", "t", None, [ALICE])
        _ = 1 / 0
    assert mails(owner, ALICE) == []


def test_without_a_server_mail_shows_in_the_terminal(
    owner: Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from troth.notices.delivery import Route, deliver

    post(text="Your code is ABCD-EFGH.\n")
    assert deliver(Route("", SENDER)) == 1
    assert "ABCD-EFGH" in capsys.readouterr().out

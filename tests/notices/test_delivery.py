"""Mail: one message each, whole, encrypted beyond this machine, kept until it left and no longer."""

import smtplib
import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from psycopg import Connection
from psycopg.errors import DivisionByZero

from tests.browsing import Browser, mails

ALICE = "alice@harbor.example"


class Sink:
    """A mail server that keeps what it is given; `refusing` makes it say no."""

    def __init__(self) -> None:
        self.taken: list[tuple[list[str], EmailMessage]] = []
        self.refusing = False
        self.unknown: set[str] = set()
        self.greeted = 0

    async def handle_EHLO(  # noqa: N802 - the library's name
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.greeted += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802 - the library's
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if address in self.unknown:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 yes"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        if self.refusing:
            return "451 come back later"
        self.taken.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 taken"


@pytest.fixture
def sink() -> Iterator[tuple[Sink, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    handler = Sink()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, f"smtp://127.0.0.1:{port}"
    controller.stop()


def post(owner: Connection[Any], address: str = ALICE, subject: str = "A word", text: str = "Hello.\n") -> None:
    from psycopg.types.json import Jsonb

    from troth.database import connect

    with connect.acting("door") as door:
        facts = Jsonb({"subject": subject, "text": text})
        door.execute("SELECT troth.post('00000000-0000-0000-0000-000000000000', %s, 'mail', %s)", (address, facts))


def left(owner: Connection[Any]) -> int:
    row = owner.execute("SELECT count(*) FROM troth.notice").fetchone()
    assert row is not None
    return int(row[0])


def test_a_code_reaches_its_person_once_and_is_then_forgotten(
    browser: Browser, owner: Connection[Any], sink: tuple[Sink, str]
) -> None:
    from troth.notices.delivery import Route, deliver

    browser.begin(ALICE)
    browser.agree()
    assert deliver(Route(sink[1], "troth@harbor.example")) == 1
    assert left(owner) == 0
    assert deliver(Route(sink[1], "troth@harbor.example")) == 0
    ((to, message),) = sink[0].taken
    assert to == [ALICE]
    assert message["To"] == ALICE
    assert message["From"] == "troth@harbor.example"
    assert "code" in message["Subject"].lower()


def test_what_fails_is_tried_again_later(owner: Connection[Any], sink: tuple[Sink, str]) -> None:
    from troth.notices.delivery import Route, deliver

    route = Route(sink[1], "troth@harbor.example")
    post(owner)
    sink[0].refusing = True
    assert deliver(route) == 0
    row = owner.execute("SELECT tries, next_try_at > statement_timestamp() FROM troth.notice").fetchone()
    assert row == (1, True)
    sink[0].refusing = False
    assert deliver(route) == 0  # not due yet
    owner.execute("UPDATE troth.notice SET next_try_at = statement_timestamp()")
    assert deliver(route) == 1


def test_one_bad_notice_does_not_hold_up_the_others(owner: Connection[Any], sink: tuple[Sink, str]) -> None:
    from troth.notices.delivery import Route, deliver

    post(owner, address="not an address\r\nBcc: mallory@evil.example")
    post(owner)
    assert deliver(Route(sink[1], "troth@harbor.example")) == 1
    assert [to for to, _ in sink[0].taken] == [[ALICE]]


def test_a_notice_that_never_leaves_is_dropped_in_the_end(owner: Connection[Any]) -> None:
    from troth.notices.delivery import TRIES, Route, deliver

    post(owner)
    owner.execute("UPDATE troth.notice SET tries = %s", (TRIES - 1,))
    assert deliver(Route("smtp://127.0.0.1:1", "troth@harbor.example")) == 0
    assert left(owner) == 0


def test_an_address_that_does_not_exist_is_not_tried_again_and_holds_up_nobody(
    owner: Connection[Any], sink: tuple[Sink, str]
) -> None:
    from troth.notices.delivery import Route, deliver

    sink[0].unknown.add("gone@harbor.example")
    post(owner, address="gone@harbor.example")
    post(owner)
    assert deliver(Route(sink[1], "troth@harbor.example")) == 1
    assert left(owner) == 0


def test_many_notices_leave_over_few_connections(
    owner: Connection[Any], sink: tuple[Sink, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.notices import delivery

    monkeypatch.setattr(delivery, "MOST_CARRIED", 5)
    for _ in range(12):
        post(owner)
    assert delivery.deliver(delivery.Route(sink[1], "troth@harbor.example")) == 12
    assert sink[0].greeted == 3


def test_whoever_is_killed_after_the_server_took_it_sends_it_again_as_the_same_message(
    owner: Connection[Any], sink: tuple[Sink, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once, and twice is seen to be one: both have the Message-ID of the notice."""
    from troth.notices import delivery

    route = delivery.Route(sink[1], "troth@harbor.example")
    post(owner)
    with monkeypatch.context() as killing:
        killing.setitem(delivery.SQL, "delivered", "SELECT 1 / 0")
        with pytest.raises(DivisionByZero):
            delivery.deliver(route)
    assert left(owner) == 1
    assert delivery.deliver(route) == 1
    assert left(owner) == 0
    first, second = (message["Message-ID"] for _, message in sink[0].taken)
    assert first == second


@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r", "\r\n\r\n", "\x0b", "\x85", "\u2028"])
def test_no_line_break_adds_a_header_or_a_recipient(
    owner: Connection[Any], sink: tuple[Sink, str], ending: str
) -> None:
    from troth.notices.delivery import Route, deliver

    post(owner, subject=f"A word{ending}Bcc: mallory@evil.example", text=f"Hi{ending}.{ending}QUIT{ending}")
    assert deliver(Route(sink[1], "troth@harbor.example")) == 1
    ((to, message),) = sink[0].taken
    assert to == [ALICE]
    assert message["Bcc"] is None
    assert {key.lower() for key in message} >= {"to", "from", "subject", "date", "message-id"}
    assert len(message.get_all("Subject") or []) == 1


@pytest.mark.asvs("12.3.1")
def test_beyond_this_machine_mail_goes_encrypted_or_not_at_all(
    owner: Connection[Any], sink: tuple[Sink, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sink offers no STARTTLS: as another machine's server it gets neither the code nor the password."""
    from troth.notices import delivery

    monkeypatch.setattr(delivery, "LOOPBACK", frozenset())
    post(owner)
    route = delivery.Route(sink[1].replace("//", "//me:secret@"), "troth@harbor.example")
    with pytest.raises(smtplib.SMTPNotSupportedError):
        route.send(delivery.compose(ALICE, {"subject": "s", "text": "t"}, "troth@harbor.example"))
    assert delivery.deliver(route) == 0
    assert sink[0].taken == []


def test_a_mail_belongs_to_its_person_and_goes_with_them(browser: Browser, owner: Connection[Any]) -> None:
    from tests.browsing import PASSWORD

    browser.sign_up(owner, ALICE)
    assert mails(owner, ALICE)
    assert browser.post("/me/close", {"password": PASSWORD}).status_code == 302
    assert mails(owner, ALICE) == []


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

    post(owner, text="Your code is ABCD-EFGH.\n")
    assert deliver(Route("", "troth@harbor.example")) == 1
    assert "ABCD-EFGH" in capsys.readouterr().out

"""Mail that comes back names its notice without a guess; what strangers write there changes nothing and holds up nothing."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.notices.mailing import ALICE, SENDER, Sink, post, tally
from tests.notices.test_outcomes import statuses
from troth.notices import returned, tokens
from troth.notices.delivery import Route, deliver
from troth.notices.tokens import Kind

#: RFC 3464, appendix E.1, with the names of the tests.
REPORT = """\
From: MAILER-DAEMON@mx.example
To: {to}
Subject: Returned mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="next"
Auto-Submitted: auto-replied

--next
Content-Type: text/plain

It could not be delivered.

--next
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; alice@harbor.example
Action: {action}
Status: {status}

--next--
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    returned.read(tmp_path / "returns")
    return tmp_path / "returns"


def arrive(folder: Path, text: str | bytes, name: str = "1.mail") -> None:
    (folder / "new" / name).write_bytes(text.encode() if isinstance(text, str) else text)


def kept(folder: Path) -> list[str]:
    return sorted(file.name for part in ("new", "cur") for file in (folder / part).iterdir())


def sent(person: Person, sink: Sink) -> str:
    """Send somebody a notice, and return the address that it comes back to."""
    post(whose=person.subject)
    deliver(Route(sink.url, SENDER, returns=True))
    return sink.senders[-1]


def test_a_report_of_failure_is_noted_of_the_notice_that_its_address_names(
    cast: dict[str, Person], owner: Connection[Any], sink: Sink, folder: Path
) -> None:
    sent(cast["bob"], sink)
    back = sent(cast["alice"], sink)
    assert back.startswith("troth+r.")
    assert sink.taken[-1][1]["From"] == SENDER
    assert len(back.partition("@")[0]) <= 64
    arrive(folder, REPORT.format(to=back.upper(), action="failed", status="5.1.1"))
    assert returned.read(folder) == 1
    assert statuses(cast["alice"]) == [("bounced", "5.1.1")]
    assert statuses(cast["bob"]) == [("sent", None)]
    assert kept(folder) == []
    arrive(folder, REPORT.format(to=back, action="failed", status="5.1.1"))
    assert returned.read(folder) == 0
    assert tally(owner)["bounced"] == 1, "said twice, it is one"


@pytest.mark.parametrize(
    ("action", "status"),
    [("delayed", "4.4.1"), ("delivered", "2.0.0"), ("failed", "4.2.2"), ("relayed", "5.0.0"), ("", "")],
)
def test_what_reports_no_failure_for_good_changes_nothing(
    cast: dict[str, Person], sink: Sink, folder: Path, action: str, status: str
) -> None:
    arrive(folder, REPORT.format(to=sent(cast["alice"], sink), action=action, status=status))
    assert returned.read(folder) == 0
    assert statuses(cast["alice"]) == [("sent", None)]
    assert kept(folder) == ["1.mail:2,"], "for people to read"


def altered(address: str, at: int) -> str:
    """Return an address with one character of its token changed."""
    start = address.index("+") + 3 + at
    other = "a" if address[start] != "a" else "b"
    return address[:start] + other + address[start + 1 :]


def test_an_altered_address_names_nothing_at_any_place(cast: dict[str, Person], sink: Sink, folder: Path) -> None:
    back = sent(cast["alice"], sink)
    for at in range(tokens.LENGTH):
        arrive(folder, REPORT.format(to=altered(back, at), action="failed", status="5.1.1"), f"{at}.mail")
    assert returned.read(folder) == 0
    assert statuses(cast["alice"]) == [("sent", None)]


def test_a_token_opens_nothing_of_another_kind_nor_of_another_place(
    database: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = uuid.uuid4()
    for kind, other in ((Kind.RETURNED, Kind.STOP), (Kind.STOP, Kind.RETURNED)):
        token = tokens.made(kind, what)
        assert tokens.meant(kind, token) == tokens.meant(kind, token.upper()) == what
        assert tokens.meant(other, token) is None
    monkeypatch.setattr(tokens, "_tag", lambda *_: b"another!")
    assert tokens.meant(Kind.RETURNED, token) is None


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\xff\x00\x00", b"To: =?utf-8?b?//8=?=\n\n", b"To: a@b\nTo: \x80\nContent-Type: multipart/report\n\n--",
        b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\nContent-Type: multipart/mixed; boundary=x\n\n" * 500,
        b"Subject: I am away\nAuto-Submitted: auto-replied\nTo: {to}\n\nUntil Monday.",
        b"Subject: Hello\nTo: {to}\n\nA person answers.",
    ],
    ids=["empty", "bytes", "word", "report", "nested", "away", "answer"],
)  # fmt: skip
def test_whatever_strangers_write_holds_up_no_mail_behind_it(
    cast: dict[str, Person], sink: Sink, folder: Path, text: bytes
) -> None:
    back = sent(cast["alice"], sink)
    arrive(folder, text.replace(b"{to}", back.encode()), "1.mail")
    arrive(folder, REPORT.format(to=back, action="failed", status="5.2.1"), "2.mail")
    assert returned.read(folder) == 1
    assert kept(folder) == ["1.mail:2,"]
    assert statuses(cast["alice"]) == [("bounced", "5.2.1")]


def test_without_a_folder_mail_comes_back_to_the_sender(cast: dict[str, Person], sink: Sink) -> None:
    post(ALICE)
    deliver(Route(sink.url, SENDER))
    assert sink.senders == [SENDER]


@pytest.mark.parametrize(
    ("sender", "fits"), [(SENDER, True), ("a" * 22 + "@x", True), ("a" * 23 + "@x", False), ("", False)]
)
def test_a_sender_whose_name_leaves_no_room_is_refused(sender: str, *, fits: bool) -> None:
    assert tokens.fits(sender) is fits

"""Mails that come back, and mails that say "no more": read from a Maildir that the operator's mail server fills.

Each is addressed to what names the notice or the person, so that nothing in it is guessed at. A report of failure
(RFC 3464) of a notice is noted; a mail to an address that says stop is carried out; everything else is left to be read.
"""

import logging
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from psycopg import Error
from psycopg_pool import PoolTimeout

from troth.database import connect
from troth.database.statements import load
from troth.notices import tokens
from troth.notices.tokens import Kind

SQL = load("troth.notices")
LOG = logging.getLogger(__name__)
#: Seconds between two looks at the folder; bytes of a mail that are read: a report begins with what matters.
LOOK, LONGEST = 5.0, 1 << 20
#: Where a mail server says to whom it delivers, and what a sender wrote.
RECIPIENTS = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
TOKEN = re.compile(rf"\+([{Kind.RETURNED}{Kind.STOP}])\.([a-z2-7]{{{tokens.LENGTH}}})@", re.IGNORECASE)
#: A status code of a report (RFC 3463): 5 is a permanent failure.
PERMANENT = re.compile(r"^\s*(5\.\d{1,3}\.\d{1,3})\b")
#: What is done for somebody who wants no announcements; a room above says how.
STOPPERS: list[Callable[[uuid.UUID], object]] = []


def named(message: Message) -> Iterator[tuple[Kind, uuid.UUID]]:
    """Yield what the addresses name that a mail went to, as far as this place made them."""
    for header in RECIPIENTS:
        for value in message.get_all(header, []):
            for kind, token in TOKEN.findall(str(value)):
                found = tokens.meant(Kind(kind.lower()), token)
                if found is not None:
                    yield Kind(kind.lower()), found


def failure(message: Message) -> str | None:
    """Return the status with which a report says that delivery failed for good; None for any other mail."""
    if message.get_content_type() != "multipart/report":
        return None
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            for fields in part.walk():
                status = PERMANENT.match(str(fields.get("Status", "")))
                if status and str(fields.get("Action", "")).strip().lower() == "failed":
                    return status.group(1)
    return None


def receive(content: bytes) -> str:
    """Do what a mail says, and return what that was: bounced, stopped, or unread where it says nothing to a machine."""
    message = message_from_bytes(content)
    done = "unread"
    for kind, what in dict.fromkeys(named(message)):
        if kind is Kind.STOP and not automatic(message):
            for stop in STOPPERS:
                stop(what)
            done = "stopped"
        elif kind is Kind.RETURNED and (status := failure(message)):
            with connect.acting("door") as connection:
                row = connection.execute(SQL["bounce"].encode(), {"notice": what, "reply": status}).fetchone()
            done = "bounced" if row and row[0] else done
    return done


def automatic(message: Message) -> bool:
    """Whether a machine answered (RFC 3834) and nobody meant it: an absence note, a report."""
    said = str(message.get("Auto-Submitted", "no")).strip().lower()
    return said.partition(";")[0].strip() != "no" or message.get_content_type() == "multipart/report"


def read(folder: Path) -> int:
    """Read what is new in a Maildir, and return how many of these mails said something; those are removed then.

    A mail is removed once what it says is committed: who is killed in between reads it again, and it says the same. One
    that says nothing to a machine is kept in `cur`, for people.
    """
    done = 0
    for part in ("new", "cur", "tmp"):
        (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in sorted((folder / "new").iterdir()):
        with file.open("rb") as opened:
            content = opened.read(LONGEST)
        if _understood(content):
            file.unlink(missing_ok=True)
            done += 1
        else:
            file.rename(folder / "cur" / f"{file.name}:2,")
    return done


def _understood(content: bytes) -> bool:
    try:
        return receive(content) != "unread"
    except (Error, PoolTimeout):
        raise
    except Exception as problem:  # noqa: BLE001 - whatever strangers write, it holds up no mail behind it
        LOG.warning("a returned mail is no mail (%s)", type(problem).__name__)
        return False


def run(folder: Path, stopped: threading.Event) -> None:
    """Read until told to stop."""
    while not stopped.wait(LOOK):
        try:
            read(folder)
        except (OSError, Error, PoolTimeout) as problem:
            LOG.warning("returned mail cannot be read (%s)", type(problem).__name__)
            stopped.wait(30)

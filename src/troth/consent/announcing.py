"""Announcements: written by the operator, sent to those who permit that purpose at the moment of sending.

The address is read as the purpose's own role right before a mail leaves, so that the database decides and not a list.
Each mail can be the last: it has a link that needs no sign-in, the headers of RFC 8058, and an address to which an
empty mail is enough.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override
from psycopg import Connection
from psycopg.types.json import Jsonb

from troth.consent.acting import act
from troth.consent.errors import ConsentRefusal, NotAnAnnouncement, NothingToPublish, Unsecured
from troth.database import connect, published
from troth.database.errors import RequestRefusal
from troth.database.keeper import Keeper
from troth.database.statements import load
from troth.ledger.actions import record
from troth.notices import outbox, tokens
from troth.notices.tokens import Kind
from troth.policy.explain import purpose_sentence
from troth.policy.voice import LANGUAGES

SQL = load("troth.consent")
#: The purpose that people are told of news for (P3), the template of its mails, and what the keeper is asked.
PURPOSE, TEMPLATE, REQUEST = "announce", "announcement", "announce"
LONGEST_SUBJECT, LONGEST_TEXT = 200, 20_000
#: People put into the outbox at one turn of the keeper.
AT_ONCE = 500
#: Announcements that the operator sees, the newest first.
LISTED = 20
#: The page that says no more, below the service's address.
STOP = "/announcements/stop/"
REFUSALS: Mapping[str, type[ConsentRefusal]] = {"TR040": NothingToPublish, "TR065": Unsecured}

type Texts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What was announced, by language, and for how many it was put into the outbox so far."""

    announcement: uuid.UUID
    texts: Texts
    queued: int
    at: datetime
    done_at: datetime | None
    stopped_at: datetime | None

    @property
    def subject(self) -> str:
        """What it is about, in the first language that it has."""
        return next(iter(self.texts.values()))["subject"]


# What the operator does


def checked(told: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return an announcement's texts by language, as they are kept. Raises NotAnAnnouncement."""
    advice = 'write a table for each language, such as [en] with subject = "..." and text = "..."'
    unknown = sorted(set(told) - set(LANGUAGES))
    if unknown or not told:
        what = f"there is no language `{unknown[0]}`" if unknown else "an announcement says something"
        raise NotAnAnnouncement(what, advice=advice)
    found = {}
    for language in (each for each in LANGUAGES if each in told):
        parts = told[language] if isinstance(told[language], Mapping) else {}
        subject, text = (str(parts.get(part, "")).replace("\r\n", "\n").strip() for part in ("subject", "text"))
        if not subject or not text or "\0" in subject + text:
            raise NotAnAnnouncement(f"`{language}` has no subject or no text", advice=advice)
        if "\n" in subject:
            raise NotAnAnnouncement(f"the subject of `{language}` is more than one line", advice="write it in one")
        if len(subject) > LONGEST_SUBJECT or len(text) > LONGEST_TEXT:
            sentence = f"the subject or the text of `{language}` is too long"
            raise NotAnAnnouncement(sentence, advice=f"keep to {LONGEST_SUBJECT} and {LONGEST_TEXT} characters")
        found[language] = {"subject": subject, "text": text}
    return found


def announce(*, viewer: str, texts: Texts) -> uuid.UUID:
    """Announce something, as one of the staff who publishes. Raises a ConsentRefusal."""
    _ensure_permitted()
    return uuid.UUID(str(_act(viewer, "announce", {"texts": Jsonb(checked(texts))})))


def stop_sending(*, viewer: str, announcement: uuid.UUID) -> None:
    """Stop a send: whoever has not got it by now does not get it. Raises a ConsentRefusal."""
    _act(viewer, "stop_announcement", {"announcement": announcement})


def announcements() -> list[Announcement]:
    """Return what was announced, the newest first."""
    with connect.acting("steward") as connection:
        return [Announcement(*row) for row in connection.execute(SQL["announcements"].encode(), {"most": LISTED})]


def listeners() -> int | None:
    """Return how many permit it now, as the purpose itself sees them; None where the policy has no such purpose."""
    if not _may():
        return None
    with connect.acting(PURPOSE) as connection:
        row = connection.execute(SQL["announced_to_many"].encode()).fetchone()
    return int(row[0]) if row else 0


def _act(viewer: str, statement: str, told: Mapping[str, Any]) -> object:
    ((found,),) = act("staff", viewer, statement, told, REFUSALS)
    return found


def _may() -> bool:
    """Whether a clause lets the purpose know addresses at all."""
    readings = published.current("steward").plan.readings
    return any((each.purpose, each.table, each.column) == (PURPOSE, "person", "email") for each in readings)


def _ensure_permitted() -> None:
    if not _may():
        raise NotAnAnnouncement(
            f"no clause lets a purpose `{PURPOSE}` use people's addresses", advice="the policy says who hears of news"
        )


# What people do


def stop(subject: uuid.UUID) -> bool:
    """Withdraw what somebody permits to the purpose, who was known by an address or link that only they were sent.

    An ordinary withdrawal (or objection), with its entry in the ledger; whether it changed anything.
    """
    with connect.acting("door") as connection:
        row = connection.execute(SQL["stop_purpose"].encode(), {"subject": subject, "purpose": PURPOSE}).fetchone()
    return bool(row and row[0])


# What the keeper does


def taught(keeper: Keeper) -> Keeper:
    """Return the keeper, who now puts announcements into the outbox, some at a time."""
    keeper.kinds = {**keeper.kinds, REQUEST: by_key}
    keeper.always = (*keeper.always, follow)
    return keeper


def by_key(connection: Connection[Any], told: dict[str, Any]) -> dict[str, Any]:
    """Announce what the operator's key asks for. Raises RequestRefusal."""
    try:
        texts = checked(told["texts"])
        _ensure_permitted()
    except NotAnAnnouncement as refusal:
        raise RequestRefusal(refusal.sentence, advice=refusal.advice) from refusal
    with connection.transaction():
        row = connection.execute(SQL["announce_by_key"].encode(), {"texts": Jsonb(texts)}).fetchone()
        which, words = row or (None, "")
        record(connection, action="announced", actor=None, subject=None, facts={"words": words})
    return {"announcement": str(which)}


def follow(_connection: Connection[Any]) -> None:
    """Put the next people who permit it into the outbox, of the send that comes first, while there is room."""
    with connect.acting("steward") as steward:
        row = steward.execute(SQL["announcing"].encode()).fetchone() if outbox.has_room(steward) else None
    if row is None:
        return
    told: dict[str, Any] = {"announcement": row[0], "after": row[1], "many": AT_ONCE, "people": []}
    if _may():
        with connect.acting(PURPOSE) as reader:
            told["people"] = [each for (each,) in reader.execute(SQL["announced_to_some"].encode(), told)]
    told["last"] = len(told["people"]) < AT_ONCE
    with connect.acting("steward") as steward:
        steward.execute(SQL["queue_announcement"].encode(), told)


# The mail


def address(subject: uuid.UUID, facts: Mapping[str, Any]) -> str | None:
    """Return where an announcement may go at this moment; None for whoever permits it no more, or once stopped."""
    if _texts(facts) is None or not _may():
        return None
    with connect.acting(PURPOSE) as connection:
        row = connection.execute(SQL["announced_to"].encode(), {"subject": subject}).fetchone()
    return str(row[0]) if row else None


def _texts(facts: Mapping[str, Any]) -> Texts | None:
    with connect.acting("door") as connection:
        row = connection.execute(SQL["announced"].encode(), {"announcement": facts["batch"]}).fetchone()
    return dict(row[0]) if row else None


def announcement_mail(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write an announcement to one person, in their language where it has it, with every way to make it the last."""
    texts, whose = _texts(facts) or {}, uuid.UUID(str(facts["to"]))
    language = str(facts["language"]) if facts["language"] in texts else next(iter(texts))
    link = settings.BASE_URL + STOP + tokens.made(Kind.STOP, whose)
    ways = [f"<{link}>"]
    now = published.current().policy
    with override(language):
        why = purpose_sentence(now, PURPOSE, language)
        parts = [_("You get this because you said yes, or did not object, to this:"), why]
        parts += [_("To get none any more, open this page and press the button. You need not sign in:"), link]
        if settings.RETURNS:
            to = tokens.address(Kind.STOP, whose, settings.DEFAULT_FROM_EMAIL)
            ways.append(f"<mailto:{to}?subject=stop>")
            parts += [_("Or write to this address; an empty mail is enough:"), to]
    return {
        "subject": texts[language]["subject"],
        "text": "\n\n".join((texts[language]["text"], "--", *parts)) + "\n",
        "language": language,
        "headers": {"List-Unsubscribe": ", ".join(ways), "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    }


WRITERS = {TEMPLATE: announcement_mail}
GATES = {TEMPLATE: address}

"""An event that an application sent, on its way to the store: judge, reduce, or a reasoned refusal."""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from hashlib import blake2b, sha256
from itertools import chain
from operator import attrgetter
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from troth.intake import shapes, special
from troth.intake.decisions import Decisions
from troth.intake.described import NOTHING, UNDECLARED, Declared
from troth.intake.event import NOBODY, Fault, Refused, now, stamp
from troth.intake.guard import HARMLESS, MOST, Harmless, cleared, cleared_address, look, note
from troth.intake.kinds import (
    Activity,
    Crash,
    FeatureUse,
    Frame,
    Kind,
    Location,
    PageView,
    Says,
    Transaction,
)
from troth.intake.steps import FUTURE, HIDDEN, SENSITIVE, coarse_time, origin_only, stripped
from troth.policy import subjects
from troth.policy.meaning import Precision, Whose

#: An event that is older is refused, whatever its windows: keys are remembered longer, so that none is stored twice.
LATEST = timedelta(days=21)
#: Why it is refused then: no clause of the policy says so.
TOO_LATE = "sent-too-late"
#: By how much a moment that is used coarsely may seem earlier than it was.
COARSEST = timedelta(days=1)
#: What in the words of a program may be somebody's: addresses, long numbers, long secrets, and what stands in quotes.
TELLING = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+|\"[^\"\n]*\"|'[^'\n]*'|[A-Za-z0-9+/_=-]{24,}|\d[\d .()-]{5,}\d")
#: The frames next to the failure that make two crashes one, and the most characters that are kept of them all.
NEAREST, LONGEST_STACK = 5, 20_000
#: Columns that hold no words of a sender's, and whose words were looked through when they were hidden.
UNTOLD = frozenset({"fingerprint", "severity", "amount", "currency", "latitude", "longitude", "source", "metadata"})
HIDDEN_ALREADY = frozenset({"event", "message"})
#: Columns that hold where somebody is, in degrees.
POSITION = ("latitude", "longitude")
#: Columns that hold addresses; of those that a page came from, one that holds something is not kept at all.
ADDRESSES, FROM = frozenset({"url", "referrer"}), "referrer"
#: Words that hold nothing and may tell nothing.
PLAIN = Harmless(MOST)


class Sent(Struct, gc=False):
    """One event of an application; `values` are what it fills of its table's columns, less what is not kept.

    What was reduced before it was kept for a while says nothing any more but its values. `found` counts, by detector,
    what the guard took out of them. `surplus` is where it said more than its kind may, which was left out. `id` is None
    until something keeps it, or it is stored.
    """

    key: bytes
    body: bytes
    kind: Kind
    at: datetime
    person: str
    says: Says | None
    application: str = ""
    objects: bool = False
    subject: uuid.UUID = NOBODY
    uses: int = 0
    values: dict[str, Any] = {}
    found: dict[str, int] = {}
    metadata: dict[str, Any] | None = None
    surplus: Fault | None = None
    id: uuid.UUID | None = None

    @property
    def whose(self) -> Whose:
        """Whose it is: a person's, or a browser's that is known without an account."""
        return subjects.whose(self.subject)

    @property
    def stamp(self) -> int:
        """What the row is stored with."""
        return stamp(self.uses, objects=self.objects)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: the application, the digest of its key, and the secret that makes digests of what it sends.

    One that `objects` is a browser whose own signal says so, of all that it sends.
    """

    application: str
    digest: bytes
    secret: bytes
    objects: bool = False

    def mark(self, about: bytes, *parts: bytes) -> bytes:
        """Return 32 bytes that only this place can make of something this application sent."""
        made = _marking(self.secret, self.application, about).copy()
        for part in parts:
            made.update(len(part).to_bytes(8) + part)
        return made.digest()


@lru_cache(maxsize=1024)
def _marking(secret: bytes, application: str, about: bytes) -> "blake2b":
    """Return a keyed BLAKE2b (RFC 7693) that has taken whose marks they are, and about what."""
    told = b"".join(len(each).to_bytes(8) + each for each in (application.encode(), about))
    return blake2b(told, digest_size=32, key=secret)


class Known(Struct, frozen=True, gc=False):
    """What is known of a person that an application named: the kinds it declared, and whose the event is."""

    application: str
    events: Sequence[str]
    subject: uuid.UUID | None
    uses: int


def judge(
    event: Sent, known: Known, decisions: Decisions, declared: Declared = NOTHING, moment: datetime | None = None
) -> Sent | Refused:
    """Refuse what the sender may not send, what the policy does not collect, and what its person does not permit.

    `declared` is what the sender's manifest says of metadata, by kind, and `moment` is now.
    """
    name, whose = event.kind.table, subjects.whose(known.subject or NOBODY)
    if refused := _unasked(event, known, decisions):
        return refused
    if whose is not Whose.PERSON and (clause := _sensitive(event, whose, decisions, declared)):
        return Refused(SENSITIVE, clause, name)
    if known.subject is None:
        reason = "unknown-person" if event.person else "names-nobody"
    elif not decisions.stored(event.kind, whose):
        return Refused("not-collected", kind=name)
    else:
        event.subject, event.uses = known.subject, known.uses
        reason = _declined(event, whose, decisions, moment or now())
    if reason:
        return Refused(reason, "" if reason == TOO_LATE else decisions.clauses[name, whose], name)
    return event if event.metadata is None else _fitted(event, decisions, declared)


def _unasked(event: Sent, known: Known, decisions: Decisions) -> Refused | None:
    """Return why it is refused whoever it is about; None where it is not."""
    name = event.kind.table
    if name not in known.events:
        return Refused("not-declared", kind=name)
    if not decisions.collected[name]:
        return Refused("not-collected", kind=name)
    if event.surplus and not decisions.drops:
        return Refused("malformed", decisions.undeclared, name, event.surplus)
    return None


def _sensitive(event: Sent, whose: Whose, decisions: Decisions, declared: Declared) -> str:
    """Return the clause that keeps apart what an event says of whoever is not known; empty where it may be said."""
    name = event.kind.table
    told = None if whose is Whose.NOBODY else _values(event)
    for (table, column), clause in decisions.apart.items():
        if table == name and (told is None or told.get(column) is not None):
            return clause
    said = event.metadata and name in declared and declared[name].sensitive(event.metadata)
    words = told is not None and decisions.anonymous and not _names(event, told).isdisjoint(special.current().names)
    return decisions.anonymous if said or words else ""


def _names(event: Sent, told: Mapping[str, Any]) -> set[str]:
    """Return by what detectors something is found in the words of an event."""
    if event.metadata is not None:
        _worded(event)
    found = set(event.found)
    for column, value in told.items():
        if isinstance(value, str) and column not in UNTOLD:
            found.update((cleared_address(value) if column in ADDRESSES else cleared(value)).counts)
    return found


def _fitted(event: Sent, decisions: Decisions, declared: Declared) -> Sent | Refused:
    """Leave of metadata what was declared, or refuse the event, as the policy says."""
    found = declared.get(event.kind.table, UNDECLARED).fitted(event.metadata or {}, drop=decisions.drops)
    if isinstance(found, Refused):
        return Refused(found.reason, found.clause and decisions.undeclared, event.kind.table, found.fault)
    event.metadata = found
    return event


def _declined(event: Sent, whose: Whose, decisions: Decisions, moment: datetime) -> str:
    """Return why nothing that somebody is in may use an event of theirs now; empty where something may."""
    part = decisions.part(event.kind, event.uses, objects=event.objects, whose=whose)
    if not part.kept:
        return "browser-objects" if event.objects else "person-declined"
    age = moment - event.at
    if age < -FUTURE:
        return "in-the-future"
    if (
        part.oldest is not None
        and age + COARSEST >= part.oldest
        and moment - coarse_time(event.at, part.kept.get("at", Precision.DAY)) >= part.oldest
    ):
        return "older-than-every-window"
    return TOO_LATE if age > LATEST else ""


def reduced(events: Sequence[Sent], decisions: Decisions) -> Sequence[Sent]:
    """Reduce them all, their words looked at together."""
    says = [event.says for event in events if event.says is not None]
    told = set(chain.from_iterable(WORDS[type(said)](said) for said in says))
    words = [word for word in told.difference(PLAIN.young, PLAIN.old) if word]
    look(words)
    harmless = [word for word in words if word in HARMLESS and word.isascii() and word.isprintable()]
    telling = set().union(*(shape.told_by(harmless) for shape in shapes.TELLING))
    PLAIN.add(word for nth, word in enumerate(harmless) if nth not in telling)
    for event in events:
        reduce(event, decisions)
    return events


def reduce(event: Sent, decisions: Decisions) -> Sent:
    """Drop what nothing that its person is in may use, and what no column is for; coarsen the time; guard the words."""
    kept = decisions.part(event.kind, event.uses, objects=event.objects, whose=event.whose).kept
    event.at = coarse_time(event.at, kept.get("at", Precision.DAY))
    if event.says is not None:
        event.found = {}  # what is tried again is counted once
        names = AS_SAID.get(type(event.says))
        if names is not None and event.metadata is None and PLAIN.hold(WORDS[type(event.says)](event.says)):
            event.values = {name: getattr(event.says, name) or None for name in names if name in kept}
            return event
    told = _values(event)
    if event.metadata is not None:
        told["metadata"] = _worded(event)
    event.values = {
        name: _guarded(event, name, value) if type(value) is str and name not in UNTOLD else value
        for name, value in told.items()
        if name in kept
    }
    if POSITION[0] in event.values:
        for name in POSITION:
            event.values[name] = coarse_degrees(event.values[name], kept[name])
    return event


def _guarded(event: Sent, column: str, value: str) -> str | None:
    if column in HIDDEN_ALREADY and event.says is not None:
        return value
    if value in PLAIN and column not in ADDRESSES:
        return value
    found = cleared_address(value) if column in ADDRESSES else cleared(value)
    note(event, found)
    return None if column == FROM and found.counts else found.text


def _values(event: Sent) -> dict[str, Any]:
    """Return what an event says, by column; of what was reduced before, what was left of it."""
    return dict(event.values) if event.says is None else VALUES[type(event.says)](event, event.says)


def _of_any(event: Sent, said: Crash | Activity) -> dict[str, Any]:
    return {
        "message": _hidden(event, said.message) if said.message else None,
        "release": _printable(said.release) if said.release else None,
        "environment": _printable(said.environment) if said.environment else None,
    }


def _of_a_use(_event: Sent, use: FeatureUse) -> dict[str, Any]:
    return {"feature": use.feature, "outcome": use.outcome}


def _of_an_activity(event: Sent, activity: Activity) -> dict[str, Any]:
    return {"event": _hidden(event, activity.event), "severity": activity.severity} | _of_any(event, activity)


def _of_a_page(_event: Sent, view: PageView) -> dict[str, Any]:
    """Return the path without what stands before it or secret in it, and of where somebody came from the origin."""
    return {
        "url": stripped(_path(view.url)) or HIDDEN,
        "referrer": origin_only(view.referrer),
        "browser": view.browser and _printable(view.browser),
        "system": view.system and _printable(view.system),
        "kind": view.kind,
        "model": view.model and _printable(view.model),
        "method": view.method,
        "status": view.status,
    }


def _path(url: str) -> str:
    """Return path and query of a page's address; nothing of a program, of data, or of somebody's own file."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme and (not parts.netloc or parts.scheme == "file"):
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _of_a_transaction(_event: Sent, said: Transaction) -> dict[str, Any]:
    return {"item": _printable(said.item) or HIDDEN, "amount": said.amount, "currency": said.currency}


def _of_a_position(_event: Sent, found: Location) -> dict[str, Any]:
    """Return it as columns hold it: degrees as decimal numbers of five places, which is a metre."""
    return {
        "latitude": f"{found.latitude:.5f}",
        "longitude": f"{found.longitude:.5f}",
        "accuracy": found.accuracy,
        "altitude": found.altitude,
        "source": found.source,
    }


def coarse_degrees(degrees: str, precision: Precision) -> str:
    """Return the side of the cell in which degrees lie that are used so, as `lasting.made` makes it of a column."""
    match precision:
        case Precision.CITY:
            return str((Decimal(degrees) * 10).to_integral_value(ROUND_FLOOR) / 10)
        case Precision.REGION:
            return str(Decimal(degrees).to_integral_value(ROUND_FLOOR))
        case _:
            return degrees


def _of_a_crash(event: Sent, crash: Crash) -> dict[str, Any]:
    frames = [_frame(each) for each in crash.stack]
    nearest = "\n".join((event.application, crash.kind, *(each.rpartition(":")[0] for each in frames[-NEAREST:])))
    return {
        "fingerprint": sha256(nearest.encode()).hexdigest()[:32],
        "kind": _printable(crash.kind),
        "stack": "\n".join(frames)[-LONGEST_STACK:] or None,
    } | _of_any(event, crash)


#: What fills the columns, by what is said: a look at its type, where a match would ask of each kind whether it is that.
VALUES: Mapping[type[Struct], Callable[[Sent, Any], dict[str, Any]]] = {
    FeatureUse: _of_a_use,
    PageView: _of_a_page,
    Transaction: _of_a_transaction,
    Location: _of_a_position,
    Activity: _of_an_activity,
    Crash: _of_a_crash,
}


#: What reads of a kind's words those that a sender chooses, None where there is none; and the kinds whose columns hold
#: just what was said where these are plain.
WORDS: Mapping[type[Struct], Callable[[Any], tuple[str | None, ...]]] = {
    FeatureUse: attrgetter("feature", "outcome"),
    PageView: attrgetter("url", "referrer", "browser", "system", "model", "method"),
    Transaction: lambda said: (said.item,),
    Location: lambda _said: (),
    Activity: attrgetter("event", "message", "release", "environment"),
    Crash: attrgetter("kind", "message", "release", "environment"),
}
AS_SAID: Mapping[type[Struct], Sequence[str]] = {
    FeatureUse: ("feature", "outcome"),
    Activity: ("event", "severity", "message", "release", "environment"),
}


def _frame(frame: Frame) -> str:
    """Return a frame in a line; of a path, which says whose computer it was, only the file's name."""
    path = (frame.file or "").replace("\\", "/").partition("?")[0]
    file = path.rstrip("/").rpartition("/")[2] or "?"
    return _printable(f"{frame.function or '?'} ({file}):{frame.line or 0}")


def _hidden(event: Sent, text: str) -> str:
    """Return words without what the guard finds, and then without what only might be somebody's."""
    if text in PLAIN:
        return text
    found = cleared(_printable(text))
    note(event, found)
    again = cleared(TELLING.sub(HIDDEN, found.text))
    note(event, again)
    return again.text


def _worded(event: Sent) -> str | None:
    """Return metadata as JSON, each text in it guarded; None where nothing is left of it."""

    def guarded(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
        if isinstance(value, str):
            found = cleared(_printable(value))
            note(event, found)
            return found.text
        if isinstance(value, dict):
            return {name: guarded(each) for name, each in value.items()}
        return [guarded(each) for each in value] if isinstance(value, list) else value

    return msgspec.json.encode(guarded(event.metadata)).decode() if event.metadata else None


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(sign for sign in text if sign.isprintable())

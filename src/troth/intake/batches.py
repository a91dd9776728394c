"""A batch that the gate commits: whom it is about, what of it passes, what is answered, and what is counted of it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count as counting
from itertools import repeat
from typing import Any, cast

from troth.intake import sent, store
from troth.intake.answers import Answer, Outcome, Request
from troth.intake.bridging import Asked
from troth.intake.decisions import Decisions
from troth.intake.described import NOTHING, Declared
from troth.intake.event import Counted, Refused
from troth.intake.sent import Known, Sent
from troth.policy import subjects
from troth.policy.meaning import Whose

#: An event that passes, the request that brought it, and its place there.
type Judged = tuple[Request, int, Sent]


def asked(batch: Iterable[Request]) -> list[Asked]:
    """Return which keys a batch was sent with, each with no name, and about whom, as its application calls them."""
    every: dict[Asked, None] = {}
    for request in batch:
        digest = request.sender.digest
        every[digest, ""] = None
        passed = request.ahead.passed
        if request.passed_whole():
            continue
        every.update(
            ((digest, event.person), None)
            for nth, event in enumerate(request.events)
            if isinstance(event, Sent) and nth not in passed
        )
    return list(every)


async def known(connection: Any, asked: Sequence[Asked]) -> dict[Asked, Known]:  # noqa: ANN401 - asyncpg's proxy
    """Return what the database says of keys and of people; nothing of a key that opens nothing."""
    rows = await connection.fetch(
        "SELECT nth, application, events, subject, uses FROM troth.sent_about($1, $2)",
        [digest for digest, _ in asked],
        [name for _, name in asked],
    )
    alike = {row["application"]: row["events"] for row in rows}  # a million people do not hold a million lists
    return {
        asked[nth - 1]: Known(application, alike[application], subject, uses)
        for nth, application, _, subject, uses in rows
    }


def doubted(batch: Iterable[Request], recent: Mapping[Asked, Known]) -> list[Asked]:
    """Return who is to be asked about again: of whom something was refused by what was said a moment ago."""
    about = (
        (request.sender.digest, event.person)
        for request in batch
        for nth, event in enumerate(request.events)
        if isinstance(event, Sent) and nth in request.answers
    )
    return [each for each in dict.fromkeys(about) if each in recent]


def judged(
    batch: Iterable[Request],
    known: Mapping[Asked, Known],
    decisions: Decisions,
    declared: Mapping[bytes, Declared],
) -> Iterator[Judged]:
    """Yield what passes, or did already; answer all else."""
    for request in batch:
        words, passed = declared.get(request.sender.digest, NOTHING), request.ahead.passed
        if request.passed_whole():
            yield from zip(repeat(request), counting(), cast("Sequence[Sent]", request.events), strict=False)
            continue
        for nth, event in enumerate(request.events):
            if isinstance(event, Counted):
                request.answers[nth] = ANSWERS[Outcome.COUNTED]
                continue
            if nth in passed and isinstance(event, Sent):
                yield request, nth, event
                continue
            outcome: Sent | Refused = event
            if isinstance(event, Sent):
                about = known.get((request.sender.digest, event.person))
                outcome = (
                    sent.judge(event, about, decisions, words) if about else Refused("key-ended", kind=event.kind.table)
                )
            if isinstance(outcome, Sent):
                yield request, nth, outcome
            else:
                request.answers[nth] = refused(outcome)


async def fresh(connection: Any, judged: Sequence[Judged]) -> list[Sent]:  # noqa: ANN401 - asyncpg's proxy
    """Take the keys, answer each event, and return those that are to be stored: the first of each key that is new."""
    first: dict[bytes, Sent] = {}
    for _, _, event in judged:
        first.setdefault(event.key, event)
    rows = await connection.fetch(
        "SELECT nth, fresh, same FROM troth.take_keys($1::text::uuid[], $2::text::uuid[])",
        store.marks(first),
        store.marks(event.body for event in first.values()),
    )
    keys = list(first)
    taken = {keys[nth - 1]: (new, same) for nth, new, same in rows}
    for request, nth, event in judged:
        new, same = taken[event.key]
        if event is first[event.key]:
            outcome = Outcome.STORED if new else Outcome.REPEATED if same else Outcome.CONFLICT
        else:
            outcome = Outcome.REPEATED if same and event.body == first[event.key].body else Outcome.CONFLICT
        request.answers[nth] = ANSWERS[outcome]
    return [event for key, event in first.items() if taken[key][0]]


def alike(events: Sequence[Sent]) -> bool:
    """Whether some of them have the same key."""
    return len({event.key for event in events}) < len(events)


async def count(
    connection: Any,  # noqa: ANN401 - asyncpg's proxy
    batch: Sequence[Request],
    known: Mapping[Asked, Known],
    stored: Sequence[Sent],
) -> None:
    """Count what the guard took out of what is stored, what was refused, and what is about nobody."""
    await store.count_found(connection, stored)
    await _count_refused(connection, batch, known)
    await _count_parts(connection, batch)


async def _count_refused(connection: Any, batch: Iterable[Request], known: Mapping[Asked, Known]) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Count what was refused: for the operator, and for each person about whom it was."""
    every: Counter[Refused] = Counter()
    about: Counter[tuple[Any, Refused]] = Counter()
    for request in batch:
        for nth, event in enumerate(request.events):
            why = request.answers[nth].refused
            if why is None:
                continue
            every[why] += 1
            whose = known.get((request.sender.digest, event.person)) if isinstance(event, Sent) else None
            if whose is not None and whose.subject is not None and subjects.whose(whose.subject) is Whose.PERSON:
                about[whose.subject, why] += 1
    await store.count_refused(connection, every)
    await store.note_refused(connection, about)


async def _count_parts(connection: Any, batch: Iterable[Request]) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Count what is about nobody, which is all that is kept of it."""
    every = Counter([event for request in batch for event in request.events if isinstance(event, Counted)])
    for event, many in sorted(every.items(), key=lambda each: (each[0].kind, each[0].words)):
        await store.count(connection, "counted", event.words, many, kind=event.kind)


#: What is answered to nearly all.
ANSWERS = {outcome: Answer(outcome) for outcome in Outcome}


def refused(why: Refused) -> Answer:
    """Return what is answered to what was refused."""
    return Answer(Outcome.REFUSED, why)

"""Every behaviour that is checked: its name, the kinds of facts that it is about, and how it is run."""

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from tests.mutations import (
    behaviour,
    correcting,
    courses,
    flows,
    joining,
    knowing,
    lending,
    mailing,
    naming,
    permitting,
    posting,
    powers,
    questioning,
    rights,
    rolling,
    sending,
    staffing,
    supplying,
)
from tests.mutations.scene import Play
from tests.mutations.world import Focus, World
from troth.policy.facts import Kind


@dataclass(frozen=True, slots=True)
class Check:
    """A behaviour; it yields a sentence for each thing that is not as it must be.

    `played`: whether people and roles act in it, so that only what they reach can make a difference.
    """

    name: str
    kinds: frozenset[Kind]
    run: Callable[[World, Focus], Iterator[str]]
    played: bool = False
    #: What is said in the play itself, and in the file in which it stands.
    words: str = ""
    around: str = ""


def _of(run: Callable[[World, Play], Iterator[str]], world: World, _focus: Focus, *, play: Play) -> Iterator[str]:
    return run(world, play)


def _plays(
    name: str, kinds: frozenset[Kind], run: Callable[[World, Play], Iterator[str]], plays: tuple[Play, ...]
) -> tuple[Check, ...]:
    return tuple(
        Check(name, kinds, partial(_of, run, play=play), played=True, words=_words(play), around=_around(play))
        for play in plays
    )


def _words(play: Play) -> str:
    """Return a play's text, with the statements that it has by their names."""
    named = (vars(sys.modules[play.__module__]).get(name) for name in play.__code__.co_names)
    return "\n".join([inspect.getsource(play), *(text for text in named if isinstance(text, str))])


def _around(play: Play) -> str:
    return inspect.getsource(sys.modules[play.__module__])


ROWS = frozenset({Kind.RULE, Kind.SECURITY, Kind.VIEW, Kind.TRIGGER, Kind.MEMBER})
WORKS = frozenset({Kind.FUNCTION, Kind.RULE, Kind.GRANT})
STAMPS = WORKS | {Kind.TRIGGER}
CHECKS = (
    Check("rows", ROWS | {Kind.GRANT}, behaviour.rows),
    Check("own", ROWS, behaviour.own),
    Check("looks", ROWS | {Kind.GRANT, Kind.FUNCTION}, behaviour.looks),
    Check("audiences", ROWS, behaviour.audiences),
    Check("outsiders", ROWS | {Kind.GRANT}, behaviour.outsiders),
    Check("twins", ROWS, behaviour.twins),
    Check("known", frozenset({Kind.CHECK}), behaviour.known),
    Check("owning", frozenset({Kind.SECURITY}), behaviour.owning),
    Check("privileges", frozenset({Kind.GRANT, Kind.RULE}), rights.privileges),
    Check("calls", frozenset({Kind.GRANT, Kind.FUNCTION}), rights.calls),
    Check("views", frozenset({Kind.VIEW, Kind.GRANT, Kind.SCHEMA}), rights.views),
    *_plays("comings and goings", STAMPS, flows.comings, flows.PLAYS),
    *_plays("applications", WORKS, permitting.permitting, permitting.PLAYS),
    *_plays("what applications send", STAMPS, sending.sending, sending.PLAYS),
    *_plays("counts of what arrives", WORKS, sending.sending, rolling.PLAYS),
    *_plays("names and sessions", STAMPS, naming.naming, naming.PLAYS),
    *_plays("browsers", STAMPS, knowing.knowing, knowing.PLAYS),
    *_plays("permissions", WORKS, lending.lending, lending.PLAYS),
    *_plays("organizations", WORKS, joining.joining, joining.PLAYS),
    *_plays("posts", STAMPS, posting.posting, posting.PLAYS),
    *_plays("corrections", STAMPS, correcting.correcting, correcting.PLAYS),
    *_plays("directories", WORKS, supplying.supplying, supplying.PLAYS),
    *_plays("mails", WORKS, mailing.mailing, mailing.PLAYS),
    *_plays("staff", WORKS, staffing.staffing, staffing.PLAYS),
    *_plays("questions", WORKS, questioning.questioning, questioning.PLAYS),
    Check("support", ROWS | WORKS, staffing.looking, played=True),
    Check("what comes in", frozenset({Kind.FUNCTION, Kind.RULE, Kind.TRIGGER}), courses.incoming, played=True),
    *(
        Check("retention", frozenset({Kind.FUNCTION, Kind.RULE}), run, played=True)
        for run in (courses.retention, courses.bound, courses.swept, courses.kept, courses.standing_bits)
    ),
    Check("numbers", frozenset({Kind.FUNCTION, Kind.VIEW}), courses.numbers, played=True),
    Check("search path", frozenset({Kind.FUNCTION}), courses.paths),
    Check("sessions", frozenset({Kind.ROLE, Kind.MEMBER, Kind.SETTING, Kind.GRANT}), powers.sessions),
    Check("crowding", frozenset({Kind.ROLE}), powers.crowding),
    Check("tying", frozenset({Kind.ROLE, Kind.MEMBER}), powers.tying),
    Check("mighty", frozenset({Kind.ROLE, Kind.SCHEMA, Kind.GRANT}), powers.mighty),
    Check("passing on", frozenset({Kind.GRANT}), rights.passing_on),
)

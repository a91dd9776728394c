"""A case: versions of a policy, what people did under each, what was stored. It can be drawn, written down and read back."""

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from tests.proof import policies
from tests.proof.policies import Dice, Draft
from troth.database.catalog import load
from troth.policy import parse
from troth.policy.errors import PolicyErrors
from troth.policy.plan import plan

#: The last is a browser that is known without an account, and no person.
BROWSER = "browser"
PEOPLE = ("alice", "bob", "charlie", "dana", "eve", "frank", "grace", BROWSER)
NOBODY = "nobody"
#: How many days before now a row came; no window ends so near to one of these that a second could matter.
AGES = (0, 2, 5, 20, 45, 100, 400)
#: When the versions came, in days before now.
PHASES = (60, 20, 2)
VALUES: dict[str, dict[str, tuple[Any, ...]]] = {
    "person": {"email": ("a@harbor.example", ""), "name": ("A", "B")},
    "device": {
        "objects": ("no", "yes"),
        "device": (1, 2, 3),
        "browser": ("Firefox", "Lynx"),
        "system": ("Linux", ""),
        "kind": ("computer", "phone"),
    },
    "access": {
        "objects": ("no", "yes"),
        "method": ("GET", "POST"),
        "url": ("/", "/me"),
        "status": (200, 404),
        "referrer": ("", "https://harbor.example/"),
        "ip": ("192.0.2.77", "192.0.2.80", "2001:db8:1:2::3"),
        "place": ("ES", "PT/Lisbon"),
        "provider": ("Harbor Networks", "Quay"),
        "browser": ("Firefox", "Lynx"),
        "system": ("Linux", "BSD"),
        "kind": ("computer", "phone"),
    },
}
type Event = tuple[Any, ...]
#: What is asked beside whole tables: the form of the question, and numbers that choose table, columns and values.
type Question = tuple[str, int, int, int]
QUESTIONS = ("where", "null", "group", "self-join", "exists", "aggregate", "withheld", "star", "join")


@dataclass(frozen=True, slots=True)
class Phase:
    """One version in force: its text, what happened under it, whether the sweep ran then, what was asked."""

    policy: str
    age: int
    events: tuple[Event, ...]
    swept: bool = False
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """What is proven on: phases in order."""

    phases: tuple[Phase, ...]
    about: str = ""

    def __str__(self) -> str:
        """Write it down as TOML."""
        return f"about = {json.dumps(self.about)}\n" + "".join(_written(phase) for phase in self.phases)


def read(text: str) -> Case:
    """Read a case that was written down."""
    told = tomllib.loads(text)
    phases = [
        Phase(
            phase["policy"],
            phase["age"],
            tuple(tuple(event) for event in phase["events"]),
            phase.get("swept", False),
            tuple((str(q[0]), int(q[1]), int(q[2]), int(q[3])) for q in phase.get("questions", ())),
        )
        for phase in told["phases"]
    ]
    return Case(tuple(phases), told.get("about", ""))


def _written(phase: Phase) -> str:
    lines = ["", "[[phases]]", f'policy = """\n{_quoted(phase.policy)}"""', f"age = {phase.age}"]
    lines += [f"swept = {json.dumps(phase.swept)}", "events = ["]
    lines += [f"    [{', '.join(map(_value, event))}]," for event in phase.events]
    lines += ["]", f"questions = [{', '.join(_value(q) for q in phase.questions)}]", ""]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)


# Drawing


@st.composite
def cases(draw: Any, *, swept: bool = True) -> Case:
    """Draw a case whose policies all compile."""
    dice = Dice(draw)
    draft = policies.drafted(dice)
    phases, here = [], set[str]()
    for number in range(dice.one((1, 1, 2, 2, 3))):
        if number:
            draft = policies.drafted(dice) if dice.chance(10) else policies.edited(dice, draft)
        text = policies.written(draft, number + 1)
        if not sound(text):
            reject()
        events = tuple(_events(dice, draft, here, first=not number))
        questions = tuple(
            (dice.one(QUESTIONS), dice.one(range(5)), dice.one(range(12)), dice.one(range(12)))
            for _ in range(dice.one((0, 4)))
        )
        phases.append(Phase(text, PHASES[number], events, swept and dice.chance(20), questions))
    return Case(tuple(phases))


def sound(text: str) -> bool:
    """Whether a policy compiles; how often which code refused it is counted."""
    policies.drawn["policies"] += 1
    try:
        plan(parse.read(text, "drawn"), load())
    except PolicyErrors as error:
        policies.drawn[error.errors[0].code] += 1
        return False
    return True


def _events(dice: Dice, draft: Draft, here: set[str], *, first: bool) -> Iterable[Event]:
    if first or dice.chance(30):
        for name in PEOPLE if dice.chance(50) else dice.some(PEOPLE):
            if name not in here:
                here.add(name)
                yield ("join", name)
    for name in sorted(here):
        if dice.chance(80):
            yield ("agree", name)
    for _ in range(dice.one((0, 1, 2, 4))):
        yield from _happening(dice, draft, sorted(here))
    yield from _rows(dice, sorted(here))
    for _ in range(dice.one((0, 1, 2, 5))):
        yield from _happening(dice, draft, sorted(here))


def _happening(dice: Dice, draft: Draft, here: list[str]) -> Iterable[Event]:
    if not here:
        return
    what = dice.one(("choose", "choose", "choose", "choose everybody", "end", "agree", "rows"))
    purpose = dice.one(list(draft.bases)) if dice.chance(95) else "nothing"
    kinds = {"consent": ("consent", "consent", "withdrawal"), "legitimate interest": ("objection", "permission")}
    kind = dice.one(kinds.get(draft.bases.get(purpose, ""), ("objection",)))
    if what == "choose everybody":
        for name in here:
            yield ("choose", name, purpose, kind)
    elif what == "choose":
        yield (what, dice.one(here), purpose, kind)
    elif what == "rows":
        yield from _rows(dice, here)
    else:
        yield (what, dice.one(here))


def _rows(dice: Dice, here: list[str]) -> Iterable[Event]:
    for _ in range(dice.one((1, 2, 3, 5))):
        table = dice.one(("access", "access", "access", "device", "person"))
        whose = here if dice.chance(60) else dice.some(here) if here else []
        if table == "access" and dice.chance(30):
            whose = [NOBODY]
        values = {
            column: dice.one(known) for column, known in VALUES[table].items() if column == "device" or dice.chance(80)
        }
        if whose:
            yield ("rows", table, list(whose), dice.one(AGES), values)

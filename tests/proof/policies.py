"""Sound policies of every construct, and later versions of them that do more, less or the same."""

from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hypothesis import strategies as st

from troth.database.catalog import load
from troth.policy.meaning import FITTING, Precision

NAMES = ("provide", "protect", "announce", "account", "study")
BASES = ("agreement", "consent", "legitimate interest", "legal duty")
DAYS = (1, 3, 7, 30, 90, 365)
ELSEWHERE = {
    "access.place": "access",
    "person.phone": "sign-up",
    "person.session": "sign-in",
    "crash.report": "crash",
    "cookie.identifier": "cookie",
    "post.text": "post",
    "health.allergy": "transaction",
}
IDENTIFYING = ("person.name", "person.email", "access.ip", "device.identifier", "location.gps")
#: What stands in policies beside what the tables are compiled from, each at most once.
TRIMMINGS = (
    "require agreement before use [P2]",
    "keep one agreement for applications, website and storage [P1]",
    "keep agreements when the owner changes",
    "keep the agreement over what remains [P26]",
    "encrypt transmission [P34]",
    "tell people that no transmission is perfectly secure [P35]",
    "tell people that logs may hold any of it",
    "never sell anything",
    "share with nobody",
    "stay silent when people ask",
    "agree permissions with people",
    "leave permissions to people",
    "open identifying data only with permission",
    "verify permissions before use",
    "keep anonymous identifiers apart from sensitive data",
    "tie people to organizations and accounts later",
    "allow changes to this policy",
    "refuse what is not declared in metadata",
    "notify by e-mail when rights are reduced",
    "ask again when these change: purposes, windows, precision",
    "ask again when these change: recipients",
    "ask before any new purpose",
    'note "Six people by a harbor." in es "Seis junto a un puerto."',
    'note "We mean it."',
)
#: How often a kind of policy was drawn, and how often it was refused (by code).
drawn: Counter[str] = Counter()


@dataclass(slots=True)
class Bundle:
    """What is collected together: `group` is the table that holds it, or `elsewhere`."""

    group: str
    categories: list[str]
    occasions: list[str]


@dataclass(slots=True)
class Draft:
    """A policy before it is written: windows are those of a purpose for a group, read or counted."""

    bases: dict[str, str] = field(default_factory=dict)
    bundles: list[Bundle] = field(default_factory=list)
    uses: dict[tuple[int, str], str] = field(default_factory=dict)
    windows: dict[tuple[str, str, bool], str] = field(default_factory=dict)
    overlapping: bool = False
    coarsenings: dict[str, tuple[str, int]] = field(default_factory=dict)
    sensitive: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    rights: list[tuple[str, list[str]]] = field(default_factory=list)
    apart: list[tuple[str, str]] = field(default_factory=list)
    trimmings: list[str] = field(default_factory=list)
    patterns: bool = False
    objected: list[str] = field(default_factory=list)


class Dice:
    """What a strategy draws with."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self.draw = draw

    def chance(self, percent: int) -> bool:
        """Whether something happens; nothing does in the smallest case."""
        return bool(self.draw(st.integers(0, 99)) >= 100 - percent)

    def one[T](self, things: Sequence[T]) -> T:
        """Return one of them."""
        chosen: int = self.draw(st.integers(0, len(things) - 1))
        return things[chosen]

    def often[T](self, things: Sequence[T], percent: int) -> list[T]:
        """Return each of them so often, and never none."""
        return [each for each in things if self.chance(percent)] or [things[0]]

    def some[T](self, things: Sequence[T], least: int = 0, most: int | None = None) -> list[T]:
        """Return some of them, in their order."""
        most = len(things) if most is None else min(most, len(things))
        chosen = self.draw(
            st.lists(st.integers(0, len(things) - 1), min_size=min(least, most), max_size=most, unique=True)
        )
        return [things[index] for index in sorted(chosen)]


@cache
def held() -> dict[str, dict[str, list[str]]]:
    """Return table -> category -> the precisions at which the table holds it."""
    found: dict[str, dict[str, list[str]]] = {}
    for table in load().stamped:
        for column in table.columns:
            if column.category:
                found.setdefault(table.name, {}).setdefault(column.category, []).append(str(column.precision))
    return found


@cache
def occasions(group: str) -> tuple[str, ...]:
    """Return when a table's rows come to be."""
    return tuple(str(each) for each in load().table(group).occasions)


# Drawing


def drafted(dice: Dice) -> Draft:
    """Draw a policy from nothing."""
    draft = Draft(overlapping=dice.chance(15), patterns=dice.chance(40))
    for name in dice.some(NAMES, dice.one((1, 2, 3)), 4):
        draft.bases[name] = dice.one(BASES)
    for group in [*dice.often(sorted(held()), 55), *(["elsewhere"] if dice.chance(50) else [])]:
        _bundle(dice, draft, group)
    for index, bundle in enumerate(draft.bundles):
        for name in dice.often(list(draft.bases), 65):
            _use(dice, draft, index, bundle, name)
    _say(dice, draft)
    return draft


def _bundle(dice: Dice, draft: Draft, group: str) -> None:
    left = list(ELSEWHERE if group == "elsewhere" else held()[group])
    for _ in range(dice.one((1, 1, 2, 3))):
        if not left:
            return
        categories = dice.often(left, 50)
        if dice.chance(25):
            categories = left
        if group == "elsewhere":
            when = sorted({ELSEWHERE[each] for each in categories})
        else:
            when = dice.some(occasions(group), 1) if draft.bundles or dice.chance(60) else list(occasions(group))
            when += ["upload"] if dice.chance(5) else []
        draft.bundles.append(Bundle(group, categories, when))
        if not (draft.overlapping and set(when) >= set(occasions(group) if group in held() else when)):
            left = [each for each in left if each not in categories]


def _use(dice: Dice, draft: Draft, index: int, bundle: Bundle, name: str) -> None:
    draft.uses[index, name] = _precision(dice, bundle)
    for counted in (False, True):
        draft.windows.setdefault((name, bundle.group, counted), _window(dice, draft.bases[name]))


def _precision(dice: Dice, bundle: Bundle) -> str:
    if bundle.group == "elsewhere":
        known = [p for p in Precision if any(p.fits(category) for category in bundle.categories)]
    else:
        here = held()[bundle.group]
        known = [Precision(p) for category in bundle.categories for p in here[category]]
        # What fits a category that the table does not hold so coarsely is refused (P-T05).
        known = [p for p in known if all(str(p) in here[c] for c in bundle.categories if FITTING.get(p) and p.fits(c))]
        known.append(Precision.COUNTED)
    if dice.chance(40):
        return "as is"
    return str(dice.one(sorted(set(known))))


def _window(dice: Dice, basis: str) -> str:
    if basis == "consent":
        return dice.one(("while consented", f"{dice.one(DAYS)} days"))
    lasting = f"while the account exists then {dice.one(DAYS)} days"
    return dice.one((f"{dice.one(DAYS)} days", "while the account exists", lasting))


def _say(dice: Dice, draft: Draft) -> None:
    """Draw what a policy says beside its uses; what does not fit these is left out when it is written."""
    everything = [*(c for group in held().values() for c in group), *ELSEWHERE]
    draft.coarsenings = {}
    for category, precisions in (
        ("access.ip", ("network",)),
        ("agreement.time", ("hour", "day")),
        ("choice.time", ("hour", "day")),
        ("location.gps", ("city", "region")),
    ):
        if dice.chance(25):
            draft.coarsenings[category] = (dice.one(precisions), dice.one((1, 3, 30, 90)))
    draft.sensitive = dice.some(everything, 0, 2)
    draft.shown = dice.some(everything) if dice.chance(70) else everything
    draft.rights = [
        (dice.one(("review", "correct", "delete", "export", "erase", "restrict")), dice.some(everything, 1, 4))
        for _ in range(dice.one((0, 1, 2)))
    ]
    draft.apart = [(dice.one(everything), dice.one(everything)) for _ in range(dice.one((0, 1, 2)))]
    draft.trimmings = dice.some(TRIMMINGS, 0, 6)
    draft.objected = dice.some(NAMES) if dice.chance(50) else []


def edited(dice: Dice, before: Draft) -> Draft:
    """Draw the next version: a few things that differ, or nothing at all."""
    draft = deepcopy(before)
    for _ in range(dice.one((0, 1, 1, 2, 3))):
        dice.one((_edit_window, _edit_basis, _edit_use, _edit_purpose, _edit_bundle, _edit_coarsening, _say))(
            dice, draft
        )
    return draft


def _edit_window(dice: Dice, draft: Draft) -> None:
    if not draft.windows:
        return
    key = dice.one(sorted(draft.windows))
    draft.windows[key] = _window(dice, draft.bases.get(key[0], "agreement"))


def _edit_basis(dice: Dice, draft: Draft) -> None:
    name = dice.one(list(draft.bases))
    draft.bases[name] = dice.one(BASES)
    for key, window in draft.windows.items():
        ill = "while the" in window if draft.bases[name] == "consent" else "consented" in window
        if key[0] == name and ill:
            draft.windows[key] = _window(dice, draft.bases[name])


def _edit_use(dice: Dice, draft: Draft) -> None:
    index = dice.one(range(len(draft.bundles)))
    name = dice.one(list(draft.bases))
    if (index, name) in draft.uses and dice.chance(50):
        del draft.uses[index, name]
    else:
        _use(dice, draft, index, draft.bundles[index], name)


def _edit_purpose(dice: Dice, draft: Draft) -> None:
    name = dice.one(NAMES)
    if name in draft.bases and len(draft.bases) > 1:
        del draft.bases[name]
        draft.uses = {key: value for key, value in draft.uses.items() if key[1] != name}
        draft.windows = {key: value for key, value in draft.windows.items() if key[0] != name}
    elif name not in draft.bases:
        draft.bases[name] = dice.one(BASES)
        index = dice.one(range(len(draft.bundles)))
        _use(dice, draft, index, draft.bundles[index], name)


def _edit_bundle(dice: Dice, draft: Draft) -> None:
    bundle = dice.one(draft.bundles)
    if bundle.group == "access" and dice.chance(60):
        bundle.occasions = dice.some(occasions("access"), 1)
    elif len(bundle.categories) > 1:
        bundle.categories.remove(dice.one(bundle.categories))


def _edit_coarsening(dice: Dice, draft: Draft) -> None:
    if draft.coarsenings and dice.chance(60):
        del draft.coarsenings[dice.one(sorted(draft.coarsenings))]
    else:
        draft.coarsenings["access.ip"] = ("network", dice.one((1, 3, 30, 90)))


# Writing


def written(draft: Draft, version: int) -> str:
    """Return the text of a draft; what cannot stand beside the rest is left out."""
    uses = {key: _exact(draft, key) for key in draft.uses if _on(draft, key[0], [key[1]])}
    bundles = {index: draft.bundles[index] for index, _ in uses}
    purposes = {name: basis for name, basis in draft.bases.items() if any(name == user for _, user in uses)}
    collected = {category for bundle in bundles.values() for category in bundle.categories}
    categories = sorted({*(c for group in held().values() for c in group), *ELSEWHERE})
    used = {
        name: {c for index, user in uses if user == name for c in draft.bundles[index].categories} for name in purposes
    }
    lines = [
        f'policy "Proof" version {version} effective 2026-01-01',
        'operator "Harbor Software, Inc." contact privacy@harbor.example',
    ]
    sensitive = [each for each in draft.sensitive if _may_be_sensitive(draft, bundles, purposes, used, each)]
    for category in categories:
        mark = "sensitive" if category in sensitive else "identifying" if category in IDENTIFYING else ""
        lines.append(f"category {category} {mark}".rstrip())
    lines += [f'purpose {name} "do it" in es "hacerlo" by {basis}' for name, basis in purposes.items()]
    for index, bundle in bundles.items():
        users = [name for place, name in uses if place == index]
        lines.append(f"collect {_names(draft, bundle, categories)} on {', '.join(_on(draft, index, users))}")
        lines += [_for(draft, bundle, name, uses[index, name]) for name in users]
    lines += [
        f"coarsen {c} to {precision} after {days} days"
        for c, (precision, days) in draft.coarsenings.items()
        if c in collected
    ]
    lines += _said(draft, collected, used, purposes)
    return "\n".join(lines) + "\n"


def _on(draft: Draft, index: int, users: Sequence[str]) -> list[str]:
    """Return the occasions of a bundle: no visitor consents, so what a purpose by consent uses is collected on no visit."""
    occasions = draft.bundles[index].occasions
    if any(draft.bases[user] == "consent" for user in users):
        return [each for each in occasions if each != "visit"]
    return occasions


def _exact(draft: Draft, key: tuple[int, str]) -> str:
    """Let somebody know exactly what all others know only as a hash: nothing holds it otherwise."""
    mine = [other for other in draft.uses if "device.identifier" in draft.bundles[other[0]].categories]
    alone = mine and all(draft.uses[other] == "hashed" for other in mine)
    return "as is" if alone and key == mine[0] else draft.uses[key]


def _may_be_sensitive(
    draft: Draft, bundles: dict[int, Bundle], purposes: dict[str, str], used: dict[str, set[str]], category: str
) -> bool:
    asked = all(basis in {"consent", "legal duty"} for name, basis in purposes.items() if category in used[name])
    here = {when for bundle in bundles.values() if category in bundle.categories for when in bundle.occasions}
    parted = any(line.startswith("keep anonymous") for line in draft.trimmings)
    return asked and not (parted and here.intersection({"visit", "cookie"}))


def _names(draft: Draft, bundle: Bundle, categories: list[str]) -> str:
    rooms = {category.split(".")[0] for category in bundle.categories}
    for room in rooms:
        whole = [each for each in categories if each.startswith(f"{room}.")]
        if draft.patterns and len(rooms) == 1 and sorted(bundle.categories) == whole:
            return f"{room}.*"
    return ", ".join(bundle.categories)


def _for(draft: Draft, bundle: Bundle, name: str, precision: str) -> str:
    window = draft.windows[name, bundle.group, precision == "counted" and not draft.overlapping]
    exactly = precision == "as is" or not any(Precision(precision).fits(each) for each in bundle.categories)
    return f"    for {name} {window}" + ("" if exactly else f" as {precision}")


def _said(draft: Draft, collected: set[str], used: dict[str, set[str]], purposes: dict[str, str]) -> list[str]:
    lines = []
    shown = [each for each in draft.shown if each in collected]
    if shown:
        lines.append(f"show {', '.join(shown)} to the person [P22]")
        lines.append(f"show {shown[0]} to administrators of the person's organization")
        lines.append(f"show {shown[-1]} to {('everyone signed in', 'the public')[len(shown) % 2]}")
    for verb, names in draft.rights:
        over = [each for each in names if each in collected]
        duty = any(purposes[name] == "legal duty" and used[name].intersection(over) for name in used)
        if over:
            # No window is longer, so that all of it is gone by then.
            deadline = f" within {max(DAYS)} days" if verb == "erase" else ""
            held = " unless a legal duty keeps it" if duty else ""
            lines.append(f"let people {verb} {', '.join(over)}{deadline}{held}")
    for one, other in draft.apart:
        both = any({one, other} <= each for each in used.values())
        lines += [] if both or one == other else [f"never correlate {one} with {other}"]
    objected = [name for name in draft.objected if purposes.get(name) == "legitimate interest"]
    if objected:
        lines.append(f"honour global privacy control as an objection to {', '.join(objected)}")
    asked = [line.split(":")[0] for line in draft.trimmings]
    lines += [line for place, line in enumerate(draft.trimmings) if line.split(":")[0] not in asked[:place]]
    if "share with nobody" not in lines and shown and shown[0] not in draft.sensitive and purposes:
        lines.append(f'share {shown[0]} with "Heron Carriers" for {next(iter(purposes))}')
    return lines

"""Each promise with its clauses, what they became, the tests that attack it, and whether it is kept already."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from troth.policy.catalog import Catalog
from troth.policy.meaning import Duty, Policy, Verb
from troth.policy.planned import Plan
from troth.policy.trace import objects

PROMISES = tuple(f"P{number}" for number in range(1, 41))


class Status(StrEnum):
    """What becomes of a clause or a promise."""

    ENFORCED = "enforced"
    TOLD = "told"
    UNBUILT = "not built yet"
    SILENT = "not in this policy"


@dataclass(frozen=True, slots=True)
class Covered:
    """A clause: what it became, its status, and the promises that it cites."""

    clause: str
    kind: str
    status: Status
    objects: tuple[str, ...]
    promises: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """A test that attacks a promise, and what was taken away to see it fail."""

    test: str
    mutation: str


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise: its clauses and its proofs. One that nothing attacks is not held for enforced."""

    name: str
    status: Status
    clauses: tuple[Covered, ...]
    proofs: tuple[Proof, ...]


def clauses(policy: Policy, plan: Plan, catalog: Catalog) -> Mapping[str, Covered]:
    """Return every clause with its status, by name."""
    made = objects(policy, plan, catalog)
    unheld, cited = {each.clause for each in plan.unheld}, dict(_cited(policy))
    found: dict[str, Covered] = {}
    for clause, kind, status, by in _judged(policy, plan, catalog):
        open_yet = clause in unheld and status is Status.ENFORCED
        told = Status.UNBUILT if open_yet else status
        before = found.get(clause, Covered(clause, kind, told, made.get(clause, ())))
        # What says several things is as far as the least of them.
        worst = max(before.status, told, key=tuple(Status).index)
        shown = tuple(dict.fromkeys((*before.objects, *by)))
        found[clause] = Covered(clause, before.kind, worst, shown, cited.get(clause, ()))
    return found


def promises(policy: Policy, plan: Plan, catalog: Catalog) -> tuple[Promise, ...]:
    """Return P1 to P40 with what this policy makes of them."""
    known = clauses(policy, plan, catalog)
    citing: dict[str, dict[str, Covered]] = {}
    for clause, cited in _cited(policy):
        for promise in cited:
            if clause in known:
                citing.setdefault(promise, {})[clause] = known[clause]
    return tuple(_promise(name, tuple(citing.get(name, {}).values())) for name in PROMISES)


def _promise(name: str, covered: tuple[Covered, ...]) -> Promise:
    proofs = tuple(
        Proof(each.get("test") or f"probe {each['probe']}", each["mutation"]) for each in _file("proofs").get(name, ())
    )
    # A category only names a kind of data: what is done with it is in the clauses that use it.
    acting = {each.status for each in covered if each.kind != "category"}
    if not covered:
        status = Status.SILENT
    elif Status.UNBUILT in acting or not acting:
        status = Status.UNBUILT
    elif Status.ENFORCED in acting:
        status = Status.ENFORCED if proofs else Status.UNBUILT
    else:
        status = Status.TOLD
    return Promise(name, status, covered, proofs)


def _cited(policy: Policy) -> Iterator[tuple[str, tuple[str, ...]]]:
    for kind in KINDS:
        things: tuple[Any, ...] = getattr(policy, kind)
        for thing in things:
            yield thing.clause.name, thing.clause.promises


KINDS = (
    "categories",
    "purposes",
    "honoured",
    "collections",
    "coarsenings",
    "correlations",
    "stored",
    "sights",
    "rights",
    "shares",
    "postings",
    "duties",
    "notes",
)


def _judged(policy: Policy, plan: Plan, catalog: Catalog) -> Iterator[tuple[str, str, Status, tuple[str, ...]]]:
    built = _file("built")
    for kind in ("purposes", "honoured", "collections", "correlations"):
        for thing in getattr(policy, kind):
            yield thing.clause.name, kind, Status.ENFORCED, ()
    for clause, kind, done in _done_with_data(policy, plan, catalog, built):
        yield clause, kind, _if(done), ()
    for stored in policy.stored:
        yield stored.clause.name, "stored", _if(stored.key in built["stored"]), ()
    for category in policy.categories:
        yield category.clause.name, "category", Status.ENFORCED, ()
    for share in policy.shares:
        yield share.clause.name, type(share).__name__, Status.UNBUILT, ()
    for duty in policy.duties:
        told = _duty(built, duty)
        yield duty.clause.name, "duties", Status(told.get("status", Status.UNBUILT)), tuple(told.get("by", ()))
    for note in policy.notes:
        yield note.clause.name, "notes", Status.TOLD, ()


def _done_with_data(
    policy: Policy, plan: Plan, catalog: Catalog, built: Mapping[str, Any]
) -> Iterator[tuple[str, str, bool]]:
    """Yield whether each clause on data is carried out: nothing is, where no table holds any of the data."""
    held = catalog.categories
    deleting = {own.clause for own in plan.own if own.privilege == "delete"}
    deleting |= {own.clause for own in plan.own if own.privilege == "remove" and plan.removable(own.table)}
    for coarsening in policy.coarsenings:
        yield coarsening.clause.name, "coarsenings", not held.isdisjoint(coarsening.categories)
    for sight in policy.sights:
        hidden = {each.category for each in plan.unseen if each.clause == sight.clause.name}
        known = sight.audience in built["audiences"]
        yield sight.clause.name, "sights", known and not held.isdisjoint(set(sight.categories) - hidden)
    for posting in policy.postings:
        open_to = {each.audience for each in plan.posted if each.clause == posting.clause.name}
        yield posting.clause.name, "postings", set(posting.audiences) <= open_to
    for right in policy.rights:
        known = set(right.verbs) <= set(built["verbs"])
        known = known and (Verb.DELETE not in right.verbs or right.clause.name in deleting)
        yield right.clause.name, "rights", known and not held.isdisjoint(right.categories)


def _if(built: bool) -> Status:  # noqa: FBT001 - a judgement
    return Status.ENFORCED if built else Status.UNBUILT


def _duty(built: Mapping[str, Any], duty: Duty) -> Mapping[str, Any]:
    if duty.name == "tell":
        found: Mapping[str, Any] = built.get(f"tell {duty.details[0]}", {})
        return found
    named = " ".join((duty.name, *duty.details))
    known: Mapping[str, Any] = built["duties"].get(named) or built["duties"].get(duty.name, {})
    return known


@cache
def _file(name: str) -> Mapping[str, Any]:
    file = resources.files("troth.policy").joinpath(f"{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

"""A policy as the privacy labels that application stores ask for: Apple's privacy details and Google's Data safety.

Where a label knows only yes or no, doubt falls on the side of saying more: what is linked for one use is linked.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from troth.policy.meaning import Basis, Policy, Precision, Verb
from troth.policy.standards import mapping
from troth.policy.standards.activities import Activity, Known, activities, audiences

DELETING = frozenset({Verb.DELETE, Verb.ERASE})
#: Apple's purposes for which handing data to somebody outside is tracking.
TRACKING = frozenset({"Third-Party Advertising", "Developer's Advertising or Marketing"})
#: Each store, and the table of its words for purposes.
STORES = {"apple": "apple_purposes", "google": "google_purposes"}


@dataclass(frozen=True, slots=True)
class Used:
    """One category, as it is known in one activity."""

    known: Known
    activity: Activity


def labels(policy: Policy) -> dict[str, Any]:
    """Return both labels as plain data."""
    return {
        "policy": {
            "name": policy.name,
            "version": policy.version,
            "effective": policy.effective.isoformat(),
            "operator": policy.operator,
            "contact": policy.contact,
            "digest": policy.digest,
        },
        "apple": {"data_types": [_apple(policy, *each) for each in _by_type(policy, "apple")]},
        "google": {
            "data_types": [_google(policy, *each) for each in _by_type(policy, "google")],
            "encrypted_in_transit": policy.duty("transmission") is not None,
            "deletion_possible": _deletion(policy, {c for a in activities(policy) for c in a.categories}),
        },
    }


def as_json(policy: Policy) -> str:
    """Return both labels as JSON."""
    return json.dumps(labels(policy), indent=2, ensure_ascii=True) + "\n"


def _by_type(policy: Policy, store: str) -> Iterator[tuple[str, list[Used]]]:
    words, types = mapping.load("labels"), dict[str, list[Used]]()
    for activity in activities(policy):
        for known in activity.known:
            kind = words.word(store, f"{known.category} as {known.precision}")
            types.setdefault(kind, []).append(Used(known, activity))
    for share in policy.shares:
        for category in share.categories:
            types.setdefault(words.word(store, f"{category} as {Precision.AS_IS}"), [])
    yield from sorted(types.items())


def _apple(policy: Policy, kind: str, used: list[Used]) -> dict[str, Any]:
    shared = _shares(policy, kind, "apple")
    return {
        **_named(kind, used, shared),
        "purposes": _purposes(policy, "apple", used, shared),
        "linked_to_user": bool(shared) or _linked(policy, used),
        "used_for_tracking": any(_word("apple", policy, purpose) in TRACKING for _, purpose, _ in shared),
    }


def _google(policy: Policy, kind: str, used: list[Used]) -> dict[str, Any]:
    shared = _shares(policy, kind, "google")
    categories = _categories(used, shared)
    return {
        **_named(kind, used, shared),
        "purposes": _purposes(policy, "google", used, shared),
        "collected": bool(used),
        "shared": bool(shared),
        "recipients": sorted({recipient for recipient, _, _ in shared}),
        "shown_to": sorted(audiences(policy, categories)),
        "optional": bool(used) and all(each.activity.purpose.basis is Basis.CONSENT for each in used),
        "deletion_possible": _deletion(policy, set(categories)),
    }


def _named(kind: str, used: list[Used], shared: list[tuple[str, str, str]]) -> dict[str, Any]:
    group, _, name = kind.partition("/")
    return {"category": group, "type": name, "of": _categories(used, shared)}


def _categories(used: Iterable[Used], shared: Iterable[tuple[str, str, str]]) -> list[str]:
    return sorted({each.known.category for each in used} | {category for _, _, category in shared})


def _shares(policy: Policy, kind: str, store: str) -> list[tuple[str, str, str]]:
    """Return (recipient, purpose, category) of what is handed on of a type."""
    words = mapping.load("labels")
    return [
        (share.recipient, share.purpose, category)
        for share in policy.shares
        for category in share.categories
        if words.word(store, f"{category} as {Precision.AS_IS}") == kind
    ]


def _purposes(policy: Policy, store: str, used: list[Used], shared: list[tuple[str, str, str]]) -> list[str]:
    names = {each.activity.purpose.name for each in used} | {purpose for _, purpose, _ in shared}
    return sorted({_word(store, policy, name) for name in names})


def _word(store: str, policy: Policy, purpose: str) -> str:
    return mapping.load("labels").purpose(STORES[store], policy.purpose(purpose))


def _linked(policy: Policy, used: Iterable[Used]) -> bool:
    """Whether some of it is collected of somebody known, or identifies somebody by itself."""
    identifying = {category.name for category in policy.categories if category.identifying}
    return any(
        not each.activity.anonymous or (each.known.precision is Precision.AS_IS and each.known.category in identifying)
        for each in used
    )


def _deletion(policy: Policy, categories: set[str]) -> str:
    """Say whether people may delete `all`, `some` or `none` of these."""
    granted = {c for right in policy.rights if DELETING & set(right.verbs) for c in right.categories}
    return "all" if categories and categories <= granted else "some" if categories & granted else "none"

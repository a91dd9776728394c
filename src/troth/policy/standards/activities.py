"""What every standard asks a policy for: its processing activities, who receives something, and neutral words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from troth.policy.meaning import (
    Audience,
    Clause,
    Occasion,
    Policy,
    Precision,
    Purpose,
    Window,
    WindowKind,
)

#: Occasions on which nobody is known.
ANONYMOUS = frozenset({Occasion.VISIT, Occasion.COOKIE})
#: The fixed sentences of the language, by the name of their duty.
SENTENCES = {
    "agreement": "require agreement before use",
    "one-agreement": "keep one agreement for applications, website and storage",
    "owner": "keep agreements when the owner changes",
    "remains": "keep the agreement over what remains",
    "names-everywhere": "keep names the same everywhere",
    "apart": "keep anonymous identifiers apart from sensitive data",
    "transmission": "encrypt transmission",
    "never-sell": "never sell anything",
    "share-nothing": "share with nobody",
    "silence": "stay silent when people ask",
    "ties": "tie people to organizations and accounts later",
    "agreed-permissions": "agree permissions with people",
    "own-permissions": "leave permissions to people",
    "opening": "open identifying data only with permission",
    "authorised": "verify permissions before use",
    "changes-allowed": "allow changes to this policy",
    "refuse-undeclared": "refuse what is not declared in metadata",
    "drop-undeclared": "drop what is not declared in metadata",
    "new-purpose": "ask before any new purpose",
    "tell": "tell people {}",
    "notify": "notify by {} when rights are reduced",
    "ask-again": "ask again when these change: {}",
}
#: What protects data, as words; the keys are those of `dpv.toml`.
MEASURES = {
    "access": "columns and rows open by purpose inside the database",
    "transmission": "transmission is encrypted",
    "authorised": "permissions are verified before use",
    "opening": "identifying data is opened only with the person's permission",
    "apart": "anonymous identifiers are kept apart from sensitive data",
    "hashed": "identifiers are known only as hashes where a use says so",
    "coarsened": "data becomes coarser after a time",
}


@dataclass(frozen=True, slots=True)
class Known:
    """A category, and how exactly it is known."""

    category: str
    precision: Precision

    def __str__(self) -> str:
        return self.category if self.precision is Precision.AS_IS else f"{self.category} as {self.precision}"


@dataclass(frozen=True, slots=True)
class Activity:
    """One purpose's use of what is collected on one occasion; `key` is unique in the policy."""

    key: str
    clause: Clause
    occasion: Occasion
    purpose: Purpose
    known: tuple[Known, ...]
    window: Window

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories alone."""
        return tuple(each.category for each in self.known)

    @property
    def anonymous(self) -> bool:
        """Whether nobody is known on this occasion."""
        return self.occasion in ANONYMOUS


@dataclass(frozen=True, slots=True)
class Handing:
    """What a recipient outside gets for a purpose, and the windows in which that purpose uses it."""

    clause: Clause
    purpose: Purpose
    recipient: str
    categories: tuple[str, ...]
    windows: tuple[Window, ...]


def activities(policy: Policy) -> tuple[Activity, ...]:
    """Return each use of each collection, in the policy's order."""
    return tuple(_activities(policy))


def handings(policy: Policy) -> tuple[Handing, ...]:
    """Return what is handed on, in the policy's order."""
    found, used = [], activities(policy)
    for share in policy.shares:
        windows = dict.fromkeys(
            activity.window
            for activity in used
            if activity.purpose.name == share.purpose and set(activity.categories) & set(share.categories)
        )
        purpose = policy.purpose(share.purpose)
        found.append(Handing(share.clause, purpose, share.recipient, share.categories, tuple(windows)))
    return tuple(found)


def recipients(policy: Policy, purpose: str, categories: Iterable[str]) -> tuple[str, ...]:
    """Name who outside gets some of these categories for a purpose."""
    wanted = set(categories)
    return tuple(
        dict.fromkeys(
            share.recipient for share in policy.shares if share.purpose == purpose and wanted & set(share.categories)
        )
    )


def audiences(policy: Policy, categories: Iterable[str]) -> tuple[Audience, ...]:
    """Name who else may be shown some of these categories, whether the service shows them or the person posts them."""
    wanted = set(categories)
    shown = [sight.audience for sight in policy.sights if wanted & set(sight.categories)]
    posted = [
        audience for posting in policy.postings if wanted & set(posting.categories) for audience in posting.audiences
    ]
    return tuple(each for each in dict.fromkeys((*shown, *posted)) if each is not Audience.PERSON)


def duties(policy: Policy) -> Iterator[tuple[str, Clause, str]]:
    """Yield each duty's name, clause and sentence."""
    for duty in policy.duties:
        yield duty.name, duty.clause, SENTENCES[duty.name].format(", ".join(duty.details))


def measures(policy: Policy) -> tuple[str, ...]:
    """Name (as keys of MEASURES) what protects data under this policy."""
    named = {duty.name for duty in policy.duties}
    hashed = any(each.precision is Precision.HASHED for activity in activities(policy) for each in activity.known)
    given = {"access"} | (named & MEASURES.keys())
    given |= {"hashed"} if hashed else set()
    given |= {"coarsened"} if policy.coarsenings else set()
    return tuple(key for key in MEASURES if key in given)


def window_words(window: Window) -> str:
    """Say a window to somebody whom it does not concern."""
    days = "1 day" if window.days == 1 else f"{window.days} days"
    match window.kind:
        case WindowKind.DAYS:
            return days
        case WindowKind.CONSENTED:
            return "while the person consents"
        case _:
            return "while the account exists" + (f", then {days}" if window.days else "")


def _activities(policy: Policy) -> Iterator[Activity]:
    for collection in policy.collections:
        for number, use in enumerate(collection.uses):
            key = f"{collection.clause.name}.{collection.occasion.replace(' ', '-')}.{use.purpose}"
            repeated = any(use.purpose == earlier.purpose for earlier in collection.uses[:number])
            yield Activity(
                key=f"{key}.{number}" if repeated else key,
                clause=collection.clause,
                occasion=collection.occasion,
                purpose=policy.purpose(use.purpose),
                known=tuple(_known(category, use.precision) for category in collection.categories),
                window=use.window,
            )


def _known(category: str, precision: Precision) -> Known:
    """Return how a use knows a category: a precision that does not fit it leaves it as it is."""
    return Known(category, precision if precision.fits(category) else Precision.AS_IS)

"""What a policy says, as data: the atoms that are planned, compared and explained."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Span:
    """Where a thing stands in the source: 1-based lines and columns, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class Basis(StrEnum):
    """Why a purpose may use data at all."""

    AGREEMENT = "agreement"
    CONSENT = "consent"
    LEGITIMATE_INTEREST = "legitimate interest"


class Occasion(StrEnum):
    """When something is collected. A *visit* is an access by somebody without an agreement."""

    SIGN_UP = "sign-up"
    SIGN_IN = "sign-in"
    AGREEMENT = "agreement"
    ACCESS = "access"
    VISIT = "visit"


class Precision(StrEnum):
    """How exactly a purpose may know a value."""

    AS_IS = "as is"
    NETWORK = "network"
    DAY = "day"


class WindowKind(StrEnum):
    """What a window is measured from."""

    DAYS = "days"  # since the row came to be
    ACCOUNT = "account"  # while the account exists, then `days` more
    CONSENTED = "consented"  # while the person consents


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """How long a use lasts: `days` after the row (DAYS), after the account's end (ACCOUNT), or 0 (CONSENTED)."""

    kind: WindowKind
    days: int


@dataclass(frozen=True, slots=True)
class Clause:
    """One sentence of the policy: a stable slug, the promises it cites, its place in the source."""

    name: str
    promises: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of personal data, dotted: `person.email`."""

    name: str
    identifying: bool
    sensitive: bool
    clause: Clause


@dataclass(frozen=True, slots=True)
class Purpose:
    """What data is used for; `sentence` is shown wherever the purpose is."""

    name: str
    sentence: str
    basis: Basis
    clause: Clause


@dataclass(frozen=True, slots=True)
class Use:
    """One purpose's use of what a collection collects."""

    purpose: str
    window: Window
    precision: Precision


@dataclass(frozen=True, slots=True)
class Collection:
    """What is collected on an occasion, and the uses it may be put to."""

    categories: tuple[str, ...]
    occasion: Occasion
    uses: tuple[Use, ...]
    clause: Clause


class Verb(StrEnum):
    """What a person may do with their own data."""

    REVIEW = "review"
    CORRECT = "correct"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Sight:
    """Who may be shown what; at this stage the audience is always the person the data is about."""

    categories: tuple[str, ...]
    clause: Clause


@dataclass(frozen=True, slots=True)
class Right:
    """What people may do with the named categories of their own data (patterns already expanded)."""

    verbs: tuple[Verb, ...]
    categories: tuple[str, ...]
    clause: Clause


@dataclass(frozen=True, slots=True)
class Duty:
    """Something the service itself must hold to: `require agreement`, `encrypt transmission`."""

    name: str
    clause: Clause


@dataclass(frozen=True, slots=True)
class Policy:
    """A checked policy. `digest` is the SHA-256 (hex) of the source's bytes."""

    name: str
    version: int
    effective: date
    operator: str
    contact: str
    categories: tuple[Category, ...]
    purposes: tuple[Purpose, ...]
    collections: tuple[Collection, ...]
    sights: tuple[Sight, ...]
    rights: tuple[Right, ...]
    duties: tuple[Duty, ...]
    digest: str

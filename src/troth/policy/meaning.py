"""What a policy says, as data: the atoms that are planned, compared and explained."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from troth.policy.source import Source


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
    LEGAL_DUTY = "legal duty"


class Whose(StrEnum):
    """Whose rows an occasion makes: a person's, an anonymous identifier's, or nobody's (a visitor's)."""

    PERSON = "person"
    IDENTIFIER = "identifier"
    NOBODY = "nobody"


class Occasion(StrEnum):
    """When something is collected.

    A *visit* is an access by somebody without an agreement; *cookie* is one by somebody without an account, who agreed
    that this browser is known by an anonymous identifier.
    """

    SIGN_UP = "sign-up"
    PROFILE = "profile"
    SIGN_IN = "sign-in"
    RENAMING = "change of name"
    AGREEMENT = "agreement"
    ACCESS = "access"
    VISIT = "visit"
    TRANSACTION = "transaction"
    CRASH = "crash"
    ACTIVITY = "system activity"
    LOCATION = "use of location"
    FEATURE = "use of features"
    COOKIE = "cookie"
    POST = "post"
    UPLOAD = "upload"
    PROVISIONING = "provisioning"
    NOTICE = "notice"

    @property
    def whose(self) -> Whose:
        """Whose rows it makes."""
        return {Occasion.VISIT: Whose.NOBODY, Occasion.COOKIE: Whose.IDENTIFIER}.get(self, Whose.PERSON)


class Precision(StrEnum):
    """How exactly a purpose may know a value. `counted`: no row of it, only how many."""

    AS_IS = "as is"
    NETWORK = "network"
    HOUR = "hour"
    DAY = "day"
    CITY = "city"
    REGION = "region"
    COUNTRY = "country"
    HASHED = "hashed"
    COUNTED = "counted"

    def fits(self, category: str) -> bool:
        """Whether values of a category can be known this way at all: `network` fits an address, not a name."""
        ending = category.rsplit(".", 1)[-1]
        return not FITTING.get(self) or ending in FITTING[self]

    def within(self, other: "Precision") -> bool:
        """Whether this tells no more than the other: `day` is within `hour`, everything within `as is`."""
        here: Precision | None = self
        while here is not None and here is not other:
            here = COARSER_THAN.get(here)
        return here is other or self is Precision.COUNTED


#: The next finer precision. What is counted tells less than any other.
COARSER_THAN = {
    Precision.NETWORK: Precision.AS_IS,
    Precision.HOUR: Precision.AS_IS,
    Precision.DAY: Precision.HOUR,
    Precision.CITY: Precision.AS_IS,
    Precision.REGION: Precision.CITY,
    Precision.COUNTRY: Precision.REGION,
    Precision.HASHED: Precision.AS_IS,
    Precision.COUNTED: Precision.AS_IS,
}
PLACES = ("place", "gps", "position")
#: The last part of the categories that a precision fits; one without an entry fits all.
FITTING = {
    Precision.NETWORK: ("ip",),
    Precision.HOUR: ("time",),
    Precision.DAY: ("time",),
    Precision.CITY: PLACES,
    Precision.REGION: PLACES,
    Precision.COUNTRY: PLACES,
    Precision.HASHED: ("identifier", "email", "phone", "ip", "number"),
}


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

    def within(self, other: "Window") -> bool:
        """Whether this lasts no longer than the other, whatever happens."""
        if self.kind is other.kind:
            return self.days <= other.days
        return self.kind is WindowKind.CONSENTED and other.kind is WindowKind.ACCOUNT

    @property
    def written(self) -> str:
        """Return the window in the language's own words."""
        match self.kind:
            case WindowKind.DAYS:
                return f"{self.days} days"
            case WindowKind.ACCOUNT:
                return "while the account exists" + (f" then {self.days} days" if self.days else "")
            case WindowKind.CONSENTED:
                return "while consented"


#: A text in the policy's own language and, behind their language codes, its translations.
type Texts = tuple[tuple[str, str], ...]


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
    translations: Texts = ()

    def said(self, language: str) -> str:
        """Return the sentence in a language, or as the operator wrote it first."""
        return dict(self.translations).get(language, self.sentence)


@dataclass(frozen=True, slots=True)
class Use:
    """One purpose's use of what a collection collects; where it stands makes no use another."""

    purpose: str
    window: Window
    precision: Precision
    span: Span = field(compare=False, repr=False)


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
    EXPORT = "export"
    ERASE = "erase"
    RESTRICT = "restrict"


class Condition(StrEnum):
    """What a right is held to."""

    ASSIGNED = "within assigned permissions"
    HELD = "unless a legal duty keeps it"


class Audience(StrEnum):
    """Who may be shown something."""

    PERSON = "the person"
    CHOSEN = "chosen people"
    MEMBERS = "members of the same organization"
    ADMINISTRATORS = "administrators of the person's organization"
    SIGNED_IN = "everyone signed in"
    PUBLIC = "the public"
    STAFF = "the operator's staff with the person's permission"

    def within(self, other: "Audience") -> bool:
        """Whether everybody in this audience is in the other too."""
        return other in (self, *ENCLOSING.get(self, ()))


ENCLOSING = {
    Audience.CHOSEN: (Audience.SIGNED_IN, Audience.PUBLIC),
    Audience.MEMBERS: (Audience.SIGNED_IN, Audience.PUBLIC),
    Audience.ADMINISTRATORS: (Audience.MEMBERS, Audience.SIGNED_IN, Audience.PUBLIC),
    Audience.SIGNED_IN: (Audience.PUBLIC,),
}


class Storage(StrEnum):
    """Where something is held on a person's own device."""

    SESSION_COOKIE = "session cookie"
    PERSISTENT_COOKIE = "persistent cookie"
    BROWSER_STORAGE = "browser storage"
    CACHE = "cache"


class Change(StrEnum):
    """What of a policy can change so much that people are asked again."""

    PURPOSES = "purposes"
    BASES = "bases"
    CATEGORIES = "categories"
    OCCASIONS = "occasions"
    WINDOWS = "windows"
    PRECISION = "precision"
    AUDIENCES = "audiences"
    RECIPIENTS = "recipients"
    STORAGE = "storage"
    SENSITIVE = "sensitive data"
    IDENTIFYING = "identifying data"
    RIGHTS = "rights"
    DUTIES = "duties"


@dataclass(frozen=True, slots=True)
class Sight:
    """Who may be shown what."""

    categories: tuple[str, ...]
    clause: Clause
    audience: Audience = Audience.PERSON


@dataclass(frozen=True, slots=True)
class Right:
    """What people may do with the named categories of their own data (patterns already expanded).

    `days` is the longest it may take; None is at once.
    """

    verbs: tuple[Verb, ...]
    categories: tuple[str, ...]
    clause: Clause
    days: int | None = None
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """What people may post, and to whom."""

    categories: tuple[str, ...]
    audiences: tuple[Audience, ...]
    clause: Clause


@dataclass(frozen=True, slots=True)
class Share:
    """What a recipient outside gets, and for which purpose."""

    categories: tuple[str, ...]
    recipient: str
    purpose: str
    clause: Clause


@dataclass(frozen=True, slots=True)
class Stored:
    """What is held on the person's device under `key`; a `*` at its end stands for any ending.

    `days` None: as long as the session.
    """

    key: str
    storage: Storage
    purpose: str
    days: int | None
    clause: Clause

    def covers(self, key: str) -> bool:
        """Whether a key is this one."""
        return key.startswith(self.key[:-1]) if self.key.endswith("*") else key == self.key


@dataclass(frozen=True, slots=True)
class Coarsening:
    """What becomes coarser in place, `days` after it was collected."""

    categories: tuple[str, ...]
    precision: Precision
    days: int
    clause: Clause


@dataclass(frozen=True, slots=True)
class Correlation:
    """What may be joined with what by one purpose, or never."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    allowed: bool
    clause: Clause


@dataclass(frozen=True, slots=True)
class Honoured:
    """The purposes to which a browser objects that sends the signal of Global Privacy Control, `Sec-GPC: 1`."""

    purposes: tuple[str, ...]
    clause: Clause


#: Duties that bind people rather than the service: one more of them is wider, not narrower.
PERMITTING = frozenset({"ties", "agreed-permissions", "changes-allowed", "remains", "drop-undeclared"})


@dataclass(frozen=True, slots=True)
class Duty:
    """Something the service itself must hold to, or (PERMITTING) may do; `details` are its closed words."""

    name: str
    clause: Clause
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Called:
    """How a category is said to the person it is about."""

    category: str
    texts: Texts
    clause: Clause


@dataclass(frozen=True, slots=True)
class Note:
    """Free commentary; it binds nobody and is marked so."""

    texts: Texts
    clause: Clause


@dataclass(frozen=True, slots=True)
class Policy:
    """A checked policy. `digest` is the SHA-256 (hex) of the source's bytes; `source` shows the places of errors.

    One that is `settled` was published before: what later compilers ask of new policies is not asked of it.
    """

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
    source: Source = field(compare=False, repr=False)
    postings: tuple[Posting, ...] = ()
    shares: tuple[Share, ...] = ()
    stored: tuple[Stored, ...] = ()
    coarsenings: tuple[Coarsening, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    called: tuple[Called, ...] = ()
    notes: tuple[Note, ...] = ()
    honoured: tuple[Honoured, ...] = ()
    settled: bool = field(default=False, compare=False)

    def purpose(self, name: str) -> Purpose:
        """Return the named purpose. Raises KeyError when there is none."""
        for purpose in self.purposes:
            if purpose.name == name:
                return purpose
        raise KeyError(name)

    @property
    def signalled(self) -> tuple[str, ...]:
        """Return the purposes to which a browser's signal objects."""
        return tuple(name for each in self.honoured for name in each.purposes)

    @property
    def asked_again(self) -> int:
        """Days after which somebody who said no to a purpose may be asked again; 0 where they are asked once."""
        duty = self.duty("new-purpose")
        return int(duty.details[0]) if duty and duty.details else 0

    def duty(self, name: str) -> Duty | None:
        """Return the named duty, where the policy states it."""
        return next((duty for duty in self.duties if duty.name == name), None)

"""The kinds of events that applications send: what each says, its table, the occasion on which it is collected.

The structures are the schema: a field that stands in none of them is refused, and `schema` tells them as JSON Schema.
None holds what could hold it, so none is looked through for cycles (`gc=False`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta, Struct, structs

from troth.policy.meaning import Occasion, Whose

#: What a name is made of; the end is looked at twice, since a line's end may stand behind `$`.
NAME = r"^[A-Za-z0-9][A-Za-z0-9 _./-]*$(?!\n)"
#: An amount: digits, and no more behind the point than any currency has.
AMOUNT = r"^-?[0-9]{1,15}(\.[0-9]{1,4})?$(?!\n)"
#: A method of HTTP (RFC 9110): registered ones are written in capitals.
METHOD = r"^[A-Z][A-Z-]*$(?!\n)"
#: What an application may know somebody by.
PERSON = re.compile(r"[0-9A-Za-z_-]{0,64}")
#: What the schema says of fields that each event has.
KEY = "Of the sender's own choice: what comes again under it is the same event."
SUB = "Whom it is about, as the application knows them: the `sub` of their ID token."
AT = "When it happened (RFC 3339), by UTC where no offset is said; now if left out."
METADATA = "What the manifest's own schema for the kind describes, at most 8 kB."
Word = Annotated[str, Meta(min_length=1, max_length=100)]
Short = Annotated[str, Meta(max_length=200)]
Long = Annotated[str, Meta(max_length=2000)]


class Frame(Struct, forbid_unknown_fields=True, gc=False):
    """Where a program was: a function, a file, a line. Variables and lines of source have no field."""

    function: Short | None = None
    file: Annotated[str, Meta(max_length=500)] | None = None
    line: Annotated[int, Meta(ge=0, le=10_000_000)] | None = None


class Crash(Struct, forbid_unknown_fields=True, gc=False):
    """What went wrong; the frame that failed stands last."""

    kind: Annotated[str, Meta(min_length=1, max_length=200)]
    message: Long | None = None
    stack: Annotated[list[Frame], Meta(max_length=200)] = msgspec.field(default_factory=list)
    release: Short | None = None
    environment: Word | None = None


class FeatureUse(Struct, forbid_unknown_fields=True, gc=False):
    """Which feature somebody used, by the application's own name for it, and how it ended."""

    feature: Annotated[str, Meta(min_length=1, max_length=100, pattern=NAME)]
    outcome: Annotated[str, Meta(min_length=1, max_length=100, pattern=NAME)] | None = None


class Activity(Struct, forbid_unknown_fields=True, gc=False):
    """What a program did or met, by its own name for it, how grave that is, and in which words."""

    event: Annotated[str, Meta(min_length=1, max_length=200)]
    severity: Literal["trace", "debug", "info", "warn", "error", "fatal"] | None = None
    message: Long | None = None
    release: Short | None = None
    environment: Word | None = None


class PageView(Struct, forbid_unknown_fields=True, gc=False):
    """Which page was shown: its path, where its visitor came from, and what it was shown in.

    A server knows how it was asked for and answered: `method` and `status` are HTTP's.
    """

    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    referrer: Long | None = None
    browser: Short | None = None
    system: Short | None = None
    kind: Literal["computer", "phone", "tablet", "robot"] | None = None
    model: Word | None = None
    method: Annotated[str, Meta(max_length=20, pattern=METHOD)] | None = None
    status: Annotated[int, Meta(ge=100, le=599)] | None = None


class Transaction(Struct, forbid_unknown_fields=True, gc=False):
    """What somebody bought, sent or changed, and what it came to.

    `amount` is written as a decimal number, so that none is rounded on the way, and `currency` as ISO 4217 does, in
    three letters; there is neither without the other.
    """

    item: Annotated[str, Meta(min_length=1, max_length=200)]
    amount: Annotated[str, Meta(max_length=21, pattern=AMOUNT)] | None = None
    currency: Annotated[str, Meta(max_length=3, pattern=r"^[A-Z]{3}$(?!\n)")] | None = None

    def __post_init__(self) -> None:
        """Refuse one without the other. Raises ValueError, which the decoder tells as a field that is wrong."""
        if (self.amount is None) is not (self.currency is None):
            raise ValueError


class Location(Struct, forbid_unknown_fields=True, gc=False):
    """Where somebody is: degrees (WGS 84), metres of accuracy and altitude, and by what that was found out."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    accuracy: Annotated[float, Meta(ge=0, le=100_000_000)] | None = None
    altitude: Annotated[float, Meta(ge=-1_000_000, le=1_000_000)] | None = None
    source: Literal["gps", "network", "browser", "manual"] | None = None


class Sending(Struct, forbid_unknown_fields=True, gc=False):
    """An event as it is sent: a key of the sender's own choice, the kind, the moment, the person, and what is said."""

    key: Annotated[str, Meta(min_length=8, max_length=200, description=KEY)]
    kind: Annotated[str, Meta(max_length=40, description="What happened; the manifest declares which may be sent.")]
    data: Annotated[msgspec.Raw, Meta(description="What the kind says.")]
    person: Annotated[str, Meta(max_length=64, pattern=rf"^{PERSON.pattern}$(?!\n)", description=SUB)] = ""
    at: Annotated[datetime, Meta(description=AT, extra_json_schema={"format": "date-time"})] | None = None
    objects: Annotated[bool, Meta(description="Whether the person's browser sent the signal `Sec-GPC: 1`.")] = False
    metadata: Annotated[msgspec.Raw, Meta(description=METADATA)] = msgspec.field(default_factory=msgspec.Raw)


#: What an event says, by its kind.
Says = Crash | FeatureUse | Activity | PageView | Transaction | Location


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event; `columns` are those of its table that what is said fills, with their types."""

    table: str
    occasion: Occasion
    says: type[Struct]
    columns: Mapping[str, str]

    def occasion_of(self, whose: Whose) -> Occasion:
        """Return on which occasion it is collected of a person, or of a browser that is known without an account."""
        return Occasion.COOKIE if whose is Whose.IDENTIFIER else self.occasion


#: The column of what an application's own schema describes.
MORE = {"metadata": "jsonb"}
#: By the name that senders use, which is that of the table.
KINDS: Mapping[str, Kind] = {
    kind.table: kind
    for kind in (
        Kind(
            "crash",
            Occasion.CRASH,
            Crash,
            dict.fromkeys(("fingerprint", "kind", "message", "stack", "release", "environment"), "text") | MORE,
        ),
        Kind(
            "activity",
            Occasion.ACTIVITY,
            Activity,
            dict.fromkeys(("event", "severity", "message", "release", "environment"), "text") | MORE,
        ),
        Kind("feature_use", Occasion.FEATURE, FeatureUse, dict.fromkeys(("feature", "outcome"), "text") | MORE),
        Kind(
            "page_view",
            Occasion.ACCESS,
            PageView,
            dict.fromkeys(("url", "referrer", "browser", "system", "kind", "model", "method"), "text")
            | {"status": "smallint"}
            | MORE,
        ),
        Kind(
            "transaction",
            Occasion.TRANSACTION,
            Transaction,
            {"item": "text", "amount": "numeric", "currency": "text"} | MORE,
        ),
        Kind(
            "location",
            Occasion.LOCATION,
            Location,
            dict.fromkeys(("latitude", "longitude"), "numeric")
            | dict.fromkeys(("accuracy", "altitude"), "double precision")
            | {"source": "text"}
            | MORE,
        ),
    )
}


def _default(part: structs.FieldInfo) -> Any:  # noqa: ANN401 - whatever stands there
    made = part.default_factory
    return part.default if made is msgspec.NODEFAULT else msgspec.field(default_factory=made)


def _whole(kind: Kind) -> type[Struct]:
    """Return an event of one kind as it is sent, with what it says in its place."""
    hints = get_type_hints(Sending, include_extras=True) | {"data": kind.says}
    parts = [part for part in structs.fields(Sending) if part.name != "kind"]
    required = [(part.name, hints[part.name]) for part in parts if part.required]
    rest = [(part.name, hints[part.name], _default(part)) for part in parts if not part.required]
    return msgspec.defstruct(
        f"Whole_{kind.table}",
        [*required, *rest],
        tag_field="kind",
        tag=kind.table,
        forbid_unknown_fields=True,
        gc=False,
    )


#: The kinds, by the form in which an event of theirs is read at once.
WHOLE: Mapping[type[Struct], Kind] = {_whole(kind): kind for kind in KINDS.values()}

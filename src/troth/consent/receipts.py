"""Receipts: what a person agreed to or chose, sealed, with the ledger's proof; and whether a receipt holds."""

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from psycopg.rows import dict_row

from troth.consent import queries
from troth.consent.errors import NoSuchRecord, NotAReceipt
from troth.consent.queries import Agreement, Choice
from troth.database import connect, place, published
from troth.database.published import Published
from troth.database.statements import load
from troth.ledger import published as ledger
from troth.ledger import sealing
from troth.ledger.entry import Entry, mark
from troth.ledger.errors import CheckpointRefusal, LedgerRefusal
from troth.ledger.proofs import Proof
from troth.ledger.signednote import Key
from troth.policy.standards import receipt as standard
from troth.policy.standards.receipt import Given
from troth.policy.voice import LANGUAGES

SQL = load("troth.consent")
FORMAT: Literal["troth-receipt-1"] = "troth-receipt-1"
#: What the ledger calls each kind of record: a consent is also given with an agreed permission.
#: What ends with one has no entry that names its purpose, and none is taken for it.
ACTIONS = {
    "agreement": ("agreed",),
    "consent": ("consent", "permission-agreed"),
    "refusal": ("refusal",),
    "withdrawal": ("withdrawal",),
    "objection": ("objection",),
    "permission": ("permission",),
}
ADVICE = "take the receipt as it was handed out, and the keys from somewhere you trust"


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a receipt says in short: `kind` of `ACTIONS`; digests are SHA-256 in hex; `at` is RFC 3339 in UTC."""

    format: Literal["troth-receipt-1"]
    kind: str
    key: str
    subject: str
    at: str
    operator: str
    version: int
    policy: str
    terms: str
    purpose: str
    how: str
    wording: str
    language: str


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ledger's entry (its very bytes), the salt that shows whom it is about, and the proof, once a head has it."""

    entry: str
    salt: str
    proof: str | None


class Noted(msgspec.Struct, frozen=True):
    """The part of a ledger's entry that says what was done to whom."""

    action: str
    subject: str | None
    facts: dict[str, str | int | bool | None]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it is handed out: its facts, its file, and whether the ledger's proof is in it yet."""

    facts: Facts
    content: bytes
    proven: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a receipt that holds says: its facts, and the size of the ledger's tree that its entry stands in (or 0)."""

    facts: Facts
    entries: int


def key() -> str:
    """Return the Multikey with which receipts of this place are believed."""
    return sealing.written(place.secrets_of(place.current()).receipts)


def agreement(*, token: str, which: uuid.UUID, address: str) -> Receipt:
    """Return the receipt of an agreement of the viewer's. Raises NoSuchRecord."""
    found = [each for each in queries.agreements(token) if each.agreement == which]
    for receipt in _agreements(token, found, address):
        return receipt
    raise NoSuchRecord("there is no such agreement of yours", advice="open one of your agreements")


def choice(*, token: str, which: uuid.UUID, address: str) -> Receipt:
    """Return the receipt of a choice of the viewer's. Raises NoSuchRecord."""
    every = queries.choices(token)
    for receipt in _choices(token, [each for each in every if each.choice == which], every, address):
        return receipt
    raise NoSuchRecord("there is no such choice of yours", advice="open one of your choices")


def history(*, token: str, address: str) -> bytes:
    """Return every receipt of the viewer's as one JSON array, in the order in which they were given."""
    every = queries.choices(token)
    found = [*_agreements(token, queries.agreements(token), address), *_choices(token, every, every, address)]
    found.sort(key=lambda each: datetime.fromisoformat(each.facts.at))
    return b"[\n" + b",\n".join(each.content.rstrip() for each in found) + b"\n]\n"


def separate(content: bytes) -> list[bytes]:
    """Return each receipt of a file that holds one or a history. Raises NotAReceipt for anything else."""
    try:
        told = json.loads(content, object_pairs_hook=_told_once)
    except (ValueError, RecursionError) as error:
        raise NotAReceipt("this file is no receipt", advice=ADVICE) from error
    if told == []:
        raise NotAReceipt("this file holds no receipt", advice=ADVICE)
    return [json.dumps(each).encode() for each in told] if isinstance(told, list) else [content]


def verified(content: bytes, receipts: str, ledgers: Sequence[Key] = ()) -> Verdict:
    """Return what a receipt says. Raises NotAReceipt unless the key sealed it and the ledger's entry says the same.

    Its proof is followed to a head that one of `ledgers` signed, where any is given; a receipt without proof is then
    refused.
    """
    try:
        inside = sealing.opened(json.loads(content, object_pairs_hook=_told_once), receipts)
        facts = msgspec.convert(inside.get("receipt"), Facts)
        recorded = msgspec.convert(inside.get("ledger"), Recorded | None)
        if recorded is not None:
            _agrees(facts, recorded)
        return Verdict(facts, _entries(recorded, ledgers) if ledgers else 0)
    except LedgerRefusal as refusal:
        raise NotAReceipt(refusal.sentence, advice=refusal.advice) from refusal
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise NotAReceipt("this file is no receipt", advice=ADVICE) from error


def _told_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a member that is told twice: readers differ in which they take (RFC 8785, section 3.1, by RFC 7493)."""
    told = dict(pairs)
    if len(told) < len(pairs):
        raise ValueError("a member is told twice")
    return told


# Made


def _agreements(token: str, found: Iterable[Agreement], address: str) -> Iterator[Receipt]:
    for each in found:
        if edition := _edition(each):
            yield _made(token, _agreed(token, each, edition), edition, address, None)


def _choices(token: str, found: Iterable[Choice], every: Iterable[Choice], address: str) -> Iterator[Receipt]:
    """Make the receipts of some of a viewer's choices, `every` one of which bounds when another was the last word."""
    for each in found:
        edition = _edition(each)
        if edition and each.purpose and each.kind:
            later = [other.at for other in every if other.purpose == each.purpose and other.at > each.at]
            yield _made(token, _chosen(token, each, edition), edition, address, min(later, default=None))


def _edition(found: Agreement | Choice) -> Published | None:
    """Return the version that something was given under."""
    return next((each.published for each in published.history() if each.published.version == found.version), None)


def _agreed(token: str, found: Agreement, edition: Published) -> Facts:
    return Facts(
        FORMAT,
        "agreement",
        str(found.agreement),
        str(_viewer(token)),
        _told(found.at),
        edition.policy.operator,
        found.version,
        found.policy_digest or edition.digest,
        found.terms_digest or edition.terms_digest,
        "",
        found.how or "",
        found.wording or "",
        found.language or "",
    )


def _chosen(token: str, found: Choice, edition: Published) -> Facts:
    return Facts(
        FORMAT,
        found.kind,
        str(found.choice),
        str(_viewer(token)),
        _told(found.at),
        edition.policy.operator,
        found.version,
        edition.digest,
        edition.terms_digest,
        found.purpose,
        "choice",
        "",
        "",
    )


def _made(token: str, facts: Facts, edition: Published, address: str, before: datetime | None) -> Receipt:
    recorded = _recorded(token, facts, before)
    made = _told(datetime.now(UTC))
    given = Given(
        facts.kind,
        facts.key,
        facts.subject,
        facts.at,
        facts.purpose,
        facts.how,
        facts.wording,
        facts.language,
        address=address,
        page=address + (f"/me#purpose-{facts.purpose}" if facts.purpose else "/me/close"),
        languages=(facts.language,) if facts.language else LANGUAGES,
        made=made,
    )
    document: dict[str, Any] = json.loads(standard.graph(edition.policy, given).json_ld())
    document |= {"receipt": msgspec.to_builtins(facts), "ledger": msgspec.to_builtins(recorded)}
    sealed = sealing.sealed(document, place.secrets_of(place.current()).receipts, at=made)
    content = json.dumps(sealed, indent=2, ensure_ascii=False).encode() + b"\n"
    return Receipt(facts, content, recorded is None or recorded.proof is not None)


def _viewer(token: str) -> uuid.UUID:
    with connect.looking(token) as connection:
        row = connection.execute(SQL["viewer"].encode()).fetchone()
    if row is None or row[0] is None:
        raise NoSuchRecord("nobody is signed in", advice="sign in again")
    return uuid.UUID(str(row[0]))


def _recorded(token: str, facts: Facts, before: datetime | None) -> Recorded | None:
    """Return what the ledger has of it: the first entry of its kind about the viewer, in the record's own transaction.

    None where a consent ended with the agreed permission that it came of.
    """
    told = {"actions": list(ACTIONS[facts.kind]), "purpose": facts.purpose, "before": before}
    told["at"] = datetime.fromisoformat(facts.at)
    with connect.looking(token) as connection, connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(SQL["recorded"].encode(), told).fetchone()
    if row is None:
        return None
    salt = row.pop("salt")
    entry = Entry(**row)
    try:
        with connect.acting("door") as connection:
            proof = ledger.proven(connection, entry.index)[1].text
    except CheckpointRefusal:
        proof = None
    return Recorded(entry.canonical().decode(), salt.hex(), proof)


def _told(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


# Verified


def _agrees(facts: Facts, recorded: Recorded) -> None:
    """See that the ledger's entry is about this person and says what the receipt says. Raises NotAReceipt."""
    entry = msgspec.json.decode(recorded.entry, type=Noted)
    wanted = {"version": facts.version, "policy": facts.policy, "terms": facts.terms, "purpose": facts.purpose}
    if entry.subject != mark(bytes.fromhex(recorded.salt), uuid.UUID(facts.subject)).hex():
        raise NotAReceipt("the ledger's entry is about somebody else", advice=ADVICE)
    same = all(entry.facts[name] == value for name, value in wanted.items() if name in entry.facts)
    if entry.action not in ACTIONS.get(facts.kind, ()) or not same:
        raise NotAReceipt("the ledger's entry says something else", advice=ADVICE)


def _entries(recorded: Recorded | None, ledgers: Sequence[Key]) -> int:
    if recorded is None:
        raise NotAReceipt("the ledger has no entry of what ended with a permission", advice="check its seal alone")
    if recorded.proof is None:
        raise NotAReceipt(
            "the receipt was made before the ledger's next head was signed", advice="take it anew from your page"
        )
    return Proof.read(recorded.proof).shows(recorded.entry.encode(), ledgers).size

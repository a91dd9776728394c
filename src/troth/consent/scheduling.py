"""Versions that wait for their day: signed by the operator's key, in force by the keeper's own turn, or withdrawn.

Which one may wait is remembered outside the database: a signature holds for ever, also that of one that was withdrawn.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from hashlib import sha256
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import Connection, Error
from psycopg.rows import class_row

from troth.database import apply, connect, signatures
from troth.database.errors import DatabaseRefusal, RequestRefusal
from troth.database.statements import load
from troth.ledger.actions import record
from troth.ledger.entry import Facts
from troth.policy.compare import Verdict
from troth.policy.errors import PolicyErrors
from troth.policy.meaning import Policy

SQL = load("troth.consent")
#: What a refusal may say on a page.
LONGEST = 2000
CLOSED = "TR046"
AGAIN = "publish it again"

type Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A version that waits for `effective_on`; `verdict` and `raised` are numbers of `Verdict`."""

    scheduled: UUID
    version: int
    source: str
    terms: str
    digest: str
    terms_digest: str
    effective_on: date
    verdict: int
    raised: int
    signature: bytes
    at: datetime

    def covered(self) -> bytes:
        """Return what the signature of the wait covers: the version by its very texts, and what it asks."""
        return _covered(self.version, self.source, self.terms, str(self.effective_on), self.raised)

    @property
    def mark(self) -> str:
        """What it is remembered by while it waits: what the signature covers, and what people are told it asks."""
        return _mark(self.covered(), self.verdict)

    def ensure_signed(self) -> None:
        """Raise AlteredVersion unless this operator's key signed it."""
        if not signatures.holds(self.covered(), bytes(self.signature)):
            raise signatures.AlteredVersion("what waits is not what was signed", advice=AGAIN)

    def ensure_left(self) -> None:
        """Raise AlteredVersion unless it is what was left to wait here, and not one that was withdrawn."""
        if signatures.expected() not in (None, self.mark):
            raise signatures.AlteredVersion("what waits is not what was left to wait here", advice=AGAIN)


def _covered(version: int, source: str, terms: str, effective: str, raised: int) -> bytes:
    told: dict[str, str | int] = {"version": version, "effective": effective}
    told |= {"digest": digest(source), "terms": digest(terms)}
    return signatures.covered(signatures.EARLIER, told) + b"\0%d" % raised


def _mark(covered: bytes, verdict: int) -> str:
    return sha256(covered + b"\0%d" % verdict).hexdigest()


def digest(text: str) -> str:
    """Return the SHA-256 (hex) that names a text."""
    return sha256(text.encode()).hexdigest()


def waiting(connection: Connection[Any]) -> Scheduled | None:
    """Return what waits for its day, if anything does."""
    with connection.cursor(row_factory=class_row(Scheduled)) as cursor:
        return cursor.execute(SQL["scheduled"].encode()).fetchone()


def coming(role: str = "door") -> Scheduled | None:
    """Return what waits for its day, as a page asks."""
    with connect.acting(role) as connection:
        return waiting(connection)


def later(policy: Policy) -> bool:
    """Whether a version's day is still to come."""
    return apply.not_yet(policy.effective)


def ensure_free(connection: Connection[Any], policy: Policy, terms: str) -> None:
    """Refuse a second version beside one that waits, an older one, and a number that was announced with other words."""
    before, there = apply.newest(connection), waiting(connection)
    if there is not None and (there.digest, there.terms_digest) != (policy.digest, digest(terms)):
        sentence = f"version {there.version} waits for {there.effective_on}"
        raise RequestRefusal(sentence, advice="withdraw it first, or publish after it")
    if before is not None and policy.version < before.version:
        sentence = f"version {policy.version} is older than version {before.version}, which is in force"
        raise RequestRefusal(sentence, advice="give the policy a higher version number")
    told = {"version": policy.version, "policy": policy.digest, "terms": digest(terms)}
    if connection.execute(SQL["announced_otherwise"].encode(), told).fetchone():
        sentence = f"version {policy.version} was announced with other words before, and did not take effect"
        raise RequestRefusal(sentence, advice="give the policy a higher version number")


def schedule(
    connection: Connection[Any],
    policy: Policy,
    texts: tuple[str, str],
    raised: Verdict,
    facts: Facts,
    and_then: Callable[[Connection[Any]], None],
) -> date:
    """Let a version, of these texts of policy and terms, wait for its day. Raises RequestRefusal.

    `and_then` runs last in its transaction.
    """
    source, terms = texts
    if waiting(connection) is not None:
        raise RequestRefusal(f"version {policy.version} waits already", advice="it takes effect on its day")
    before = apply.newest(connection)
    if before is not None and policy.version == before.version:
        raise RequestRefusal(f"version {policy.version} is in force", advice="give the policy a higher version number")
    verdict = max(apply.compared(connection, source).verdict, raised)
    told: Told = {"version": policy.version, "source": source, "terms_text": terms, "policy": policy.digest}
    told |= {"terms": digest(terms), "effective": policy.effective, "verdict": verdict, "raised": raised}
    covered = _covered(policy.version, source, terms, str(policy.effective), raised)
    told["signature"] = signatures.seal(covered)
    signatures.expect(_mark(covered, verdict))  # before the commit: one that is remembered and not there does no harm
    with connection.transaction():
        connection.execute(SQL["schedule"].encode(), told)
        record(connection, action="policy-scheduled", actor=None, subject=None, facts=facts)
        and_then(connection)
    return policy.effective


def countersign(connection: Connection[Any], key: Ed25519PrivateKey) -> None:
    """Let a successor's key sign what waits, which takes effect on its day as before. Raises AlteredVersion."""
    there = waiting(connection)
    if there is None:
        return
    there.ensure_signed()
    there.ensure_left()
    told = {"scheduled": there.scheduled, "signature": key.sign(there.covered())}
    connection.execute(SQL["countersign_scheduled"].encode(), told)


def take_effect(connection: Connection[Any]) -> None:
    """Put what waited into force on its day, in the one transaction that also ends its waiting; every turn asks."""
    there = waiting(connection)
    try:
        _adopt(there)
    except signatures.AlteredVersion:  # a probe tells; nothing takes effect by a memory that cannot be read
        return
    if there is None:
        return
    try:
        there.ensure_left()
        if apply.not_yet(there.effective_on):
            return
        there.ensure_signed()
        significant = there.raised >= Verdict.AGREE_AGAIN or apply.compared(connection, there.source).agree_again
        then = partial(_in_force, there, significant)
        apply.apply(connection, there.source, there.terms, raised=Verdict(there.raised), and_then=then)
    except apply.Locked:  # people wait for it: the next turn tries again
        return
    except (DatabaseRefusal, PolicyErrors) as refusal:
        close(connection, there, "refused", str(refusal)[:LONGEST])
    except Error as error:
        if error.sqlstate != CLOSED:  # withdrawn at the last moment: nothing is in force of it
            raise


def _adopt(there: Scheduled | None) -> None:
    """Remember that nothing waits; or, where nothing was ever remembered of it, what waits and is signed."""
    if there is None:
        signatures.expect("")
    elif signatures.expected() is None and signatures.holds(there.covered(), bytes(there.signature)):
        signatures.expect(there.mark)


def _in_force(there: Scheduled, significant: bool, connection: Connection[Any]) -> None:  # noqa: FBT001 - a partial's
    facts: Facts = {"version": there.version, "policy": there.digest, "significant": significant, "waited": True}
    _end(connection, there, "published", "")
    record(connection, action="policy-published", actor=None, subject=None, facts=facts)


def close(connection: Connection[Any], there: Scheduled, outcome: str, sentence: str) -> None:
    """End a version's waiting without it. Raises psycopg.Error with TR046 when it does not wait any more."""
    with connection.transaction():
        _end(connection, there, outcome, sentence)
        facts: Facts = {"version": there.version, "policy": there.digest}
        action = "version-withdrawn" if outcome == "withdrawn" else "version-refused"
        record(connection, action=action, actor=None, subject=None, facts=facts)


def _end(connection: Connection[Any], there: Scheduled, outcome: str, sentence: str) -> None:
    """End the wait and every open proposal of these words, as the steward, for the rest of the transaction."""
    connection.execute(SQL["as_steward"].encode())
    told: Mapping[str, Any] = {"scheduled": there.scheduled, "outcome": outcome, "sentence": sentence}
    connection.execute(SQL["close_scheduled"].encode(), told)
    words = {"policy": there.digest, "terms": there.terms_digest, "outcome": outcome, "sentence": sentence}
    connection.execute(SQL["close_proposal"].encode(), words)


def withdraw(connection: Connection[Any], told: Told) -> Told:
    """Withdraw what waits, because the operator's key asks for it. Raises RequestRefusal."""
    there = waiting(connection)
    if there is None or there.version != told["version"]:
        raise RequestRefusal(f"version {told['version']} does not wait", advice="see /operator/publishing")
    close(connection, there, "withdrawn", "")
    return {"version": there.version}

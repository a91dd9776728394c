"""Publishing with two persons: one proposes a version, another approves it, and only then does the keeper apply it.

The rule holds for a significant version, one that people must agree to again, and is judged by the keeper when it acts,
whatever a page said before. One person alone cannot meet it, so it begins as soon as two may publish.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from psycopg import Connection, Error
from psycopg.rows import class_row

from troth.consent.errors import ConsentRefusal, NothingToPublish, ProposalClosed, SamePerson, Unsecured
from troth.database import apply, connect, requests
from troth.database.errors import RequestRefusal
from troth.database.keeper import Keeper, Waiting
from troth.database.statements import load
from troth.ledger.actions import record
from troth.ledger.entry import Facts
from troth.policy.errors import PolicyErrors

SQL = load("troth.consent")
KIND = "policy.publish"
REFUSALS: Mapping[str, type[ConsentRefusal]] = {
    "TR040": NothingToPublish,
    "TR045": SamePerson,
    "TR046": ProposalClosed,
    "TR065": Unsecured,
}
#: What a refusal may say on a page.
LONGEST = 2000

type Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A version that was proposed, word for word.

    `outcome`: published, refused (`sentence` says why), withdrawn, or None while it is open.
    """

    proposal: uuid.UUID
    source: str
    terms: str
    digest: str
    terms_digest: str
    at: datetime
    closed_at: datetime | None
    outcome: str | None
    sentence: str
    mine: bool
    name: str | None
    approved_by: Sequence[str]
    approved_by_me: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How many may publish, whether whoever proposed these words still may, and how many others approved them."""

    proposal: uuid.UUID | None
    publishers: int
    proposer: bool
    approvals: int

    @property
    def two(self) -> bool:
        """Whether two persons can be asked for."""
        return self.publishers > 1


# What publishers do


def propose(*, viewer: str, source: str, terms: str) -> uuid.UUID:
    """Propose a version, and ask the keeper to apply it when it may. Raises a ConsentRefusal."""
    row = _act(viewer, "propose_policy", {"source": source, "terms": terms})
    told = {"policy": _digest(source), "terms": _digest(terms), "source": source, "terms_text": terms}
    requests.leave(KIND, told)
    return uuid.UUID(str(row[0][0]))


def approve(*, viewer: str, proposal: uuid.UUID) -> None:
    """Approve what another proposed. Raises SamePerson, ProposalClosed."""
    _act(viewer, "approve_policy", {"proposal": proposal})


def withdraw(*, viewer: str, proposal: uuid.UUID) -> None:
    """Take a proposal back. Raises ProposalClosed."""
    _act(viewer, "withdraw_proposal", {"proposal": proposal})


def proposals(viewer: str) -> list[Proposal]:
    """Return what was proposed, the newest first."""
    return [Proposal(*row) for row in _act(viewer, "proposals", {})]


def standing(source: str, terms: str) -> Standing:
    """Return how a proposal of these words stands."""
    with connect.acting("steward") as connection:
        cursor = connection.cursor(row_factory=class_row(Standing))
        told = {"policy": _digest(source), "terms": _digest(terms)}
        found = cursor.execute(SQL["proposal_standing"].encode(), told).fetchone()
    return found or Standing(None, 0, proposer=False, approvals=0)


def _act(viewer: str, statement: str, told: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    try:
        with connect.acting("staff", token=viewer) as connection:
            return connection.execute(SQL[statement].encode(), told).fetchall()
    except Error as error:
        refusal = REFUSALS.get(error.sqlstate or "")
        if refusal is None:
            raise
        raise refusal(error.diag.message_primary or "") from error


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


# What the keeper does


def taught(keeper: Keeper) -> Keeper:
    """Return the keeper, who now applies no significant version that two persons did not agree on."""
    keeper.kinds = {**keeper.kinds, KIND: publish}
    keeper.judges = (*keeper.judges, judge)
    return keeper


def judge(connection: Connection[Any], source: str, terms: str) -> None:
    """Refuse what the operator's key alone asks for where two persons are needed. Raises RequestRefusal."""
    if apply.significant(connection, source):
        now = standing(source, terms)
        if now.two and not (now.proposer and now.approvals):
            sentence = f"people must agree to this version again, and {now.publishers} persons may publish"
            raise RequestRefusal(
                sentence, advice="propose it at /operator/publishing, and let another person approve it"
            )


def publish(connection: Connection[Any], told: Told) -> Told:
    """Apply a proposal once it may be. Raises Waiting until then, RequestRefusal when it will never be."""
    source, terms = str(told["source"]), str(told["terms_text"])
    now = standing(source, terms)
    if now.proposal is None:
        raise RequestRefusal("nothing like this is proposed", advice="propose it again")
    try:
        significant = _permitted(connection, source, now)
        outcome = apply.apply(connection, source, terms)
    except (Refused, apply.ApplyRefusal, PolicyErrors) as refusal:
        _close(told, "refused", str(refusal)[:LONGEST])
        raise
    facts: Facts = {"version": outcome.version, "policy": str(told["policy"]), "significant": significant}
    record(connection, action="policy-published", actor=None, subject=None, facts=facts | {"approvals": now.approvals})
    _close(told, "published", "")
    return {"version": outcome.version}


class Refused(RequestRefusal):
    """A proposal that will never be applied."""


def _permitted(connection: Connection[Any], source: str, now: Standing) -> bool:
    """Return whether a proposal that may be applied now is significant. Raises Waiting, Refused."""
    if not now.proposer:
        raise Refused("whoever proposed it may not publish any more", advice="propose it again")
    significant = apply.significant(connection, source)
    if significant and now.two and not now.approvals:
        raise Waiting("another person must approve it")
    return significant


def _close(told: Told, outcome: str, sentence: str) -> None:
    with connect.acting("steward") as connection:
        words = {"policy": told["policy"], "terms": told["terms"], "outcome": outcome, "sentence": sentence}
        connection.execute(SQL["close_proposal"].encode(), words)

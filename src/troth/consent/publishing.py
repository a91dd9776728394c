"""Publishing with two persons: one proposes a version, another approves it, and only then does the keeper apply it.

A version whose day has not come waits for it (`scheduling`); what the comparison asks of people may be raised, never
lowered.

The rule holds for a significant version, one that people must agree to again, and is judged by the keeper when it acts,
whatever a page said before. One person alone cannot meet it, so it begins as soon as two may publish.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from troth.consent import coming, scheduling
from troth.consent.acting import act
from troth.consent.errors import ConsentRefusal, NothingToPublish, ProposalClosed, SamePerson, Unsecured
from troth.consent.scheduling import LONGEST, digest
from troth.database import apply, connect, requests, simulate
from troth.database.errors import DatabaseRefusal, RequestRefusal
from troth.database.keeper import Keeper, Waiting
from troth.database.statements import load
from troth.ledger.actions import record
from troth.ledger.entry import Facts
from troth.policy import parse
from troth.policy.compare import Verdict
from troth.policy.errors import PolicyErrors

SQL = load("troth.consent")
KIND = "policy.publish"
REFUSALS: Mapping[str, type[ConsentRefusal]] = {
    "TR040": NothingToPublish,
    "TR045": SamePerson,
    "TR046": ProposalClosed,
    "TR065": Unsecured,
}
#: What may be asked of people beyond the comparison.
RAISED = (Verdict.EDITORIAL, Verdict.NOTIFY, Verdict.AGREE_AGAIN)

type Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A version that was proposed, word for word.

    `outcome`: published, refused (`sentence` says why), withdrawn, or None while it is open. `raised` is a number of
    `Verdict`; `waits_until` its day, once it waits only for that; `counts` what `foreseen` found when it was proposed.
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
    raised: int
    waits_until: date | None
    counts: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How many may publish, whether whoever proposed these words still may, and how many others approved them."""

    proposal: uuid.UUID | None
    publishers: int
    proposer: bool
    approvals: int
    counted: bool

    @property
    def two(self) -> bool:
        """Whether two persons can be asked for."""
        return self.publishers > 1


# What publishers do


def propose(*, viewer: str, source: str, terms: str, raised: Verdict = Verdict.EDITORIAL) -> uuid.UUID:
    """Propose a version, and ask the keeper to apply it when it may. Raises a ConsentRefusal."""
    row = _act(viewer, "propose_policy", {"source": source, "terms": terms, "raised": raised})
    requests.leave(KIND, asked(source, terms, raised))
    return uuid.UUID(str(row[0][0]))


def asked(source: str, terms: str, raised: Verdict, *, key: bool = False) -> Told:
    """Return what the keeper is asked: to publish what is proposed, or what the operator's key alone wants."""
    told = {"policy": digest(source), "terms": digest(terms), "source": source, "terms_text": terms}
    return told | {"raised": int(raised), "key": key}


def approve(*, viewer: str, proposal: uuid.UUID) -> None:
    """Approve what another proposed. Raises SamePerson, ProposalClosed."""
    _act(viewer, "approve_policy", {"proposal": proposal})


def withdraw(*, viewer: str, proposal: uuid.UUID) -> None:
    """Take a proposal back. Raises ProposalClosed."""
    _act(viewer, "withdraw_proposal", {"proposal": proposal})


def proposals(viewer: str) -> list[Proposal]:
    """Return what was proposed, the newest first."""
    return [Proposal(*row) for row in _act(viewer, "proposals", {})]


def standing(source: str, terms: str, raised: Verdict = Verdict.EDITORIAL) -> Standing:
    """Return how a proposal of these words that asks at least so much of people stands."""
    with connect.acting("steward") as connection:
        return _standing(connection, {"policy": digest(source), "terms": digest(terms), "raised": raised})


def _standing(connection: Connection[Any], words: Mapping[str, Any]) -> Standing:
    found = (
        connection.cursor(row_factory=class_row(Standing)).execute(SQL["proposal_standing"].encode(), words).fetchone()
    )
    return found or Standing(None, 0, proposer=False, approvals=0, counted=True)


def _act(viewer: str, statement: str, told: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return act("staff", viewer, statement, told, REFUSALS)


# What the keeper does


def taught(keeper: Keeper) -> Keeper:
    """Return the keeper, who now applies no significant version that two persons did not agree on."""
    keeper.kinds = {**keeper.kinds, KIND: publish, "policy.withdraw": scheduling.withdraw}
    keeper.judges = (*keeper.judges, judge)
    keeper.noted = (*keeper.noted, _noted)
    keeper.always = (*keeper.always, scheduling.take_effect, coming.follow)
    return keeper


def judge(
    connection: Connection[Any], source: str, terms: str, raised: Verdict = Verdict.EDITORIAL
) -> tuple[bool, Standing]:
    """Refuse what the operator's key alone asks for where two persons are needed. Raises RequestRefusal."""
    scheduling.ensure_free(connection, parse.read(source, "the version"), terms)
    significant, now = _significant(connection, source, raised), standing(source, terms, raised)
    if significant and now.two and not (now.proposer and now.approvals):
        sentence = f"people must agree to this version again, and {now.publishers} persons may publish"
        raise RequestRefusal(sentence, advice="propose it at /operator/publishing, and let another person approve it")
    return significant, now


def _significant(connection: Connection[Any], source: str, raised: Verdict) -> bool:
    return raised >= Verdict.AGREE_AGAIN or apply.compared(connection, source).agree_again


def publish(connection: Connection[Any], told: Told) -> Told:
    """Apply a version once it may be, or let it wait for its day. Raises Waiting, RequestRefusal for never."""
    source, terms = str(told["source"]), str(told["terms_text"])
    raised = Verdict(int(told.get("raised", 0)))
    if told.get("key"):
        return _publish(connection, told, *judge(connection, source, terms, raised))
    now = standing(source, terms, raised)
    if now.proposal is None:
        raise RequestRefusal("nothing like this is proposed", advice="propose it again")
    there = scheduling.waiting(connection)
    if there is not None and (there.digest, there.terms_digest) == (told["policy"], told["terms"]):
        # What is proposed twice closes nothing: the first proposal is where it can be withdrawn.
        raise RequestRefusal(f"version {there.version} waits already", advice="it takes effect on its day")
    try:
        if not now.counted:
            _count(connection, told)
        return _publish(connection, told, _permitted(connection, source, now, raised), now)
    except (RequestRefusal, apply.ApplyRefusal, PolicyErrors) as refusal:
        if not isinstance(refusal, Waiting):
            _close(told, "refused", str(refusal)[:LONGEST])
        raise


def _publish(connection: Connection[Any], told: Told, significant: bool, now: Standing) -> Told:  # noqa: FBT001 - what `judge` found
    source, terms, raised = str(told["source"]), str(told["terms_text"]), Verdict(int(told.get("raised", 0)))
    policy = parse.read(source, "the version")
    scheduling.ensure_free(connection, policy, terms)
    facts: Facts = {"version": policy.version, "policy": digest(source), "significant": significant}
    facts |= {"approvals": now.approvals}
    words = {"policy": digest(source), "terms": digest(terms)}
    held = partial(_hold, None if told.get("key") else words | {"raised": raised})
    if apply.not_yet(policy.effective):
        day = scheduling.schedule(connection, policy, (source, terms), raised, facts, held)
        return {"version": policy.version, "waits": str(day)}

    def then(switching: Connection[Any]) -> None:
        held(switching)
        _published(words, facts, switching)

    outcome = apply.apply(connection, source, terms, raised=raised, and_then=then)
    return {"version": outcome.version, "widened": list(outcome.widened), "verdict": outcome.verdict.name}


def _hold(words: Mapping[str, Any] | None, connection: Connection[Any]) -> None:
    """Refuse what was withdrawn while it was judged and counted, which takes seconds; nobody can from here on."""
    if words is None:
        return
    connection.execute(SQL["as_steward"].encode())
    connection.execute(SQL["count_proposal"].encode(), {**words, "counts": None})
    if _standing(connection, words).proposal is None:
        raise RequestRefusal("it was withdrawn meanwhile", advice="propose it again")


def _published(words: Mapping[str, str], facts: Facts, connection: Connection[Any]) -> None:
    """Close the proposals and leave the entry in the transaction of the switch itself: never one without the other."""
    connection.execute(SQL["as_steward"].encode())
    connection.execute(SQL["close_proposal"].encode(), {**words, "outcome": "published", "sentence": ""})
    record(connection, action="policy-published", actor=None, subject=None, facts=facts)


def _noted(connection: Connection[Any], source: str, terms: str) -> None:
    version = parse.read(source, "the version", settled=True).version
    facts: Facts = {"version": version, "policy": digest(source), "applied": True}
    _published({"policy": digest(source), "terms": digest(terms)}, facts, connection)


def _permitted(connection: Connection[Any], source: str, now: Standing, raised: Verdict) -> bool:
    """Return whether a proposal that may be applied now is significant. Raises Waiting, Refused."""
    if not now.proposer:
        raise Refused("whoever proposed it may not publish any more", advice="propose it again")
    significant = _significant(connection, source, raised)
    if significant and now.two and not now.approvals:
        raise Waiting("another person must approve it")
    return significant


class Refused(RequestRefusal):
    """A proposal that will never be applied."""


def _count(connection: Connection[Any], told: Told) -> None:
    """Say once whom a proposal would touch; where that cannot be counted, it says why."""
    try:
        found = foreseen(simulate.simulate(connection, str(told["source"])))
    except DatabaseRefusal as refusal:
        found = {"problem": refusal.sentence}
    with connect.acting("steward") as steward:
        words = {"policy": told["policy"], "terms": told["terms"], "counts": Jsonb(found)}
        steward.execute(SQL["count_proposal"].encode(), words)


def foreseen(found: simulate.Simulation) -> Told:
    """Return whom a version would touch: people who agreed and must again, mails, and the people of each purpose."""
    purposes = [
        {"purpose": m.purpose, "before": m.before, "at_once": m.at_once, "agreed": m.agreed} for m in found.memberships
    ]
    told: Told = {"agreed": found.agreed, "again": found.again, "mails": found.mails, "purposes": purposes}
    return told | {
        "records": sum(each.records for each in found.touched),
        "due": sum(h.due.rows for h in found.holdings),
    }


def _close(told: Told, outcome: str, sentence: str) -> None:
    with connect.acting("steward") as connection:
        words = {"policy": told["policy"], "terms": told["terms"], "outcome": outcome, "sentence": sentence}
        connection.execute(SQL["close_proposal"].encode(), words)

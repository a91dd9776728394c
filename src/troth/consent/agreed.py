"""Permissions that a person agrees on with the operator or in an organization: proposed, answered, ended."""

import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.utils import timezone
from psycopg import Connection
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from troth.consent.permissions import SQL, act
from troth.database import connect, published
from troth.policy.explain import purpose_sentence
from troth.policy.meaning import Basis
from troth.policy.voice import LANGUAGES, voice

#: How long a proposal waits for its answer; silence is no.
WAITING = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed: a purpose, or categories that whoever proposes may see; `notice` is in days.

    Who administers an organization proposes categories alone, and to a member of it: without an address.
    """

    address: str
    purpose: str | None
    categories: Sequence[str] | None
    reason: str
    terms: str
    days: int
    ends: str
    notice: int = 0


@dataclass(frozen=True, slots=True)
class Agreed:
    """A proposal and what became of it; `wordings` are its words by language, `language` those that were shown."""

    agreed: uuid.UUID
    organization: uuid.UUID | None
    address: str
    purpose: str | None
    categories: Sequence[str] | None
    reason: str
    terms: str
    days: int
    ends: str
    notice: int
    wordings: Mapping[str, str]
    version: int
    at: datetime
    answer: str | None
    answered_at: datetime | None
    language: str | None
    until: datetime | None
    over_at: datetime | None
    over_by: str | None

    @property
    def wording(self) -> str:
        """The words that were shown, once they were answered."""
        return self.wordings.get(self.language or "", "")


def by_consent() -> tuple[str, ...]:
    """Return the purposes that a person's yes lets in."""
    return tuple(p.name for p in published.current().policy.purposes if p.basis is Basis.CONSENT)


def wordings(proposal: Proposal, frames: Mapping[str, str]) -> dict[str, str]:
    """Return what the person is shown, in each language: the policy's own sentence in the frame of that language.

    A frame has braces for `what`, `why`, `days` and `terms`.
    """
    return {language: _worded(proposal, language, frames[language]) for language in LANGUAGES}


def _worded(proposal: Proposal, language: str, frame: str) -> str:
    policy = published.current().policy
    speaking = voice(policy, language)
    if proposal.purpose is not None:
        what = purpose_sentence(policy, proposal.purpose, language)
    else:
        what = speaking.listed([speaking.category(each) for each in proposal.categories or ()])
    return frame.format(what=what, why=proposal.reason, days=speaking.days(proposal.days), terms=proposal.terms)


def propose(*, token: str, proposal: Proposal, words: Mapping[str, str], mail: Mapping[str, str]) -> uuid.UUID:
    """Propose as the operator; whether anybody has the address, nobody learns by it. Raises a ConsentRefusal."""
    told: dict[str, object] = {
        "address": proposal.address,
        "purpose": proposal.purpose,
        "reason": proposal.reason,
        "terms": proposal.terms,
    }
    told |= {"days": proposal.days, "ends": proposal.ends, "notice": proposal.notice}
    told |= {"categories": list(proposal.categories) if proposal.categories else None}
    told |= {"wordings": Jsonb(dict(words)), "mail": Jsonb(dict(mail) | {"html": ""})}
    return uuid.UUID(str(act("propose_permission", token, told)))


def propose_to_member(
    *, token: str, organization: uuid.UUID, member: uuid.UUID, proposal: Proposal, words: Mapping[str, str],
    mail: Mapping[str, Mapping[str, str]],
) -> uuid.UUID:  # fmt: skip
    """Propose to a member of an organization that the viewer administers; `mail` by language. As `propose` raises."""
    told: dict[str, object] = {"organization": organization, "member": member, "reason": proposal.reason}
    told |= {"terms": proposal.terms, "days": proposal.days, "ends": proposal.ends, "notice": proposal.notice}
    told |= {"categories": list(proposal.categories or ()), "wordings": Jsonb(dict(words)), "mail": Jsonb(dict(mail))}
    return uuid.UUID(str(act("propose_in_organization", token, told)))


def answer(*, token: str, agreed: uuid.UUID, accepts: bool, language: str, digest: str) -> None:
    """Accept or decline, as the viewer, the words of a language with that SHA-256 (hex). Raises a ConsentRefusal."""
    act("answer_permission", token, {"agreed": agreed, "accepts": accepts, "language": language, "digest": digest})


def end(*, token: str, agreed: uuid.UUID) -> None:
    """End what was agreed, as its person or who proposed it, where the agreement says so. Raises a ConsentRefusal.

    Its person needs to have agreed to nothing newer.
    """
    act("end_agreed", token, {"agreed": agreed})


def mine(token: str) -> list[Agreed]:
    """Return what was proposed to the viewer, agreed or not, the newest first."""
    return _read(connect.looking(token), "agreed_permissions")


def proposed(token: str) -> list[Agreed]:
    """Return what the operator proposed, the newest first; nothing to anybody else."""
    return _read(connect.acting("self", token=token), "proposed_permissions")


def proposed_to(token: str, organization: uuid.UUID, member: uuid.UUID) -> list[Agreed]:
    """Return what the viewer proposed to a member of an organization that they administer, the newest first."""
    as_viewer = connect.acting("self", token=token)
    return _read(as_viewer, "proposed_to_member", organization=organization, member=member)


def _read(reading: AbstractContextManager[Connection[TupleRow]], statement: str, **told: uuid.UUID) -> list[Agreed]:
    with reading as connection, connection.cursor(row_factory=class_row(Agreed)) as cursor:
        return cursor.execute(SQL[statement].encode(), told).fetchall()


def digest(words: str) -> str:
    """Return the SHA-256 (hex) by which an answer names the words that were shown."""
    return sha256(words.encode()).hexdigest()


def stands(each: Agreed) -> bool:
    """Whether a proposal still waits for an answer, or what was agreed holds."""
    if each.answer is None:
        return timezone.now() < each.at + WAITING
    return each.answer == "accepted" and timezone.now() < (each.over_at or each.until or each.at)


def endable(each: Agreed) -> bool:
    """Whether either side can still end what was agreed before its time."""
    return stands(each) and each.answer is not None and each.over_at is None and each.ends != "at its end"

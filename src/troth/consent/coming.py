"""A published version before its day: people are told by mail, see what it changes for them, and can agree ahead of it.

What they agree to ahead binds from its day on, by the keeper's turn; whoever did not is asked when they come.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override
from psycopg import Connection

from troth.consent import scheduling
from troth.consent.permissions import act
from troth.database import connect, published
from troth.database.catalog import of
from troth.database.statements import load
from troth.notices import outbox
from troth.policy import parse
from troth.policy.catalog import Catalog
from troth.policy.compare import Verdict, compare
from troth.policy.differences import Differing
from troth.policy.meaning import Policy
from troth.policy.plan import plan
from troth.policy.widening import opened, widened

SQL = load("troth.consent")
#: Versions whose mails the operator sees, the newest first.
LISTED = 20
#: People who are told at one turn of the keeper; agreements ahead that are bound in one transaction, and how many such
#: follow each other at a turn.
AT_ONCE, BOUND_AT_ONCE, BINDINGS = 500, 100, 50


@dataclass(frozen=True, slots=True)
class Coming:
    """The version that waits for its day: its meaning, whether it asks people, and when the viewer agreed to it."""

    scheduled: scheduling.Scheduled
    policy: Policy
    asks: bool
    agreed_at: datetime | None


def coming(token: str) -> Coming | None:
    """Return what comes next, as it stands for the viewer; None where nothing waits."""
    with connect.acting("self", token=token) as connection:
        there = scheduling.waiting(connection)
        if there is None:
            return None
        row = connection.execute(SQL["agreed_ahead"].encode()).fetchone()
    policy = parse.read(there.source, "the version that comes next", settled=True)
    agreed_at = row[1] if row and row[0] == there.version else None
    return Coming(there, policy, there.verdict >= Verdict.AGREE_AGAIN, agreed_at)


def closed_to(policy: Policy) -> frozenset[str]:
    """Return the purposes that nobody is in from a version's day on, until they agree to it."""
    now = published.current()
    return widened(now.plan, plan(policy, now.catalog))


def agree_ahead(*, token: str, version: int, policy: str, terms: str, wording: str, language: str) -> None:
    """Agree, as the viewer, to what waits for its day. Raises OutdatedAgreement, NotSignedIn."""
    told: dict[str, object] = {
        "version": version,
        "policy": policy,
        "terms": terms,
        "wording": wording,
        "language": language,
    }
    act("agree_ahead", token, told)


def unagree_ahead(*, token: str) -> None:
    """Take that back, as the viewer; it bound nobody yet."""
    act("unagree_ahead", token, {})


def bind(subject: UUID) -> bool:
    """Bind somebody who comes before the keeper's turn to what they agreed to ahead; tell whether that is in force."""
    with connect.acting("door") as connection:
        row = connection.execute(SQL["bind_one"].encode(), {"subject": subject}).fetchone()
    return bool(row and row[0])


def forget_ahead(subject: UUID) -> None:
    """Take back what somebody agreed to ahead, who declines once its day has come and before it binds."""
    with connect.acting("door") as connection:
        connection.execute(SQL["forget_ahead"].encode(), {"subject": subject})


@dataclass(frozen=True, slots=True)
class Telling:
    """How far the notices about a version got: `told` have been written to, all of them once it is done.

    `kind` is what they say: ahead (of its day), in force, or withdrawn, to whoever was told ahead. `channel` is e-mail,
    letter (which the staff send) or message (nobody is written to: the pages say it on the next visit).
    """

    telling: UUID
    version: int
    told: int
    at: datetime
    done_at: datetime | None
    kind: str
    channel: str


def tellings() -> list[Telling]:
    """Return the versions that people are or were told of by mail, the newest first."""
    with connect.acting("steward") as connection:
        return [Telling(*row) for row in connection.execute(SQL["tellings"].encode(), {"most": LISTED}).fetchall()]


# What the keeper does


def follow(connection: Connection[Any]) -> None:
    """Tell some more people of what was published or withdrawn while the outbox has room; bind who agreed ahead."""
    begin(connection)
    with connect.acting("steward") as steward:
        if outbox.has_room(steward):
            steward.execute(SQL["tell_some"].encode(), {"many": AT_ONCE})
    for _each in range(BINDINGS):  # soon, so that nobody who agreed ahead is asked again
        with connect.acting("steward") as steward:
            row = steward.execute(SQL["bind_ahead"].encode(), {"many": BOUND_AT_ONCE}).fetchone()
        if row is None or row[0] < BOUND_AT_ONCE:
            break


def begin(connection: Connection[Any]) -> None:
    """Decide of what was published or withdrawn whom to tell, and by which channel."""
    connection.execute(SQL["begin_withdrawing"].encode())
    for version, source, raised, scheduled, before, since in connection.execute(SQL["untold"].encode()).fetchall():
        told = {"version": version, "scheduled": scheduled, "since": since}
        channel = owed_by(before, source, Verdict(raised), of(connection)) if before is not None else None
        connection.execute(SQL["begin_telling"].encode(), told | {"channel": channel})


def owed_by(before: str, source: str, raised: Verdict, catalog: Catalog) -> str | None:
    """Return by which channel a notice is owed about a version (P37), as the policy says that people agreed to.

    By e-mail where it names no way; None where none is owed.
    """
    old = parse.read(before, "the version before", settled=True)
    new = parse.read(source, "the version", settled=True)
    if max(compare(old, new, opened(old, new, catalog)).verdict, raised) < Verdict.NOTIFY:
        return None
    return channel(old)


def channel(policy: Policy) -> str:
    """Return the way in which a policy tells people of what reduces their rights: e-mail, letter or message."""
    duty = policy.duty("notify")
    return duty.details[0] if duty is not None and duty.details else "e-mail"


# The mail


def version_mail(facts: Mapping[str, Any]) -> Mapping[str, str]:
    """Write the mail about a version, in the language of the agreement: what changes, when, and what is asked."""
    known = {edition.published.version: edition.published.policy for edition in published.history()}
    there, number = scheduling.coming(), int(facts["version"])
    waits = there is not None and there.version == number
    new = parse.read(there.source, "next", settled=True) if there is not None and waits else known[number]
    old, language = known[int(facts["before"])], str(facts["language"])
    found, said = compare(old, new, opened(old, new, published.current().catalog)), Differing(old, new, language)
    with override(language):
        lines = [f"- {line.text}" for line in said.lines(found)]
        told = {"operator": new.operator, "day": said.day(new.effective), "version": number, "many": len(lines)}
        subject, opening = (_announced if waits else _reported)(len(lines))
        parts = [opening % told, "\n".join(lines)]
        raised = there is not None and waits and there.verdict >= Verdict.AGREE_AGAIN
        if found.agree_again or raised:
            parts.append(
                _(
                    "It needs your agreement. You are asked on your next visit, and can agree, decline, or decide"
                    " later. Until you agree, no more of your data is collected, used or shown than before, and no"
                    " record is kept for longer."
                )
            )
            parts.append(_closed(waits=waits))
        parts.append(settings.BASE_URL + ("/coming" if waits else f"/policy/compare/{old.version}..{number}"))
    return {"subject": subject % told, "text": "\n\n".join(parts) + "\n", "language": language}


def _announced(many: int) -> tuple[str, str]:
    """Return the subject and the first words about a version before its day."""
    opening = ngettext(
        "Version %(version)s of the policy takes effect on %(day)s. One thing changes:",
        "Version %(version)s of the policy takes effect on %(day)s. %(many)s things change:",
        many,
    )
    return _("%(operator)s changes its policy on %(day)s"), opening


def _reported(many: int) -> tuple[str, str]:
    """Return the subject and the first words about a version that is in force."""
    opening = ngettext(
        "Version %(version)s of the policy took effect on %(day)s. One thing changed:",
        "Version %(version)s of the policy took effect on %(day)s. %(many)s things changed:",
        many,
    )
    return _("%(operator)s changed its policy on %(day)s"), opening


def _closed(*, waits: bool) -> str:
    """Say what stays shut without the agreement, and where to read what goes on."""
    said = (
        _(
            "From that day on, your account waits until you agree: the applications and the pages that need an"
            " agreement stay shut. What goes on and what you can do without agreeing is said at:"
        )
        if waits
        else _(
            "Your account waits until you agree: the applications and the pages that need an agreement stay shut."
            " What goes on and what you can do without agreeing is said at:"
        )
    )
    return f"{said}\n{settings.BASE_URL}/declining"


def withdrawn_mail(facts: Mapping[str, Any]) -> Mapping[str, str]:
    """Write the mail that takes another one back, in the language of the agreement."""
    language = str(facts["language"])
    with override(language):
        told = {"operator": published.current().policy.operator, "version": facts["version"]}
        subject = _("%(operator)s does not change its policy as announced") % told
        said = _(
            "Version %(version)s of the policy, of which a mail told you before, was withdrawn and does not take"
            " effect."
        )
        parts = [said % told, _("What you agreed to holds as before. You need not do anything."), settings.BASE_URL]
    parts[-1] += "/policy/versions"
    return {"subject": subject, "text": "\n\n".join(parts) + "\n", "language": language}


def still(_subject: UUID, facts: Mapping[str, Any]) -> str | None:
    """Return where the mail about a version may go; None where that does not take effect any more."""
    there, number = scheduling.coming(), facts["version"]
    known = {edition.published.version for edition in published.history()} | {there.version if there else None}
    return str(facts["address"]) if number in known else None


WRITERS = {"version": version_mail, "withdrawn": withdrawn_mail}
GATES = {"version": still}

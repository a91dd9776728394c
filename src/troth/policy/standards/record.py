"""A policy as the record of processing activities that Article 30(1) of the GDPR asks of a controller, as CSV."""

import csv
import io
from collections.abc import Iterable, Iterator

from troth.policy.meaning import Policy, Purpose
from troth.policy.standards import mapping
from troth.policy.standards.activities import (
    MEASURES,
    activities,
    audiences,
    handings,
    measures,
    recipients,
    window_words,
)

#: The columns; in brackets the letter of Article 30(1).
COLUMNS = (
    "activity",
    "controller (a)",
    "contact (a)",
    "purpose (b)",
    "purpose in words (b)",
    "legal basis",
    "data subjects (c)",
    "personal data (c)",
    "sensitive data (c)",
    "recipients (d)",
    "transfers to third countries (e)",
    "kept for (f)",
    "security measures (g)",
    "occasion",
    "clause",
    "policy version",
    "in effect from",
)
UNSAID = "not stated in the policy"
#: What makes a spreadsheet take a cell for a formula: CWE-1236, with the full-width forms that Excel also takes.
FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
CONTROLS = ("\t", "\r", "\n")


def record(policy: Policy) -> str:
    """Return the record as CSV (RFC 4180), a line for each use of each collection and for each handing on."""
    written = io.StringIO()
    lines = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    lines.writerow(COLUMNS)
    for cells in _lines(policy):
        lines.writerow([harmless(cell) for cell in cells])
    return written.getvalue()


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe stands before what would be one."""
    return f"'{cell}" if cell.lstrip().startswith(FORMULAS) or cell.startswith(CONTROLS) else cell


def _lines(policy: Policy) -> Iterator[tuple[str, ...]]:
    protected = ", ".join(MEASURES[key] for key in measures(policy))
    for activity in activities(policy):
        others = (
            *recipients(policy, activity.purpose.name, activity.categories),
            *audiences(policy, activity.categories),
        )
        yield _line(
            policy,
            activity.key,
            activity.purpose,
            subjects="visitors without an agreement" if activity.anonymous else "people with an account",
            data=map(str, activity.known),
            categories=activity.categories,
            others=others,
            kept=window_words(activity.window),
            occasion=activity.occasion,
            clause=activity.clause.name,
            protected=protected,
        )
    for handing in handings(policy):
        yield _line(
            policy,
            handing.clause.name,
            handing.purpose,
            subjects="people with an account",
            data=handing.categories,
            categories=handing.categories,
            others=(handing.recipient,),
            kept=", ".join(map(window_words, handing.windows)) or UNSAID,
            occasion="handing on",
            clause=handing.clause.name,
            protected=protected,
        )


def _line(  # noqa: PLR0913 - a line has as many parts as the record has columns
    policy: Policy,
    activity: str,
    purpose: Purpose,
    *,
    subjects: str,
    data: Iterable[str],
    categories: Iterable[str],
    others: Iterable[str],
    kept: str,
    occasion: str,
    clause: str,
    protected: str,
) -> tuple[str, ...]:
    article = (
        mapping.load("dpv").word("articles", purpose.basis).removeprefix("eu-gdpr:").removeprefix("A").replace("-", ".")
    )
    sensitive = {category.name for category in policy.categories if category.sensitive}
    return (
        activity,
        policy.operator,
        policy.contact,
        purpose.name,
        purpose.sentence,
        f"{purpose.basis} (Article {article})",
        subjects,
        ", ".join(data),
        ", ".join(each for each in categories if each in sensitive) or "none",
        ", ".join(others) or "none",
        UNSAID,
        kept,
        protected,
        occasion,
        clause,
        str(policy.version),
        policy.effective.isoformat(),
    )

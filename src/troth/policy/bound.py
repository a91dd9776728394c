"""Rows of whoever has not agreed to the version in force stay no longer than the version that they agreed to says.

What each version says stands in `troth.version_retention`, and who agreed to which last in `troth.permitted`. Rows of
visits, and of whoever agreed to nothing, follow the version in force alone.
"""

from troth.policy.lasting import alive, ends, hours
from troth.policy.planned import Retention
from troth.policy.quoting import literal

#: When the last use of a row ends by what was said: at once where that keeps nothing of the table. No stamp says any
#: more who consented under an earlier version: what stayed while somebody did stays while they do to the same purpose.
UNTIL = (
    f"greatest(at + bound.bound_days * {hours(1)},"
    f" coalesce(ended_at, 'infinity') + bound.bound_after_end * {hours(1)},"
    " CASE WHEN bound.bound_consenting AND ended_at IS NULL THEN 'infinity'::timestamptz ELSE at END)"
)


def bound(table: str, shorter: str = "true") -> str:
    """Return what each subject's last agreement says of a table; its names are no column's of any other."""
    return (
        "(SELECT p.subject AS bound_subject, v.days AS bound_days, v.after_end AS bound_after_end,"
        " v.consented && p.consents AS bound_consenting FROM troth.permitted AS p"
        " JOIN troth.version_retention AS v ON v.version = p.agreed"
        f" WHERE v.relation = {literal(table)} AND {shorter}) AS bound"
    )


def until(table: str) -> str:
    """Return when a row goes by what its subject agreed to last: 'infinity' where they agreed to nothing."""
    return f"coalesce((SELECT {UNTIL} FROM {bound(table)} WHERE bound.bound_subject = subject), 'infinity')"


def stays(retention: Retention) -> str:
    """Return whether a row may still be there, by the version in force and by what its subject agreed to last."""
    return f"({alive(retention)}) AND {until(retention.table)} > statement_timestamp()"


def goes(retention: Retention) -> str:
    """Return when a row goes, as far as is known: 'infinity' while an account or a consent lasts."""
    return f"least({ends(retention)}, {until(retention.table)})"


def shorter(retention: Retention) -> str:
    """Return whether a version `v` lets rows of a table go sooner, of some at least; empty where none can."""
    parts = []
    if retention.days is not None:
        parts.append(f"coalesce(v.days, -1) >= {retention.days}")
    if retention.after_end is not None:
        parts.append(f"coalesce(v.after_end, -1) >= {retention.after_end}")
    if retention.consented:
        names = ", ".join(literal(purpose) for purpose in retention.consented)
        parts.append(f"(v.consented @> ARRAY[{names}]::text[] OR v.after_end IS NOT NULL)")
    return f"NOT ({' AND '.join(parts)})" if parts else ""


def reached(retention: Retention, *, ended: bool = True) -> str:
    """Return up to when rows came that may have to go so: NULL where nobody is bound to anything shorter.

    It is asked once for a table, so that no row is looked at in vain. Without `ended` it is asked of accounts that are
    there: no row of theirs has to go that is kept as long as they are.
    """
    sooner = shorter(retention) or "false"
    there = "" if ended else " AND v.after_end IS NULL"
    return (
        f"(SELECT max(coalesce(statement_timestamp() - v.days * {hours(1)}, 'infinity'))"
        f" FROM troth.version_retention AS v WHERE v.relation = {literal(retention.table)} AND {sooner}{there}"
        " AND EXISTS (SELECT FROM troth.permitted AS p WHERE p.agreed = v.version))"
    )


def lapsed(retention: Retention) -> str:
    """Return whether a row has to go by what its subject agreed to last, though the version in force keeps it."""
    early = f"at <= coalesce({reached(retention)}, '-infinity')"
    return f"({early} AND {until(retention.table)} <= statement_timestamp())"

"""What a purpose is not shown, and by which clause: the query behind its view `withheld`."""

from troth.policy.planned import Plan
from troth.policy.quoting import literal


def explanation(plan: Plan, purpose: str, *, analysed: bool = False) -> str:
    """Return the query of the view `withheld`; `analysed` adds what no analyst is shown: who somebody is."""
    told = [(w.table, w.column, w.category, w.reason, w.clause) for w in plan.withheld if w.purpose == purpose]
    read = {(r.table, r.column) for r in plan.readings if r.purpose == purpose}
    reason = "tells who somebody is: only that person opens it"
    told += [
        (each.table, each.column, each.category, reason, each.clause)
        for each in (plan.identifying if analysed else ())
        if (each.table, each.column) in read
    ]
    rows = ["(" + ", ".join(map(literal, row)) + ")" for row in sorted(told)]
    values = (
        f"VALUES {', '.join(rows)}" if rows else "SELECT ''::text, ''::text, ''::text, ''::text, ''::text WHERE false"
    )
    return f'SELECT * FROM ({values}) AS w ("table", "column", category, reason, clause)'

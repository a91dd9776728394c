"""Policies and what becomes of them, side by side: each case holds a source, and the errors or the plan it must give.

`TROTH_RECORD=1` writes down anew what the cases give; what changed is then read in the difference.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from troth.database.catalog import load
from troth.policy import explain, parse
from troth.policy.errors import PolicyErrors
from troth.policy.plan import plan
from troth.policy.planned import Plan
from troth.policy.sql import row_rule

CASES = sorted((Path(__file__).parent / "cases").glob("*.case"))
MARK = "\n=== gives ===\n"


def given(source: str) -> str:
    """Return all errors, or the sentences and the plan of a source."""
    try:
        policy = parse.read(source, "case.troth")
        compiled = plan(policy, load())
    except PolicyErrors as errors:
        return f"{errors}\n"
    said = [f"{s.clause}: {s.text}" for section in explain.sections(policy) for s in section.sentences]
    return "\n".join(["sentences", *said, "", *_lines(compiled)]) + "\n"


def _lines(made: Plan) -> Iterator[str]:
    yield "stored"
    yield from sorted(f"{c.occasion}: {c.table}.{c.column} {c.precision} [{c.clause}]" for c in made.collected)
    yield "\nread"
    yield from (f"{r.purpose}: {r.table}.{r.column} [{r.clause}]" for r in made.readings)
    yield "\nrows"
    yield from (f"{r.purpose}: {r.table} where {row_rule(r, 0)}" for r in made.rows)
    yield "\nkept"
    yield from (
        f"{r.table}: days {r.days}, after the end {r.after_end}, consented {', '.join(r.consented) or None}"
        for r in made.retention
    )
    yield "\nown"
    yield from (f"{o.privilege} {o.table}.{o.column} [{o.clause}]" for o in made.own)
    if made.seen or made.unseen:
        yield "\nshown"
        yield from (f"{s.role}: {s.table}.{s.column} {s.category or '(whose)'} [{s.clause}]" for s in made.seen)
        yield from (f"no table can: {u.category} to {u.audience} [{u.clause}]" for u in made.unseen)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_each_case_gives_what_stands_beside_it(case: Path) -> None:
    source, _, expected = case.read_text(encoding="utf-8").partition(MARK)
    found = given(source + "\n")
    if os.environ.get("TROTH_RECORD"):
        case.write_text(source + MARK + found, encoding="utf-8")
        return
    assert found == expected


def test_there_are_cases_of_both_kinds() -> None:
    expected = [case.read_text(encoding="utf-8").partition(MARK)[2] for case in CASES]
    assert sum(text.startswith("case.troth:") for text in expected) >= 3
    assert sum(text.startswith("sentences") for text in expected) >= 2

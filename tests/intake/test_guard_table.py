"""The guard finds what it says that it finds: the table in the docs is made of the labelled cases, and recall holds."""

from collections import Counter
from pathlib import Path

from tests.intake.labelled import MAKERS, MISS, SPECIAL, Case, cases
from troth.intake.guard import cleared

DOCS = Path(__file__).parents[2] / "docs" / "guard.md"
CASES = list(cases())
LEAST = 0.95


def measured(every: list[Case]) -> dict[str, tuple[int, int, int]]:
    """Return, by detector, how many cases hold it, how many of these it found, and how many others it found it in."""
    held, right, wrong = Counter[str](), Counter[str](), Counter[str]()
    for case in every:
        found = set(cleared(case.text).counts)
        held[case.holds] += 1
        right[case.holds] += case.holds in found
        wrong.update(found - {case.holds})
    return {name: (held[name], right[name], wrong[name]) for name in (*MAKERS, *SPECIAL["en"])}


def table(found: dict[str, tuple[int, int, int]]) -> str:
    lines = ["| detector | cases | found | found elsewhere | recall | precision |", "|---|---|---|---|---|---|"]
    for name, (held, right, wrong) in found.items():
        lines.append(f"| `{name}` | {held} | {right} | {wrong} | {right / held:.3f} | {right / (right + wrong):.3f} |")
    nothing = sum(not case.holds for case in CASES)
    return "\n".join([*lines, "", f"{len(CASES):,} cases, {nothing:,} of which hold nothing."])


def test_there_are_enough_cases_in_every_language_and_the_same_each_time() -> None:
    assert len(CASES) >= 1000
    assert list(cases()) == CASES
    for language in ("en", "es", "de", "fr"):
        mine = [case for case in CASES if case.language == language]
        assert {case.holds for case in mine} >= {*MAKERS, ""}
        assert {case.like for case in mine} >= set(MISS)


def test_the_docs_say_what_is_measured() -> None:
    assert table(measured(CASES)) in DOCS.read_text(encoding="utf-8")


def test_what_says_who_somebody_is_is_found() -> None:
    recall = {name: right / held for name, (held, right, _) in measured(CASES).items() if name in MAKERS}
    assert min(recall.values()) >= LEAST, recall

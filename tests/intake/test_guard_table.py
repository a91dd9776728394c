"""The guard finds what it says that it finds: the table in the docs is made of the labelled cases, and recall holds."""

from collections import Counter
from pathlib import Path

from tests.intake.labelled import MAKERS, MISS, SPECIAL, Case, cases
from tests.intake.labelled_words import SENTENCES
from troth.intake.guard import cleared

DOCS = Path(__file__).parents[2] / "docs" / "guard.md"
CASES = list(cases())
LEAST = 0.95
#: What of the sentences that the lists do not know is found at least: of all, and of each category.
LEAST_OF_ALL, LEAST_OF_EACH = 0.48, 0.28


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


def of_sentences() -> dict[str, tuple[int, int]]:
    """Return, by category, how many sentences say something of it, and in how many of these it was found."""
    held, right = Counter[str](), Counter[str]()
    for category, sentence in ((name, each) for by in SENTENCES.values() for name, told in by.items() for each in told):
        held[category] += 1
        right[category] += category in cleared(sentence).counts
    return {category: (many, right[category]) for category, many in held.items()}


def test_the_docs_say_how_much_of_what_the_lists_do_not_know_is_found() -> None:
    found = of_sentences()
    whole = sum(many for many, _ in found.values()), sum(right for _, right in found.values())
    rows = [("all", whole), *((f"`{name}`", told) for name, told in found.items())]
    lines = [f"| {name} | {many} | {right} | {right / many:.3f} |" for name, (many, right) in rows]
    assert "\n".join(["| category | sentences | found | recall |", "|---|---|---|---|", *lines]) in DOCS.read_text(
        "utf-8"
    )


def test_words_of_the_special_categories_are_found_in_sentences_that_the_lists_do_not_know() -> None:
    found = of_sentences()
    assert sum(right for _, right in found.values()) / sum(many for many, _ in found.values()) >= LEAST_OF_ALL
    recall = {category: right / many for category, (many, right) in found.items()}
    assert min(recall.values()) >= LEAST_OF_EACH, recall
    assert {language: set(told) for language, told in SENTENCES.items()} == {
        language: set(SPECIAL["en"]) for language in SPECIAL
    }

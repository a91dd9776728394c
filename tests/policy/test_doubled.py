"""No sentence that is written from a policy says a word twice in a row."""

import re
from collections.abc import Iterator
from itertools import permutations

import pytest

from tests.conftest import POLICY
from troth.policy import explain, parse
from troth.policy.compare import compare
from troth.policy.differences import Differing
from troth.policy.meaning import Occasion, Policy

POLICIES = {file.stem: file.read_text(encoding="utf-8") for file in sorted(POLICY.parent.glob("*.troth"))}
DOUBLED = re.compile(r"\b([^\W\d_]+)\s+\1\b", re.IGNORECASE)


def read(name: str) -> Policy:
    return parse.read(POLICIES[name], f"{name}.troth")


def sentences(policy: Policy, language: str) -> Iterator[str]:
    for section in explain.sections(policy, language):
        for each in section.sentences:
            yield each.text
            yield from (f"{lead} {words}" for lead, parts in each.parts for words in (parts or ("",)))
    for row in explain.table(policy, language):
        yield f"{row.what} {row.when}"
        yield row.who_sees
        yield from (f"{why} {window}" for why, window in row.uses)
    for purpose in policy.purposes:
        yield explain.purpose_sentence(policy, purpose.name, language)
        yield from explain.purpose_uses(policy, purpose.name, language)
    for category in policy.categories:
        yield from (explain.field_sentence(policy, category.name, occasion, language) for occasion in Occasion)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("name", POLICIES)
def test_no_sentence_says_a_word_twice(name: str, language: str) -> None:
    assert [each for each in sentences(read(name), language) if DOUBLED.search(each)] == []


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize(("old", "new"), list(permutations(POLICIES, 2)))
def test_no_difference_says_a_word_twice(old: str, new: str, language: str) -> None:
    before, after = read(old), read(new)
    differing = Differing(before, after, language)
    said = [differing.sentence(delta) for delta in compare(before, after).deltas]
    assert said
    assert [each for each in said if DOUBLED.search(each)] == []


def test_a_doubled_word_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = read("hosted-solutions")
    monkeypatch.setattr(explain, "capital", lambda text: f"{text} {text.split()[-1]}")
    assert any(DOUBLED.search(each) for each in sentences(policy, "en"))

"""The canonical form: found again by itself, and never another meaning."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from tests.policy.test_compare import BASE, versions
from troth.policy import parse
from troth.policy.compare import compare
from troth.policy.errors import PolicyErrors
from troth.policy.form import WIDTH, formatted

POLICIES = sorted((Path(__file__).parents[2] / "policies").glob("*.troth"))

UNTIDY = """# The head
policy   "Harbor  Inc"   version 1   effective 2026-11-01


operator "H # Inc" contact a@b.example   # who
category person.name ,person.email   identifying[P3,P5]
   # what it is for
purpose provide
    "provide it"
    by legitimate
    interest
collect person.name,
    # inside
    person.email on sign-up for provide 3 days   # how long
        for provide 3 days

# the end
"""


def test_an_untidy_text_becomes_this() -> None:
    assert formatted(UNTIDY, "x") == snapshot("""\
# The head
policy "Harbor  Inc" version 1 effective 2026-11-01

# who
operator "H # Inc" contact a@b.example
category person.name, person.email identifying [P3, P5]
# what it is for
purpose provide "provide it" by legitimate interest
# inside
# how long
collect person.name, person.email on sign-up
    for provide 3 days
    for provide 3 days

# the end
""")


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_the_policies_that_come_along_are_in_their_form(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert formatted(text, file.name) == text


@settings(max_examples=60, deadline=None)
@given(versions, st.randoms(use_true_random=False))
def test_the_form_is_found_again_and_means_the_same(text: str, chance: object) -> None:
    shuffled = "".join(
        "\n    " if sign == " " and chance.random() < 0.05 else "  " if sign == " " else sign  # type: ignore[attr-defined]
        for sign in text
    )
    try:
        before = parse.read(shuffled, "x")
    except PolicyErrors:  # a quotation was broken
        return
    once = formatted(shuffled, "x")
    assert formatted(once, "x") == once
    assert compare(before, parse.read(once, "x")).deltas == ()


def test_no_remark_is_lost_and_no_line_is_too_long() -> None:
    text = BASE + "# one\n" + "show person.*, access.* to the public # two\n    # three\n# four\n"
    done = formatted(text, "x")
    assert [word for word in ("# one", "# two", "# three", "# four") if word not in done] == []
    assert max(map(len, done.splitlines())) <= WIDTH


def test_what_is_not_sound_is_not_touched() -> None:
    with pytest.raises(PolicyErrors):
        formatted("polcy", "x")

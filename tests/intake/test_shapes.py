"""What is told by the kinds of signs alone: never less than the pattern finds, in one text or among many."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.intake import shapes
from troth.intake.guard import cleared, look
from troth.intake.shapes import GAP, KNOWN, TELLING, Shape

SHAPES = (KNOWN, *TELLING)
ASCII = st.characters(max_codepoint=127)
WORDS = st.text(ASCII, max_size=12)
#: Texts that are nearly of a shape: signs that the shapes look at, in runs.
RUNS = st.lists(
    st.sampled_from([*"0123456789", *"ab AZ_-.\n()@\"'%&#;+/=", "40", "&#64;", "abcdef12", "1234567"]), max_size=40
)


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data())
def test_whatever_has_a_shape_is_near_it(shape: Shape, data: Any) -> None:
    made = data.draw(RUNS.map("".join))
    text = data.draw(WORDS) + made + data.draw(WORDS)
    if shape.pattern.search(GAP + text):
        assert shape.near(text)
    assert shape.told_by([text]) == ({0} if shape.pattern.search(GAP + text) else set())


@pytest.mark.parametrize("shape", SHAPES)
@given(texts=st.lists(RUNS.map("".join) | st.text(ASCII, max_size=30), max_size=6))
def test_among_many_each_is_told_as_it_is_alone(shape: Shape, texts: list[str]) -> None:
    assert shape.told_by(texts) == {nth for nth, each in enumerate(texts) if shape.told_by([each])}


def test_most_words_of_programs_are_near_none() -> None:
    texts = [f"imported {nth} rows in 4.2 s from a file" for nth in range(0, 999_999, 77)]
    texts += ["1.4.2", "production", "job.finished", "info", string.ascii_lowercase[:20]]
    assert not KNOWN.near(KNOWN.apart.join(texts))
    assert not shapes.TELLING[0].near(shapes.TELLING[0].apart.join(texts))


def test_what_is_looked_at_with_others_is_found_all_the_same() -> None:
    told = "call 612 345 678 or\nalice@harbor.example"
    look(["1.4.2", told, "production"])
    assert cleared(told).counts == {"e-mail": 1, "phone": 1}

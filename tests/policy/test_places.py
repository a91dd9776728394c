"""Where an error is said to be, and what it names, is what the eye sees there: a whole word, an open text."""

import pytest

from troth.policy import parse
from troth.policy.errors import PolicyErrors


@pytest.mark.parametrize(
    ("clause", "column", "sentence", "advice"),
    [
        ('purpose x "y" by legitimate interests', 29, "`interests` does not fit here", "the end of the clause"),
        ("require agreement before uses", 26, "`uses` does not fit here", "the end of the clause"),
        ("category a-b", 10, "`a-b` does not fit here", "a comma"),
        ("category access.ip [P1 P2]", 24, "`P2` does not fit here", "expected a closing bracket, or a comma"),
        ("show access.ip to the person [8]", 31, "`8` does not fit here", "expected a promise such as P8"),
        ("ask again when these change purposes", 29, "`purposes` does not fit here", "expected a colon"),
        ('purpose x "unfinished by consent', 11, "the text has no end", "close it on its own line"),
        ('purpose x "y" by law', 18, "`law` does not fit here", "legal duty"),
        ("category access.ip]", 19, "`]` does not fit here", "a comma"),
    ],
)
def test_an_error_names_what_stands_at_its_place(clause: str, column: int, sentence: str, advice: str) -> None:
    with pytest.raises(PolicyErrors) as found:
        parse.read(clause + "\n", "test.troth")
    error = next(error for error in found.value.errors if error.code == "P-S02")
    assert (error.span.column, error.sentence) == (column, sentence)
    assert advice in error.advice
    assert clause[column - 1 : error.span.end_column - 1] == sentence.split("`")[1] if "`" in sentence else '"'

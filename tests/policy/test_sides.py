"""Two versions sentence by sentence: each stands beside what became of it, whatever its clause is called."""

import pytest

from tests.policy.test_compare import BASE, read
from troth.policy import explain
from troth.policy.sides import Pair, Pieces, pairs

FIRST = BASE.replace("category access.url", "category access.agent, access.url")
#: Takes the name of `collect access.ip, ... on access`.
BEFORE = "collect access.ip, access.agent on access\n    for announce 2 days\n"


def words(pieces: Pieces) -> str:
    return " ".join(text for text, _ in pieces)


def differ(pieces: Pieces) -> str:
    return " ".join(text for text, changed in pieces if changed)


def side_by_side(old: str, new: str) -> list[Pair]:
    return list(pairs(read(old), read(new)))


def test_a_clause_that_takes_another_ones_name_stands_beside_nothing() -> None:
    new = FIRST + BEFORE
    names = [
        {s.clause: s.text for section in explain.sections(read(each)) for s in section.sentences}
        for each in (FIRST, new)
    ]
    assert any(names[0][clause] != names[1][clause] for clause in names[0]), "no name is another clause's now"
    (pair,) = side_by_side(FIRST, new)
    assert (pair.old, "2 days" in words(pair.new)) == ((), True)
    (back,) = side_by_side(new, FIRST)
    assert (back.new, back.old) == ((), pair.new)


def test_what_changed_beside_a_new_clause_stands_beside_what_it_was() -> None:
    new = (FIRST + BEFORE).replace("understand 30 days as network", "understand 44 days as network")
    found = {words(pair.new): pair for pair in side_by_side(FIRST, new)}
    assert sorted(bool(pair.old) for pair in found.values()) == [False, True]
    (changed,) = (pair for pair in found.values() if pair.old)
    assert (differ(changed.old), differ(changed.new)) == ("30", "44")


def test_what_is_said_no_longer_stands_alone_and_last() -> None:
    *_, last = side_by_side(BASE, BASE.replace("encrypt transmission\n", "").replace("60 days", "9 days"))
    assert (bool(last.old), last.new) == (True, ())


@pytest.mark.parametrize(
    "clause", ["tell people who sees a post\n", "never correlate person.note with health.condition\n"]
)
def test_where_a_clause_stands_makes_no_difference(clause: str) -> None:
    moved = BASE.replace(clause, "") + clause
    assert side_by_side(BASE, moved) == []

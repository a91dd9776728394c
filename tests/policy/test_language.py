"""The language: what is written is understood, what is wrong is said at once, with its place and the way out."""

import random
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from troth.database.catalog import load
from troth.policy import explain, parse
from troth.policy.errors import PolicyErrors
from troth.policy.meaning import Clause, Policy, Span
from troth.policy.plan import PlanError, plan, widened

PROJECT = Path(__file__).parents[2]
DEFAULT = (PROJECT / "policies" / "hosted-solutions.troth").read_text(encoding="utf-8")
DOCUMENT = (PROJECT / "docs" / "policy-language.md").read_text(encoding="utf-8")

HEAD = """policy "Test" version 1 effective 2026-11-01
operator "Somebody" contact a@b.example
category person.name, person.email identifying
category access.ip, access.url, access.time
category health.condition sensitive
purpose provide "provide it" by agreement
purpose announce "tell you" by consent
collect person.name, person.email on sign-up
    for provide while the account exists
    for announce while consented
"""
#: code -> (what is added to the head, or takes its place; the words that the error must say)
CASES = {
    "P-S01": ("collct person.name on sign-up\n    for provide 3 days\n", "did you mean `collect`?"),
    "P-S02": ("collect access.url on acess\n    for provide 3 days\n", "expected an occasion"),
    "P-S03": ('purpose other "say\x00" by agreement\n', "not a character"),
    "P-S05": ("!policy", "month must be in 1..12"),
    "P-N01": ("collect access.urls on access\n    for provide 3 days\n", "did you mean `access.url`?"),
    "P-N02": ("collect access.url on access\n    for provied 3 days\n", "did you mean `provide`?"),
    "P-N03": ("category person.name\n", "declared twice"),
    "P-N04": ('purpose door "open" by agreement\n', "cannot name a purpose"),
    "P-N05": ("show person.name to the person [P41]\n", "no promise `P41`"),
    "P-N06": ("show device.* to the person\n", "no category begins with `device.`"),
    "P-M01": ("!nohead", "there is no `operator` clause"),
    "P-M02": ("!version0", "version `0`"),
    "P-M03": ("collect access.url on access\n    for provide while consented\n", "does not fit `provide`"),
    "P-M04": ("collect access.url on access\n    for announce while the account exists\n", "does not fit `announce`"),
    "P-M05": (
        "collect access.url on access\n    for provide 3 days as network\n",
        "nothing here can be known `as network`",
    ),
    "P-M06": ("collect health.condition on access\n    for provide 3 days\n", "is sensitive"),
    "P-M07": ("collect access.url on access\n    for provide 3 days\n    for provide 4 days\n", "two windows"),
    "P-M08": ("show health.condition to the person\n", "never collected"),
    "P-M09": ('purpose idle "do nothing" by agreement\n', "uses nothing"),
    "P-M12": ("collect access.url on access\n    for provide 0 days\n", "is no window"),
    "P-M13": ('purpose mute " " by agreement\ncollect access.url on access\n    for mute 3 days\n', "says nothing"),
}


def errors_of(text: str) -> PolicyErrors:
    with pytest.raises(PolicyErrors) as found:
        parse.read(text, "test.troth")
    return found.value


def written(code: str) -> str:
    extra = CASES[code][0]
    match extra:
        case "!policy":
            return HEAD.replace("2026-11-01", "2026-13-01")
        case "!nohead":
            return HEAD.replace('operator "Somebody" contact a@b.example\n', "")
        case "!version0":
            return HEAD.replace("version 1", "version 0")
        case _:
            return HEAD + extra


@pytest.mark.parametrize("code", CASES)
def test_each_error_has_its_place_and_the_way_out(code: str) -> None:
    found = errors_of(written(code))
    assert code in {error.code for error in found.errors}
    error = next(error for error in found.errors if error.code == code)
    assert CASES[code][1] in str(error)
    assert re.search(rf"test\.troth:\d+:\d+: {code}: ", str(error))
    assert error.advice
    assert code in found.as_json()


def test_too_much_is_refused_before_it_is_read() -> None:
    began = time.monotonic()
    assert errors_of("x" * 1_000_001).errors[0].code == "P-S04"
    assert errors_of("collect " * 100_000).errors
    assert errors_of("x y\n" * 20_000).errors
    assert time.monotonic() - began < 20


def test_many_purposes_are_refused() -> None:
    many = "".join(
        f'purpose p{n} "x" by agreement\ncollect access.url on access\n    for p{n} 3 days\n' for n in range(41)
    )
    assert "P-M10" in {error.code for error in errors_of(HEAD + many).errors}


def test_every_documented_code_is_shown_and_every_shown_code_is_documented() -> None:
    documented = set(re.findall(r"\| (P-[SNMT]\d\d) \|", DOCUMENT))
    source = "".join(file.read_text(encoding="utf-8") for file in (PROJECT / "src/troth/policy").glob("*.py"))
    assert documented == set(re.findall(r'"(P-[SNMT]\d\d)"', source))
    assert documented == set(CASES) | {"P-S04", "P-M10", "P-T01", "P-T02"}


def test_one_error_hides_no_other() -> None:
    text = (
        HEAD + "collct x\ncollect access.urls on access\n    for provied 3 days\nshow person.name to the person [P99]\n"
    )
    assert {"P-S01", "P-N01", "P-N02", "P-N05"} <= {error.code for error in errors_of(text).errors}


def test_the_caret_stands_under_the_word() -> None:
    error = str(errors_of(HEAD + "collect access.url on acess\n    for provide 3 days\n").errors[0])
    line, caret = error.splitlines()[1:3]
    assert line[caret.index("^") : caret.rindex("^") + 1] == "acess"


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_line_ends_tabs_and_marks_change_nothing(ending: str) -> None:
    plain = parse.read(HEAD, "x")
    other = parse.read("\ufeff" + HEAD.replace("    for", "\tfor").replace("\n", ending), "x")
    assert bare(plain) == bare(other)


def test_a_file_that_is_not_utf8_is_an_error_with_a_place() -> None:
    text = b'policy "\xff\xfe" version 1 effective 2026-11-01\n'.decode("utf-8", "surrogateescape")
    assert errors_of(text).errors[0].code == "P-S03"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=400))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        parse.read(text, "x")
    except PolicyErrors as found:
        assert found.errors


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damaged_policy_breaks_the_parser(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(DEFAULT) - 1))
    length = data.draw(st.integers(0, 30))
    text = DEFAULT[:place] + data.draw(st.text(max_size=8)) + DEFAULT[place + length :]
    try:
        plan(parse.read(text, "x"), load())
    except PolicyErrors as found:
        assert all(error.advice for error in found.errors)
    except PlanError as found:
        assert found.code.startswith("P-T")


def clauses(text: str) -> Iterator[str]:
    yield from re.split(
        r"\n(?=[a-z])", "\n".join(line for line in text.splitlines() if line and not line.startswith("#"))
    )


def bare(policy: Policy) -> tuple[frozenset[str], ...]:
    """Return the meaning without places and order."""

    def plain(thing: object) -> str:
        clause = getattr(thing, "clause", None)
        if isinstance(clause, Clause):
            thing = replace(thing, clause=replace(clause, span=Span(0, 0, 0, 0)))  # type: ignore[type-var]
        for name in ("categories", "uses"):
            if hasattr(thing, name):
                thing = replace(thing, **{name: tuple(sorted(getattr(thing, name), key=repr))})  # type: ignore[type-var]
        return repr(thing)

    parts = (policy.categories, policy.purposes, policy.collections, policy.sights, policy.rights, policy.duties)
    return tuple(frozenset(plain(each) for each in part) for part in parts)


@pytest.mark.parametrize("seed", range(8))
def test_the_order_of_clauses_changes_neither_names_nor_meaning_nor_plan(seed: int) -> None:
    parts = list(clauses(DEFAULT))
    random.Random(seed).shuffle(parts)
    shuffled = parse.read("\n".join(parts), "x")
    original = parse.read(DEFAULT, "x")
    assert bare(shuffled) == bare(original)
    first, second = plan(original, load()), plan(shuffled, load())
    assert {(r.purpose, r.table, r.column) for r in first.readings} == {
        (r.purpose, r.table, r.column) for r in second.readings
    }
    assert first.rows == second.rows
    assert widened(first, second) == widened(second, first) == frozenset()


def test_the_default_policy_cites_a_promise_in_every_clause_and_says_every_clause() -> None:
    policy = parse.read(DEFAULT, "x")
    said = {sentence.clause for section in explain.sections(policy) for sentence in section.sentences}
    things: list[Any] = [*policy.purposes, *policy.collections, *policy.sights, *policy.rights, *policy.duties]
    assert all(thing.clause.promises for thing in (*things, *policy.categories))
    assert {thing.clause.name for thing in things} <= said
    cited = {promise for thing in (*things, *policy.categories) for promise in thing.clause.promises}
    assert cited == {"P2", "P3", "P5", "P8", "P9", "P11", "P14", "P20", "P22", "P34"}


def test_every_example_of_the_document_compiles() -> None:
    blocks = re.findall(r"```troth\n(.*?)```", DOCUMENT, re.DOTALL)
    assert len(blocks) == 5
    assert parse.read("".join(blocks), "document").version == 1
    for block in blocks:
        for clause in clauses(block):
            assert parse.grammar().parse(clause.rstrip()).data

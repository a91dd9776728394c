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
from troth.policy.plan import plan
from troth.policy.voice import voice
from troth.policy.widening import widened

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
    "P-S03": ('purpose other "say\x00" by agreement\n', "the character U+0000 cannot be read"),
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
    "P-N07": ('note "a" in es "b" in es "c"\n', "twice in `es`"),
    "P-M14": (
        "keep anonymous identifiers apart from sensitive data\ncollect health.condition on visit\n"
        "    for announce while consented\n",
        "only an anonymous identifier is known",
    ),
    "P-M21": ("collect access.url on visit\n    for announce 3 days\n", "nobody who could give it"),
    "P-M22": ("honour global privacy control as an objection to provide\n", "nobody objects to that"),
    "P-M23": (
        "collect access.url on access\n    for provide 9 days\nlet people erase access.* within 8 days\n",
        "`provide` keeps it for up to 9 days afterwards",
    ),
    "P-M15": ("never correlate person.name with person.email\n", "`provide` uses `person.name` and `person.email`"),
    "P-M16": (
        "correlate access.ip with access.url\nnever correlate access.url with access.ip\n",
        "both allowed and ruled out",
    ),
    "P-M17": ('share with nobody\nshare person.name with "Carrier" for provide\n', "beside a share with `Carrier`"),
    "P-M18": ("coarsen access.ip to hashed after 3 days\n", "cannot be made `hashed` in place"),
    "P-M19": ('store "a" as persistent cookie for provide\n', "how long the persistent cookie lasts"),
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
    assert errors_of("x" * 1_000_001).errors[0].code == "P-S04"


HEAPS = {
    "one word": lambda n: "x" * n,
    "no clauses": lambda n: "x y\n" * (n // 4),
    "one long clause": lambda n: "collect " * (n // 8),
    "one long line of unknown names": lambda n: "collect " + "a.b, " * (n // 5) + "a.b on access\n    for p 3 days\n",
    "unknown names after known ones": lambda n: (
        "".join(f"category c{i}.x\n" for i in range(900)) + "show d.x to the person\n" * (n // 23)
    ),
    "many categories and patterns": lambda n: (
        "category " + ", ".join(f"c.x{i}" for i in range(n // 20)) + "\nshow c.* to the person" * (n // 50)
    ),
    "quotation marks": lambda n: '"' * n,
    "brackets": lambda n: "let [" * (n // 5),
    "remarks": lambda n: "#" * n,
}


@pytest.mark.parametrize("heap", HEAPS)
def test_a_heap_of_garbage_is_refused_in_time_and_in_few_words(heap: str) -> None:
    began = time.monotonic()
    found = errors_of(HEAPS[heap](400_000))
    assert time.monotonic() - began < 20
    assert len(str(found)) < 300_000
    assert len(found.as_json()) < 300_000


def test_errors_beyond_two_hundred_are_counted() -> None:
    found = errors_of("x y\n" * 1_000)
    assert (len(found.errors), found.errors[-1].code) == (201, "P-S06")
    assert "there are 800 more errors" in str(found)


def test_the_caret_stands_under_the_word_of_a_long_line_too() -> None:
    error = str(
        errors_of(HEAD + "collect " + "access.url, " * 100 + "access.urk on access\n    for provide 3 days\n").errors[0]
    )
    line, caret = error.splitlines()[1:3]
    assert line[caret.index("^") : caret.rindex("^") + 1] == "access.urk"


def test_many_categories_are_refused() -> None:
    many = "category " + ", ".join(f"c{n}.x" for n in range(1000)) + "\n"
    assert "P-M11" in {error.code for error in errors_of(HEAD + many).errors}


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\x85", "\x1b", "\u2028", "\udcff"])
def test_a_policy_shows_what_it_says(mark: str) -> None:
    """No mark turns the direction of writing, ends a line for some readers only, or steers a terminal."""
    found = errors_of(HEAD.replace("tell you", f"tell{mark} you"))
    assert found.errors[0].code == "P-S03"
    assert mark not in str(found)
    assert mark not in found.as_json()


def test_numbers_are_written_in_the_digits_of_the_language() -> None:
    for text in (HEAD.replace("version 1", "version \u0661"), HEAD + "show person.name to the person [P\u0662]\n"):
        assert errors_of(text).errors[0].code == "P-S02"


def test_clauses_that_sound_alike_have_names_of_their_own_whatever_their_order() -> None:
    alike = [
        "let people review person.name [P22]",
        "let people review person.name [P3]",
        "let people review person.name_2",
        "category person.name_2",
        "category person_name",
        "collect person.name_2, person_name on sign-up\n    for provide while the account exists",
    ]
    named: list[dict[str, tuple[str, ...]]] = []
    for order in (alike, alike[::-1]):
        policy = parse.read(HEAD + "\n".join(order) + "\n", "x")
        things: list[Any] = [*policy.collections, *policy.rights, *policy.purposes]
        names = [thing.clause.name for thing in things] + sorted({c.clause.name for c in policy.categories})
        assert len(names) == len(set(names))
        named.append({right.clause.name: (*right.categories, *right.clause.promises) for right in policy.rights})
    assert named[0] == named[1]


@pytest.mark.parametrize("name", ['policy "Test"', 'operator "Somebody"'])
def test_a_policy_and_its_operator_have_names(name: str) -> None:
    nameless = HEAD.replace(name, name.split(maxsplit=1)[0] + ' " "')
    assert [error.code for error in errors_of(nameless).errors] == ["P-M13"]


def test_what_is_kept_after_an_account_ends_is_kept_for_a_century_at_most() -> None:
    text = HEAD + "collect access.url on access\n    for provide while the account exists then 36501 days\n"
    assert [error.code for error in errors_of(text).errors] == ["P-M12"]
    assert parse.read(text.replace("36501", "36500"), "x").version == 1


@pytest.mark.parametrize("name", ["analyst", "analysts", "analyst_ann", "pg_x", "keeper", "a" * 31])
def test_no_purpose_takes_a_name_of_the_house(name: str) -> None:
    text = HEAD + f'purpose {name} "x" by agreement\ncollect access.url on access\n    for {name} 3 days\n'
    assert [error.code for error in errors_of(text).errors] == ["P-N04"]


def test_a_sentence_says_which_of_its_uses_knows_less() -> None:
    text = HEAD + "collect access.ip on access\n    for provide 3 days\n    for announce 9 days as network\n"
    said = [s.text for section in explain.sections(parse.read(text, "x")) for s in section.sentences]
    assert any("to tell you, for 9 days, knowing only the network you come from." in each for each in said)
    assert not any("for 3 days, knowing" in each for each in said)


def test_the_table_says_who_sees_what_and_who_does_not() -> None:
    def who(extra: str) -> str:
        return explain.table(parse.read(HEAD + extra, "x"))[0].who_sees

    assert who("") == "the purposes named here"
    assert who("show person.name to the person\n") == "you, except your e-mail address, and the purposes named here"
    assert who("show person.* to the person\n") == "you, and the purposes named here"
    rows = explain.table(parse.read(DEFAULT, "x"))
    assert [r.what for r in rows if r.who_sees.startswith("nobody")] == [
        explain.capital(voice(parse.read(DEFAULT, "x")).category(name))
        for name in ("person.password", "person.session")
    ]


def test_many_purposes_are_refused() -> None:
    many = "".join(
        f'purpose p{n} "x" by agreement\ncollect access.url on access\n    for p{n} 3 days\n' for n in range(41)
    )
    assert "P-M10" in {error.code for error in errors_of(HEAD + many).errors}


def test_every_documented_code_is_shown_and_every_shown_code_is_documented() -> None:
    documented = {page.stem for page in (PROJECT / "docs" / "errors").glob("*.md")}
    source = "".join(file.read_text(encoding="utf-8") for file in (PROJECT / "src/troth/policy").glob("*.py"))
    assert documented == set(re.findall(r'"(P-[SNMT]\d\d)"', source))
    assert set(CASES) <= documented


def test_one_error_hides_no_other() -> None:
    text = (
        HEAD + "collct x\ncollect access.urls on access\n    for provied 3 days\nshow person.name to the person [P99]\n"
    )
    assert {"P-S01", "P-N01", "P-N02", "P-N05"} <= {error.code for error in errors_of(text).errors}


def test_the_caret_stands_under_the_word() -> None:
    error = str(errors_of(HEAD + "collect access.url on acess\n    for provide 3 days\n").errors[0])
    line, caret = error.splitlines()[1:3]
    assert line[caret.index("^") : caret.rindex("^") + 1] == "acess"


@pytest.mark.parametrize(
    ("right", "wrong", "meant"),
    [
        ("on sign-up", "on signup", "sign-up"),
        ("by agreement", "by agrement", "agreement"),
        ("by legitimate interest", "by legitmate interest", "legitimate interest"),
        ("person.* to the person", "person.* to the persn", "the person"),
        ("email identifying", "email identifing", "identifying"),
        ("30 days\n", "30 day\n", "days"),
        ("effective", "efective", "effective"),
    ],
)
def test_a_misspelt_word_is_told_what_it_may_have_meant(right: str, wrong: str, meant: str) -> None:
    text = MISSPELT.replace(right, wrong, 1)
    assert text != MISSPELT
    (error,) = (error for error in errors_of(text).errors if error.code == "P-S02")
    assert error.advice.startswith(f"did you mean `{meant}`?")
    nothing_near = errors_of(MISSPELT.replace("on sign-up", "on somewhere", 1)).errors[0]
    assert "did you mean" not in nothing_near.advice


#: Every kind of word that is not a name.
MISSPELT = """policy "Harbor" version 1 effective 2026-11-01
operator "Harbor, Inc." contact privacy@harbor.example
category access.url, person.email identifying
purpose provide "provide the service" by agreement
purpose protect "keep the service safe" by legitimate interest
collect person.email on sign-up
    for provide while the account exists
collect access.url on access
    for protect 30 days
show person.* to the person
"""


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
def test_line_ends_tabs_and_marks_change_nothing(ending: str) -> None:
    plain = parse.read(HEAD, "x")
    other = parse.read("\ufeff" + HEAD.replace("    for", "\tfor").replace("\n", ending), "x")
    assert bare(plain) == bare(other)


def test_a_file_that_is_not_utf8_is_an_error_with_a_place() -> None:
    text = b'policy "\xff\xfe" version 1 effective 2026-11-01\n'.decode("utf-8", "surrogateescape")
    error = errors_of(text).errors[0]
    assert (error.code, error.span.column, error.sentence) == ("P-S03", 9, "the byte 0xFF cannot be read")


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
    things += [*policy.stored, *policy.postings, *policy.correlations]
    assert all(thing.clause.promises for thing in (*things, *policy.categories))
    assert {thing.clause.name for thing in things} <= said
    cited = {promise for thing in (*things, *policy.categories) for promise in thing.clause.promises}
    assert cited == {f"P{number}" for number in range(1, 41)}


def test_every_example_of_the_document_compiles() -> None:
    blocks = re.findall(r"```troth\n(.*?)```", DOCUMENT, re.DOTALL)
    assert plan(parse.read("".join(blocks), "document"), load()).version == 1
    for block in blocks:
        for clause in clauses(block):
            assert parse.grammar().parse(clause.rstrip()).data


@pytest.mark.parametrize(
    ("language", "second_person"),
    [
        ("en", r"\byou"),
        ("es", r"\b(tus?|te|has|estás|\w{3,}[ai]ste|tienes|vienes|perteneces|llamas|usas|escribes|publicas)\b"),
    ],
)
def test_what_is_somebody_elses_is_said_of_them(language: str, second_person: str) -> None:
    """Each category can be said of the person who reads and of another; what is its device's says whose the device is."""
    speaking = voice(parse.read(DEFAULT, "x"), language)
    names = [each for each in speaking.words["categories"] if each != "otherwise"]
    theirs = {name: speaking.theirs(speaking.category(name)) for name in names}
    assert {name: said for name, said in theirs.items() if re.search(second_person, said)} == {}
    assert [name for name in names if re.match(r"(its|sus?) ", speaking.category(name))] == []

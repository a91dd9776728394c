"""What says who somebody is is found however it is written, and what only looks like it is left; no text takes long."""

# ruff: noqa: RUF001 - the tricks are signs that look like others

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.intake import detectors, guard, shapes
from troth.intake.detectors import (
    ABROAD,
    ANY_NATIONAL,
    ANYTHING,
    AT_HOME,
    CALLED,
    CALLS,
    MOST,
    NATIONAL,
    SEVEN,
    phones,
    together,
)
from troth.intake.guard import SHORTEST_COLUMN, cleared, cleared_address, structured
from troth.intake.plain import fold
from troth.intake.special import NotWords, words

FOUND = {
    "write to alice@harbor.example now": "write to [e-mail] now",
    "to=alice%40harbor.example": "to=[e-mail]",
    "card 4111 1111 1111 1111 12/27": "card [card] 12/27",
    "account DE89 3704 0044 0532 0130 00 was used": "account [iban] was used",
    "DNI 54362315K": "DNI [national-id]",
    "NIR 2 95 10 99 126 111 93": "NIR [national-id]",
    "SSN 536904399": "SSN [national-id]",
    "call +34 600 123 456 or (212) 555-0147": "call [phone] or [phone]",
    "Handy 01712345678": "Handy [phone]",
    "a Muslim with Diabetes": "a [religion] with [health]",
    "embarazada, Gewerkschaftsmitglied, homosexuel": "[health], [trade-union], [sex-life]",
}
LEFT = (
    "race condition in union of 192.168.100.20 at 10.0.19045.3803",
    "order 4111111111111112, batch 1234-5678-90",
    "123e4567-e89b-12d3-a456-426614174000 at 2026-11-29T16:20:33.123456Z, 1732896000000 ms",
    "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "12.345.678,90 of 1 234 567 bytes, aborted by the patient garbage collector",
)


@pytest.mark.parametrize("text", FOUND)
def test_it_is_replaced_by_the_name_of_what_found_it(text: str) -> None:
    assert cleared(text).text == FOUND[text]


@pytest.mark.parametrize("text", LEFT)
def test_what_only_looks_like_it_stays_as_it_is(text: str) -> None:
    assert cleared(text).text == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("４１１１ １１１１ １１１１ １１１１", "card"),
        ("4111\u200b1111\u200d1111\u20601111", "card"),
        ("4111\u00ad1111\ufe0f1111\u034f1111", "card"),
        ("4111\u20111111\u20131111\u20141111", "card"),
        ("٤١١١١١١١١١١١١١١١", "card"),
        ("alice＠harbor.example", "e-mail"),
        ("alice﹫harbor．example", "e-mail"),
        ("al\u200bice@\u200bharbor.exa\u200bmple", "e-mail"),
        ("ＤＥ８９ ３７０４ ００４４ ０５３２ ０１３０ ００", "iban"),
        ("+３４\u00a0600\u2009123\u202f456", "phone"),
        ("５４３６２３１５Ｋ", "national-id"),
        ("Ｄｉａｂｅｔｅｓ", "health"),
        ("dia\u200bbetes", "health"),
    ],
)
def test_tricks_of_writing_hide_nothing(text: str, name: str) -> None:
    found = cleared(f"so: {text}.")
    assert found.text == f"so: [{name}]."
    assert found.counts == {name: 1}


def test_a_mark_is_nothing_to_find_and_joins_nothing() -> None:
    assert cleared("4111 1111 alice@harbor.example 1111 1111").text == "4111 1111 [e-mail] 1111 1111"
    assert cleared("[muslim] [health] [e-mail]").text == "[[religion]] [health] [e-mail]"


HARD = {
    "digits": "1" * 65536,
    "spaced digits": "4 " * 32768,
    "an address that does not end": "a" * 65535 + "@",
    "signs": "@" * 65536,
    "addresses in addresses": "a.a@" * 16384,
    "a domain that does not end": "a@" + "a." * 32767,
    "accounts": "DE11 " * 13107,
    "cards": "4111 " * 13107,
    "numbers abroad": "+1234567 " * 7281,
    "codes abroad": "+1 " * 21845,
    "calls": "tel 1234567 " * 5461,
    "calls of nothing": "tel a " * 10922,
    "identities": "12345678Z " * 6553,
    "brackets": "(" * 65536,
    "words": "trade " * 10922,
    "humps": "aA" * 32768,
    "signs that show nothing": "1\u200b" * 32768,
}


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_64_kib_made_to_hurt_come_to_an_end(text: str) -> None:
    """A pattern that repeats itself inside a repeat would not come to one: the suite's limit would end it."""
    found = cleared(text)
    assert len(found.text) <= max(len(text), SHORTEST_COLUMN)
    if text == HARD["calls"]:
        assert found.counts["phone"] > MOST


KNOWN = st.sampled_from(
    [
        "alice@harbor.example",
        "4111 1111 1111 1111",
        "4111111111111111",
        "DE89370400440532013000",
        "54362315K",
        "+34 600 123 456",
    ]
)
BETWEEN = st.text(alphabet="ab1 4@.-\u200b＠１\"'%/", max_size=12)


@given(st.lists(st.one_of(KNOWN, BETWEEN), max_size=8).map("".join))
def test_a_text_that_was_cleared_holds_nothing_that_is_known(text: str) -> None:
    once = cleared(text)
    assert list(structured(fold(once.text))) == []
    assert cleared(once.text).text == once.text


#: Each as somebody writes a country's number; what is a digit or a letter there is drawn.
NUMBERS = (
    "########A", "##.###.###-A", "X#######A", "1 ## ## ## ### ### ##", "1 ## ## 2A ### ### ##", "## ### ### ###",
    "AAAAAA##A##A###A", "AB ## ## ## C", "### ### ####", "###-##-####", "#########", "####.##.###", "### ### ###",
    "##.##.##-###.##", "###########", "19######-####", "######+####", "######A###X", "######-####", "###.###.###-##",
    "AAAA######HAAAAA0#", "756.####.####.##", "#.###.###-K", "##.###.###-#", "#### #### ####", "##########",
)  # fmt: skip
DIGITS = st.integers(0, 10**12).map(str)
WRITTEN = st.tuples(st.sampled_from(NUMBERS), st.integers(0, 10**18)).map(
    lambda drawn: "".join(str(drawn[1] // 10**nth % 10) if sign == "#" else sign for nth, sign in enumerate(drawn[0]))
)


@given(st.lists(st.one_of(WRITTEN, DIGITS, st.sampled_from([" ", "-", ".", "+", "A", " a ", ": "])), max_size=9))
def test_how_many_digits_follow_each_other_tells_only_of_what_is_not_there(parts: list[str]) -> None:
    text = "".join(parts)
    there = together(text)
    for number in NATIONAL:
        if number.digits and there is not None and number.digits.isdisjoint(there):
            assert not number.written.search(text), number


@given(st.lists(st.one_of(WRITTEN, DIGITS, st.sampled_from([" ", "-", ".", "+", "A", " a ", ": "])), max_size=9))
def test_one_look_tells_whether_there_is_any_countrys_number(parts: list[str]) -> None:
    text = "".join(parts)
    assert bool(ANY_NATIONAL.search(text)) == any(number.written.search(text) for number in NATIONAL)


PATTERNS = {
    **{name.lower(): getattr(detectors, name) for name in ("EMAIL", "CARD", "IBAN", "ABROAD", "CALLED")},
    **AT_HOME,
    **{number.signs: number.written for number in NATIONAL},
}


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
@given(data=st.data())
def test_a_text_that_can_hold_nothing_has_nothing_that_any_detector_looks_for(
    pattern: re.Pattern[str], data: Any
) -> None:
    """Also in parts: what a drawn text loses at its ends may leave just enough of something else."""
    drawn = data.draw(st.from_regex(pattern, alphabet=st.characters(max_codepoint=127)))
    text = drawn[data.draw(st.integers(0, 3)) : len(drawn) - data.draw(st.integers(0, 3))]
    for each in (drawn, text):
        if any(known.search(each) for known in PATTERNS.values()):
            assert ANYTHING.search(each)
            assert shapes.KNOWN.told_by(["x", each, "y"]) == {1}


@pytest.mark.parametrize(
    "text", ["QA69DOHBABCDEFGHIJKLMNOPQRSTU", "LU79 010A BCDE FGHI JKLM", "MT86MALT01100ABCDEFGHIJKLMNOPQR"]
)
def test_an_account_of_letters_is_an_account(text: str) -> None:
    assert cleared(f"to {text}.").text == "to [iban]."


@pytest.mark.parametrize(
    "text", ["imported 123456 rows", "a 12 34 56 b", "row 1, 2, 3, 4, 5, 6", "md5 abcdef12", "at 10:20:30"]
)
def test_a_few_digits_alone_are_looked_at_by_no_detector(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "DETECTORS", None)
    assert list(structured(fold(text))) == []


#: As many digits as the shortest number has, and more, with as many signs between two as there may be, and words before.
CALLING = st.lists(
    st.sampled_from(
        ["tel: ", "Téléphone ", "MÓVIL ", "mobıl ", "joındre ", "Handynummer ", "call me at ", "(555) 555-0147", "+", "00 ", "+ 1 (",
         "612 345 678", "01 23 45 67 89", "(0171) / 123 45", "0121 / 12345", "020 794 6000", "333 1234567", "1", "2", "3", "45",
         "678", " ", ".", "-", "/", "(", ")", ") /- (", " is "]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(CALLING)
def test_what_has_too_few_digits_or_no_word_of_calling_has_no_number_either(text: str) -> None:
    assert SEVEN.search(text) or not any(each.search(text) for each in (ABROAD, CALLED, *AT_HOME.values()))
    assert CALLS.search(text.lower()) or not CALLED.search(text)


@pytest.mark.parametrize("word", CALLED.pattern.partition("(?:")[2].partition(")")[0].split("|"))
def test_a_number_behind_a_word_of_calling_is_a_phones(word: str) -> None:
    for each in (word, word.upper(), f"{word} me at"):
        assert list(phones(f"{each} 612345678")) == [(len(each) + 1, len(each) + 10)]


def test_each_countrys_number_is_written_in_some_of_these_ways() -> None:
    drawn = [number.replace("#", "3") for number in NUMBERS]
    assert [number for number in NATIONAL if not any(number.written.search(each) for each in drawn)] == []
    assert together("1 " * 21) is None


@pytest.mark.parametrize(
    "part",
    [
        "%4111 1111 1111 1111", "%34111111111111111", "%2534111111111111111", "4111%25201111%25201111%25201111",
        "4111+1111+1111+1111", "4111%2B1111%2B1111%2B1111", "alice%2540harbor.example", "can%2563er",
    ],
)  # fmt: skip
def test_a_part_of_an_address_is_looked_through_however_often_it_was_encoded(part: str) -> None:
    (name,) = cleared_address(f"/a/{part}").counts
    assert cleared_address(f"/a/{part}").text == f"/a/~{name}~"


def test_parts_of_an_address_are_replaced_whole() -> None:
    found = cleared_address("/of/+34600123456/hiv?q=alice%40harbor.example&b=2")
    assert found.text == "/of/~phone~/~health~?q=~e-mail~&b=2"
    assert found.counts == {"phone": 1, "health": 1, "e-mail": 1}
    assert cleared_address(found.text).text == found.text
    assert cleared_address("/docs?a=1&b").text == "/docs?a=1&b"


def test_an_address_that_holds_something_is_not_remembered() -> None:
    guard._ensure_harmless.cache_clear()
    assert cleared_address("/docs/page-1").text == "/docs/page-1"
    for _ in range(2):
        assert cleared_address("/of/alice@harbor.example").counts == {"e-mail": 1}
    assert guard._ensure_harmless.cache_info().currsize == 1


@given(st.lists(st.lists(st.one_of(KNOWN, BETWEEN), max_size=4).map("".join), max_size=12))
def test_looked_at_together_each_text_is_told_as_by_itself(texts: list[str]) -> None:
    guard.HARMLESS.young, guard.HARMLESS.old = set(), set()
    guard.look(texts)
    found = [guard._cleared(each) for each in texts]
    assert all(not each.counts for each, text in zip(found, texts, strict=True) if text in guard.HARMLESS)
    assert [cleared(each) for each in texts] == found


def test_a_text_is_remembered_only_when_it_holds_nothing_whatever_stands_beside_it() -> None:
    guard.HARMLESS.young, guard.HARMLESS.old = set(), set()
    texts = ["row 12", "to alice@harbor.example", "3 of 4", "a gayParade", "DNI 54362315K", "1234", "56"]
    guard.look(texts)
    assert [each for each in texts if each in guard.HARMLESS] == ["row 12", "3 of 4", "1234", "56"]


def test_no_more_texts_are_remembered_than_there_is_room_for() -> None:
    known = guard.Harmless(8)
    for nth in range(100):
        known.add([str(nth)])
        assert len(known.young) + len(known.old) <= known.most * 2 + 1
    assert "99" in known
    assert "9" not in known


def test_an_operator_adds_words_and_leaves_some_out(tmp_path: Path) -> None:
    own = tmp_path / "words.toml"
    own.write_text('health = ["glioblast*", "low mood"]\nclub = ["Harbor Rovers"]\nleft = ["gay"]\n', encoding="utf-8")
    found = [name for name, _ in words(str(own)).find("Glioblastoma, LOW  mood, harbor_rovers, gay, HIV")]
    assert found == ["health", "health", "club", "health"]
    assert [name for name, _ in words("").find("Glioblastoma, gay")] == ["sex-life"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("health", "it is no TOML"),
        ('Health = ["x"]', "is no name of a category"),
        ('health = "x"', "is no list of words"),
        ('health = ["12"]', "holds no letter"),
        ('health = ["a b*"]', "must be one word"),
        ('health = ["ab*"]', "at least 4 letters"),
    ],
)
def test_a_file_that_is_none_says_why(tmp_path: Path, text: str, said: str) -> None:
    own = tmp_path / "words.toml"
    own.write_text(text, encoding="utf-8")
    with pytest.raises(NotWords, match=said):
        words(str(own))

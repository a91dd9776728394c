"""Editors colour a policy as the compiler reads it: their grammar knows every word, and gives each its kind."""

import json
import plistlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lark import Token

from troth.policy.meaning import Audience, Basis, Change, Condition, Occasion, Precision, Storage, Verb
from troth.policy.parse import KEYWORDS, grammar, plain
from troth.policy.source import pieces, source

PROJECT = Path(__file__).parents[2]
FILE = PROJECT / "editors" / "troth.tmLanguage.json"
COLOURS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
POLICIES = sorted((PROJECT / "policies").glob("*.troth"))
DOCUMENT = "\n".join(
    re.findall(r"```troth\n(.*?)```", (PROJECT / "docs" / "policy-language.md").read_text("utf-8"), re.DOTALL)
)
CLOSED = "constant.language"
#: The scope that each kind of token has; all others are keywords.
SCOPES = {
    "STRING": "string",
    "PROMISE": "constant.other.promise",
    "LSQB": "punctuation.section.brackets",
    "RSQB": "punctuation.section.brackets",
    "NUMBER": "constant.numeric",
    "DATE": "constant.numeric.date",
    "EMAIL": "markup.underline.link",
    "NAME": "variable.other.category entity.name.function.purpose",
    "LANGUAGE": "constant.other.language",
    "VERB": "support.function.verb",
    "ATTRIBUTE": "storage.modifier",
    "CORRELATE": "keyword.control.clause",
} | dict.fromkeys(
    ("OCCASION", "BASIS", "PRECISION", "STORAGE", "AUDIENCE", "CONDITION", "TOPIC", "CHANNEL", "CHANGE"), CLOSED
)


def rules(patterns: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the rules of patterns, includes followed."""
    for pattern in patterns:
        if "include" in pattern:
            yield from rules(COLOURS["repository"][pattern["include"].removeprefix("#")]["patterns"])
        else:
            yield pattern


@cache
def compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression)


def every(node: object) -> Iterator[str]:
    """Yield every expression, however deep."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("match", "begin", "end"):
                yield value
            else:
                yield from every(value)
    elif isinstance(node, list):
        for each in node:
            yield from every(each)


def coloured(text: str) -> list[list[str]]:
    """Return the scope of each character of each line, the way editors find it: the first match, then the next."""
    inside: list[dict[str, Any]] | None = None
    lines = []
    for line in text.split("\n"):
        scopes, place = [""] * len(line), 0
        if line[:1].strip():
            inside = None
        while place < len(line):
            known = list(rules(COLOURS["patterns"] if inside is None else inside))
            found = [(m.start(), n, m) for n, rule in enumerate(known) if (m := compiled(at(rule)).search(line, place))]
            if not found:
                break
            _, number, match = min(found, key=lambda each: each[:2])
            paint(scopes, known[number], match)
            inside = known[number].get("patterns", inside)
            place = max(match.end(), place + 1)
        lines.append(scopes)
    return lines


def at(rule: dict[str, Any]) -> str:
    return str(rule.get("match") or rule["begin"])


def paint(scopes: list[str], rule: dict[str, Any], match: re.Match[str]) -> None:
    groups = {0: rule["name"]} if "name" in rule else {}
    groups |= {int(n): each["name"] for n, each in (rule.get("captures") or rule.get("beginCaptures") or {}).items()}
    for number, name in sorted(groups.items()):
        scopes[match.start(number) : match.end(number)] = [name] * (match.end(number) - match.start(number))


def tokens(text: str) -> Iterator[tuple[int, int, Token]]:
    """Yield what the compiler reads, each with its 1-based line and column."""
    for piece in pieces(source(text, "x")):
        for token in grammar().parse_interactive(piece.text).iter_parse():
            yield piece.line + (token.line or 1) - 1, token.column or 1, token


@pytest.mark.parametrize("text", [*(p.read_text("utf-8") for p in POLICIES), DOCUMENT], ids=lambda text: text[:30])
def test_each_word_has_the_colour_of_what_the_compiler_reads(text: str) -> None:
    lines = coloured(text)
    wrong = []
    for line, column, token in tokens(text):
        wanted = SCOPES.get(token.type, "keyword" if token.type.isalpha() or "ANON" in token.type else "")
        scope = lines[line - 1][column - 1]
        if token.type not in ("COMMA", "COLON") and not any(scope.startswith(each) for each in wanted.split()):
            wrong.append(f"{line}:{column}: {token.type} `{token}` is {scope or 'nothing'}")
    assert wrong == []


def test_every_word_of_the_language_is_known() -> None:
    words = {t.pattern.value for t in grammar().terminals if re.fullmatch(r"[a-z]+", t.pattern.value)} | set(KEYWORDS)
    expressions = " ".join(every(COLOURS))
    flat = expressions.replace(r"\s+", " ")
    for family in (Audience, Basis, Change, Condition, Occasion, Storage, Verb):
        words |= {str(word) for word in family} - {"the person"}
    words |= {str(word) for word in Precision if word is not Precision.AS_IS}
    topics = next(t.pattern.value for t in grammar().terminals if t.name == "TOPIC")
    channels = next(t.pattern.value for t in grammar().terminals if t.name == "CHANNEL")
    words |= set(topics.replace("[ \t\n]+", " ").replace(r"[ \t\n]+", " ").split("|"))
    words |= set(channels[3:-1].replace("\\", "").split("|"))
    assert [word for word in sorted(words) if not re.search(rf"(?<![a-z-]){re.escape(word)}(?![a-z-])", flat)] == []


def test_what_begins_no_clause_and_what_no_quotation_mark_ends_are_shown_as_wrong() -> None:
    assert set(coloured("colect access.url")[0][:6]) == {"invalid.illegal.clause.troth"}
    assert coloured('note "without an end')[0][-1] == "invalid.illegal.unclosed.troth"
    assert set(coloured('note "a # b" # remark')[0][5:12]) == {"string.quoted.double.troth"}
    assert coloured('note "a # b" # remark')[0][-1].startswith("comment")


def test_a_word_that_the_grammar_of_editors_forgets_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    without = json.loads(FILE.read_text("utf-8").replace("purpose|policy", "policy").replace("coarsen|", ""))
    monkeypatch.setitem(COLOURS, "repository", without["repository"])
    with pytest.raises(AssertionError, match="coarsen"):
        test_each_word_has_the_colour_of_what_the_compiler_reads("coarsen access.ip to network after 30 days\n")


def test_its_expressions_are_sound_and_other_editors_can_have_it_as_a_property_list() -> None:
    expressions = list(every(COLOURS))
    assert len(expressions) > 20
    assert all(re.compile(each) for each in expressions)
    assert plistlib.loads(plistlib.dumps(COLOURS)) == COLOURS
    assert (COLOURS["scopeName"], COLOURS["fileTypes"]) == ("source.troth", ["troth"])


def test_the_extension_names_files_that_are_there() -> None:
    told = json.loads((PROJECT / "editors" / "package.json").read_text(encoding="utf-8"))
    contributed = told["contributes"]
    (language,), (colours,) = contributed["languages"], contributed["grammars"]
    assert (colours["language"], colours["scopeName"]) == (language["id"], COLOURS["scopeName"])
    assert all((PROJECT / "editors" / each).is_file() for each in (colours["path"], language["configuration"]))
    assert language["extensions"] == [".troth"]


def test_one_space_or_several_are_the_same_colour() -> None:
    spaced = coloured('purpose x  "y"  by  legitimate   interest')
    assert spaced[0][-1].startswith(CLOSED)
    assert plain("legitimate   interest") == Basis.LEGITIMATE_INTEREST

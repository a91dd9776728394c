"""Every word of the pages is there in Spanish too."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation.template import templatize

import troth.web

WEB = Path(troth.web.__file__).parent
HOME = WEB / "locale/es/LC_MESSAGES"
CALLS = {"_", "gettext", "gettext_lazy", "ngettext"}
MARKED = re.compile(r"\bn?gettext\(u?((?:'(?:[^'\\]|\\.)*')|(?:\"(?:[^\"\\]|\\.)*\"))")


def in_templates() -> Iterator[str]:
    for suffix in ("html", "txt"):
        for file in (WEB / "templates").rglob(f"*.{suffix}"):
            for match in MARKED.finditer(templatize(file.read_text("utf-8"), origin=str(file))):
                yield ast.literal_eval(match.group(1))


def in_code() -> Iterator[str]:
    for file in WEB.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in CALLS:
                continue
            if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                yield node.args[0].value


def spanish() -> dict[object, str]:
    with (HOME / "django.mo").open("rb") as compiled:
        return dict(gettext.GNUTranslations(compiled)._catalog)  # type: ignore[attr-defined]


def test_nothing_is_left_untranslated() -> None:
    known = spanish()
    wanted = {*in_templates(), *in_code()}
    assert len(wanted) > 150
    assert [words for words in sorted(wanted) if not (known.get(words) or known.get((words, 0)))] == []


def test_the_compiled_words_are_those_of_the_source() -> None:
    source = (HOME / "django.po").read_text("utf-8").split("\n\n")[1:]
    said = {first(block, "msgid"): first(block, r"msgstr(?:\[0\])?") for block in source}
    known = spanish()
    assert {words: known.get(words) or known.get((words, 0)) for words in said} == said


def first(block: str, keyword: str) -> str:
    match = re.search(rf'^{keyword} ((?:".*"\n?)+)', block, re.MULTILINE)
    assert match, block
    return "".join(ast.literal_eval(part) for part in re.findall(r'".*"', match.group(1)))


#: How Spanish would name somebody it is formal with, and begin a sentence about what they did, may or must do.
FORMAL = re.compile(r"\busted(es)?\b|^(Puede|Tiene|Ha|Aceptó|Retiró)\b|\bsus? (acuerdo|datos|aceptación)\b")


def test_whoever_reads_is_spoken_to_as_a_friend() -> None:
    """What says "you" in English speaks of nobody else in Spanish."""
    said = {words[0] if isinstance(words, tuple) else str(words): translated for words, translated in spanish().items()}
    spoken = {words: translated for words, translated in said.items() if words.startswith("You ")}
    assert len(spoken) > 50
    assert {words: translated for words, translated in spoken.items() if FORMAL.search(translated)} == {}
    assert [translated for translated in said.values() if "usted" in translated] == []


def test_a_translation_names_what_the_original_names() -> None:
    for words, translated in spanish().items():
        original = words[0] if isinstance(words, tuple) else str(words)
        if original:
            named, kept = (set(re.findall(r"%\(\w+\)s", each)) for each in (original, translated))
            many = isinstance(words, tuple) and words[1] > 0  # says how many, where the words for one need not
            assert named <= kept if many else named == kept, original


def test_whatever_the_ledger_records_has_words() -> None:
    from troth.web.words import ACTIONS

    recorded = set()
    for file in [*WEB.parent.rglob("*.sql"), *WEB.parent.rglob("*.py")]:
        text = file.read_text("utf-8")
        recorded |= set(re.findall(r"troth\.(?:record|append)\(\s*'([a-z-]+)'", text))
        recorded |= {
            name
            for case in re.findall(r"troth\.(?:record|append)\(\s*CASE (.*?) END,", text)
            for name in re.findall(r"(?:THEN|ELSE) '([a-z-]+)'", case)
        }
        recorded |= set(re.findall(r'_record\(cursor, "([a-z-]+)"|"action": "([a-z-]+)"', text))
    names = {name for found in recorded for name in ([found] if isinstance(found, str) else found) if name}
    assert {"agreed", "signed-up", "name-corrected", "account-closed"} <= names
    assert names <= set(ACTIONS)

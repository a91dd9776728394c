"""What is written about the language is true: each page of an error gives that error, and no construct goes unsaid."""

import re
from enum import StrEnum
from importlib import resources
from pathlib import Path

import pytest

from troth.database.catalog import load
from troth.policy import parse
from troth.policy.errors import PolicyError, PolicyErrors
from troth.policy.meaning import Audience, Basis, Change, Condition, Occasion, Precision, Storage, Verb
from troth.policy.plan import plan

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = (DOCS / "policy-language.md").read_text(encoding="utf-8")
PAGES = sorted((DOCS / "errors").glob("*.md"))
GRAMMAR = resources.files("troth.policy").joinpath("syntax.lark").read_text(encoding="utf-8")
#: A line that stands for more of the clauses above it, back to the blank line, `_1` counted on.
AND_SO_ON = re.compile(r"(?<=\n\n)((?:(?!# and so on).+\n)+)# and so on, (\d+) in all\n")
#: Nothing but lines that begin no clause can be wrong two hundred times in a few words.
BESIDE = {"P-S06": {"P-S01"}}


def fenced(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def whole(source: str) -> str:
    """Return what a page's source stands for: repetitions written out, the sign for a control character made one."""

    def repeated(found: re.Match[str]) -> str:
        return "".join(found[1].replace("_1", f"_{number}") for number in range(1, int(found[2]) + 1))

    return AND_SO_ON.sub(repeated, source.replace("\N{SYMBOL FOR BELL}", "\a"))


def errors(source: str) -> tuple[PolicyError, ...]:
    try:
        plan(parse.read(whole(source), "policy.troth"), load())
    except PolicyErrors as found:
        return found.errors
    return ()


def shown(error: PolicyError) -> str:
    return "".join(f"{line.rstrip()}\n" for line in str(error).splitlines())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_its_error_and_how_it_is_mended(page: Path) -> None:
    text, code = page.read_text(encoding="utf-8"), page.stem
    wrong, mended = fenced(text, "troth")
    (said,) = fenced(text, "text")
    found = errors(wrong)
    assert {error.code for error in found} == {code} | BESIDE.get(code, set())
    assert [shown(error) for error in found if error.code == code] == [said]
    assert errors(mended) == ()
    assert text.startswith(f"# {code}: ")
    assert text.index(wrong) < text.index("## What to do") < text.rindex(mended)


def test_the_index_of_errors_is_that_of_their_pages() -> None:
    titles = [page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for page in PAGES]
    indexed = re.findall(r"^\| \[(P-[A-Z]\d\d)\]\(errors/(.*)\.md\) \| (.*) \|$", DOCUMENT, re.MULTILINE)
    assert sorted(f"{code}: {title}" for code, _, title in indexed) == titles
    assert all(code == page for code, page, _ in indexed)


def test_every_link_of_the_document_leads_somewhere() -> None:
    heads = {
        re.sub(r"[^a-z -]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"^## (.*)$", DOCUMENT, re.MULTILINE)
    }
    links = re.findall(r"\]\(([^)]+)\)", DOCUMENT)
    assert links
    assert [link for link in links if not (DOCS / link).exists() and link.removeprefix("#") not in heads] == []


def test_the_examples_of_the_document_use_every_kind_of_clause() -> None:
    """`share with nobody` alone cannot, which stands beside no recipient, nor what drops, beside what refuses."""
    kinds = set(re.findall(r"-> (\w+)$", GRAMMAR, re.MULTILINE)) | set(
        re.findall(r"\w+", re.sub(r"\|", " ", GRAMMAR.split("?start:")[1].split("\n\n")[0]))
    )
    blocks = "\n".join(fenced(DOCUMENT, "troth"))
    clauses = re.split(r"\n+(?=[a-z])", blocks.strip())
    used = {str(parse.grammar().parse(clause).data) for clause in clauses}
    assert kinds - used == {"duty", "share_nothing", "drop_undeclared"}
    for alone in ("share with nobody", "drop what is not declared in metadata"):
        assert f"`{alone}`" in DOCUMENT


@pytest.mark.parametrize("family", [Audience, Basis, Change, Condition, Occasion, Precision, Storage, Verb])
def test_every_closed_word_is_in_the_document(family: type[StrEnum]) -> None:
    flat = " ".join(DOCUMENT.split())
    missing = [str(word) for word in family if not re.search(rf"(?<![a-z]){re.escape(str(word))}(?![a-z])", flat)]
    assert [word for word in missing if word != "as is"] == []


def test_every_topic_is_in_the_document() -> None:
    topics = re.search(r"^TOPIC\.2: /(.*)/$", GRAMMAR, re.MULTILINE)
    assert topics is not None
    plain = [topic.replace(r"[ \t\n]+", " ") for topic in topics[1].split("|")]
    assert len(plain) == 7
    assert [topic for topic in plain if f"`{topic}`" not in DOCUMENT] == []


def test_a_page_that_shows_another_error_is_noticed() -> None:
    first = PAGES[0].read_text(encoding="utf-8")
    wrong, mended = fenced(first, "troth")
    assert {error.code for error in errors(wrong.replace("version 1", "version 0"))} != {
        error.code for error in errors(wrong)
    }
    assert errors(mended.replace("version 1", "version 0")) != ()

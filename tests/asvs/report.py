"""What of OWASP ASVS 5.0.0 is shown by what: read from the tests' marks, the documents and `requirements.toml`.

`python -m tests.asvs.report` writes `docs/asvs.md`; a test says when it should be written again.
"""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "asvs.md"
CITED = re.compile(r"\(ASVS ([0-9., ]+)\)")
NUMBER = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Requirements:
    """The requirements by level, and what shows them."""

    levels: dict[str, int]
    tested: dict[str, tuple[str, ...]]
    documented: dict[str, tuple[str, ...]]
    linted: dict[str, tuple[str, ...]]
    excused: dict[str, str]
    gaps: dict[str, str]

    @property
    def shown(self) -> set[str]:
        """Those that something shows."""
        return {*self.tested, *self.documented, *self.linted}

    def untold(self) -> list[str]:
        """Those that nothing speaks of: gaps that nobody has seen."""
        return sorted(set(self.levels) - self.shown - set(self.excused) - set(self.gaps), key=_order)

    def unknown(self) -> list[str]:
        """Numbers that are no requirement of these levels."""
        return sorted({*self.shown, *self.excused, *self.gaps} - set(self.levels), key=_order)

    def contradicted(self) -> list[str]:
        """Those that are called inapplicable or missing, though something shows them."""
        return sorted(self.shown & {*self.excused, *self.gaps}, key=_order)


def read(project: Path = PROJECT) -> Requirements:
    """Read them all."""
    told: dict[str, Any] = tomllib.loads((project / "tests/asvs/requirements.toml").read_text(encoding="utf-8"))
    levels = {each: int(level) for level, ids in told["levels"].items() for each in ids}
    excused = {each: entry["because"] for entry in told["excused"] for each in entry["ids"]}
    linted = {each: tuple(codes) for each, codes in told["linted"].items()}
    return Requirements(levels, _tested(project), _documented(project), linted, excused, told["gaps"])


def _tested(project: Path) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted((project / "tests").rglob("test_*.py")):
        for name, numbers in marks(file.read_text(encoding="utf-8")):
            for number in numbers:
                found[number].append(f"{file.relative_to(project)}::{name}")
    return {number: tuple(names) for number, names in found.items()}


def marks(source: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each test of a module that says which requirements it proves."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.asvs":
                    yield node.name, [str(ast.literal_eval(each)) for each in mark.args]


def _documented(project: Path) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    files = [*project.glob("*.md"), *(project / "docs").glob("*.md"), *(project / "docs" / "decisions").glob("*.md")]
    for file in sorted(files):
        for cited in CITED.findall(file.read_text(encoding="utf-8")) if file.name != "asvs.md" else ():
            for number in NUMBER.findall(cited):
                found[number].append(str(file.relative_to(project)))
    return {number: tuple(dict.fromkeys(names)) for number, names in found.items()}


def _order(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split(".")))


def page(told: Requirements) -> str:
    """Return the report."""
    first = sum(level == 1 for level in told.levels.values())
    lines = [
        "# OWASP ASVS 5.0.0, requirement by requirement",
        "",
        "Levels 1 and 2, and level 3 of chapter 8 (authorization). The numbers are those of the"
        " [standard](https://github.com/OWASP/ASVS); what they say is read there. Written by"
        " `python -m tests.asvs.report` from the marks of the tests.",
        "",
        f"Of {len(told.levels)} requirements ({first} of level 1), {len(told.shown)} are shown by a test, a rule of the"
        f" linter or a document, {len(told.excused)} do not apply for the reason given, {len(told.gaps)} are gaps.",
        "",
        "| requirement | level | shown by |",
        "|---|---|---|",
        *(f"| {number} | {level} | {_evidence(told, number)} |" for number, level in _sorted(told)),
        "",
    ]
    return "\n".join(lines)


def _sorted(told: Requirements) -> list[tuple[str, int]]:
    return sorted(told.levels.items(), key=lambda each: _order(each[0]))


def _evidence(told: Requirements, number: str) -> str:
    if number in told.gaps:
        return f"**gap**: {told.gaps[number]}"
    if number in told.excused:
        return f"does not apply: {told.excused[number]}"
    parts = [f"`{name}`" for name in told.tested.get(number, ())]
    parts += [f"the linter's {', '.join(told.linted[number])}"] if number in told.linted else []
    parts += [f"[{name}]({_link(name)})" for name in told.documented.get(number, ())]
    return ", ".join(parts) or "**nothing**"


def _link(name: str) -> str:
    return name.removeprefix("docs/") if name.startswith("docs/") else f"../{name}"


if __name__ == "__main__":
    PAGE.write_text(page(read()), encoding="utf-8")

"""Names explain, files stay short, nothing is left unfinished."""

from pathlib import Path

import pytest

from tests.architecture.lints import HOUSE, LONGEST_FILE, ROOT, UNFINISHED, python_files, told, vague_names


def test_no_name_is_vague() -> None:
    names = (path.relative_to(HOUSE) for path in HOUSE.rglob("*") if path.suffix in {".py", ".sql", ".toml"})
    assert vague_names(names) == []


@pytest.mark.parametrize("name", ["people/utils.py", "helpers/dates.py", "web/base.py", "ledger/manager.py"])
def test_the_lint_sees_vague_names(name: str) -> None:
    assert vague_names(iter([Path(name)])) == [Path(name)]


def test_no_file_has_outgrown_its_concept() -> None:
    files = [path for path in HOUSE.rglob("*") if path.suffix in {".py", ".sql"}]
    long = {told(path): count for path in files if (count := len(path.read_text("utf-8").splitlines())) > LONGEST_FILE}
    assert long == {}


def test_nothing_is_marked_as_unfinished() -> None:
    files = [*python_files(), *(ROOT / "tests").rglob("*.py")]
    found = [told(path) for path in files if UNFINISHED.search(path.read_text(encoding="utf-8"))]
    assert found == []


@pytest.mark.parametrize(
    "word", ["TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error", "pytest.mark.sk" + "ip"]
)
def test_the_lint_sees_unfinished_marks(word: str) -> None:
    assert UNFINISHED.search(f"    # {word}: later")

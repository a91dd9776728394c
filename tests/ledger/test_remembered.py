"""The last head seen is kept outside the database, and only ever moves forward."""

from pathlib import Path

import pytest

from troth.ledger.errors import RememberedRefusal
from troth.ledger.remembered import recall, remember
from troth.ledger.verify import Head

YOUNG = Head(3, b"\x03" * 32)
OLD = Head(9, b"\x09" * 32)


def test_nothing_is_remembered_at_first(tmp_path: Path) -> None:
    assert recall(tmp_path / "head.json") is None


def test_a_head_is_remembered_as_it_was(tmp_path: Path) -> None:
    remember(tmp_path / "head.json", OLD)
    assert recall(tmp_path / "head.json") == OLD


def test_a_smaller_or_equal_ledger_never_replaces_what_was_seen(tmp_path: Path) -> None:
    remember(tmp_path / "head.json", OLD)
    remember(tmp_path / "head.json", YOUNG)
    remember(tmp_path / "head.json", Head(9, b"\x07" * 32))
    assert recall(tmp_path / "head.json") == OLD


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"size": 3}', '{"size": 3, "hash": "zz"}', '{"size": 3, "hash": "00"}', "\xff"]
)
def test_a_spoiled_file_is_refused_and_not_taken_for_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "head.json"
    file.write_text(content, encoding="latin-1")
    with pytest.raises(RememberedRefusal, match=r"head\.json"):
        recall(file)
    with pytest.raises(RememberedRefusal):
        remember(file, OLD)
    assert file.read_text(encoding="latin-1") == content


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RememberedRefusal, match="cannot be written"):
        remember(tmp_path / "nowhere" / "head.json", OLD)

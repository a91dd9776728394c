"""`troth policy export` writes a policy as each standard, to the terminal or a file, and refuses one that is wrong."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.policy.exported import DEFAULT, PROJECT
from troth.cli.policy import policy
from troth.cli.standards import FORMS

FILE = str(PROJECT / "policies" / "hosted-solutions.troth")


def export(*arguments: str) -> Result:
    return CliRunner().invoke(policy, ["export", *arguments], catch_exceptions=False)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_written_to_the_terminal_and_to_a_file(form: str, tmp_path: Path) -> None:
    shown = export(FILE, "--as", form)
    assert shown.exit_code == 0
    assert shown.stdout_bytes == FORMS[form](DEFAULT).encode()
    there = tmp_path / "exported"
    assert export(FILE, "--as", form, "--output", str(there)).stdout == ""
    assert there.read_bytes() == shown.stdout_bytes


def test_the_forms_are_those_promised() -> None:
    assert list(FORMS) == ["dpv-jsonld", "dpv-turtle", "ropa-csv", "fideslang", "labels"]
    assert export(FILE, "--as", "p3p").exit_code == 2
    assert export(FILE).exit_code == 2


def test_a_wrong_policy_is_not_exported(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.troth"
    wrong.write_text(Path(FILE).read_text(encoding="utf-8").replace("by consent", "by chance"), encoding="utf-8")
    there = tmp_path / "exported"
    done = export(str(wrong), "--as", "labels", "--output", str(there))
    assert done.exit_code == 1
    assert "by chance" in done.stderr
    assert not there.exists()


def test_the_same_policy_gives_the_same_bytes() -> None:
    first, second = (export(FILE, "--as", "labels").stdout for _ in range(2))
    assert first == second
    assert json.loads(first)["policy"]["digest"] == DEFAULT.digest

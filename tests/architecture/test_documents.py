"""What the documents tell a reader to type exists."""

import re

import click
import pytest

from tests.architecture.lints import ROOT
from troth.cli.main import troth
from troth.intake.sent import TOO_LATE

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "docs/ledger.md")
#: Why a visit, or a line of a log, is refused, which no application sends.
OF_VISITS = {"malformed-line", "not-understood"}
MAKE = re.compile(r"^make ([a-z][a-z-]*)", re.MULTILINE)
TROTH = re.compile(r"(?:^|`|\.venv/bin/)troth((?: [a-z][a-z-]*)+)", re.MULTILINE)


def text(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", text("Makefile"), re.MULTILINE))


def test_the_readme_shows_both_commands() -> None:
    assert {"run", "test"} <= {target for code in typed("README.md") for target in MAKE.findall(code)}


def typed(document: str) -> set[str]:
    """What stands in code, where a reader copies from."""
    return set(re.findall(r"```[a-z]*\n(.*?)```", text(document), re.DOTALL)) | set(
        re.findall(r"`([^`\n]+)`", text(document))
    )


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_named_exists(document: str) -> None:
    named = {target for code in typed(document) for target in MAKE.findall(code)}
    assert named <= targets()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_troth_command_named_exists(document: str) -> None:
    missing = [
        f"troth{words}" for code in typed(document) for words in TROTH.findall(code) if not is_command(words.split())
    ]
    assert missing == []


def test_a_head_of_the_ledger_is_kept_by_the_same_command_wherever_that_is_advised() -> None:
    command = "troth ledger verify --remember ledger-head.json\n"
    assert {code.removeprefix(".venv/bin/") for code in typed("README.md") if "--remember" in code} == {command}
    assert {code for code in typed("docs/ledger.md") if "--remember " in code} == {command}


def is_command(words: list[str]) -> bool:
    command: click.Command = troth
    context = click.Context(command)
    for word in words:
        if not isinstance(command, click.Group):
            return True  # an argument of the command before it
        found = command.get_command(context, word)
        if found is None:
            return False
        command = found
    return True


def test_every_path_the_architecture_names_is_there() -> None:
    paths = re.findall(r"`((?:src|tests|docs|policies|benchmarks)/[\w/.-]+)`", text("ARCHITECTURE.md"))
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_decision_is_numbered_once_and_in_order() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_test_that_the_index_of_threats_names_exists() -> None:
    named = TEST.findall(text("tests/README.md"))
    assert len(named) > 20
    assert [each for each in named if f"def {each[1]}(" not in text(each[0])] == []


def test_whoever_sends_is_told_of_every_reason_why_it_may_be_refused() -> None:
    told, source = text("docs/applications.md"), ROOT / "src" / "troth"
    written = [*(source / "intake").glob("*.py"), source / "api" / "intake.py"]
    named = {
        reason
        for each in written
        for reason in re.findall(r'Refus(?:ed|al)\(\s*"([a-z-]+)"', each.read_text(encoding="utf-8"))
    }
    answered = named | {TOO_LATE, "names-nobody", "person-declined", "browser-objects"}
    assert len(answered) > 20
    assert {reason for reason in answered if f"`{reason}`" not in told} == OF_VISITS

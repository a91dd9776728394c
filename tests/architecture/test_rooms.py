"""Rooms are stacked, and each contract of the linter fires when it is broken."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.lints import HOUSE, ROOMS, ROOT


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the house that a test may break."""
    shutil.copytree(HOUSE, tmp_path / "src" / "troth", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept() -> None:
    ran = lint_imports(ROOT)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("room", "line", "contract"),
    [
        ("ledger", "import troth.people", "rooms are stacked"),
        ("people", "import troth.consent", "rooms are stacked"),
        ("policy", "import psycopg", "the policy room is pure"),
        ("web", "import click", "only the command line knows a terminal"),
        ("web", "import troth.people.models", "models are private to their room"),
    ],
)
def test_a_broken_contract_is_named(copy: Path, room: str, line: str, contract: str) -> None:
    (copy / "src" / "troth" / room / "broken.py").write_text(f"{line}\n", encoding="utf-8")
    ran = lint_imports(copy)
    assert ran.returncode != 0
    assert any(contract in told and "BROKEN" in told for told in ran.stdout.splitlines()), ran.stdout


def test_a_room_that_no_layer_names_is_refused(copy: Path) -> None:
    (copy / "src" / "troth" / "attic").mkdir()
    (copy / "src" / "troth" / "attic" / "__init__.py").touch()
    assert lint_imports(copy).returncode != 0


def test_the_lints_know_the_same_rooms_as_the_linter() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = contracts[0]["layers"]
    assert [room.strip() for layer in reversed(layers) for room in layer.split("|")] == list(ROOMS)


def test_every_room_below_the_faces_says_what_it_is_for() -> None:
    silent = [room for room in ROOMS[: ROOMS.index("web")] if not (HOUSE / room / "README.md").is_file()]
    assert silent == []

"""OWASP ASVS 5.0.0: what no test, document or rule of the linter shows, and nobody excused, is a gap that fails here."""

import subprocess
import sys
import tomllib
from dataclasses import replace

import pytest

from tests.asvs.report import PAGE, PROJECT, marks, page, read


def test_every_requirement_is_spoken_of() -> None:
    assert read().untold() == []


def test_a_requirement_whose_only_test_goes_is_missed() -> None:
    told = read()
    alone = next(n for n in told.tested if n not in told.documented and n not in told.linted)
    assert replace(told, tested={k: v for k, v in told.tested.items() if k != alone}).untold() == [alone]


def test_no_number_is_made_up() -> None:
    assert read().unknown() == []


def test_nothing_is_excused_that_something_shows() -> None:
    assert read().contradicted() == []


def test_the_report_is_the_one_of_these_tests() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(read()), "write it again: python -m tests.asvs.report"


def test_the_rules_of_the_linter_are_on() -> None:
    told = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    off = {code for code in told["ignore"] if code.startswith("S")}
    off |= {
        c for path, codes in told["per-file-ignores"].items() if path.startswith("src") for c in codes if c[0] == "S"
    }
    wanted = {code for codes in read().linted.values() for code in codes}
    assert told["select"] == ["ALL"]
    assert not wanted & off


@pytest.mark.parametrize(
    ("code", "source"),
    [
        ("S602", "import subprocess\n\nsubprocess.run(input(), shell=True)\n"),
        ("S307", "eval(input())\n"),
        ("S301", "import pickle\n\npickle.loads(b'')\n"),
        ("S311", "import random\n\nrandom.random()\n"),
        ("S501", "import requests\n\nrequests.get('https://harbor.example', verify=False, timeout=1)\n"),
    ],
)
def test_the_linter_sees_what_it_should(code: str, source: str) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--stdin-filename=src/troth/x.py", "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert code in done.stdout


def test_marks_are_read_from_the_source() -> None:
    source = '@pytest.mark.asvs("1.1.1", "2.2.2")\n@other\ndef test_it(): ...\n\ndef test_other(): ...\n'
    assert list(marks(source)) == [("test_it", ["1.1.1", "2.2.2"])]

"""What data holds does nothing to the operator's terminal: a table shows it as what it is, JSON and CSV keep it exactly."""

import csv
import io
import json

import pytest
from click.testing import CliRunner

from troth.cli import query
from troth.cli.query import Answer, as_csv, as_json, as_table
from troth.cli.shown import OBEYED, harmless
from troth.database.place import Place

#: A title, a colour in both forms, a link, a line taken back, a direction turned round, a row that is none.
OBEYED_VALUES = (
    "\x1b]0;owned\x07",
    "\x1b[31mred",
    "\x9b31mred",
    "\x1b]8;;https://evil.example\x1b\\here\x1b]8;;\x1b\\",
    "harmless\r\x1b[2Kforged",
    "name\u202eexe.txt",
    "one\ntwo",
)


@pytest.mark.parametrize("value", OBEYED_VALUES)
def test_a_table_shows_what_a_terminal_would_obey(value: str) -> None:
    table = as_table(Answer((value,), [(value,)]))
    assert not OBEYED.search(table.replace("\n", ""))
    assert table.count(harmless(value)) == 2
    assert harmless(value).encode("ascii", "strict")


@pytest.mark.parametrize("value", OBEYED_VALUES)
def test_json_and_csv_keep_a_value_exactly(value: str) -> None:
    answer = Answer(("value",), [(value,)])
    assert json.loads(as_json(answer)) == [{"value": value}]
    assert not OBEYED.search(as_json(answer).replace("\n", ""))
    assert list(csv.reader(io.StringIO(as_csv(answer), newline="")))[1] == [value]


@pytest.mark.parametrize("name", ["Ólafur Þór", "\u200fليلى حداد", "👩\u200d🚀", "山田 太郎", "a\\x1b[0m"])
def test_names_stay_as_they_are_written(name: str) -> None:
    assert harmless(name) == name


def test_what_postgresql_says_of_a_value_is_shown_harmlessly(database: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error repeats the value that was wrong, which somebody else may have written."""
    asked = "SELECT (chr(27) || ']0;owned' || chr(7))::integer"
    told = ["--purpose", "provide", asked]
    done = CliRunner().invoke(query.query, told)
    assert done.exit_code == 1
    assert "\\x1b]0;owned\\x07" in done.output
    assert "\x1b" not in done.output
    monkeypatch.setattr(query, "harmless", lambda text, **_told: text)
    assert "\x1b" in CliRunner().invoke(query.query, told).output, "the control taken away"

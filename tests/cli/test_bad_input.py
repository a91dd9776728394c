"""What a command is given wrong is told in a sentence that says what to do, and changes nothing."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cli.test_reading import TINY, ask
from tests.serving import TROTH
from troth.cli.announce import announce
from troth.cli.guard import guard
from troth.cli.serve import serve
from troth.database.place import Place

TODAY = datetime.now(UTC).date()


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.troth"
    file.write_text(TINY, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("tomorrow", "`tomorrow` is no day; write it as 2027-01-31"),
        ("2027-02-30", "`2027-02-30` is no day"),
        (str(TODAY - timedelta(days=2)), "has passed; name today or a later day"),
    ],
)
def test_no_version_is_published_for_a_day_that_is_none_or_has_passed(tiny: Path, day: str, said: str) -> None:
    done = ask("publish", tiny, "--effective", day, "--yes")
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize("command", ["publish", "apply"])
def test_terms_that_are_no_text_are_told(
    tiny: Path, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("troth.database.published.current", lambda _: None)
    terms = tmp_path / "terms"
    terms.write_bytes(b"\xff\xfe")
    done = ask(command, tiny, "--terms", terms)
    assert done.exit_code == 1
    assert f"`{terms}` is not UTF-8" in done.output


def test_where_nothing_runs_that_is_said_and_not_which_key_is_missing(tmp_path: Path) -> None:
    told = os.environ | {"TROTH_DATA": str(tmp_path / "nowhere")}
    done = subprocess.run([TROTH, "policy", "withdraw", "2"], env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no troth at" in done.stderr


def test_a_subject_of_two_lines_is_not_called_too_long(tmp_path: Path) -> None:
    news = tmp_path / "news.toml"
    news.write_text('[en]\nsubject = "News\\nof today"\ntext = "There is some."\n', encoding="utf-8")
    done = CliRunner().invoke(announce, [str(news), "--yes"])
    assert "the subject of `en` is more than one line" in done.output


@pytest.mark.parametrize("address", ["http://nats.example:4222", "nats://", "nats.example", "nats://a b"])
def test_what_is_no_address_of_a_stream_stops_the_start(tmp_path: Path, address: str) -> None:
    done = CliRunner().invoke(serve, ["--intake", address, "--data", str(tmp_path / "data")])
    assert done.exit_code == 2
    assert f"--intake `{address}` is no NATS server; write nats://host:port" in " ".join(done.output.split())


def test_words_of_an_operators_own_are_listed_and_a_file_that_holds_none_stops_the_start(
    tmp_path: Path, database: Place
) -> None:
    words = tmp_path / "words.toml"
    words.write_text('harbor-law = ["contraband"]\n', encoding="utf-8")
    listed = CliRunner().invoke(guard, ["--guard-words", str(words), "--data", str(database.data), "--format", "json"])
    assert json.loads(listed.output)["harbor-law"] == {}
    none = tmp_path / "none.toml"
    none.write_text("harbor-law = 3\n", encoding="utf-8")
    for command, data in ((guard, database.data), (serve, tmp_path / "data")):
        done = CliRunner().invoke(command, ["--guard-words", str(none), "--data", str(data)])
        assert done.exit_code == 2
        assert "`harbor-law` is no list of words" in " ".join(done.output.split())

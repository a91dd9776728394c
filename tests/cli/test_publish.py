"""What a version changes, and whom it touches, is shown before it is published, asked about or not."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.conftest import Person
from tests.consent.conftest import django, keeper
from tests.consent.test_publishing import PLAIN
from tests.consent.test_scheduling import DAY
from troth.cli.policy import policy
from troth.database import simulate
from troth.database.keeper import Keeper
from troth.database.simulate import SimulationRefusal

__all__ = ["django", "keeper"]


@pytest.fixture
def turning(django: None, cast: dict[str, Person], keeper: Keeper) -> Iterator[None]:
    """A keeper who answers, as one in service does."""
    ended = threading.Event()

    def turn() -> None:
        while not ended.wait(0.02):
            keeper.turn()

    thread = threading.Thread(target=turn)
    thread.start()
    yield
    ended.set()
    thread.join(20)


def publish(file: Path, *arguments: str, answer: str = "") -> Result:
    told = ["publish", str(file), "--effective", str(DAY), "--raise", "tell", *arguments]
    return CliRunner().invoke(policy, told, input=answer)


@pytest.mark.usefixtures("turning")
def test_with_yes_the_same_is_shown_and_only_nothing_asked(tmp_path: Path) -> None:
    file = tmp_path / "plain.troth"
    file.write_text(PLAIN, encoding="utf-8")
    asked = publish(file, answer="n\n")
    assert asked.exit_code == 1
    shown, _question, _rest = asked.stderr.partition("Publish it?")
    assert "people@harbor.example" in shown
    assert "agreed: 4 people, 4 of them to the version in force" in shown
    assert "raised by you to: notify" in shown
    done = publish(file, "--yes")
    assert (done.exit_code, done.stderr) == (0, shown)
    assert done.stdout.startswith(f"version 2 takes effect on {DAY}")


@pytest.mark.usefixtures("turning")
def test_with_yes_it_is_published_though_nothing_could_be_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **_more: object) -> None:
        raise SimulationRefusal(
            "counting took longer than 120 seconds", advice="simulate when the database is less busy"
        )

    monkeypatch.setattr(simulate, "simulate", busy)
    file = tmp_path / "plain.troth"
    file.write_text(PLAIN, encoding="utf-8")
    assert publish(file).exit_code == 1
    done = publish(file, "--yes")
    assert done.exit_code == 0, done.output
    assert "what it touches could not be counted: counting took longer than 120 seconds" in done.stderr
    assert done.stdout.startswith(f"version 2 takes effect on {DAY}")

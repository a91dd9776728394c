"""A command that finds no running troth says so at once, in one sentence."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import Serving
from troth.database import connect, place
from troth.database.errors import ServerRefusal
from troth.database.place import Place

COMMANDS = (
    ("query", "--purpose", "understand", "select 1"),
    ("ledger", "verify"),
    ("analyst", "list"),
    ("import", "access-log", __file__),
    ("policy", "coverage"),
    ("retention", "status"),
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a data folder whose troth was stopped; a socket's path may not be long."""
    data = Path("/tmp") / f"troth-stopped-{os.getpid()}"
    place.prepare(data)
    Place(data=data, host=str(data / "socket")).write()
    yield data
    shutil.rmtree(data)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_stopped_troth_is_told_at_once(folder: Path, command: tuple[str, ...]) -> None:
    began = time.monotonic()
    done = Serving(folder).run(*command, check=False)
    assert time.monotonic() - began < 8
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"troth: the troth at `{folder}` is not running; start it with")
    assert "psycopg.pool" not in done.stderr
    assert "Traceback" not in done.stderr


def test_where_there_is_none_the_command_says_how_to_name_it(tmp_path: Path) -> None:
    """As for somebody who gave `--data` to `make run` and not to the next command."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TROTH_", "DJANGO_"))}
    command = [str(Path(sys.executable).with_name("troth")), "query", "--purpose", "understand", "select 1"]
    done = subprocess.run(
        command, env=environment | {"HOME": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    default = Path("/var/lib/troth") if os.geteuid() == 0 else tmp_path / ".local/share/troth"
    if not default.exists():
        assert done.stderr == f"troth: no troth at `{default}`; name its folder with --data or TROTH_DATA\n"
    assert done.returncode == 1


def test_a_running_one_is_answering_and_one_that_is_not_ours_to_reach_is_told_apart(
    cluster: Place, tmp_path: Path
) -> None:
    connect.answering(cluster)
    with pytest.raises(ServerRefusal, match="does not answer"):
        connect.answering(Place(data=cluster.data, host="/" + "long" * 40))
    with pytest.raises(ServerRefusal, match="not running"):
        connect.answering(Place(data=cluster.data, host="127.0.0.1", port=1))
    with pytest.raises(ServerRefusal, match="no troth at"):
        connect.answering(Place(data=tmp_path, host=str(tmp_path)))


def test_a_start_says_how_commands_find_it_and_an_end_that_it_ended(tmp_path: Path) -> None:
    service = Serving(tmp_path / "my data").start()
    assert service.stop(signal.SIGINT) == 0
    assert f"\n  export TROTH_DATA='{tmp_path}/my data'\n" in service.said
    assert service.said.rstrip().endswith("stopped")

"""A log that is followed loses no line, and stores none twice, however often whoever follows it is killed."""

import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.intake.test_accesslog import a_line
from tests.seeding import SEED
from tests.serving import TROTH, Serving

pytestmark = pytest.mark.xdist_group("faults")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("tailed") / "data").start()
    yield serving
    serving.stop()


class Writer:
    """A web server that writes a line at a time, and whose log is rotated and copied meanwhile."""

    def __init__(self, log: Path, chance: random.Random) -> None:
        self.log, self.chance, self.lines = log, chance, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def write(self, many: int) -> None:
        for _ in range(many):
            with self.log.open("a") as file:
                file.write(a_line(self.lines) + "\n")
            self.lines += 1

    def _run(self) -> None:
        while not self.ended.is_set():
            self.write(self.chance.randrange(1, 40))
            time.sleep(0.05)
            if self.chance.random() < 0.01:
                self._rotate()

    def _rotate(self) -> None:
        for nth in range(99, 0, -1):
            older = self.log.with_name(f"access.log.{nth}")
            if older.exists():
                older.rename(self.log.with_name(f"access.log.{nth + 1}"))
        if self.chance.random() < 0.5:
            self.log.rename(self.log.with_name("access.log.1"))
        else:
            shutil.copyfile(self.log, self.log.with_name("access.log.1"))
            os.truncate(self.log, 0)


def places(service: Serving) -> set[bytes]:
    """Return what is remembered of how far files were read."""
    return {each.read_bytes() for each in (service.data / "tail").glob("*.json")}


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_nothing_is_lost_or_stored_twice(service: Serving, tmp_path: Path) -> None:
    chance, log = random.Random(SEED), tmp_path / "access.log"
    writer = Writer(log, chance)
    environment = os.environ | {"TROTH_DATA": str(service.data)}
    command = [str(TROTH), "tail", str(log)]
    kills = 0
    try:
        for _ in range(5):
            before = places(service)
            with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as tail:
                if not kills:
                    writer.write(10)
                wait_until(lambda before=before: places(service) != before)  # type: ignore[misc]
                if not kills:
                    writer.thread.start()
                time.sleep(chance.uniform(0, 2))
                assert tail.poll() is None, tail.stderr.read() if tail.stderr else ""
                tail.kill()
                kills += 1
    finally:
        writer.ended.set()
        writer.thread.join()
    said = service.run("tail", str(log), "--once").stdout
    with service.connect("protect") as reader:
        rows = reader.execute("SELECT url, count(*) FROM protect.access WHERE url ^@ '/page/' GROUP BY url").fetchall()
    found = {int(url.rpartition("/")[2]): many for url, many in rows}
    told = f"TROTH_SEED={SEED}, {kills} kills, {writer.lines} lines\n{said}"
    assert found == dict.fromkeys(range(writer.lines), 1), told

"""Bugsink (PyPI) as its own guide runs it on one machine, to be measured beside the intake: two workers and its queue.

It is installed into a folder that is gone afterwards, by the project's `uv`. Its limits on how many events may come are
raised; it keeps them in SQLite.
"""

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil

PROJECT = Path(__file__).parents[1]
VERSION = "2.6.1"
PORT = 18_913
#: How long what was acknowledged may take to be stored.
PATIENCE = 120.0
LIMITS = """
for window in ("5_MINUTES", "HOUR", "MONTH"):
    BUGSINK[f"MAX_EVENTS_PER_{window}"] = BUGSINK[f"MAX_EVENTS_PER_PROJECT_PER_{window}"] = 100_000_000
"""
CREATE = """
from projects.models import Project
from teams.models import Team
team = Team.objects.create(name="measured")
print(Project.objects.create(name="measured", team=team, retention_max_event_count=100_000_000).sentry_key.hex)
"""


@dataclass(frozen=True, slots=True)
class Bugsink:
    """One that runs: the key of its project, where it keeps events, and its processes."""

    key: str
    database: Path
    processes: Sequence[psutil.Process]

    def stored(self) -> int:
        """Return how many events it has stored."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM events_event").fetchone()[0])

    def cpu(self) -> float:
        """Return the seconds of CPU that its processes and their children have taken."""
        every = {child for each in self.processes for child in (each, *each.children(recursive=True))}
        spent = 0.0
        for each in every:
            with suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                spent += times.user + times.system
        return spent

    def settle(self) -> None:
        """Wait until everything that was acknowledged is stored, or until nothing more is."""
        deadline, last, since = time.monotonic() + PATIENCE, -1, time.monotonic()
        while time.monotonic() < deadline and time.monotonic() - since < PATIENCE / 20:
            if (now := self.stored()) != last:
                last, since = now, time.monotonic()
            time.sleep(0.5)


@contextmanager
def running(folder: Path) -> Iterator[Bugsink]:
    """Install it, start it, and stop it."""
    made = folder / "bugsink"
    uv = str(PROJECT / ".uv" / "bin" / "uv")
    subprocess.run([uv, "venv", "-q", str(made)], check=True)
    subprocess.run([uv, "pip", "install", "-q", "-p", str(made), f"bugsink=={VERSION}"], check=True)
    data = folder / "data"
    for part in ("ingestion", "snappea"):
        (data / part).mkdir(parents=True)
    env = os.environ | {"PATH": f"{made}/bin:{os.environ['PATH']}"}
    env.pop("DJANGO_SETTINGS_MODULE", None)

    def run(*command: str, told: str = "") -> str:
        done = subprocess.run(command, cwd=folder, env=env, input=told, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    run("bugsink-create-conf", "--template=singleserver", f"--host=127.0.0.1:{PORT}")
    conf = folder / "bugsink_conf.py"
    conf.write_text(conf.read_text(encoding="utf-8").replace("/home/bugsink", str(data)) + LIMITS, encoding="utf-8")
    run("bugsink-manage", "migrate", "-v0")
    run("bugsink-manage", "migrate", "snappea", "--database=snappea", "-v0")
    key = run("bugsink-manage", "shell", told=CREATE).splitlines()[-1]
    serve = ["gunicorn", f"--bind=127.0.0.1:{PORT}", "--workers=2", "--access-logfile=/dev/null", "bugsink.wsgi"]
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            for command in (serve, ["bugsink-runsnappea"])
        ]
        for each in started:
            stack.callback(each.terminate)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(OSError), urlopen(f"http://127.0.0.1:{PORT}/health/ready", timeout=1):
                break
            time.sleep(0.2)
        yield Bugsink(key, data / "db.sqlite3", [psutil.Process(each.pid) for each in started])

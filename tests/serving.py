"""A real `troth serve`, as a newcomer starts it, for the tests that need the whole of it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

TROTH = Path(sys.executable).with_name("troth")
#: A database is a thousand small files, and nearly every test begins with a copy: where there is room, in memory.
MEMORY = Path("/dev/shm")
ROOM = 2 << 30


def roomy() -> str | None:
    """Return the folder for what tests may lose; None leaves it to the system. What tests a disk's promises stays on one."""
    usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return str(MEMORY) if usable else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Serving:
    """One running service; `told` is added to its environment, `said` is what it printed."""

    data: Path
    port: int = field(default_factory=free_port)
    arguments: tuple[str, ...] = ("--dev",)
    told: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def log(self) -> Path:
        return self.data.with_name(self.data.name + ".log")

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def start(self, seconds: float = 300) -> "Serving":
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("TROTH_", "DJANGO_"))}
        environment |= {"TROTH_UNLIMITED": "1", "PYTHONUNBUFFERED": "1"} | self.told
        command = [str(TROTH), "serve", "--port", str(self.port), "--data", str(self.data), *self.arguments]
        before = self.said.count("troth is ready") if self.log.exists() else 0
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        deadline = time.monotonic() + seconds
        while self.said.count("troth is ready") == before:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.1)
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(40)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("TROTH_", "DJANGO_"))}
        done = subprocess.run(
            [str(TROTH), *arguments],
            env=environment | {"TROTH_DATA": str(self.data)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def children(self) -> dict[str, list[int]]:
        """Return process ids by part: `server` and `postmaster`."""
        found: dict[str, list[int]] = {"server": [], "postmaster": []}
        assert self.process is not None
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().decode("utf-8", "replace").replace("\0", " ")
                parent = int(re.search(r"PPid:\s+(\d+)", (entry / "status").read_text()).group(1))  # type: ignore[union-attr]
            except (OSError, AttributeError):
                continue
            if parent == self.process.pid and "troth.config.server" in command:
                found["server"].append(int(entry.name))
            if parent == self.process.pid and "/bin/postgres -D" in command:
                found["postmaster"].append(int(entry.name))
        return found

    def connect(self, role: str) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect as a role of this service, whatever service this process itself belongs to."""
        from troth.database import connect, place

        return psycopg.connect(**connect.parameters(role, place.read(self.data)))

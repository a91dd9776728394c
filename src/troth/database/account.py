"""Operating-system users: who runs the parts of troth, and processes started as one of them."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from troth.database.errors import ServerRefusal

SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux's prctl(2)
PLAIN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the operating system; `other` when it is not the one this process runs as."""

    uid: int
    gid: int
    name: str
    other: bool = False

    @classmethod
    def mine(cls) -> Self:
        """Return the user of this process."""
        return cls.of(os.geteuid())

    @classmethod
    def of(cls, uid: int) -> Self:
        """Return the user with this number, known by name or not."""
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            return cls(uid, os.getegid(), str(uid), uid != os.geteuid())
        return cls(uid, entry.pw_gid, entry.pw_name, uid != os.geteuid())

    @classmethod
    def ensured(cls, name: str) -> Self:
        """Return the system user `name`, made when absent (needs root). Raises ServerRefusal when it cannot be made."""
        try:
            return cls.of(pwd.getpwnam(name).pw_uid)
        except KeyError:
            make_user(name)
        try:
            return cls.of(pwd.getpwnam(name).pw_uid)
        except KeyError:
            sentence = f"the system user `{name}` is needed and could not be made"
            raise ServerRefusal(
                sentence, advice=f"make it (`useradd --system {name}`), or run troth as an ordinary user"
            ) from None


def make_user(name: str) -> None:
    """Make a system user without a home, a shell or a password; its absence afterwards tells of a failure."""
    tool = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if tool:
        command = [tool, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        subprocess.run([*command, "--shell", "/usr/sbin/nologin", name], check=False, capture_output=True)


def run_as(
    account: Account,
    command: Sequence[str],
    *,
    cwd: Path,
    output: IO[bytes] | None = None,
    environment: Mapping[str, str] = PLAIN,
    preexec: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` as `account` with an environment of its own, in a session of its own.

    Without `output` what it says is dropped. The folder is entered before the user is changed, so that the user needs
    no rights on the folders above. Raises OSError when the program cannot be run.
    """
    to = output if output is not None else subprocess.DEVNULL
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=to,
        stderr=to,
        start_new_session=True,
        preexec_fn=preexec,  # noqa: PLW1509 - one call of prctl, prepared before the fork
        user=account.uid if account.other else None,
        group=account.gid if account.other else None,
        extra_groups=[] if account.other else None,
    )


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child does before it runs, so that `number` ends it when its parent dies; None beyond Linux."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(SET_DEATH_SIGNAL, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return ask

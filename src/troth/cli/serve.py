"""`troth serve`: the keeper, the database and the server together, until told to stop."""

import os
import re
import secrets
import shlex
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from types import FrameType

import click
from psycopg import Error, OperationalError
from rich.console import Console

from troth.cli import certificates, demo, listening
from troth.cli.options import data_option
from troth.consent import announcing, handover, identifiers, publishing
from troth.database import apply, connect, embedded, logs, place
from troth.database.account import die_with_parent
from troth.database.catalog import load as load_catalog
from troth.database.errors import DatabaseRefusal, ServerRefusal
from troth.database.keeper import Keeper
from troth.database.place import Place
from troth.database.statements import load
from troth.intake import keeping as forgetting
from troth.intake import shelf, special
from troth.ledger import sequencing
from troth.notices import delivery, tokens
from troth.people import fielding, places, registering
from troth.people.errors import NoAtlas
from troth.policy import parse
from troth.policy.errors import PolicyErrors
from troth.policy.plan import plan
from troth.rights import keeping

#: Those that teach the keeper something.
ROOMS = (keeping, registering, fielding, sequencing, publishing, handover, announcing, identifiers, forgetting, logs)
DEFAULT_POLICY = Path(__file__).parents[3] / "policies" / "hosted-solutions.troth"
NO_TERMS = "There are no terms beside the policy."
TURN = 0.25
SERVER_PATIENCE = 60.0
CALM = 30.0
#: Classes of SQLSTATE: data exceptions, and constraints that rows break.
OF_VALUES = ("22", "23")


@dataclass(frozen=True, slots=True)
class Options:
    """What `troth serve` was told."""

    host: str
    port: int
    policy: Path
    mail: str
    certificate: Path | None
    key: Path | None
    dev: bool
    demo: bool
    mail_from: str = "troth@localhost"
    mail_rate: float = 20.0
    returns: Path | None = None
    geo_db: tuple[Path, ...] = ()
    guard_words: Path | None = None
    intake: str = ""

    @property
    def name(self) -> str:
        """The host people use."""
        return "localhost" if self.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else self.host  # noqa: S104 - compared, not bound

    @property
    def places(self) -> str:
        """The operator's databases of places, as the environment and the place name them."""
        return os.pathsep.join(str(file.resolve()) for file in self.geo_db)

    @property
    def address(self) -> str:
        """Where people reach it."""
        return f"https://{self.name}" + ("" if self.port == 443 else f":{self.port}")  # noqa: PLR2004 - HTTPS's port


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8443, show_default=True, type=click.IntRange(1, 65535), help="The HTTPS port.")
@click.option(
    "--policy", default=DEFAULT_POLICY, type=click.Path(dir_okay=False, path_type=Path), help="The first policy."
)
@click.option("--mail", default="", help="smtp://user:password@host:port; without it mails show here.")
@click.option(
    "--mail-from", default="troth@localhost", show_default=True, envvar="TROTH_FROM", help="Who mails are from."
)
@click.option(
    "--mail-rate",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0.1, 10_000),
    help="Mails a second of what is sent to many; codes never wait behind them.",
)
@click.option(
    "--returns",
    type=click.Path(file_okay=False, path_type=Path),
    help="A Maildir of mails to the sender's address with a `+` and more: what comes back, or says stop.",
)
@click.option(
    "--geo-db",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=places.VARIABLE,
    help="A database of places or providers (.mmdb) of your own, before the free one; may be given several times.",
)
@click.option(
    "--guard-words",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar=special.VARIABLE,
    help="A file of words of the special categories, beside those that come along (docs/guard.md).",
)
@click.option(
    "--intake",
    default="",
    envvar=shelf.VARIABLE,
    help="nats://host:port of a JetStream that keeps what comes while the database is away (docs/intake.md).",
)
@click.option(
    "--certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A certificate of your own."
)
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its private key.")
@click.option("--dev", is_flag=True, help="Show components and mails under /dev/.")
@click.option("--demo", is_flag=True, help="Fill an empty service with a fictional company.")
@data_option
def serve(**told: object) -> None:
    """Start the whole service: database, policy, pages, over HTTPS."""
    options = Options(**told)  # type: ignore[arg-type]
    if bool(options.certificate) != bool(options.key):
        raise click.UsageError("--certificate and --key go together")
    if options.mail and not delivery.leads_somewhere(options.mail):
        raise click.UsageError(
            f"--mail `{options.mail}` is no mail server; write smtp://host:port or smtps://host:port"
        )
    if options.returns and not tokens.fits(options.mail_from):
        raise click.UsageError(
            f"--mail-from `{options.mail_from}` leaves no room for return addresses; use one with a shorter name"
        )
    if options.guard_words:
        try:
            special.words(str(options.guard_words.resolve()))
        except special.NotWords as error:
            raise click.UsageError(f"--guard-words `{options.guard_words}`: {error}") from error
    if options.intake and not re.fullmatch(r"(nats|tls)://[^/\s]+", options.intake):
        raise click.UsageError(
            f"--intake `{options.intake}` is no NATS server; write nats://host:port or tls://host:port"
        )
    for file in options.geo_db:
        try:
            places.atlas(str(file.resolve())).check()
        except NoAtlas as refusal:
            raise click.UsageError(f"--geo-db {refusal.sentence}; {refusal.advice}") from refusal
    data = place.data_folder()
    begun = data.is_dir() and any(data.iterdir())
    first = First.read(options.policy, settled=begun)
    if not begun:  # where it cannot start nothing is left behind
        listening.ensure_free(data, options.host, options.port)
    place.prepare(data)
    with place.lock(data):
        listening.ensure_free(data, options.host, options.port)
        Service(options, data, first).run()


@dataclass(frozen=True, slots=True)
class First:
    """The policy and the terms that a troth without any begins with: sound, and such that its tables can hold to it."""

    source: str
    terms: str

    @classmethod
    def read(cls, file: Path, *, settled: bool = False) -> "First":
        """Read and compile, before there is a folder or a database. Raises ServerRefusal.

        With `settled` there is one from before, in which it may be in force already.
        """
        terms_file = file.with_suffix(".terms.txt")
        try:
            source = file.read_bytes().decode("utf-8", "surrogateescape")
            told = terms_file.read_text(encoding="utf-8") if terms_file.exists() else NO_TERMS
            plan(parse.read(source, str(file), settled=settled), load_catalog())
        except (OSError, UnicodeDecodeError) as error:
            said = f": {error.strerror}" if isinstance(error, OSError) else " as UTF-8"
            what = terms_file if isinstance(error, UnicodeDecodeError) else file
            raise ServerRefusal(
                f"the policy `{what}` cannot be read{said}", advice="name one with --policy FILE"
            ) from error
        except PolicyErrors as errors:
            raise ServerRefusal(f"the policy is not sound:\n{errors}\n", advice="mend it and start again") from errors
        return cls(source, told)


@dataclass(slots=True)
class Service:
    """The process tree under one keeper."""

    options: Options
    data: Path
    first: First
    out: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    database: embedded.Server | None = None
    server: subprocess.Popen[bytes] | None = None
    stopping: bool = False
    restarts: int = 0
    started: float = 0.0
    server_told: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Start everything, keep it, stop it cleanly."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        began = time.monotonic()
        try:
            where = self._start_database()
            keeper = Keeper(where, self._say)
            for room in ROOMS:
                keeper = room.taught(keeper)
            outcome = self._prepare(keeper)
            self._start_server(where)
            self._fill(where)
            self._banner(where, outcome, time.monotonic() - began)
            if not (self.options.geo_db or places.free()):
                self._say(places.ABSENT)
            while not self.stopping:
                self._turn(keeper)
                time.sleep(TURN)
        finally:
            self._end()
        self.out.print("  stopped")

    def _say(self, words: str) -> None:
        self.out.print(f"  … {words}")

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _start_database(self) -> Place:
        url = os.environ.get("DATABASE_URL", "")
        if url:
            where = connect.external(url, Place(data=self.data, host=""))
        else:
            where = embedded.located(self.data)
            self.database = embedded.Server(where, tell=self._say)
            self.database.start()
        where = replace(where, address=self.options.address, geo_db=self.options.places)
        where.write()
        return where

    def _prepare(self, keeper: Keeper) -> apply.Outcome:
        try:
            outcome = keeper.prepare(self.first.source, self.first.terms, name=str(self.options.policy))
            self._declare(self.options.policy, self.first.source)
        except PolicyErrors as errors:  # the one in force, which this troth's tables cannot hold to any more
            raise ServerRefusal(f"the policy in force is not sound:\n{errors}\n", advice="restore a backup") from errors
        except OperationalError as error:
            raise ServerRefusal(
                f"the database does not answer: {str(error).strip()}", advice="see DATABASE_URL"
            ) from error
        return outcome

    def _declare(self, file: Path, source: str) -> None:
        """Declare the profile fields that stand beside the policy in force, where none ever were."""
        beside = file.with_suffix(".fields.toml")
        with connect.owning() as connection:
            now = apply.newest(connection)
            if beside.exists() and now is not None and now.source == source:
                fielding.declare_first(connection, beside.read_text(encoding="utf-8"))

    def _start_server(self, where: Place) -> None:
        certificate, key = self.options.certificate, self.options.key
        if certificate is None or key is None:
            certificate, key, _ = certificates.ensure(self.data / "tls", [self.options.host])
        # The owner's credentials stay here: the server learns where the database is, never DATABASE_URL.
        self.server_told = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
            "TROTH_DATA": str(self.data),
            "TROTH_HOST": self.options.host,
            "TROTH_PORT": str(self.options.port),
            "TROTH_BASE_URL": where.address,
            "TROTH_MAIL": self.options.mail,
            "TROTH_FROM": self.options.mail_from,
            "TROTH_MAIL_RATE": str(self.options.mail_rate),
            "TROTH_RETURNS": str(self.options.returns.resolve()) if self.options.returns else "",
            places.VARIABLE: self.options.places,
            special.VARIABLE: str(self.options.guard_words.resolve()) if self.options.guard_words else "",
            shelf.VARIABLE: self.options.intake,
            "TROTH_DEV": "1" if self.options.dev else "",
            "TROTH_CERTIFICATE": str(certificate),
            "TROTH_KEY": str(key),
            "DJANGO_SETTINGS_MODULE": "troth.config.settings",
        }
        self._spawn()
        self._await(SERVER_PATIENCE)

    def _spawn(self) -> None:
        command = [sys.executable, "-m", "troth.config.server"]
        self.started = time.monotonic()
        self.server = subprocess.Popen(
            command,
            env=self.server_told,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - one call of prctl
        )
        listening.remember(self.data, self.server.pid)

    def _await(self, seconds: float) -> None:
        trust = ssl._create_unverified_context()  # noqa: S323, SLF001 - our own server on this machine, asked whether it is up
        host = "127.0.0.1" if self.options.host in ("0.0.0.0", "::") else self.options.host  # noqa: S104 - compared, not bound
        url = f"https://{f'[{host}]' if ':' in host else host}:{self.options.port}/health"
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.stopping:
            if self.server is None or self.server.poll() is not None:
                break
            try:
                with urllib.request.urlopen(url, timeout=2, context=trust):
                    return
            except OSError:
                time.sleep(0.1)
        if not self.stopping:
            sentence = f"the server does not come up at {self.options.host}:{self.options.port}"
            raise ServerRefusal(sentence, advice="what it said stands above")

    def _fill(self, where: Place) -> None:
        if self.options.demo:
            demo.fill(where, self.server_told, self._say)

    def _banner(self, where: Place, outcome: apply.Outcome, seconds: float) -> None:
        with connect.acting("steward") as connection:
            now = apply.newest(connection)
        link = self._first_link()
        trust = f"{self.data / 'tls' / 'ca.pem'} (give it to your browser, or accept the warning once)"
        told = [
            f"\n  troth is ready after {seconds:.1f} s\n",
            f"  address   {where.address}",
            f"  data      {self.data}",
            f"  policy    {now.name if now else ''}, version {outcome.version}",
        ]
        told += [f"  trust     {trust}"] if self.options.certificate is None else []
        told += [f"\n  make the operator's account, once: {where.address}/operator/first/{link}"] if link else []
        if self.data != place.usual_folder():
            told.append("\n  so that commands in another terminal find it, run there first:")
            told.append(f"  export TROTH_DATA={shlex.quote(str(self.data))}")
        # All at once: whoever waits until it is ready finds the link behind it.
        self.out.print("\n".join([*told, "\n  stop with Ctrl-C\n"]))

    def _first_link(self) -> str:
        """Return the token of the one-time link until there is an operator; the file holds only the newest's digest."""
        with connect.acting("door") as connection:
            if connection.execute(load("troth.people")["operator_exists"].encode()).fetchone():
                return ""
        file = self.data / "secrets" / "first-link"
        token = secrets.token_urlsafe(24)
        place.replace_file(file, sha256(token.encode()).hexdigest().encode(), 0o600)
        return token

    def _turn(self, keeper: Keeper) -> None:
        if self.database is not None and not self.database.running():
            self._say("PostgreSQL ended; starting it again")
            self.database.start()
        if self.server is not None and self.server.poll() is not None and not self.stopping:
            self.restarts = 0 if time.monotonic() - self.started > CALM else self.restarts + 1
            self._say("the server ended; starting it again")
            time.sleep(min(0.2 * 2**self.restarts, 10))
            self._spawn()
        try:
            keeper.turn()
        except (Error, DatabaseRefusal) as error:
            if self.database is None or self.database.running():
                self._say(f"the keeper waits: {briefly(error)}")
                time.sleep(1)

    def _end(self) -> None:
        if self.server is not None and self.server.poll() is None:
            self.server.terminate()
            try:
                self.server.wait(12)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait(5)
        connect.close()
        if self.database is not None:
            self.database.stop()


def briefly(error: Exception) -> str:
    """Return what an error says on its first line; of a wrong value only its kind, since its words name the value."""
    state = getattr(error, "sqlstate", None) or ""
    said = str(error).strip().splitlines()
    return said[0] if said and not state.startswith(OF_VALUES) else f"{type(error).__name__} {state}".strip()

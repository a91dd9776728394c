"""`troth doctor`: whether everything is as it should be, and what to do where it is not."""

import json
import os
import shutil
import smtplib
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import click
from psycopg import Error, OperationalError

from troth.cli import certificates
from troth.cli.options import data_option, form_option
from troth.database import clocks, connect, drift, place, probes, versions
from troth.database.account import Account
from troth.database.errors import DatabaseRefusal
from troth.database.place import Place

LITTLE = 2 * 1024**3
VERY_LITTLE = 200 * 1024**2
SOON = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `ok`, `warn` or `fail`, what was found, what to do."""

    check: str
    verdict: str
    found: str
    advice: str = ""


@click.command("doctor")
@click.option("--mail", default="", help="The mail server to try: smtp://user:password@host:port.")
@form_option("text", "json")
@data_option
def doctor(mail: str, form: str) -> None:
    """Check versions, disk, certificates, mail, users and drift; exit with 1 when something fails."""
    where = place.current()
    findings = [finding for check in CHECKS for finding in check(where)] + list(_mail(mail))
    if form == "json":
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    for finding in findings if form == "text" else ():
        click.echo(
            f"{finding.verdict:<5} {finding.check:<12} {finding.found}"
            + (f"; {finding.advice}" if finding.advice else "")
        )
    if any(finding.verdict == "fail" for finding in findings):
        raise SystemExit(1)


def _keeper(where: Place) -> Iterator[Finding]:
    holder = place.held(where.data)
    if holder:
        yield Finding("keeper", "ok", f"process {holder} keeps {where.data}")
    else:
        yield Finding("keeper", "fail", f"nobody keeps {where.data}", "start `troth serve`")


def _database(where: Place) -> Iterator[Finding]:
    try:
        with connect.owning(where) as connection:
            version = versions.of(connection)
            try:
                versions.check(version)
                yield Finding("postgresql", "ok", f"{version.words}, without the known flaws of role and row security")
            except DatabaseRefusal as refusal:
                yield Finding("postgresql", "fail", refusal.sentence, refusal.advice)
            try:
                clocks.check(connection)
                yield Finding("clocks", "ok", "this machine and the database agree on the time")
            except DatabaseRefusal as refusal:
                yield Finding("clocks", "fail", refusal.sentence, refusal.advice)
            differs = drift.drift(connection)
    except (OperationalError, DatabaseRefusal) as error:
        yield Finding(
            "postgresql", "fail", f"does not answer: {connect.said(error)}", "start `troth serve`, as the same user"
        )
        return
    if differs:
        lines = differs.lines()
        yield Finding("drift", "fail", f"{len(lines)} differences: {lines[0]}", "see `troth policy drift`")
    else:
        yield Finding("drift", "ok", "the database is what the policy in force says")


def _probes(where: Place) -> Iterator[Finding]:
    try:
        with connect.owning(where) as connection:
            tried = probes.tried(where, connection)
    except (Error, DatabaseRefusal):
        return  # said above
    for each in tried:
        if each.ok is False:
            yield Finding(each.probe.name, "fail", each.sentence, f"what must hold: {each.probe.sentence}")
    unknown = ", ".join(each.probe.name for each in tried if each.ok is None)
    told = f"{sum(each.ok is True for each in tried)} of {len(tried)} probes hold"
    yield Finding("probes", "ok", told + (f"; not found out: {unknown}" if unknown else ""))


def _disk(where: Place) -> Iterator[Finding]:
    free = shutil.disk_usage(where.data if where.data.exists() else "/").free
    verdict = "fail" if free < VERY_LITTLE else "warn" if free < LITTLE else "ok"
    yield Finding(
        "disk", verdict, f"{free / 1024**3:.1f} GB free", "" if verdict == "ok" else "make room before it is full"
    )


def _certificate(where: Place) -> Iterator[Finding]:
    file = where.data / "tls" / "server.pem"
    if not file.exists():
        yield Finding("tls", "warn", "no certificate of our own", "fine where --certificate names one")
        return
    try:
        left = certificates.expires(file) - datetime.now(UTC)
    except (OSError, ValueError) as error:
        yield Finding("tls", "fail", f"the certificate cannot be read: {error}", "remove it; a start makes another")
        return
    verdict = "fail" if left < timedelta(0) else "warn" if left < SOON else "ok"
    yield Finding("tls", verdict, f"good for {left.days} days more", "" if verdict == "ok" else "restart `troth serve`")


def _users(where: Place) -> Iterator[Finding]:
    if where.external:
        yield Finding("users", "ok", "the database is another server's")
    elif where.cluster.exists() and where.cluster.stat().st_uid == os.geteuid():
        advice = "run as root or under systemd to part them; see the README on what one user means"
        yield Finding("users", "warn", "keeper, server and database run as one operating-system user", advice)
    elif where.cluster.exists():
        database, keeper = (Account.of(path.stat().st_uid).name for path in (where.cluster, where.data))
        yield Finding("users", "ok", f"the database runs as `{database}`, keeper and server as `{keeper}`")


def _mail(url: str) -> Iterator[Finding]:
    if not url:
        yield Finding("mail", "ok", "no server to try; name one with --mail")
        return
    parts = urlsplit(url)
    try:
        with smtplib.SMTP(parts.hostname or "localhost", parts.port or 25, timeout=10) as server:
            server.noop()
    except (OSError, smtplib.SMTPException, socket.gaierror) as error:
        yield Finding("mail", "fail", f"{parts.hostname} does not take mail: {error}", "check --mail")
    else:
        yield Finding("mail", "ok", f"{parts.hostname} takes mail")


CHECKS: tuple[Callable[[Place], Iterator[Finding]], ...] = (_keeper, _database, _probes, _disk, _certificate, _users)

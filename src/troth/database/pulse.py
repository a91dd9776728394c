"""Whether what goes on by itself goes on: the ledger, the outbox, retention, drift, encryption."""

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from troth.database import signatures
from troth.database.connect import LOOPBACK
from troth.database.drift import differing
from troth.database.probing import NotFoundOut, Round, composed

#: Seconds that the pages' address has to answer.
PATIENCE = 3.0
PLAIN = b"GET / HTTP/1.0\r\n\r\n"


def tail(turn: Round) -> Iterator[str]:
    """Each of the last entries is what it was made of, and follows from the one before."""
    for (index,) in turn.rows("steward", composed("probe_tail")):
        yield f"entry {index} of the ledger does not follow from the one before it, or was changed"


def versions(turn: Round) -> Iterator[str]:
    """Each version of policy and terms is what the operator's key signed, the earlier ones too, and none is gone."""
    with turn.owning() as owner:
        yield from signatures.broken(owner)


def drifting(turn: Round) -> Iterator[str]:
    """Nothing in the catalog is missing or was added; the stamps have a probe of their own."""
    with turn.owning() as owner:
        change = differing(owner)
    for fact in change.missing:
        yield f"missing: {fact}"
    for fact in change.surplus:
        yield f"not of the policy: {fact}"


def outbox(turn: Round) -> Iterator[str]:
    """Notices leave."""
    for waiting, failing in turn.rows("door", composed("probe_outbox")):
        if waiting:
            yield f"{waiting} notices wait though they are due"
        if failing:
            yield f"{failing} notices could not be delivered for an hour"


def retention(turn: Round) -> Iterator[str]:
    """Whether what is past its time goes."""
    for (table,) in turn.rows("steward", composed("probe_overdue")):
        yield f"rows of `{table}` are there that were to go an hour ago"


def encryption(turn: Round) -> Iterator[str]:
    """Nobody gets a word without TLS, neither from the pages nor from a database that is not on this machine."""
    host = turn.where.host
    if host not in LOOPBACK and not host.startswith("/"):
        for (encrypted,) in turn.rows("steward", composed("probe_encrypted")):
            if not encrypted:
                yield "the database is spoken to unencrypted"
    parts = urlsplit(turn.where.address)
    if not parts.hostname:
        raise NotFoundOut("no pages are served from here")
    if parts.scheme != "https":
        yield f"the pages' address begins with `{parts.scheme}`"
        return
    try:
        yield from _spoken(parts.hostname, parts.port or 443)
    except OSError as error:
        raise NotFoundOut(f"the pages do not answer ({type(error).__name__})") from error


def _spoken(host: str, port: int) -> Iterator[str]:
    # Whose certificate it is, browsers judge; here it matters that there is one, and nothing without it.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            pass
    except ssl.SSLError:
        yield "the pages do not speak TLS"
    with socket.create_connection((host, port), PATIENCE) as plain:
        plain.sendall(PLAIN)
        try:
            answer = plain.recv(5)
        except ConnectionError:
            answer = b""
    if answer == b"HTTP/":
        yield "the pages answer without TLS"

"""Connections as a role: one connection of one role in one transaction, with nothing carried over."""

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from troth.database import place as places
from troth.database.errors import AddressRefusal, ServerRefusal
from troth.database.place import Place
from troth.policy import audiences

OWNER = "owner"
BUILT_IN = frozenset({"door", "self", "steward", "intake", OWNER, *audiences.ROLES})
PART = re.compile(r"[a-z][a-z0-9_]{0,40}")
# Connections of a process; the server allows 80. Whoever looks at others waits for others who look.
BUDGET = dict.fromkeys(audiences.ROLES, 2) | {"door": 8, "self": 8, "steward": 2, "intake": 3}
PURPOSE_BUDGET = 4
# Of one statement.
TIMEOUTS = dict.fromkeys(audiences.ROLES, "10s") | {
    "door": "10s",
    "self": "10s",
    "steward": "120s",
    "intake": "20s",
    OWNER: "0",
}
PURPOSE_TIMEOUT = "60s"
REACHED = 3.0  # seconds in which a socket answers somebody who is not ready to wait
LOOPBACK = frozenset({"", "localhost", "127.0.0.1", "::1"})

#: What `DISCARD ALL` does, but for `DISCARD PLANS`, which would have every function planned anew in every transaction.
FORGETTING = """
CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *;
SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES
"""

_pools: dict[tuple[Place, str], ConnectionPool[Connection[TupleRow]]] = {}
_guard = threading.Lock()
_at_once = threading.Event()


def parameters(role: str, place: Place | None = None) -> dict[str, Any]:
    """Return what connects as `role` (a built-in role, `owner`, or a purpose's name).

    host, port, dbname, user, password, options, and the ssl* parameters of an external server. Raises AddressRefusal
    when the name cannot be a role's, or when this process is not given the owner's credentials.
    """
    place = place or places.current()
    if not PART.fullmatch(role):
        raise AddressRefusal(
            f"`{role}` cannot be the name of a role", advice="use a purpose's name as the policy writes it"
        )
    told: dict[str, Any] = {"host": place.host, "port": place.port, "dbname": place.database}
    told |= {"options": options(role)} | dict(place.tls)
    if role != OWNER:
        user = place.role(role)
        return told | {"user": user, "password": places.secrets_of(place).password(user)}
    if not place.external:
        return told | {"user": place.owner}
    return told | owner_login()


def options(role: str) -> str:
    """Return the settings a connection of `role` starts with, and returns to."""
    schema = "troth" if role in BUILT_IN else role
    timeout = TIMEOUTS.get(role, PURPOSE_TIMEOUT)
    return f"-c search_path={schema} -c statement_timeout={timeout} -c client_encoding=UTF8 -c timezone=UTC"


@contextmanager
def acting(role: str, *, token: str | None = None) -> Iterator[Connection[TupleRow]]:
    """Yield a connection of `role` inside one transaction: committed on success, rolled back on an error.

    `token` is the viewer's request token; it holds for this transaction only.
    """
    with pool(role).connection() as connection:
        if token is not None:
            connection.execute("SELECT set_config('troth.token', %s, true)", (token,))
        yield connection


@contextmanager
def looking(token: str) -> Iterator[Connection[TupleRow]]:
    """Yield a connection of `self` in a transaction that changes nothing: the viewer also before they have agreed.

    Only there does the token of somebody who has not agreed to what is needed open what is theirs.
    """
    with pool("self").connection() as connection:
        told = "SELECT set_config('transaction_read_only', 'on', true), set_config('troth.token', %s, true)"
        connection.execute(told, (token,))
        yield connection


@contextmanager
def owning(place: Place | None = None, *, database: str | None = None) -> Iterator[Connection[TupleRow]]:
    """Yield an autocommitting connection of the owner; only the keeper and backups can open one."""
    told = parameters(OWNER, place)
    if database:
        told |= {"dbname": database}
    with Connection.connect(**told, autocommit=True, connect_timeout=10) as connection:
        yield connection


def pool(role: str) -> ConnectionPool[Connection[TupleRow]]:
    """Return this process's pool for `role`."""
    key = (places.current(), role)
    with _guard:
        if key not in _pools:
            if _at_once.is_set():
                answering(key[0])
            _pools[key] = _open(*key)
        return _pools[key]


def said(error: Exception) -> str:
    """Return what PostgreSQL or its client said, the whole of it, on one line."""
    return " ".join(str(error).split()) or "no reason given"


def refuse_at_once() -> None:
    """Let this process, a command that somebody waits for, say at once that nobody answers, and not wait for it."""
    _at_once.set()


def answering(place: Place) -> None:
    """Raise ServerRefusal when nothing listens where the database of a place should be."""
    elsewhere = "name its folder with --data or TROTH_DATA"
    if not (place.data / "place.json").exists():
        raise ServerRefusal(f"no troth at `{place.data}`", advice=elsewhere)
    try:
        _reach(place.host, place.port)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        sentence = f"the troth at `{place.data}` is not running"
        raise ServerRefusal(sentence, advice=f"start it with `troth serve`; if it is another, {elsewhere}") from error
    except OSError as error:
        sentence = f"the database of the troth at `{place.data}` does not answer: {error.strerror or error}"
        raise ServerRefusal(
            sentence, advice="run the command as the user of `troth serve`, and see its terminal"
        ) from error


def _reach(host: str, port: int) -> None:
    if not host.startswith("/"):
        socket.create_connection((host, port), timeout=REACHED).close()
        return
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(REACHED)
        line.connect(f"{host}/.s.PGSQL.{port}")


def close() -> None:
    """Close every pool of this process; the next use opens them anew."""
    with _guard:
        pools = list(_pools.values())
        _pools.clear()
    for each in pools:
        each.close(timeout=2)


def _open(place: Place, role: str) -> ConnectionPool[Connection[TupleRow]]:
    return ConnectionPool(
        # Prepared statements would have to outlive `forget`; planning anew is cheaper than a stale name.
        kwargs=parameters(role, place) | {"prepare_threshold": None, "connect_timeout": 10},
        min_size=0,
        max_size=BUDGET.get(role, PURPOSE_BUDGET),
        check=ConnectionPool.check_connection,
        reset=forget,
        num_workers=1,
        timeout=15,
        max_idle=120,
        reconnect_timeout=60,
        name=f"troth {role}",
        open=True,
    )


def forget(connection: Connection[TupleRow]) -> None:
    """Bring a returned connection back to how it was opened: no setting, lock, cursor, listening or statement is left.

    The plans of functions stay: they hold nobody's values, and PostgreSQL makes them anew for another role or schema.
    """
    connection.autocommit = True
    connection.execute(FORGETTING)
    connection.autocommit = False


def external(url: str, place: Place) -> Place:
    """Return `place` moved to the server that `url` names, without its credentials. Raises AddressRefusal."""
    parts = _split(url)
    query = dict(parse_qsl(parts.query))
    host = query.get("host") or unquote(parts.hostname or "")
    tls = {name: value for name, value in query.items() if name.startswith("ssl")}
    local = host in LOOPBACK or host.startswith("/")
    if not local and tls.setdefault("sslmode", "verify-full") not in {"require", "verify-ca", "verify-full"}:
        sentence = f"`sslmode={tls['sslmode']}` would send personal data to `{host}` unprotected"
        raise AddressRefusal(sentence, advice="use sslmode=verify-full (or verify-ca, require) in DATABASE_URL")
    name = unquote(parts.path.lstrip("/"))
    if not PART.fullmatch(name):
        sentence = f"DATABASE_URL names the database `{name}`"
        raise AddressRefusal(
            sentence, advice="use lower-case letters, digits and underscores, as in postgresql://me@host/troth"
        )
    if not parts.username:
        raise AddressRefusal(
            "DATABASE_URL names no user", advice="name the role that owns the database, with CREATEROLE"
        )
    return replace(
        place,
        host=host or "localhost",
        port=parts.port or places.PORT,
        database=name,
        external=True,
        owner=unquote(parts.username),
        tls=tuple(sorted(tls.items())),
    )


def owner_login() -> dict[str, str]:
    """Return the external owner's user and password, which only the keeper's environment holds."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise AddressRefusal(
            "only the keeper has the owner's credentials", advice="set DATABASE_URL as for `troth serve`"
        )
    parts = _split(url)
    return {"user": unquote(parts.username or ""), "password": unquote(parts.password or "")}


def _split(url: str) -> Any:  # noqa: ANN401 - urllib's result type has no public name for both kinds
    parts = urlsplit(url)
    try:
        _ = parts.port
    except ValueError:
        raise AddressRefusal(
            "the port in DATABASE_URL is no number", advice="write postgresql://user@host:5432/troth"
        ) from None
    if parts.scheme not in {"postgresql", "postgres"}:
        sentence = f"DATABASE_URL begins with `{parts.scheme}://`"
        raise AddressRefusal(
            sentence, advice="troth speaks PostgreSQL only: postgresql://user:password@host:5432/troth"
        )
    return parts

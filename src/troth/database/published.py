"""The policy in force as every room reads it: meaning, plan and texts, read anew when the version changes."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from hashlib import sha256
from threading import Lock
from typing import Any

from psycopg import Connection

from troth.database import connect
from troth.database.apply import Version, bits_of, newest
from troth.database.catalog import Declared, declared
from troth.database.catalog import load as load_catalog
from troth.database.errors import DatabaseRefusal
from troth.database.statements import load
from troth.policy import parse
from troth.policy.catalog import Catalog
from troth.policy.meaning import Policy
from troth.policy.plan import plan
from troth.policy.planned import Plan

SQL = load("troth.database.sql")
#: Seconds for which a process may show the version before; the database itself switches at once.
FRESH = 1.0


class NothingPublished(DatabaseRefusal):
    """No policy was ever applied to this database."""

    code = "nothing-published"


@dataclass(frozen=True, slots=True)
class Published:
    """The version in force: its meaning, its plan, its source, the terms and their digests (SHA-256, hex).

    `bits` names the place of each purpose's bit in a stamp; `declared` is what was declared at run time.
    """

    version: int
    policy: Policy
    plan: Plan
    source: str
    digest: str
    terms: str
    terms_digest: str
    bits: Mapping[str, int] = field(default_factory=dict)
    declared: Declared = ()

    @property
    def catalog(self) -> Catalog:
        """What the tables are."""
        return load_catalog(self.declared)


@dataclass(slots=True)
class _Memory:
    held: Published | None = None
    until: float = 0.0
    lock: Lock = field(default_factory=Lock)


_memory = _Memory()


def current(role: str = "door") -> Published:
    """Return the version in force, at most a second old. Raises NothingPublished before the first one."""
    with _memory.lock:
        if _memory.held is None or time.monotonic() >= _memory.until:
            with connect.acting(role) as connection:
                now = on(connection)
            if now is None:
                raise NothingPublished("no policy is in force", advice="start `troth serve`, which applies one")
            _memory.held, _memory.until = now, time.monotonic() + FRESH
        return _memory.held


@dataclass(frozen=True, slots=True)
class Edition:
    """A version as it was published, and when it was applied."""

    published: Published
    applied_at: datetime


def history(role: str = "door") -> tuple[Edition, ...]:
    """Return every version that was ever in force, the newest first."""
    with connect.acting(role) as connection:
        rows, more = connection.execute(SQL["all_versions"].encode()).fetchall(), declared(connection)
    return tuple(Edition(understood(Version(*row[:-1]), more), row[-1]) for row in rows)


def forget() -> None:
    """Read anew at the next call, as after another database took the place of this one."""
    with _memory.lock:
        _memory.held = None


def on(connection: Connection[Any]) -> Published | None:
    """Return what is in force in the database that a connection reaches, if anything is."""
    version = newest(connection)
    if version is None:
        return None
    return replace(understood(version, declared(connection)), bits=bits_of(connection))


def understood(version: Version, more: Declared) -> Published:
    """Read and plan a version as it was applied, over the tables as they are."""
    return _understood(version, more, load_catalog(more))


@cache
def _understood(version: Version, more: Declared, catalog: Catalog) -> Published:
    policy = parse.read(version.source, version.name, settled=True)
    return Published(
        version=version.version,
        policy=policy,
        plan=plan(policy, catalog),
        source=version.source,
        digest=version.digest,
        terms=version.terms,
        terms_digest=sha256(version.terms.encode()).hexdigest(),
        declared=more,
    )

"""The policy in force as every room reads it: meaning, plan and texts, read anew when the version changes."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from hashlib import sha256
from threading import Lock

from troth.database import connect
from troth.database.apply import Version, bits_of, newest
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

    `bits` names the place of each purpose's bit in a stamp.
    """

    version: int
    policy: Policy
    plan: Plan
    source: str
    digest: str
    terms: str
    terms_digest: str
    bits: Mapping[str, int] = field(default_factory=dict)


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
                version, bits = newest(connection), bits_of(connection)
            if version is None:
                raise NothingPublished("no policy is in force", advice="start `troth serve`, which applies one")
            _memory.held, _memory.until = replace(understood(version), bits=bits), time.monotonic() + FRESH
        return _memory.held


@dataclass(frozen=True, slots=True)
class Edition:
    """A version as it was published, and when it was applied."""

    published: Published
    applied_at: datetime


def history(role: str = "door") -> tuple[Edition, ...]:
    """Return every version that was ever in force, the newest first."""
    with connect.acting(role) as connection:
        rows = connection.execute(SQL["all_versions"].encode()).fetchall()
    return tuple(Edition(understood(Version(*row[:-1])), row[-1]) for row in rows)


def forget() -> None:
    """Read anew at the next call, as after another database took the place of this one."""
    with _memory.lock:
        _memory.held = None


def understood(version: Version) -> Published:
    """Read and plan a version as it was applied."""
    return _understood(version, load_catalog())


@cache
def _understood(version: Version, catalog: Catalog) -> Published:
    policy = parse.read(version.source, version.name)
    return Published(
        version=version.version,
        policy=policy,
        plan=plan(policy, catalog),
        source=version.source,
        digest=version.digest,
        terms=version.terms,
        terms_digest=sha256(version.terms.encode()).hexdigest(),
    )

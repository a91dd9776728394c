"""One throw-away PostgreSQL per worker; every test that asks for `database` gets a fresh copy of a prepared one."""

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.seeding import REPLAY
from tests.serving import roomy

os.environ.pop("DATABASE_URL", None)
os.environ["TROTH_DATA"] = tempfile.mkdtemp(prefix="troth-", dir=roomy())
os.environ["TROTH_UNLIMITED"] = "1"
os.environ["DJANGO_SETTINGS_MODULE"] = "troth.config.settings"
# The browser of the journeys leaves its event loop running in a worker; the database of later tests is not asked from it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

from troth.database import answered, connect, embedded, place, published, signatures
from troth.database.keeper import Keeper

DATA = Path(os.environ["TROTH_DATA"])
PROJECT = Path(__file__).parents[1]
POLICY = PROJECT / "policies" / "hosted-solutions.troth"
SHARED = PROJECT.parent / "shared" / "data"
TERMS = "The terms of the tests."
QUICK = {"fsync": "off", "full_page_writes": "off", "max_connections": "60", "shared_buffers": "64MB"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say so where the real data is not beside the project."""
    if not SHARED.is_dir():
        absent = pytest.mark.skipif(condition=True, reason="shared/data is not beside the project")
        for item in items:
            if item.get_closest_marker("real"):
                item.add_marker(absent)


def pytest_report_header() -> str:
    """Say with which seed the run can be had again."""
    return REPLAY


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say it with each failure, too: a quiet run has no header."""
    report = yield
    if report.failed:
        report.sections.append(("seed", REPLAY))
    return report


def pytest_unconfigure() -> None:
    """Leave nothing behind once the server has stopped."""
    shutil.rmtree(DATA, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the cast, with a viewer's token."""

    name: str
    subject: uuid.UUID
    email: str
    token: str


@pytest.fixture(scope="session")
def cluster() -> Iterator[place.Place]:
    """A server whose database `troth_template` has tables, policy and roles."""
    with serving() as where:
        yield where


@contextmanager
def serving() -> Iterator[place.Place]:
    """Start that server, and stop it in the end."""
    data = Path(os.environ["TROTH_DATA"])
    place.prepare(data)
    where = embedded.located(data)
    server = embedded.Server(where, settings=QUICK)
    server.start()
    where.write()
    Keeper(where).prepare(POLICY.read_text(encoding="utf-8"), TERMS, name=POLICY.name)
    forget()
    with connect.owning(where, database="postgres") as connection:
        connection.execute("ALTER DATABASE troth RENAME TO troth_template")
    yield where
    forget()
    server.stop()


def forget() -> None:
    """Let go of every connection and of what was read through them."""
    connect.close()
    published.forget()
    from django.apps import apps
    from django.db import connections

    if apps.ready:
        for each in connections.all(initialized_only=True):
            each.close()
            if hasattr(each, "close_pool"):
                each.close_pool()


@pytest.fixture(scope="session")
def rehearsal(cluster: place.Place) -> "Rehearsal":
    """The database with the cast in it."""
    return Rehearsal(cluster)


@pytest.fixture
def database(cluster: place.Place, rehearsal: "Rehearsal", request: pytest.FixtureRequest) -> Iterator[place.Place]:
    """A fresh copy, named as the roles expect; with the cast in it where a test asks for them before anything else."""
    os.environ["TROTH_DATA"] = str(cluster.data)
    shutil.rmtree(cluster.data / "spool", ignore_errors=True)
    if cast_first(request.node):
        request.node.stash[CAST] = rehearsal.people()
        before = copied(cluster, Rehearsal.NAME)
    else:
        before = copied(cluster)
    yield cluster
    forget()
    with connect.owning(cluster, database="postgres") as connection:
        # Roles outlive their database: those of a test's own purposes and analysts go with it.
        if made := _roles(connection).keys() - before.keys():
            connection.execute("DROP DATABASE IF EXISTS troth WITH (FORCE)")
            for role in made:
                connection.execute(f'DROP ROLE "{role}"'.encode())


def copied(cluster: place.Place, template: str = "troth_template") -> dict[str, bool]:
    """Put a copy of a database in the place of the one that tests use; return the roles there are, and who signs in."""
    for memory in (signatures.FILE, answered.FILE):
        (cluster.data / memory).unlink(missing_ok=True)
    with connect.owning(cluster, database="postgres") as connection:
        connection.execute("DROP DATABASE IF EXISTS troth WITH (FORCE)")
        connection.execute(f"CREATE DATABASE troth TEMPLATE {template} STRATEGY file_copy".encode())
        # A database's own privileges are not copied with it.
        connection.execute("REVOKE ALL ON DATABASE troth FROM PUBLIC")
        before = _roles(connection)
        for role in (role for role, login in before.items() if login):
            connection.execute(f'GRANT CONNECT ON DATABASE troth TO "{role}"'.encode())
    return before


def _roles(connection: Connection[Any]) -> dict[str, bool]:
    found = connection.execute("SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname LIKE 'troth\\_%'")
    return dict(found.fetchall())


@pytest.fixture
def owner(database: place.Place) -> Iterator[Connection[Any]]:
    """The owner's autocommitting connection: what only the keeper has."""
    with connect.owning(database) as connection:
        yield connection


@contextmanager
def again(role: str, pid: int, **told: str) -> Iterator[Connection[Any]]:
    """Act on the connection that was there before: the pool takes it back in its own time, and gives another meanwhile."""
    deadline = time.monotonic() + 30
    while True:
        with connect.acting(role, **told) as connection:
            if connection.info.backend_pid == pid:
                yield connection
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def make(owner: Connection[Any], name: str, *, agreed: bool = True) -> Person:
    """Make somebody through the doors that the pages use."""
    subject, token = uuid.uuid4(), f"token of {name}"
    email = f"{name.lower()}@harbor.example"
    newest = owner.execute(
        "SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1"
    ).fetchone()
    assert newest is not None
    with connect.acting("door") as door:
        door.execute("SELECT troth.claim(%s)", (subject,))
        door.execute("INSERT INTO troth.subject (subject, kind) VALUES (%s, 'person')", (subject,))
        if _named(owner):
            door.execute("INSERT INTO troth.person (subject, email, name) VALUES (%s, %s, %s)", (subject, email, name))
        else:
            door.execute("INSERT INTO troth.person (subject, email) VALUES (%s, %s)", (subject, email))
        door.execute("SELECT troth.record('signed-up', %s, %s, '{}')", (subject, subject))
        if agreed:
            door.execute("SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", (subject, *newest))
            door.execute(
                "SELECT troth.open_token(%s, sha256(%s), statement_timestamp() + interval '1 hour')",
                (subject, token.encode()),
            )
    return Person(name, subject, email, token)


#: Somebody has an account with a second factor, and showed it in every session of theirs.
SECURE = """
WITH who AS (SELECT %s::uuid AS subject), made AS (
    INSERT INTO troth.people_account (subject, email, password, is_active, date_joined)
    SELECT subject, subject || '@harbor.example', '', true, now() FROM who
    WHERE NOT EXISTS (SELECT FROM troth.people_account AS known WHERE known.subject = who.subject) RETURNING id
), held AS (
    INSERT INTO troth.mfa_authenticator (user_id, type, data, created_at)
    SELECT id, 'totp', '{}'::jsonb, now() FROM made UNION ALL
    SELECT id, 'totp', '{}', now() FROM troth.people_account NATURAL JOIN who ON CONFLICT DO NOTHING
)
UPDATE troth.request_token AS token SET level = 2 FROM who WHERE token.subject = who.subject
"""


def employ(owner: Connection[Any], person: Person, *roles: str) -> Person:
    """Put somebody on the staff, who showed a second factor on the way in as all of the staff must."""
    owner.execute(
        "INSERT INTO troth.staff (subject, role) SELECT %s, unnest(%s::text [])", (person.subject, list(roles))
    )
    owner.execute(SECURE, (person.subject,))
    return person


def _named(owner: Connection[Any]) -> bool:
    """Whether the policy in force collects names, so that the door may store one."""
    query = "SELECT has_column_privilege('troth_door', 'troth.person', 'name', 'INSERT')"
    return owner.execute(query).fetchone() == (True,)


#: The cast of a test that began with a copy in which they are.
CAST = pytest.StashKey[dict[str, Person]]()


@pytest.fixture
def cast(owner: Connection[Any], request: pytest.FixtureRequest) -> dict[str, Person]:
    """Alice, Bob, Charlie and Dana, who have agreed, each with two accesses and a device."""
    there = request.node.stash.get(CAST, None)
    return dict(there) if there else enter(owner)


def cast_first(node: pytest.Item) -> bool:
    """Whether nothing that a test asks for reaches the database before the cast does."""
    known = node._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]

    def asks(name: str, wanted: str) -> bool:
        needed = {each for found in known.get(name, ()) for each in found.argnames} - {name}  # which it stands in for
        return name == wanted or any(asks(each, wanted) for each in needed)

    before = {name for name in known if asks(name, "database") and not asks(name, "cast")}
    return "cast" in known and before <= {"database", "owner"}


class Rehearsal:
    """A database with the cast in it, a minute old at most: what they did is of now."""

    NAME, LONGEST = "troth_cast", 60.0

    def __init__(self, cluster: place.Place) -> None:
        self.cluster, self.until, self.made = cluster, 0.0, dict[str, Person]()

    def people(self) -> dict[str, Person]:
        """Make it anew where it has grown old; return who is in it."""
        if time.monotonic() >= self.until:
            self.until = time.monotonic() + self.LONGEST
            copied(self.cluster)
            with connect.owning(self.cluster) as owner:
                self.made = enter(owner)
            forget()
            with connect.owning(self.cluster, database="postgres") as connection:
                connection.execute(f"DROP DATABASE IF EXISTS {self.NAME} WITH (FORCE)".encode())
                connection.execute(f"ALTER DATABASE troth RENAME TO {self.NAME}".encode())
        return self.made


def enter(owner: Connection[Any]) -> dict[str, Person]:
    """Let the cast sign up and look around."""
    people = {name.lower(): make(owner, name) for name in ("Alice", "Bob", "Charlie", "Dana")}
    for person in people.values():
        visit(person)
        visit(person, url="/files/secret-plan.pdf")
    return people


def visit(person: Person, url: str = "/me", days: int = 0) -> None:
    """Record an access as the intake would."""
    with connect.acting("intake") as intake:
        intake.execute(
            "INSERT INTO troth.access (subject, at, id, method, url, status, ip, browser)"
            " VALUES (%s, statement_timestamp() - make_interval(days => %s), uuidv7(), 'GET', %s, 200, '192.0.2.77', 'Firefox 140')",
            (person.subject, days, url),
        )
        intake.execute(
            "INSERT INTO troth.device (subject, device, browser, system, kind) VALUES (%s, %s, 'Firefox 140', 'Linux', 'computer')"
            " ON CONFLICT DO NOTHING",
            (person.subject, uuid.uuid5(person.subject, "Firefox 140")),
        )


def count(role: str, query: str, token: str | None = None) -> int:
    """Return the one number a query of a role answers with."""
    with connect.acting(role, token=token) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])

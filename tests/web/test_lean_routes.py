"""Hardening 1 for the lean plane: every way it is asked, by everybody, an application's key and a directory's token too."""

import asyncio
import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.directory.asking import USER
from tests.intake.sending import Application, event, registered
from tests.web.test_guessing import serve
from tests.web.test_routes import state
from tests.web.world import PEOPLE, World, world
from troth.api import paths
from troth.database.place import Place
from troth.ledger import sequencing
from troth.people import directories

#: What is sent that would do something where it is allowed; of every other way, `{}`.
SENDS: Mapping[str, dict[str, Any]] = {
    "/api/v1/me/choices": {"purpose": "announce", "kind": "consent"},
    "/scim/v2/Users": {"schemas": [USER], "userName": "frank@harbor.example"},
}
#: That a key or a token was used is written down, and each process says every while how its intake does.
TRACES = {"application_key", "directory_token", "intake_node"}


@dataclass(frozen=True, slots=True)
class Row:
    """A way of the table, a path of it, and what each is answered."""

    way: tuple[str, str]
    path: str
    cells: dict[str, int]


def table() -> list[Row]:
    """Read `lean.txt`."""
    text = (Path(__file__).parent / "lean.txt").read_text(encoding="utf-8")
    head, *rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return [Row((r[0], r[1]), r[2], dict(zip(head[3:], map(int, r[3:]), strict=True))) for r in rows]


@dataclass
class Everybody:
    """The cast with what each shows: a browser's cookies, an application its key, a directory its token."""

    made: World
    notes: Application
    token: str

    def shown(self, who: str) -> dict[str, str]:
        """Return the headers that somebody sends."""
        if who == "directory":
            return {"authorization": f"Bearer {self.token}"}
        if who == "application":
            return {"authorization": f"Bearer {self.notes.key}"}
        kept = self.made.kept if who == "left" else self.made.browsers[who].cookies
        return {"cookie": "; ".join(f"{name}={kept[name].value}" for name in kept)}

    def asks(self, who: str, row: Row) -> tuple[str, dict[str, str], bytes]:
        """Return the path, the headers and the body of somebody's request."""
        headers = self.shown(who) | {"content-type": "application/json", "host": "localhost"}
        if who == "application" and row.path.startswith(("/v1/batch", "/api/1/")):  # where those clients put a key
            basic = base64.b64encode(f"{self.notes.key}:".encode()).decode()
            headers |= {"authorization": f"Basic {basic}", "x-sentry-auth": f"Sentry sentry_key={self.notes.key}"}
        key = self.notes.key if who == "application" else "nobodys"
        body = SENDS.get(row.path, {})
        if row.path == "/intake/v1/events":
            body = event("feature_use", self.notes.names["Alice"], uuid.uuid4().hex)
        return row.path.format(key=key, **self.made.named), headers, json.dumps(body).encode()


async def status(service: Any, method: str, path: str, headers: dict[str, str], body: bytes) -> int:
    """Ask the service once; whoever asked leaves as soon as there is a status."""
    found: list[int] = []
    begun, parts = asyncio.Event(), [body]
    scope = {
        "type": "http", "method": method, "path": path, "query_string": b"", "client": ("192.0.2.7", 1),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        if parts:
            return {"type": "http.request", "body": parts.pop(), "more_body": False}
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])
            begun.set()

    await service(scope, receive, send)
    return found[0]


@pytest.fixture
def everybody(browser: Browser, owner: Connection[Any], database: Place) -> Iterator[Everybody]:
    made = world(owner)
    alice = made.person(owner, "alice")
    notes = registered(owner)
    notes.knows(alice)
    organization = uuid.UUID(made.named["organization"])
    opened = directories.open_directory(token=alice.token, organization=organization, name="Staff list", days=90)
    (database.data / sequencing.FILE).unlink(missing_ok=True)
    sequencing.sequence(owner, database)  # so that there is something to read of the ledger
    yield Everybody(made, notes, opened)
    (database.data / sequencing.FILE).unlink(missing_ok=True)


def answers(everybody: Everybody, asked: list[tuple[Row, str]]) -> list[int]:
    """Return how each is answered who asks a way."""
    found: list[int] = []

    async def play(service: Any) -> None:
        for row, who in asked:
            found.append(await status(service, row.way[0], *everybody.asks(who, row)))

    serve(play)
    return found


def wrong(everybody: Everybody, asked: list[tuple[Row, str]]) -> list[tuple[str, str, str, int, int]]:
    """Return what is not as the table says: method, path, who, what they got, what they should have got."""
    found = zip(asked, answers(everybody, asked), strict=True)
    return [(row.way[0], row.path, who, got, row.cells[who]) for (row, who), got in found if got != row.cells[who]]


def test_every_way_of_the_lean_plane_stands_in_the_table(browser: Browser) -> None:
    from troth.config import asgi

    rows = table()
    assert {row.way for row in rows} == paths.ways()
    for row in rows:
        assert set(row.cells) == {"visitor", "left", "unagreed", *PEOPLE, "application", "directory"}, row.path
    opened = {each for each in (*asgi.LEAN, asgi.DIRECTORIES) if any(row.path.startswith(each) for row in rows)}
    assert opened == {*asgi.LEAN, asgi.DIRECTORIES}


def test_a_path_that_nobody_named_opens_for_nobody(everybody: Everybody) -> None:
    ways = ("/api/v1/secrets", "/intake/v2/events", "/ledger/people", "/health/deep", "/scim/v2/Users/a/b")
    asked = [(Row(("GET", path), path, {}), who) for path in ways for who in ("owner", "application", "directory")]
    assert set(answers(everybody, asked)) == {404}


@pytest.mark.asvs("8.2.1")
def test_each_way_answers_everybody_as_the_table_says_and_who_may_not_changes_nothing(
    everybody: Everybody, owner: Connection[Any]
) -> None:
    cells = [(row, who) for row in table() for who in row.cells]
    refused = [(row, who) for row, who in cells if row.cells[who] >= 400]
    before = state(owner)
    assert not (said := wrong(everybody, refused)), "\n".join(map(str, said))
    after = state(owner)
    assert [name for name in after if after[name] != before.get(name) and name not in TRACES] == []
    assert not (said := wrong(everybody, [each for each in cells if each not in refused])), "\n".join(map(str, said))
    changed = {name for name, held in state(owner).items() if held != after.get(name)}
    assert changed >= {"choice", "feature_use", "directory_entry"}  # what the table lets somebody do is done

"""An application that sends events, and people who use it: through the doors that registering and signing in use."""

import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from psycopg import Connection

from tests.conftest import Person
from troth.api.app import Lean
from troth.database import connect
from troth.people import registering

MANIFEST = """name = "Harbor Notes"
redirect_uris = ["https://notes.example/signed-in"]
purposes = ["provide", "understand"]
events = {events}

[claims]
name = {{ category = "person.name", purpose = "provide" }}
"""
EVERY = ("crash", "feature_use")
CRASH = {
    "kind": "TypeError",
    "message": 'cannot read "the diary of Alice" of alice@harbor.example, card 4111 1111 1111 1111',
    "stack": [
        {"function": "main", "file": "/home/alice/notes/app.py", "line": 3},
        {"function": "save", "file": "C:\\Users\\Alice\\notes\\store.py", "line": 41},
    ],
    "release": "1.4.2",
    "environment": "production",
}
USE = {"feature": "export", "outcome": "done"}


@dataclass(frozen=True, slots=True)
class Application:
    """An application, a key of its, and by which names it knows people."""

    application: str
    key: str
    names: dict[str, str]

    def knows(self, person: Person, name: str = "") -> str:
        """Let somebody use it; return what it calls them."""
        said = name or sha256(f"{self.application} {person.name}".encode()).hexdigest()
        with connect.acting("self", token=person.token) as viewer:
            viewer.execute("SELECT troth.permit_application(%s, '{}', '{}')", (self.application,))
        with connect.acting("door") as door:
            door.execute("SELECT troth.use_application(%s, %s, %s)", (person.subject, self.application, said))
        self.names[person.name] = said
        return said


def registered(owner: Connection[Any], *, events: Sequence[str] = EVERY) -> Application:
    """Register one as the keeper does."""
    made = registering.register(owner, {"manifest": MANIFEST.format(events=json.dumps(list(events)))})
    name = made["application"]
    return Application(name, registering.add_key(owner, {"application": name})["key"], {})


def event(kind: str, person: str, key: str, **told: Any) -> dict[str, Any]:
    """Return an event as it is sent."""
    data = {"crash": CRASH, "feature_use": USE}[kind]
    return {"key": key, "kind": kind, "person": person, "data": data} | told


class Sent:
    """What the service answered."""

    def __init__(self) -> None:
        self.status, self.content, self.headers = 0, b"", dict[bytes, bytes]()

    @property
    def body(self) -> Any:
        return json.loads(self.content)


async def post(
    lean: Any,
    body: Any,
    *,
    key: str,
    path: str = "/intake/v1/events",
    query: str = "",
    method: str = "POST",
    until: asyncio.Event | None = None,
    address: str = "192.0.2.7",
    **headers: str | list[str],
) -> Sent:
    """Send a body, bytes as they are and everything else as JSON; it comes to an end not before `until`.

    A header with a list of values is sent once for each.
    """
    found = Sent()
    parts = [body if isinstance(body, bytes) else json.dumps(body).encode()]
    told = {"authorization": f"Bearer {key}"} | {k.replace("_", "-"): v for k, v in headers.items()}
    named = [
        (name, each) for name, values in told.items() for each in ([values] if isinstance(values, str) else values)
    ]
    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(), "client": (address, 1),
        "headers": [(name.encode(), value.encode()) for name, value in named], "troth.access": {},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        if until is not None:
            await until.wait()
        return {"type": "http.request", "body": parts.pop(), "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.status, found.headers = message["status"], dict(message["headers"])
        found.content += message.get("body", b"")

    await lean(scope, receive, send)
    return found


def sent(body: Any, *, key: str, **headers: str) -> Sent:
    """Send one request to a service of its own."""
    return together([(body, key, headers)])[0]


def together(requests: Sequence[tuple[Any, str, Mapping[str, Any]]]) -> list[Sent]:
    """Send requests at once to one service."""

    async def whole() -> list[Sent]:
        lean = Lean()
        await lean.start()
        try:
            return list(await asyncio.gather(*(post(lean, body, key=key, **told) for body, key, told in requests)))
        finally:
            await lean.stop()

    return finished(whole())


def finished[T](work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end: in a thread of its own where the browser of the journeys left its loop running in this one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as own:
        return own.submit(asyncio.run, work).result()

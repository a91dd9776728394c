"""The lean plane: raw ASGI, JSON in and out, every read bound to its viewer in the database."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, Error
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from troth.api import intake, ledger, protocols, watching
from troth.api.answering import Receive, Scope, Send, answer, body_of, deliver, header
from troth.api.guessing import Guesses
from troth.api.refusals import Refusal
from troth.api.speaking import speaking
from troth.database import connect, published
from troth.database.statements import load
from troth.database.viewing import shown
from troth.policy import explain

WRITTEN = load("troth.api")
SQL = {name: text.encode() for name, text in WRITTEN.items()}
COOKIE = "__Host-viewer"


#: What the database refuses of a choice -> the code that says so.
CHOICES = {
    "TR003": "sign-in-needed",
    "TR004": "purpose-unknown",
    "TR005": "choice-unknown",
    "TR079": "choice-outdated",
}
NONE = UUID(int=0)


class Wish(msgspec.Struct):
    """What a person decides about a purpose; `seen` is the last choice about it that they knew of, none without it."""

    purpose: str
    kind: str
    seen: UUID | None = None


class Lean:
    """Routes, and the connections of the role `self`."""

    def __init__(self, guesses: Guesses | None = None) -> None:
        """Name the routes: path -> method -> what answers."""
        self.routes: dict[str, dict[str, Callable[[Scope, Receive], Awaitable[Any]]]] = {
            "/health": {"GET": self.health},
            "/api/v1/policy": {"GET": self.policy},
            "/api/v1/me": {"GET": self.me},
            "/api/v1/me/choices": {"POST": self.choose},
        }
        self.pool: AsyncConnectionPool[AsyncConnection[Any]] | None = None
        self.intake = intake.Intake(guesses or Guesses())
        self.watching = watching.Watching()

    async def start(self) -> None:
        """Open the pool; it connects when it is first needed."""
        told = connect.parameters("self") | {"connect_timeout": 10}
        self.pool = AsyncConnectionPool(
            kwargs=told, min_size=0, max_size=6, timeout=10, open=False, check=AsyncConnectionPool.check_connection
        )
        await self.pool.open()
        await self.intake.gate.start()

    async def stop(self) -> None:
        """Close it."""
        await self.intake.gate.stop()
        if self.pool is not None:
            await self.pool.close(timeout=2)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a refusal is JSON with a code, a sentence and what to do."""
        status, allowed, retry = 200, "", 0
        try:
            if scope["path"].startswith(ledger.ROOT):
                await self._published(scope, send)
                return
            clients = None if scope["path"] in intake.OWN else speaking(scope["path"])
            if clients is not None:
                await protocols.serve(clients, self.intake, scope, receive, send)
                return
            if scope["path"] == watching.PATH and scope["method"] == "GET":
                await self.watching.stream(scope, receive, send, partial(self._counting, scope))
                return
            if scope["path"].startswith(intake.ROOT):
                await self.intake(scope, receive, send)
                return
            body = await self._route(scope)(scope, receive)
        except Refusal as refusal:
            status, body, allowed, retry = refusal.status, refusal.body, refusal.allowed, refusal.retry
        except (Error, TimeoutError):
            away = Refusal("unavailable")
            status, body = away.status, away.body
        await answer(send, status, body, head=scope["method"] == "HEAD", allowed=allowed, retry=retry)

    async def _published(self, scope: Scope, send: Send) -> None:
        """Answer with a part of the ledger."""
        if scope["method"] not in ("GET", "HEAD"):
            raise Refusal("method", allowed="GET, HEAD")
        kind, content, lasting = await asyncio.to_thread(ledger.answer, scope["path"])
        await deliver(send, 200, content, kind=kind, lasting=lasting, head=scope["method"] == "HEAD")

    def _route(self, scope: Scope) -> Callable[[Scope, Receive], Awaitable[Any]]:
        methods = self.routes.get(scope["path"])
        if methods is None:
            raise Refusal("not-found")
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in methods:
            raise Refusal("method", allowed="GET, HEAD" if "GET" in methods else ", ".join(methods))
        return methods[method]

    async def health(self, _scope: Scope, _receive: Receive) -> Any:  # noqa: ANN401 - JSON
        """Say that the process answers."""
        return {"status": "up"}

    async def policy(self, _scope: Scope, _receive: Receive) -> Any:  # noqa: ANN401 - JSON
        """Return the policy in force, as sentences."""
        now = await asyncio.to_thread(published.current)
        return {
            "name": now.policy.name,
            "version": now.version,
            "digest": now.digest,
            "terms_digest": now.terms_digest,
            "effective": now.policy.effective,
            "sections": explain.sections(now.policy),
        }

    async def me(self, scope: Scope, _receive: Receive) -> Any:  # noqa: ANN401 - JSON
        """Return what is held about the viewer; `?before=` pages through accesses."""
        token = await self._viewer(scope)
        before, asked = moment(scope), await asyncio.to_thread(shown_now)
        async with self._bound(token) as connection, connection.cursor(row_factory=dict_row) as cursor:
            held: dict[str, Any] = {}
            for name, statement in asked.items():
                await cursor.execute(statement, {"before": before} if name == "accesses" else None)
                held[name] = await cursor.fetchall()
        held["profile"] = held["profile"][0] if held["profile"] else None
        return held

    async def choose(self, scope: Scope, receive: Receive) -> Any:  # noqa: ANN401 - JSON
        """Consent, withdraw, object or permit again."""
        if not header(scope, b"content-type").startswith(b"application/json") or not own_origin(scope):
            raise Refusal("cross-origin")
        try:
            wish = msgspec.json.decode(await body_of(receive), type=Wish)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Refusal("body", str(error)) from error
        token = await self._viewer(scope)
        if "\0" in wish.purpose + wish.kind:  # which no text of the database can hold
            raise Refusal("purpose-unknown")
        try:
            async with self._bound(token) as connection:
                await connection.execute(SQL["choose"], (wish.purpose, wish.kind, wish.seen or NONE))
        except Error as error:
            known = CHOICES.get(error.sqlstate or "")
            if known is None:
                raise
            raise Refusal(known) from error
        await self._viewer(scope)  # the access that chose is recorded as was chosen
        return {"purpose": wish.purpose, "kind": wish.kind}

    async def _viewer(self, scope: Scope) -> str:
        """Return the viewer's token. Raises Refusal for none, an ended one, or one without the agreement now needed."""
        token = cookie(scope)
        if not token:
            raise Refusal("sign-in-needed")
        async with self._connection() as connection:
            row = await (await connection.execute(SQL["standing"], {"token": token})).fetchone()
        if row is None:
            raise Refusal("sign-in-needed")
        if not row[1]:
            raise Refusal("agreement-missing")
        scope["troth.access"] |= {"subject": row[0], "uses": row[2], "identified": row[4]}
        return token

    async def _counting(self, scope: Scope) -> UUID:
        """Return the viewer, whose role on the staff lets them look at counts. Raises Refusal for anybody else."""
        token = await self._viewer(scope)
        try:
            async with self._bound(token) as connection:
                row = await (await connection.execute(SQL["counting"])).fetchone()
        except Error as error:
            if error.sqlstate not in ("TR040", "TR065"):
                raise
            raise Refusal("not-found") from error
        return UUID(str(row[0]))

    @contextlib.asynccontextmanager
    async def _bound(self, token: str) -> Any:  # noqa: ANN401 - an async iterator of a connection
        """Yield a connection in one transaction that carries the token."""
        async with self._connection() as connection:
            await connection.execute(SQL["bind"], (token,))
            yield connection

    def _connection(self) -> Any:  # noqa: ANN401 - the pool's context manager
        if self.pool is None:
            raise Refusal("unavailable")
        return self.pool.connection()


def shown_now() -> dict[str, bytes]:
    """Return what asks for everything that the policy in force shows a person, by name."""
    return {name: shown(WRITTEN[name]) for name in ("profile", "accesses", "agreements", "choices")}


def cookie(scope: Scope) -> str:
    """Return the viewer's token that the browser holds, or nothing; other cookies may be as odd as they like."""
    held = ""
    for part in header(scope, b"cookie").decode("latin-1").split(";"):
        name, _, value = part.partition("=")
        if name.strip() == COOKIE:
            held = value.strip().strip('"')
    return held


def own_origin(scope: Scope) -> bool:
    """Whether the request comes from our own pages, or from no page at all."""
    origin, host = header(scope, b"origin"), header(scope, b"host")
    return not origin or origin == b"https://" + host


def moment(scope: Scope) -> datetime | None:
    """Return the query's `before`. Raises Refusal when it is no time."""
    asked = parse_qs(scope["query_string"].decode("latin-1")).get("before", [""])[0]
    try:
        return datetime.fromisoformat(asked.replace(" ", "+")) if asked else None
    except ValueError as error:
        raise Refusal("before") from error

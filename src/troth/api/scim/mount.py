"""`/scim/v2`: one base for all organizations, since the token says which (RFC 7644 section 6.1 leaves it open).

The library speaks the protocol; each request is one transaction of the role `directory`. Synchronous, in two threads of
its own: however many people a directory sends, pages and the lean plane answer beside it.
"""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from psycopg import Error
from psycopg.errors import InsufficientPrivilege
from psycopg_pool import PoolTimeout
from scim2_models import (
    InvalidFilterException,
    PayloadTooLargeException,
    ResourceType,
    SCIMException,
    SearchRequest,
    UnauthorizedException,
)
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.routing import Operation
from scim2_server.service import ScimService

from troth.api.guessing import Guesses
from troth.api.scim.resources import Described, described
from troth.api.scim.storage import Handler, Storage
from troth.database import place
from troth.people.directory import Known, known, speaking
from troth.people.errors import DirectoryClosed, DirectoryOwner

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
BASE = "/scim/v2"
THREADS = 2
#: Half a thousand people, or a group of twenty thousand; what is longer is sent in parts.
LONGEST_BODY, SLOWEST_BODY = 1024 * 1024, 20.0
LONGEST_FILTER = 4096
LISTING = frozenset({Operation.search, Operation.search_with_body})
OPEN = frozenset({Operation.service_provider_config})
LOG = logging.getLogger(__name__)


class Service(ScimService):
    """The library's, which would parse a filter of any length; it knows how it describes itself."""

    described: Described

    def read_search(self, resource_types: list[ResourceType], payload: Any) -> tuple[SearchRequest[Any], Any]:  # noqa: ANN401
        """Read a search. Raises InvalidFilterException for a filter that is too long."""
        named = payload if isinstance(payload, Mapping) else {}
        if any(key.lower() == "filter" and len(str(told)) > LONGEST_FILTER for key, told in named.items()):
            raise InvalidFilterException(detail=f"a filter has at most {LONGEST_FILTER} characters")
        return super().read_search(resource_types, payload)


class Mount:
    """Answers for every organization's directory."""

    def __init__(self, base_url: str = "", guesses: Guesses | None = None) -> None:
        """Name the address that resources are at, whatever a request calls its host."""
        self.guesses = guesses or Guesses()
        self.base_url = (base_url or os.environ.get("TROTH_BASE_URL", "https://localhost:8443")) + BASE
        self.services: dict[Known, Service] = {}
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="scim")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = ScimRequest(
            method=scope["method"],
            base_url=self.base_url,
            path=scope["path"].removeprefix(BASE).removesuffix(".scim"),
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        )
        try:
            body = await _whole(receive)
        except TimeoutError:
            await _send(send, ScimResponse(HTTPStatus.REQUEST_TIMEOUT))
            return
        if body is None:
            return
        request.body = body
        answered = await asyncio.get_running_loop().run_in_executor(
            self.threads, self.answer, request, (scope.get("client") or ("",))[0]
        )
        await _send(send, answered, head=scope["method"] == "HEAD")

    def answer(self, request: ScimRequest, address: str = "") -> ScimResponse:
        """Answer a request; whatever goes wrong is said as SCIM says it (RFC 7644 section 3.12)."""
        fields = Known()
        try:
            fields = known()
            response = self._stopped(request, address) or self._served(self._service(fields), request, fields)
        except SCIMException as refusal:
            response = self._service(fields).error_response(refusal)
        except DirectoryClosed as refusal:
            self.guesses.wrong(address, _token(request).encode())
            response = self._service(fields).error_response(UnauthorizedException(detail=refusal.sentence))
        except DirectoryOwner as refusal:
            response = _refused(HTTPStatus.FORBIDDEN, refusal.sentence)
        except InsufficientPrivilege:
            response = _refused(HTTPStatus.FORBIDDEN, "the policy in force collects nothing of this from directories")
        except (Error, PoolTimeout, RecursionError) as problem:
            LOG.warning("a directory was not answered (%s)", type(problem).__name__)
            response = _refused(HTTPStatus.SERVICE_UNAVAILABLE, "try again in a moment")
            response.headers["Retry-After"] = "5"
        response.headers.setdefault("Location", request.url)
        return response

    def _stopped(self, request: ScimRequest, address: str) -> ScimResponse | None:
        """Return what is said to an unknown token from a network that guesses; None lets it in."""
        token = _token(request).encode()
        wait = 0 if not token or self.guesses.knows(token) else self.guesses.stopped(address)
        if not wait:
            return None
        response = _refused(HTTPStatus.TOO_MANY_REQUESTS, "too many tokens that open nothing came from this network")
        response.headers["Retry-After"] = str(wait)
        return response

    def _service(self, fields: Known) -> Service:
        """Return the service as it understands these fields; the operator declares others seldom."""
        if fields not in self.services:
            secret = place.secrets_of(place.current()).derive("cursors of directories")
            told = described(fields)
            service = Service(told.provider, secret=secret)
            service.described = told
            self.services = {fields: service}
        return self.services[fields]

    def _served(self, service: Service, request: ScimRequest, fields: Known) -> ScimResponse:
        if len(request.body) > LONGEST_BODY:
            raise PayloadTooLargeException(detail=f"a body has at most {LONGEST_BODY} bytes")
        if request.method == "HEAD":
            request.method = "GET"
        with service.provider:
            operation = service.match(request).operation
        if operation in OPEN:
            return getattr(Handler(service, _NOTHING), operation.value)(request)  # type: ignore[no-any-return]
        token = _bearer(request)
        with speaking(token, listing=operation in LISTING, fields=fields) as directory:
            if not self.guesses.knows(token.encode()):
                self.guesses.right(token.encode())
            return Handler(service, Storage(directory, service.described)).handle(request)

    def close(self) -> None:
        """Let the threads go."""
        self.threads.shutdown(wait=False)


_NOTHING = Storage(None, None)  # type: ignore[arg-type] # what describes the service asks no storage


def _bearer(request: ScimRequest) -> str:
    token = _token(request)
    if not token or "\0" in token:
        raise UnauthorizedException(detail="a directory's token is needed")
    return token


def _token(request: ScimRequest) -> str:
    scheme, _, token = (request.header("Authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _refused(status: HTTPStatus, sentence: str) -> ScimResponse:
    schemas = ["urn:ietf:params:scim:api:messages:2.0:Error"]
    return ScimResponse(status, {"schemas": schemas, "status": str(int(status)), "detail": sentence})


async def _whole(receive: Receive) -> bytes | None:
    """Return a body, or enough of one to show that it is too long; None when the client left before its end."""
    held = bytearray()
    async with asyncio.timeout(SLOWEST_BODY):
        while len(held) <= LONGEST_BODY:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            held += message.get("body", b"")
            if not message.get("more_body"):
                break
    return bytes(held)


async def _send(send: Send, response: ScimResponse, *, head: bool = False) -> None:
    content = b"" if response.body is None else json.dumps(response.body).encode()
    told = response.headers | {
        "Content-Length": str(len(content)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    }
    if response.status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT):
        told["Connection"] = "close"  # the rest of the body may still come
    if response.status == HTTPStatus.NO_CONTENT:
        del told["Content-Length"], told["Content-Type"]
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": int(response.status), "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else content})

"""`/api/PROJECT/envelope/`: crashes as Sentry's clients send them; the key says whose they are, not the project.

Pages of any origin may send: no cookie is looked at. Source: develop.sentry.dev/sdk/overview, and .../rate-limiting.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import parse_qs

import msgspec

from troth.api.answering import Receive, Scope, Send, deliver, header
from troth.api.intake import Intake, told, unpacked
from troth.api.refusals import Refusal
from troth.intake.envelopes import Broken, opened, stopping
from troth.intake.gate import Outcome

PATH = re.compile(r"/api/[^/]+/envelope/?")
KEY = re.compile(rb"sentry_key=([^,\s]+)")
#: For how many seconds a client is told not to send what is never taken.
STOPPED = 3600
ANY_ORIGIN = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"x-sentry-rate-limits, retry-after"),
)
PREFLIGHT = (
    *ANY_ORIGIN,
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"content-type, content-encoding, x-sentry-auth, sentry-trace, baggage"),
    (b"access-control-max-age", b"86400"),
)


class Envelopes:
    """Answers Sentry's clients."""

    def __init__(self, intake: Intake) -> None:
        """Share a gate with what else applications send."""
        self.intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "OPTIONS":
            await deliver(send, 204, b"", more=PREFLIGHT)
            return
        more, allowed, retry = list(ANY_ORIGIN), "", 0
        try:
            status, body, categories = await self._taken(scope, receive)
            more.append((b"x-sentry-rate-limits", _limits(categories)))
        except Refusal as refusal:
            # These clients wait only where they are told that they are too many.
            status = 429 if refusal.body["code"] == "busy" else refusal.status
            body, allowed, retry = refusal.body, refusal.allowed, refusal.retry
        await deliver(send, status, msgspec.json.encode(body), allowed=allowed, retry=retry, more=more)

    async def _taken(self, scope: Scope, receive: Receive) -> tuple[int, dict[str, object], Iterable[str]]:
        if scope["method"] != "POST":
            raise Refusal("method", allowed="OPTIONS, POST")
        async with self.intake.opened(_key(scope), scope) as sender:
            body, received = await unpacked(scope, receive), datetime.now(UTC)
            try:
                envelope = opened(body, sender, received)
            except Broken as error:
                raise Refusal("envelope", str(error)) from error
            found = await self.intake.gate.take(sender, envelope.events)
        conflict = any(each.outcome is Outcome.CONFLICT for each in found)
        answers: dict[str, object] = {"id": envelope.name, "events": [told(each) for each in found]}
        return 409 if conflict else 200, answers, stopping([each.refused for each in found])


def _key(scope: Scope) -> bytes:
    """Return the key as a header says it, or the query, as browsers have it."""
    said = KEY.search(header(scope, b"x-sentry-auth"))
    return said[1] if said else parse_qs(scope["query_string"]).get(b"sentry_key", [b""])[0]


def _limits(categories: Iterable[str]) -> bytes:
    return f"{STOPPED}:{';'.join(sorted(categories))}:organization:not_taken".encode()

"""`/api/PROJECT/envelope/`: crashes as Sentry's clients send them; the key says whose they are, not the project.

Source: develop.sentry.dev/sdk/overview, and .../rate-limiting.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import parse_qs

import msgspec

from troth.api.answering import Scope, header
from troth.api.intake import told
from troth.api.protocols import Brought, Reply
from troth.api.refusals import Refusal
from troth.intake.envelopes import Broken, opened, stopping
from troth.intake.gate import Answer, Outcome
from troth.intake.sent import Sender

KEY = re.compile(rb"sentry_key=([^,\s]+)")
#: For how many seconds a client is told not to send what is never taken.
STOPPED = 3600
EXPOSED = (b"access-control-expose-headers", b"x-sentry-rate-limits, retry-after")


class Envelopes:
    """What Sentry's clients send and are answered."""

    path = re.compile(r"/api/[^/]+/envelope/?")
    carried = b"content-type, content-encoding, x-sentry-auth, sentry-trace, baggage"

    def key(self, scope: Scope) -> bytes:
        """Return the key as a header says it, or the query, as browsers have it."""
        said = KEY.search(header(scope, b"x-sentry-auth"))
        return said[1] if said else parse_qs(scope["query_string"]).get(b"sentry_key", [b""])[0]

    def read(self, _scope: Scope, body: bytes, sender: Sender, received: datetime) -> Brought:
        """Return what is in an envelope. Raises Refusal."""
        try:
            envelope = opened(body, sender, received)
        except Broken as error:
            raise Refusal("envelope", str(error)) from error
        return Brought(envelope.events, envelope.name)

    def told(self, _scope: Scope, brought: Brought, found: Sequence[Answer]) -> Reply:
        """Say what became of each event, and which categories had better not be sent."""
        conflict = any(each.outcome is Outcome.CONFLICT for each in found)
        answers = {"id": brought.name, "events": [told(each) for each in found]}
        limits = _limits(stopping([each.refused for each in found]))
        more = (EXPOSED, (b"x-sentry-rate-limits", limits))
        return Reply(409 if conflict else 200, msgspec.json.encode(answers), more=more)

    def turned_away(self, _scope: Scope, refusal: Refusal) -> Reply:
        """Say why. These clients wait only where they are told that they are too many."""
        status = 429 if refusal.body["code"] == "busy" else refusal.status
        return Reply(status, msgspec.json.encode(refusal.body), more=(EXPOSED,))


def _limits(categories: Iterable[str]) -> bytes:
    return f"{STOPPED}:{';'.join(sorted(categories))}:organization:not_taken".encode()

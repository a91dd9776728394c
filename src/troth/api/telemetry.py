"""`/intake/v1/telemetry/KEY`: what pages of applications tell, by the library in `clients/javascript`, and ask before.

What a page that is left still sends must go by itself, so a request is one that browsers do not ask about first. The
key stands in the address, and the person, who must not, in the body, which is called plain text.
"""

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from troth.api.answering import Scope, header
from troth.api.intake import told
from troth.api.protocols import Brought, Reply
from troth.api.refusals import Refusal
from troth.intake.gate import Answer, Outcome
from troth.intake.paging import Unreadable, opened
from troth.intake.sent import Sender

EXPOSED = (b"access-control-expose-headers", b"retry-after")


class Telemetry:
    """What these pages send and are answered."""

    path = re.compile("/intake/v1/telemetry/(?P<key>[0-9A-Za-z_-]+)")
    carried = b"content-type"

    def key(self, scope: Scope) -> bytes:
        """Return the key as the path says it."""
        found = self.path.fullmatch(scope["path"])
        return found["key"].encode() if found else b""

    def read(self, scope: Scope, body: bytes, sender: Sender, received: datetime) -> Brought:
        """Return what a page tells, and whom it asks about. Raises Refusal."""
        agent, system = (header(scope, name).decode("latin-1") for name in (b"user-agent", b"sec-ch-ua-platform"))
        try:
            page = opened(body, sender, received, agent=agent, system=system)
        except Unreadable as error:
            raise Refusal("page", str(error)) from error
        return Brought(page.events, about=page.person, objects=page.objects)

    def told(self, _scope: Scope, brought: Brought, found: Sequence[Answer]) -> Reply:
        """Say what became of each event, what of the person's is permitted now, and how long that may be believed."""
        conflict = any(each.outcome is Outcome.CONFLICT for each in found)
        answers = {"events": [told(each) for each in found]} | msgspec.to_builtins(brought.permitted)
        return Reply(409 if conflict else 200, msgspec.json.encode(answers), more=(EXPOSED,))

    def turned_away(self, _scope: Scope, refusal: Refusal) -> Reply:
        """Say why."""
        return Reply(refusal.status, msgspec.json.encode(refusal.body), more=(EXPOSED,))

"""`/intake/v1/reports/KEY` and `/api/PROJECT/security/`: what browsers report on their own.

They send neither cookies nor headers of anybody's choice, so the key stands in the address.

Source: w3.org/TR/reporting-1, section 3.5: any answer of 200 to 299 is a success, and 410 ends the endpoint.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from urllib.parse import parse_qs

import msgspec

from troth.api.answering import Scope
from troth.api.protocols import MOST, Brought, Reply, kind_of
from troth.api.refusals import Refusal
from troth.intake.gate import Answer
from troth.intake.reports import READERS, Unread
from troth.intake.sent import Sender

#: Nobody takes reports here any more: browsers forget an endpoint that says so, and send nothing on.
GONE = 410


class Reports:
    """What browsers send and are answered."""

    path = re.compile("/intake/v1/reports/(?P<key>[0-9A-Za-z_-]+)|/api/[^/]+/security/?")
    carried = b"content-type"

    def key(self, scope: Scope) -> bytes:
        """Return the key as the path says it, or the query, as it does where Sentry's clients send."""
        found = self.path.fullmatch(scope["path"])
        said = found["key"] if found else None
        return said.encode() if said else parse_qs(scope["query_string"]).get(b"sentry_key", [b""])[0]

    def read(self, scope: Scope, body: bytes, _sender: Sender, _received: datetime) -> Brought:
        """Return what is in a list of reports, or in a violation. Raises Refusal."""
        kind = kind_of(scope)
        if kind not in READERS:
            raise Refusal("reports-kind")
        try:
            return Brought(list(islice(READERS[kind](body), MOST + 1)))
        except Unread as error:
            raise Refusal("reports", str(error)) from error

    def told(self, _scope: Scope, _brought: Brought, _found: Sequence[Answer]) -> Reply:
        """Say that it came; browsers read no more, and what was refused is not to be sent again."""
        return Reply(204, b"")

    def turned_away(self, _scope: Scope, refusal: Refusal) -> Reply:
        """Say why; to whom no key is known any more, that nobody is there."""
        status = GONE if refusal.body["code"] == "key-needed" else refusal.status
        return Reply(status, msgspec.json.encode(refusal.body))

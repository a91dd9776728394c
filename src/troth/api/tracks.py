"""`/v1/batch` and its like: calls of Segment's and RudderStack's clients.

Source: segment.com/docs/connections/sources/catalog/libraries/server/http-api, rudderstack.com/docs/api/http-api.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

import msgspec

from troth.api.answering import Scope, header
from troth.api.intake import told
from troth.api.protocols import MOST, Brought, Reply
from troth.api.refusals import Refusal
from troth.intake.gate import Answer, Outcome
from troth.intake.sent import Sender
from troth.intake.tracks import LONGEST_CALL, LONGEST_CALLS, Misspelt, called


class Tracks:
    """What these clients send and are answered."""

    path = re.compile("/v1/(batch|track|page|screen|identify|group|alias)/?")
    carried = b"content-type, content-encoding, authorization, anonymousid"

    def key(self, scope: Scope) -> bytes:
        """Return the name of a user without a password, as these clients send their key (RFC 7617)."""
        scheme, _, words = header(scope, b"authorization").partition(b" ")
        try:
            return b64decode(words).partition(b":")[0] if scheme.lower() == b"basic" else b""
        except binascii.Error:
            return b""

    def read(self, scope: Scope, body: bytes, sender: Sender, received: datetime) -> Brought:
        """Return what is in a call or a batch of them. Raises Refusal."""
        which = scope["path"].strip("/").rpartition("/")[2]
        if len(body) > (LONGEST_CALLS if which == "batch" else LONGEST_CALL):
            raise Refusal("calls-long")
        try:
            return Brought(list(islice(called(body, which, sender, received), MOST + 1)))
        except Misspelt as error:
            raise Refusal("calls", str(error)) from error

    def told(self, _scope: Scope, _brought: Brought, found: Sequence[Answer]) -> Reply:
        """Say what became of each call; these clients read no more than the status, and send nothing of it again."""
        conflict = any(each.outcome is Outcome.CONFLICT for each in found)
        answers = {"success": not conflict, "events": [told(each) for each in found]}
        return Reply(409 if conflict else 200, msgspec.json.encode(answers))

    def turned_away(self, _scope: Scope, refusal: Refusal) -> Reply:
        """Say why; they send again what was answered 503."""
        return Reply(refusal.status, msgspec.json.encode({"success": False} | refusal.body))

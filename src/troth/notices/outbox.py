"""Django's mail goes into the outbox, in the transaction that caused it."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection as door
from django.utils.translation import get_language
from psycopg import Connection
from psycopg.types.json import Jsonb

from troth.database.statements import load

SQL = load("troth.notices")
NOBODY = uuid.UUID(int=0)
#: Notices of sends to many that may wait in the outbox before a send adds more.
ROOM = 5_000


class Outbox(BaseEmailBackend):
    """Write each message as a notice; the worker delivers it after the commit."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Queue the messages and return how many."""
        return sum(post(message) for message in email_messages)


def post(message: EmailMessage) -> int:
    """Queue one message to each of its recipients."""
    html = next((str(a.content) for a in getattr(message, "alternatives", []) if a.mimetype == "text/html"), "")
    facts: dict[str, Any] = {"subject": str(message.subject), "text": str(message.body), "html": html}
    facts["language"] = get_language() or "en"
    for address in message.to:
        whose = getattr(message, "troth_subject", NOBODY)
        with door.cursor() as cursor:
            told: dict[str, Any] = {"subject": whose, "address": address, "template": "mail", "facts": Jsonb(facts)}
            cursor.execute(SQL["post"], told)
    return len(message.to)


def has_room(connection: Connection[Any]) -> bool:
    """Whether a send to many may add more: what was queued before is on its way, and not piling up."""
    row = connection.execute(SQL["room"].encode(), {"room": ROOM}).fetchone()
    return bool(row and row[0])

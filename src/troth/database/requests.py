"""Asking the keeper, who alone may change roles, tables and rules: a signed row in a table, and its answer."""

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from psycopg import OperationalError

from troth.database import connect, place
from troth.database.errors import RequestRefusal, ServerRefusal
from troth.database.statements import load

SQL = load("troth.database.sql")
PATIENCE = 60.0


def ask(kind: str, payload: Mapping[str, Any], *, timeout: float = PATIENCE) -> dict[str, Any]:
    """Return the keeper's answer. Raises RequestRefusal when it says no or says nothing within `timeout` seconds."""
    request, deadline = leave(kind, payload), time.monotonic() + timeout
    while time.monotonic() < deadline:
        with connect.acting("steward") as connection:
            answer = connection.execute(SQL["answer"].encode(), {"request": request}).fetchone()
        if answer:
            if answer[0]:
                return dict(answer[1])
            raise RequestRefusal(str(answer[1]["sentence"]), advice=str(answer[1].get("advice", "")))
        time.sleep(0.05)
    raise RequestRefusal("the keeper did not answer in time", advice="is `troth serve` running? see its terminal")


def leave(kind: str, payload: Mapping[str, Any]) -> Any:  # noqa: ANN401 - which request it is
    """Leave the keeper a signed request and return which it is, without waiting for an answer. Raises ServerRefusal."""
    where = place.current()
    # A request is carried out once: asked again it is another one.
    text = json.dumps(dict(payload) | {"nonce": secrets.token_urlsafe(16)}, sort_keys=True)
    try:
        with connect.acting("steward") as connection:
            signature = place.secrets_of(where).operator.sign(signed(kind, text))
            told = {"kind": kind, "payload": text, "signature": signature}
            row = connection.execute(SQL["ask"].encode(), told).fetchone()
    except OperationalError as error:
        raise ServerRefusal(
            "the database does not answer", place=str(where.data), advice="start `troth serve`"
        ) from error
    return row[0] if row else None


def signed(kind: str, payload: str) -> bytes:
    """Return the bytes that a request's signature covers."""
    return f"{kind}\0{payload}".encode()

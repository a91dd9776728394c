"""Which signed requests the keeper answered, remembered outside the database.

A signature holds for ever. Whoever has the database can open a request again that was answered, or put it there once
more: a version that was published and withdrawn would wait again because its own request asks for it.
"""

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from psycopg import Connection

from troth.database import place
from troth.database.errors import RequestRefusal
from troth.database.place import Place
from troth.database.statements import load

SQL = load("troth.database.sql")
#: In the data folder: the SHA-256 (hex) of each answered request's payload, which holds a nonce.
FILE = "requests-answered.json"


def begin(connection: Connection[Any], where: Place) -> None:
    """Believe the database once, where nothing is remembered yet: a restored backup, an earlier troth."""
    if not _file(where).exists():
        rows = connection.execute(SQL["answered_requests"].encode()).fetchall()
        _write(where, (digest for (digest,) in rows))


def ensure_new(connection: Connection[Any], where: Place, kind: str, payload: str) -> None:
    """Refuse a request that was answered, by the memory or by the database. Raises RequestRefusal."""
    begin(connection, where)
    if (
        _digest(payload) in _recall(where)
        or connection.execute(SQL["answered_before"].encode(), {"kind": kind, "payload": payload}).fetchone()
    ):
        raise RequestRefusal("this request was answered before", advice="ask anew")


def remember(where: Place, payload: str) -> None:
    """Remember that a request was answered."""
    _write(where, _recall(where) | {_digest(payload)})


def _recall(where: Place) -> frozenset[str]:
    file = _file(where)
    try:
        return frozenset(str(each) for each in json.loads(file.read_text(encoding="utf-8"))["requests"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        sentence = f"`{file}` does not say which requests were answered: {error}"
        raise RequestRefusal(
            sentence, advice="bring back a copy of it, or remove it to believe the database"
        ) from error


def _write(where: Place, digests: Iterable[str]) -> None:
    told = json.dumps({"requests": sorted(digests)}, indent=1)
    place.replace_file(_file(where), (told + "\n").encode(), 0o600)


def _digest(payload: str) -> str:
    return sha256(payload.encode()).hexdigest()


def _file(where: Place) -> Path:
    return where.data / FILE

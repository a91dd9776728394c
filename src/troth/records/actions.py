"""What people do with their posts: each one transaction, as the viewer, with its entry in the ledger."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg import Connection, Error

from troth.database import connect, published
from troth.database.statements import load
from troth.people.cleaning import IN_LINES
from troth.records.errors import (
    AudienceChanged,
    EnoughForToday,
    FileRefusal,
    NoSuchPost,
    NotSignedIn,
    NotThisAudience,
    RecordsRefusal,
    TextRefusal,
)
from troth.records.files import MOST, File
from troth.records.queries import FILE, POST, Attached, Readers

SQL = load("troth.records")
#: Characters of a post.
LONGEST = 10_000
REFUSALS: Mapping[str, tuple[type[RecordsRefusal], str, str]] = {
    "TR003": (NotSignedIn, "nobody is signed in", "sign in again"),
    "TR080": (NoSuchPost, "there is no such post of yours", "see your posts"),
    "TR081": (NotThisAudience, "you are not in this organization", "choose others to read it"),
    "TR082": (AudienceChanged, "who would read it has changed", "read who it is now, and choose again"),
    "TR083": (EnoughForToday, "that is enough for one day", "post more tomorrow"),
    "TR084": (FileRefusal, f"a post has {MOST} files at most", "remove one first"),
    "TR060": (NoSuchPost, "the policy in force lets nobody delete this", "see the policy"),
    "23514": (TextRefusal, "this cannot be kept", "write it differently"),
    "23503": (NotThisAudience, "you are not in this organization", "choose others to read it"),
}


def clean_text(text: str) -> str:
    """Return what somebody wrote as it is kept. Raises TextRefusal."""
    kept = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not kept:
        raise TextRefusal("there is nothing in it", advice="write something")
    if len(kept) > LONGEST:
        raise TextRefusal(f"this has {len(kept)} characters", advice=f"keep it to {LONGEST}")
    if IN_LINES.search(kept):
        raise TextRefusal("this holds control characters", advice="remove the invisible signs")
    return kept


def write(*, token: str, text: str, readers: Readers, version: int, files: Sequence[File] = ()) -> uuid.UUID:
    """Post to `readers`, of whom the viewer was told under that version of the policy. Raises RecordsRefusal."""
    with _acting(token) as connection:
        made = uuid.UUID(_asked(connection, "write_post", _told(readers, version) | {"text": clean_text(text)}))
        for file in files:
            told = {"post": made, "name": file.name, "type": file.type, "content": file.content}
            _asked(connection, "attach_file", told)
    return made


def edit(
    *,
    token: str,
    post: uuid.UUID,
    text: str,
    readers: Readers,
    version: int,
    files: Sequence[File] = (),
    without: Sequence[Attached] = (),
) -> None:
    """Change what a post of the viewer's says and who reads it; add files, and remove others. Raises RecordsRefusal."""
    with _acting(token) as connection:
        connection.execute(SQL["hold_author"].encode())
        if connection.execute(SQL["edit_post"].encode(), {"post": post, "text": clean_text(text)}).rowcount:
            _asked(connection, "note_edit", {"post": post})
        _asked(connection, "address_post", _told(readers, version) | {"post": post})
        for each in without:
            _asked(connection, "remove_own", {"table": FILE, "at": each.at, "id": each.id})
        for file in files:
            told = {"post": post, "name": file.name, "type": file.type, "content": file.content}
            _asked(connection, "attach_file", told)


def address(*, token: str, post: uuid.UUID, readers: Readers, version: int) -> None:
    """Let others read a post of the viewer's than before. Raises RecordsRefusal."""
    with _acting(token) as connection:
        _asked(connection, "address_post", _told(readers, version) | {"post": post})


def delete(*, token: str, at: datetime, post: uuid.UUID) -> None:
    """Delete a post of the viewer's with its files; what others copied is out of reach. Raises RecordsRefusal."""
    with _acting(token) as connection:
        row = connection.execute(SQL["remove_own"].encode(), {"table": POST, "at": at, "id": post}).fetchone()
        if not (row and row[0]):
            raise NoSuchPost("there is no such post of yours", advice="see your posts")


def _told(readers: Readers, version: int) -> dict[str, Any]:
    told = {"audience": readers.audience.value, "organization": readers.organization}
    return told | {"members": readers.members, "version": version}


def _asked(connection: Connection[Any], statement: str, told: Mapping[str, object]) -> str:
    row = connection.execute(SQL[statement].encode(), told).fetchone()
    return str(row[0]) if row else ""


@contextmanager
def _acting(token: str) -> Iterator[Connection[Any]]:
    """Yield a connection of the viewer's in one transaction. Raises RecordsRefusal for what the database refuses."""
    try:
        with connect.acting("self", token=token) as connection:
            yield connection
    except Error as error:
        if error.sqlstate == "42501":
            clause = next((each.clause for each in published.current().plan.posted), "")
            sentence = "the policy in force lets nobody post this to them"
            raise NotThisAudience(sentence, advice="choose others to read it", clause=clause) from error
        found = REFUSALS.get(error.sqlstate or "")
        if found is None:
            raise
        refusal, sentence, advice = found
        raise refusal(sentence, advice=advice) from error

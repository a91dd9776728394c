"""Posts as one of their readers sees them: each question is asked as one role, which row security knows."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row

from troth.consent import permissions
from troth.database import connect, published
from troth.database.statements import load
from troth.database.viewing import shown
from troth.people import organizations
from troth.policy.audiences import VIEWINGS
from troth.policy.meaning import Audience
from troth.records.files import File

SQL = load("troth.records")
#: Posts on one page, and behind which the newest is.
PAGE = 20
LATEST = uuid.UUID(int=(1 << 128) - 1)
POST, FILE = "post", "attachment"


class Feed(StrEnum):
    """Whose posts are read, and as whom: the names of roles, but for one's own."""

    MEMBERS = "organizations"
    SIGNED_IN = "everyone"
    PUBLIC = "public"
    CHOSEN = "shown"
    MINE = "mine"

    @property
    def role(self) -> str:
        """Return the role that reads them."""
        return {Feed.MINE: "self", Feed.CHOSEN: permissions.CHOSEN}.get(self) or VIEWINGS[AUDIENCES[self]].role


AUDIENCES: Mapping[Feed, Audience] = {
    Feed.MEMBERS: Audience.MEMBERS,
    Feed.SIGNED_IN: Audience.SIGNED_IN,
    Feed.PUBLIC: Audience.PUBLIC,
    Feed.CHOSEN: Audience.CHOSEN,
}


@dataclass(frozen=True, slots=True)
class Readers:
    """Who may read a post; of an organization which one, what it is called, and how many are in it."""

    audience: Audience
    organization: uuid.UUID | None = None
    members: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a post, without its bytes: how many they are."""

    post: uuid.UUID
    id: uuid.UUID
    at: datetime
    name: str | None
    type: str | None
    size: int | None


@dataclass(slots=True)
class Post:
    """A post as a reader sees it. `author` is what they are called now, None where the policy shows no name.

    `audience` and `edited_at` are its author's to know.
    """

    subject: uuid.UUID
    id: uuid.UUID
    at: datetime
    text: str | None
    organization: uuid.UUID | None
    author: str | None
    audience: str = ""
    edited_at: datetime | None = None
    feed: Feed = Feed.MINE
    files: list[Attached] = field(default_factory=list)


def are_kept() -> bool:
    """Return whether the policy in force lets anybody post to anybody."""
    return bool(published.current().plan.postable(POST))


def feeds(*, known: bool) -> list[Feed]:
    """Return what there is to read under the policy in force, for somebody who is `known` or a visitor."""
    to = published.current().plan.postable(POST)
    found = [each for each, audience in AUDIENCES.items() if audience in to]
    return [*found, Feed.MINE] if known else [each for each in found if each is Feed.PUBLIC]


def posts(token: str | None, feed: Feed, *, before: uuid.UUID = LATEST, most: int = PAGE) -> list[Post]:
    """Return the newest posts of a feed behind one of them, with their files."""
    return _read(token, feed, {"before": before, "only": None, "most": most})


def post(token: str | None, which: uuid.UUID) -> Post | None:
    """Return a post, as whoever the viewer may read it as; None is what is not theirs to read, or not there."""
    for feed in (Feed.MINE, *AUDIENCES) if token else (Feed.PUBLIC,):
        if feed is not Feed.CHOSEN or _let_see(str(token), which):
            found = _read(token, feed, {"before": LATEST, "only": which, "most": 1})
            if found:
                return found[0]
    return None


def file(token: str | None, found: Post, which: uuid.UUID) -> File | None:
    """Return a file of a post that was read, as the same role; None where there is none."""
    statement = _statement(found.feed, "file", "file_let_see", "post.file")
    if statement is None:
        return None
    with connect.acting(found.feed.role, token=token) as connection:
        return next(iter(_rows(connection, statement, File, {"post": found.id, "id": which})), None)


def offered(token: str) -> list[Readers]:
    """Return who may be chosen to read what the viewer posts, from the fewest to all."""
    found: list[Readers] = []
    for audience in published.current().plan.postable(POST):
        if audience is Audience.MEMBERS:
            found += _organizations(token)
        else:
            found.append(Readers(audience))
    return found


def takes_files(audience: Audience) -> bool:
    """Return whether the policy in force lets people post files to an audience."""
    return audience in published.current().plan.postable(FILE)


def names_author(audience: Audience) -> bool:
    """Return whether the policy in force shows an audience the name of whoever posts to it."""
    if audience is Audience.CHOSEN:
        return any(each.category == "person.name" for each in permissions.grantable())
    viewing = VIEWINGS.get(audience)
    return viewing is not None and "person.name" in published.current().plan.shown_to(viewing.role)


def clause() -> str:
    """Return the clause that lets people post; empty where none does."""
    return next((each.clause for each in published.current().plan.posted), "")


def deleted_by(table: str = POST) -> str:
    """Return the clause by which people delete posts of theirs, or files; empty where none lets them."""
    return published.current().plan.removable(table)


def _organizations(token: str) -> list[Readers]:
    found = []
    with connect.acting("self", token=token) as connection:
        for each, _ in organizations.mine(token):
            told = {"organization": each.organization}
            row = connection.execute(SQL["members_beside"].encode(), told).fetchone()
            if row and row[0]:
                found.append(Readers(Audience.MEMBERS, each.organization, row[0], each.name))
    return found


def _read(token: str | None, feed: Feed, told: Mapping[str, object]) -> list[Post]:
    own = {Feed.MINE: "own_posts", Feed.MEMBERS: "posts_to_members"}
    statement = _statement(feed, own.get(feed, "posts"), "posts_let_see", "post.text")
    if statement is None:
        return []
    with connect.acting(feed.role, token=token) as connection:
        found = _rows(connection, statement, Post, told)
        files = _statement(feed, "files", "files_let_see", "post.file")
        held = _rows(connection, files, Attached, {"posts": [each.id for each in found]}) if files and found else []
    named = _givers(token) if feed is Feed.CHOSEN and token and found else {}
    for each in found:
        each.feed, each.author = feed, named.get(each.subject, each.author)
        each.files = [file for file in held if file.post == each.id]
    return found


def _let_see(token: str, which: uuid.UUID) -> bool:
    """Return whether somebody lets the viewer see a post; asking for it would leave a trace with everybody who does."""
    return any(
        not each.mine and each.live and "post.text" in each.categories and str(which) in (each.records or (str(which),))
        for each in permissions.grants(token)
    )


def _givers(token: str) -> dict[uuid.UUID, str | None]:
    """Return what those are called who let the viewer see something."""
    return {each.subject: each.other for each in permissions.grants(token) if each.live and not each.mine}


def _statement(feed: Feed, own: str, let: str, category: str) -> bytes | sql.Composed | None:
    """Return how a role reads a category of posts; None where nobody is let see it by permission."""
    if feed is not Feed.CHOSEN:
        return shown(SQL[own], feed.role)
    for each in permissions.grantable():
        if each.category == category and each.table in (POST, FILE):
            return sql.SQL(SQL[let]).format(function=sql.Identifier("troth", each.name))
    return None


def _rows[Row](
    connection: Connection[Any], statement: bytes | sql.Composed, kind: type[Row], told: Mapping[str, object]
) -> list[Row]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(statement, told).fetchall()

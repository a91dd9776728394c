"""Somebody with rows in every table, a value of their own in every column, and what the keeper answers about them."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
from django.core import signing
from psycopg import Connection, sql

from tests import planting
from tests.conftest import Person, visit
from troth.database import connect, place
from troth.database.catalog import load
from troth.policy.catalog import Table
from troth.rights import document, keeping
from troth.rights.persons import held_tables
from troth.rights.signed import SALT

HELD = sql.SQL("SELECT to_jsonb(t) FROM troth.{} AS t")
TYPES = "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
CHANGE = sql.SQL("UPDATE troth.{} SET {} = %s WHERE subject = %s")
#: What can be planted, by type of column; values of other types are compared with the table's own.
PLANTED = {"inet": "198.51.100.{n}", "jsonb": '{{"planted": "{word}"}}'}
PLANTED |= dict.fromkeys(("text", "character varying"), "{word}")
#: What a column takes that wants a form of its own.
FORMS = {("access", "place"): "ES/{word}"}
#: What the database checks.
CHECKED = {("choice", "kind"), ("choice", "purpose"), ("correction", "outcome"), ("application_grant", "application")}
CHECKED |= {
    ("person_grant", "over_by"),
    ("directory_act", "kind"),
    ("organization_look", "kind"),
    ("staff", "role"),
    ("notice_outcome", "outcome"),
    ("notice_outcome", "said"),
    ("transaction", "currency"),
    ("location", "source"),
    ("post", "audience"),
    ("attachment", "audience"),
    ("attachment", "type"),
    *(("agreed_permission", name) for name in ("purpose", "ends", "answer", "over_by")),
}


def asked(who: Person | uuid.UUID | str) -> dict[str, Any]:
    named = str(who.subject) if isinstance(who, Person) else str(who)
    return {"person": named, "reason": "asked", "until": time.time() + 60}


def exported(owner: Connection[Any], who: Person | uuid.UUID | str) -> document.Export:
    file = place.current().data / keeping.FOLDER / keeping.export(owner, asked(who))["file"]
    content = file.read_bytes()
    file.unlink()
    return document.read(content)


def previewed(owner: Connection[Any], who: Person | uuid.UUID | str) -> dict[str, dict[str, Any]]:
    return {each["table"]: each for each in keeping.preview(owner, asked(who))["tables"]}


def erased(owner: Connection[Any], who: Person | uuid.UUID | str) -> dict[str, dict[str, Any]]:
    return {each["table"]: each for each in keeping.erase(owner, asked(who))["tables"]}


def at_once(tables: dict[str, dict[str, Any]]) -> dict[str, int]:
    return {name: each["at_once"] for name, each in tables.items()}


def held(owner: Connection[Any]) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that can hold somebody's, read past all that is derived."""
    return {
        table.name: [row for (row,) in owner.execute(HELD.format(sql.Identifier(table.name)))]
        for table in held_tables(load())
    }


def part(export: document.Export, table: str) -> document.Table:
    return next(each for each in export.tables if each.table == table)


def text(export: document.Export) -> str:
    return json.dumps(msgspec.to_builtins(export), ensure_ascii=False)


def planted_in(words: str) -> set[str]:
    return set(re.findall(r"canary-\w+-\d+", words))


def plant(owner: Connection[Any], person: Person, number: int) -> dict[tuple[str, str], str]:
    """Make somebody's rows in every table and plant a value in each column that takes one; return the values."""
    account(owner, person)
    visit(person)
    with connect.acting("self", token=person.token) as mine:
        mine.execute("SELECT troth.choose('announce', 'consent')")
    with connect.acting("door") as door:
        door.execute("SELECT troth.post(%s, %s, 'plain', '{}')", (person.subject, person.email))
    planted: dict[tuple[str, str], str] = {}
    for table, column, kind in _plantable(owner):
        word = f"canary-{person.name.lower()}-{len(planted)}"
        form = FORMS.get((table.name, column), PLANTED[kind])
        planted[table.name, column] = form.format(word=word, n=number)
        owner.execute(
            CHANGE.format(sql.Identifier(table.name), sql.Identifier(column)),
            (planted[table.name, column], person.subject),
        )
    return planted


def account(owner: Connection[Any], person: Person) -> int:
    """Make the sign-in library's rows: an account, its address, and the session of who is signed in."""
    number = planting.account(owner, person.subject, person.email)
    owner.execute(
        "INSERT INTO troth.mfa_authenticator (type, data, user_id, created_at) VALUES ('totp', '{}', %s, now())",
        (number,),
    )
    owner.execute(
        "INSERT INTO troth.remembered (subject, digest, until) VALUES (%s, 'digest', now() + interval '1 day')",
        (person.subject,),
    )
    planting.sign_in(owner, person.subject, number)
    planting.known(owner, person.subject)
    planting.belongs(owner, person.subject)
    planting.supplied(owner, person.subject)
    planting.staffed(owner, person.subject)
    planting.mailed(owner, person.subject)
    planting.told(owner, person.subject)
    invited(owner, person)
    session(owner, f"key of {person.name}", {"_auth_user_id": str(number)})
    return number


def invited(owner: Connection[Any], person: Person) -> None:
    """Plant what is known of somebody by their address alone: an invitation to an organization, and one to the staff."""
    told = {"mine": uuid.uuid5(person.subject, "organization"), "email": person.email, "whose": person.subject}
    owner.execute(
        "INSERT INTO troth.invitation (organization, digest, address, role, joins, until)"
        " VALUES (%(mine)s, sha256(uuid_send(%(whose)s)), %(email)s, 'member', 1, now() + interval '1 day')",
        told,
    )
    owner.execute(
        "INSERT INTO troth.staff_invitation (email, digest, roles, expires_at)"
        " VALUES (%(email)s, sha256(uuid_send(%(whose)s)), '{support}', now() + interval '1 day')",
        told,
    )


def session(owner: Connection[Any], key: str, told: dict[str, Any]) -> None:
    """Keep a session as the sign-in library does."""
    data = signing.dumps(told, key=place.secrets_of(place.current()).django, salt=SALT, compress=True)
    owner.execute("INSERT INTO troth.django_session VALUES (%s, %s, now() + interval '1 day')", (key, data))


def _plantable(owner: Connection[Any]) -> Iterator[tuple[Table, str, str]]:
    for table in held_tables(load()):
        kinds = dict(owner.execute(TYPES, (f"troth.{table.name}",)).fetchall())
        for column in table.columns if table.by_subject else ():
            addressed = column.category == "person.email" and not column.credential  # by this a person is named
            fixed = column.derived or addressed or column.name in table.key or (table.name, column.name) in CHECKED
            if column.category and not fixed and kinds[column.name] in PLANTED:
                yield table, column.name, kinds[column.name]

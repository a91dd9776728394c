"""What people tell in the fields that the operator declared: read, corrected and deleted as the person themselves."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection as door
from psycopg import Connection, errors, sql
from psycopg.types.json import Jsonb

from troth.database import connect, published
from troth.database.statements import load
from troth.people.cleaning import CONTROL
from troth.people.errors import FieldRefusal, NobodyThere, Unfit
from troth.people.fields import PERSON, TABLES, Field
from troth.policy.catalog import Column
from troth.policy.declaring import LARGEST, Type, shape
from troth.policy.meaning import Occasion

SQL = load("troth.people")
#: A long text has lines and tabs.
IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
WEB = re.compile(r"https?://[^\s<>]+")
PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{1,37}[0-9]")

type Value = str | int | bool | date | None


@dataclass(frozen=True, slots=True)
class Held:
    """A field of a person with its value, and what the database lets them do with it."""

    field: Field
    value: Value
    may: frozenset[str]


def fields(holder: str = PERSON) -> list[Field]:
    """Return a holder's fields as they are declared, in the order in which they are shown."""
    with connect.acting("door") as connection:
        rows = connection.execute(SQL["fields"].encode()).fetchall()
    catalog = published.current().catalog
    columns = {column.name: column for column in catalog.table(TABLES[holder]).columns if column.type}
    return [_field(row, columns[row[0]]) for row in rows if row[1] == holder and row[0] in columns]


def asked_on_sign_up() -> list[Field]:
    """Return the fields that sign-up asks for, as far as the policy in force collects them then."""
    kept = published.current().plan.kept_on(Occasion.SIGN_UP, TABLES[PERSON])
    return [field for field in fields() if field.occasion is Occasion.SIGN_UP and field.name in kept]


def held(token: str) -> list[Held]:
    """Return the viewer's fields with their values: those that the policy lets them see, write or delete."""
    known = [(field, allowed(field)) for field in fields()]
    seen = [field.name for field, may in known if "select" in may]
    values = _values(token, seen) if seen else {}
    return [Held(field, values.get(field.name), may) for field, may in known if may]


def allowed(field: Field) -> frozenset[str]:
    """Return what the policy in force lets people do with a field of theirs: `select`, `update`, `delete`."""
    own = published.current().plan.own
    return frozenset(each.privilege for each in own if (each.table, each.column) == (field.table, field.name))


def _values(token: str, names: list[str]) -> dict[str, Value]:
    statement = sql.SQL(SQL["own_profile"]).format(columns=_listed(names))
    with connect.acting("self", token=token) as connection:
        row = connection.execute(statement).fetchone()
    return dict(zip(names, row, strict=True)) if row else {}


def tell(*, token: str, field: Field, value: Value) -> bool:
    """Write a field of the viewer's; return whether it changed. Raises FieldRefusal, or NobodyThere.

    None is no value: emptying is a right of its own (`empty`).
    """
    if value is None:
        raise FieldRefusal(Unfit.EMPTY, "there is no value", advice="write one, or delete the field")
    statement = sql.SQL(SQL["tell_field"]).format(column=sql.Identifier(field.name))
    with connect.acting("self", token=token) as connection:
        viewer = _viewer(connection)
        try:
            connection.execute(SQL["begin_profile"].encode())
            changed = bool(connection.execute(statement, {"value": value}).rowcount)
        except errors.CheckViolation as error:
            raise FieldRefusal(Unfit.OTHER, "this does not fit here", advice="write it differently") from error
        except (errors.InsufficientPrivilege, errors.UndefinedColumn) as error:
            raise FieldRefusal(Unfit.NOBODY, "the policy lets nobody change this", advice="see the policy") from error
        if changed:
            _record(connection, "field-corrected", viewer, field)
    return changed


def empty(*, token: str, field: Field) -> bool:
    """Delete what a field of the viewer's holds; return whether it held something. Raises FieldRefusal, NobodyThere."""
    with connect.acting("self", token=token) as connection:
        viewer = _viewer(connection)
        try:
            row = connection.execute(SQL["empty_field"].encode(), {"field": field.name}).fetchone()
        except errors.DatabaseError as error:
            if error.sqlstate != "TR060":
                raise
            raise FieldRefusal(Unfit.NOBODY, "the policy lets nobody delete this", advice="see the policy") from error
        if row and row[0]:
            _record(connection, "field-deleted", viewer, field)
    return bool(row and row[0])


def tell_first(subject: Any, told: Mapping[str, Value]) -> None:  # noqa: ANN401 - a UUID
    """Store what somebody told on sign-up. Runs on the role `door`, in the transaction of the sign-up."""
    given = {name: value for name, value in told.items() if value is not None}
    if given:
        values = sql.SQL(", ").join(map(sql.Placeholder, given))
        statement = sql.SQL(SQL["add_profile"]).format(columns=_listed(list(given)), values=values)
        with door.cursor() as cursor:
            cursor.execute(statement, {"subject": subject, **given})


def clean(field: Field, told: Value) -> Value:
    """Return a value as it is kept, None for nothing. Raises FieldRefusal where the field cannot hold it."""
    if isinstance(told, str):
        return _clean_text(field, told) or None
    if isinstance(told, int) and not isinstance(told, bool) and abs(told) > LARGEST:
        raise FieldRefusal(Unfit.LARGE, "this number is too large", advice=f"write at most {len(str(LARGEST))} digits")
    return told


def _clean_text(field: Field, told: str) -> str:
    text, longest = _folded(field.type, told), shape(field.column).longest
    if field.type is not Type.CHOICE and len(text) > longest:
        raise FieldRefusal(
            Unfit.LONG, f"this has {len(text)} characters", advice=f"keep it to {longest}", many=len(text), most=longest
        )
    if (IN_LINES if field.type is Type.LONG else CONTROL).search(text):
        raise FieldRefusal(Unfit.CONTROL, "this holds control characters", advice="remove the invisible signs")
    if text and field.type is Type.WEB and not WEB.fullmatch(text):
        raise FieldRefusal(Unfit.WEB, "this is no address of a page", advice="write it as https://example.org/")
    if text and field.type is Type.PHONE and not PHONE.fullmatch(text):
        raise FieldRefusal(Unfit.PHONE, "this is no telephone number", advice="write digits, as +34 600 000 000")
    return text


def _folded(kind: Type, told: str) -> str:
    """Return a text with its white space in order; of a telephone number, every script's digits and dashes are ours."""
    match kind:
        case Type.LONG:
            return told.replace("\r\n", "\n").replace("\r", "\n").strip()
        case Type.PHONE:
            signs = (_digit(sign) for sign in " ".join(told.split()))
            return "".join(signs)
        case Type.WEB:
            text = told.strip()
            return text if not text or "://" in text else f"https://{text}"
        case _:
            return " ".join(told.split())


def _digit(sign: str) -> str:
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    return "-" if unicodedata.category(sign) == "Pd" else sign


def _field(row: tuple[Any, ...], column: Column) -> Field:
    name, holder, occasion, required, labels, words = row
    return Field(
        name,
        Type(column.type),
        str(column.category),
        labels,
        holder,
        Occasion(occasion),
        required,
        shape(column).longest,
        {word: words.get(word, {}) for word in column.choices} or None,
        column.may,
    )


def _listed(names: list[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _viewer(connection: Connection[Any]) -> Any:  # noqa: ANN401 - a UUID
    row = connection.execute("SELECT troth.viewer()").fetchone()
    if row is None or row[0] is None:
        raise NobodyThere("nobody is signed in", advice="sign in again")
    return row[0]


def _record(connection: Connection[Any], action: str, viewer: Any, field: Field) -> None:  # noqa: ANN401 - a UUID
    told = {"action": action, "actor": viewer, "subject": viewer, "facts": Jsonb({"field": field.name})}
    connection.execute(SQL["record"].encode(), told)

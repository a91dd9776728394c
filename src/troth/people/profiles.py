"""What people tell in the fields that the operator declared: read, corrected and deleted as the person themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection as door
from psycopg import Connection, errors, sql
from psycopg.types.json import Jsonb

from troth.database import connect, published
from troth.database.statements import load
from troth.people.cleaning import Value
from troth.people.errors import FieldRefusal, NobodyThere, Unfit
from troth.people.fields import PERSON, TABLES, Field
from troth.policy.catalog import Column
from troth.policy.declaring import Type, shape
from troth.policy.meaning import Occasion

SQL = load("troth.people")


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

"""What the keeper does about profile fields when the operator's key asks: say what would go, and declare them."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from psycopg import Connection

from troth.database import published
from troth.database.apply import Declaring, apply
from troth.database.catalog import load as load_catalog
from troth.database.errors import RequestRefusal
from troth.database.keeper import Keeper
from troth.database.published import Published
from troth.database.statements import load
from troth.ledger.actions import record
from troth.people.errors import ManifestRefusal
from troth.people.fields import DECLARER, TABLES, Field, read, tables, with_fields
from troth.policy.catalog import Catalog, Column
from troth.policy.declaring import count_filled, count_unfit
from troth.policy.plan import plan

SQL = load("troth.people")
DATABASE = load("troth.database.sql")
LONGEST = 128 * 1024

type Told = dict[str, Any]


def taught(keeper: Keeper) -> Keeper:
    """Return the keeper, who can now be asked about profile fields."""
    keeper.kinds = {**keeper.kinds, **KINDS}
    return keeper


def preview(connection: Connection[Any], told: Told) -> Told:
    """Say what a text would add and take away, and of how many people something would go. Raises RequestRefusal."""
    now, fields = _asked(connection, told)
    before = {column.name for _, column in _standing(now.catalog)}
    names = [field.name for field in fields]
    return {
        "fields": names,
        "added": [name for name in names if name not in before],
        "removed": _going(connection, now.catalog, fields),
    }


def declare(connection: Connection[Any], told: Told) -> Told:
    """Make the fields of a text, change how they are shown, and drop those that are in it no longer.

    What goes is named in `removing`, so that nobody loses a field unseen. Raises RequestRefusal.
    """
    now, fields = _asked(connection, told)
    going = _going(connection, now.catalog, fields)
    if sorted(going) != sorted(told.get("removing", ())):
        listed = ", ".join(f"`{name}` ({_people(many)})" for name, many in going.items()) or "nothing"
        raise RequestRefusal(f"with their values would go: {listed}", advice="look at it, and confirm it by name")
    _refuse_unfit(connection, now.catalog, fields)

    def and_then(inside: Connection[Any]) -> None:
        _keep_words(inside, fields)
        digest = sha256(str(told["text"]).encode()).hexdigest()
        facts: Told = {"fields": len(fields), "removed": len(going), "text": digest}
        record(inside, action="profile-fields-declared", actor=None, subject=None, facts=facts)

    declaring = Declaring(DECLARER, tables(fields), str(told["text"]), and_then)
    apply(connection, now.source, now.terms, declaring=declaring)
    return {"fields": [field.name for field in fields], "removed": going}


KINDS: Mapping[str, Callable[[Connection[Any], Told], Told]] = {
    "profile.preview": preview,
    "profile.declare": declare,
}


def declare_first(connection: Connection[Any], text: str) -> bool:
    """Declare fields where none ever were; return whether that was done. Raises RequestRefusal."""
    if connection.execute(DATABASE["declared_source"].encode(), {"declarer": DECLARER}).fetchone():
        return False
    declare(connection, {"text": text})
    return True


def _asked(connection: Connection[Any], told: Told) -> tuple[Published, tuple[Field, ...]]:
    text = str(told["text"])
    if len(text) > LONGEST:
        raise RequestRefusal(f"the text is longer than {LONGEST // 1024} kB", advice="have fewer or shorter choices")
    now = published.on(connection)
    if now is None:
        raise RequestRefusal("no policy is in force", advice="start `troth serve`, which applies one")
    try:
        return now, checked(text, now)
    except ManifestRefusal as refusal:
        raise RequestRefusal(refusal.sentence, advice=refusal.advice) from refusal


def checked(text: str, now: Published) -> tuple[Field, ...]:
    """Return the fields of a text that the policy in force covers. Raises ManifestRefusal."""
    house = load_catalog(tuple(each for each in now.declared if each[0] != DECLARER))
    fields = read(text, policy=now.policy, plan=plan(now.policy, house), catalog=house)
    _refuse_others(now.catalog, fields)
    return fields


def _standing(catalog: Catalog) -> list[tuple[str, Column]]:
    """Return the columns of fields that are declared now, each with its table."""
    of_fields = (table for table in catalog if table.name in TABLES.values())
    return [(table.name, column) for table in of_fields for column in table.columns if column.type]


def _refuse_others(catalog: Catalog, fields: tuple[Field, ...]) -> None:
    """Refuse a field that is declared already as something else: what people told as one thing stays that."""
    standing = {column.name: (table, column) for table, column in _standing(catalog)}
    wrong = []
    for field in fields:
        table, column = standing.get(field.name, (field.table, field.column))
        if (table, column.type, column.category) != (field.table, field.type, field.category):
            wrong.append(f"  `{field.name}` is a {column.type} of `{column.category}` in `{table}`, and stays that")
    if wrong:
        listed = "\n".join(wrong)
        raise ManifestRefusal(f"fields are declared as something else:\n{listed}", advice="give the new one a new name")


def _going(connection: Connection[Any], catalog: Catalog, fields: tuple[Field, ...]) -> dict[str, int]:
    """Return the fields that are in the text no longer, with how many people have something in each."""
    staying = {field.name for field in fields}
    gone = {}
    for table, column in _standing(catalog):
        if column.name not in staying:
            row = connection.execute(count_filled(catalog.table(table), column).encode()).fetchone()
            gone[column.name] = int(row[0]) if row else 0
    return gone


def _refuse_unfit(connection: Connection[Any], catalog: Catalog, fields: tuple[Field, ...]) -> None:
    after = with_fields(load_catalog(), fields)
    standing = {column.name for _, column in _standing(catalog)}
    for field in fields:
        if field.name in standing:
            query = count_unfit(after.table(field.table), field.column)
            row = connection.execute(query.encode()).fetchone()
            if row and row[0]:
                sentence = f"`{field.name}` holds {row[0]} values that would not fit any more"
                raise RequestRefusal(sentence, advice="keep its length and its choices, or make them more")


def _keep_words(connection: Connection[Any], fields: tuple[Field, ...]) -> None:
    connection.execute(SQL["forget_fields"].encode())
    for place, field in enumerate(fields):
        told = {
            "field": field.name,
            "place": place,
            "holder": field.holder,
            "occasion": field.occasion,
            "required": field.required,
            "labels": json.dumps(dict(field.labels)),
            "words": json.dumps({word: dict(labels) for word, labels in (field.words or {}).items()}),
        }
        connection.execute(SQL["add_field"].encode(), told)


def _people(many: int) -> str:
    return f"{many} {'person' if many == 1 else 'people'}"

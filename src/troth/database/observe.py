"""Read from PostgreSQL's catalog the facts that hold, in the terms in which the plan states them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from troth.database import place
from troth.database.statements import load
from troth.policy import unmake
from troth.policy.carrying import password
from troth.policy.catalog import Catalog, Column, Table
from troth.policy.declaring import name_of
from troth.policy.facts import Fact, Kind
from troth.policy.meaning import Precision
from troth.policy.quoting import quoted
from troth.policy.sql import security

ALTERED = "altered"
#: What is said of a relation that stands beside ours.
STRAY = "a relation that no room declares"
#: How PostgreSQL writes back what the tables compute for each precision.
COMPUTED = {
    Precision.DAY: "((at AT TIME ZONE 'UTC'::text))::date",
    Precision.HOUR: "date_trunc('hour'::text, (at AT TIME ZONE 'UTC'::text))",
    Precision.HASHED: "sha256(uuid_send(device))",
    Precision.NETWORK: ("network(set_masklen(ip, CASE family(ip) WHEN 4 THEN 24 ELSE 48 END))"),
    Precision.CITY: (
        "(((round((floor((latitude * (10)::numeric)) / (10)::numeric), 1))::text || ', '::text)"
        " || (round((floor((longitude * (10)::numeric)) / (10)::numeric), 1))::text)"
    ),
    Precision.REGION: "(((floor(latitude))::text || ', '::text) || (floor(longitude))::text)",
}


@dataclass(frozen=True, slots=True)
class Marked:
    """An object whose text PostgreSQL rewrites: how SQL names it, and a digest of what it is now."""

    fact: Fact
    thing: str
    digest: str


def observe(connection: Connection[Any], catalog: Catalog) -> tuple[Fact, ...]:
    """Return every fact of the connected database. The connection must be the owner's."""
    return (*_plain(connection, catalog), *(marked.fact for marked in marked_objects(connection)))


def marked_objects(connection: Connection[Any]) -> Iterator[Marked]:
    """Yield checks of declared columns, functions, triggers, row rules and views."""
    for table, name, comment, digest in _rows(connection, "observed_checks"):
        thing = f"CONSTRAINT {quoted(name)} ON troth.{quoted(table)}"
        undo = unmake.drop_check(table, name)
        value = _claimed(comment, digest)
        fact = Fact(Kind.CHECK, f"{table}.{name}", value, unmake=undo, locks=f"troth.{table}")
        yield Marked(fact, thing, digest)
    for signature, owner, comment, digest in _rows(connection, "observed_functions"):
        thing = f"FUNCTION {signature}"
        yield _marked(Kind.FUNCTION, signature, f"{owner} {_claimed(comment, digest)}", thing, "", digest)
    for table, name, comment, digest in _rows(connection, "observed_triggers"):
        thing = f"TRIGGER {quoted(name)} ON troth.{quoted(table)}"
        yield _marked(Kind.TRIGGER, f"{table}.{name}", _claimed(comment, digest), thing, f"troth.{table}", digest)
    for schema, table, name, comment, digest in _rows(connection, "observed_rules"):
        thing = f"POLICY {quoted(name)} ON {quoted(schema)}.{quoted(table)}"
        yield _marked(Kind.RULE, f"{table}.{name}", _claimed(comment, digest), thing, f"{schema}.{table}", digest)
    for schema, name, comment, digest in _rows(connection, "observed_views"):
        thing = f"VIEW {quoted(schema)}.{quoted(name)}"
        yield _marked(Kind.VIEW, f"{schema}.{name}", _claimed(comment, digest), thing, f"{schema}.{name}", digest)


def _marked(kind: Kind, name: str, value: str, thing: str, locks: str, digest: str) -> Marked:
    return Marked(Fact(kind, name, value, unmake=unmake.drop(thing), locks=locks), thing, digest)


def _claimed(comment: str | None, digest: str) -> str:
    words = (comment or "").split()
    return words[1] if len(words) == 3 and words[0] == "troth" and words[2] == digest else ALTERED  # noqa: PLR2004


def _plain(connection: Connection[Any], catalog: Catalog) -> Iterator[Fact]:
    for name, attributes in _rows(connection, "observed_roles"):
        yield Fact(Kind.ROLE, name, attributes, unmake=unmake.drop_role(name))
    for role, who, options in _rows(connection, "observed_members"):
        yield Fact(Kind.MEMBER, f"{role} < {who}", options, unmake=unmake.leave(role, who))
    for role, name, value in _rows(connection, "observed_settings"):
        undo = unmake.reset(role, connection.info.dbname, name)
        yield Fact(Kind.SETTING, f"{role} {name}", value, unmake=undo)
    for (name,) in _rows(connection, "observed_schemas"):
        yield Fact(Kind.SCHEMA, name, "", unmake=unmake.drop(f"SCHEMA {quoted(name)}"))
    yield from _tables(connection, catalog)
    yield from _computed(connection, catalog)
    yield from _strangers(connection)
    yield from _grants(connection)


def _computed(connection: Connection[Any], catalog: Catalog) -> Iterator[Fact]:
    wanted = {(t.name, c.name): _declared(t, c) for t in catalog for c in t.columns if c.generated}
    for relation, table, column, expression in _rows(connection, "observed_generated"):
        if " ".join(expression.split()) not in wanted.get((table, column), ()):
            told = "is computed in a way that no room declares"
            yield Fact(Kind.UNDECLARED, f"troth.{relation}.{column}", told)


def _declared(table: Table, column: Column) -> frozenset[str]:
    """Return what a column may compute: as is, no more than another of its category, to be found in any case."""
    if column.precision is not Precision.AS_IS:
        return frozenset({COMPUTED[column.precision]} if column.precision in COMPUTED else ())
    others = [each.name for each in table.columns if each.category == column.category and each is not column]
    return frozenset(text for name in others for text in (f"lower({name})", f"COALESCE(lower({name}), ''::text)"))


def _strangers(connection: Connection[Any]) -> Iterator[Fact]:
    for thing, what in _rows(connection, "observed_strangers"):
        yield Fact(Kind.UNDECLARED, thing, f"{what}, which no room declares")
    if is_superuser(connection):
        secrets = place.secrets_of(place.current())
        for role, verifier in _rows(connection, "observed_passwords"):
            if verifier != secrets.verifier(role):
                undo = password(role, secrets.verifier(role))
                yield Fact(Kind.SETTING, f"{role} password", "one of its own", unmake=undo)


def _tables(connection: Connection[Any], catalog: Catalog) -> Iterator[Fact]:
    known = {table.name: table for table in catalog}
    for schema, name, kind, enabled, forced, parent in _rows(connection, "observed_tables"):
        table = known.get(parent or name) if schema == "troth" and kind in "rp" else None
        if table is None and kind != "v":
            yield Fact(Kind.UNDECLARED, f"{schema}.{name}", STRAY)
        elif table and table.bound and parent and not (enabled and forced):
            yield Fact(Kind.SECURITY, name, "a partition without row security", unmake=security(name).make)
        elif table and not parent and (enabled or forced):
            yield Fact(Kind.SECURITY, name, "forced" if enabled and forced else "not forced")
        if table and table.declared:
            yield Fact(Kind.TABLE, name, "declared")
    for table_name, name, kind in _rows(connection, "observed_columns"):
        table = known.get(table_name)
        column = {c.name: c for c in table.columns}.get(name) if table else None
        if table and column is None:
            yield Fact(Kind.UNDECLARED, name_of(table_name, name), "a column that no room declares")
        elif table and column and column.type and not (table.declared and name in table.key):
            yield Fact(Kind.COLUMN, name_of(table_name, name), kind)


def _grants(connection: Connection[Any]) -> Iterator[Fact]:
    for thing, column, role, privilege, passes_on in _rows(connection, "observed_grants"):
        on = f"{thing} ({column})" if column else thing
        yield Fact(
            Kind.GRANT,
            f"{on} to {role}",
            f"{privilege} with grant option" if passes_on else privilege,
            unmake=unmake.revoke(privilege, thing, column, role),
        )


def is_superuser(connection: Connection[Any]) -> bool:
    """Whether the owner may change what belongs to PostgreSQL itself."""
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    return bool(row and row[0])


def _rows(connection: Connection[Any], name: str) -> list[tuple[Any, ...]]:
    values = {"owner": connection.info.user, "superuser": is_superuser(connection)}
    return connection.execute(load("troth.database.sql")[name].encode(), values).fetchall()

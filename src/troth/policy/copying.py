"""Columns that the database keeps the same as another: a person who changes their name changes it everywhere (P21)."""

from collections.abc import Iterator
from dataclasses import dataclass

from troth.policy.catalog import Catalog, Column, Function, Table

SECURE = "SECURITY DEFINER SET search_path = ''"


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger of a table, and the statement that makes it."""

    table: str
    name: str
    sql: str


def tables(catalog: Catalog) -> tuple[str, ...]:
    """Return the names of the tables that are copied from or into, sorted."""
    return tuple(sorted({name for copy, _, source, _ in catalog.copied for name in (copy.name, source.name)}))


def needed(catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """Yield table, column and privilege that the copying functions need.

    A row that is read to be copied is locked, so that a change under way is waited for; locking asks for UPDATE.
    """
    for copy, column, source, other in catalog.copied:
        for table, name in ((copy.name, column.name), (source.name, other.name)):
            yield table, "subject", "SELECT"
            yield table, name, "SELECT"
            yield table, name, "UPDATE"


def functions(catalog: Catalog) -> Iterator[Function]:
    """Yield, for each copied column, the function that fills it in and the one that carries a change to it."""
    for copy, column, source, other in catalog.copied:
        name = f"{copy.name}_{column.name}"
        yield Function(f"copy_{name}", "", "copier", (), _copy(name, column, source, other))
        yield Function(f"spread_{name}", "", "copier", (), _spread(name, copy, column, other))


def _copy(name: str, column: Column, source: Table, other: Column) -> str:
    return f"""CREATE OR REPLACE FUNCTION troth.copy_{name}() RETURNS trigger
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
BEGIN
    NEW.{column.name} := (SELECT s.{other.name} FROM troth.{source.name} AS s WHERE s.subject = NEW.subject FOR SHARE);
    RETURN NEW;
END
$$"""


def _spread(name: str, copy: Table, column: Column, other: Column) -> str:
    return f"""CREATE OR REPLACE FUNCTION troth.spread_{name}() RETURNS trigger
LANGUAGE plpgsql VOLATILE {SECURE} AS $$
BEGIN
    UPDATE troth.{copy.name} SET {column.name} = NEW.{other.name} WHERE subject = NEW.subject;
    RETURN NULL;
END
$$"""


def triggers(catalog: Catalog) -> Iterator[Trigger]:
    """Yield them: a copy is made before its row is stored, and again whenever somebody would write another."""
    for copy, column, source, other in catalog.copied:
        name = f"{copy.name}_{column.name}"
        yield Trigger(
            copy.name,
            f"copy_{column.name}",
            f'CREATE TRIGGER copy_{column.name} BEFORE INSERT OR UPDATE OF {column.name} ON troth."{copy.name}"'
            f" FOR EACH ROW EXECUTE FUNCTION troth.copy_{name}()",
        )
        yield Trigger(
            source.name,
            f"spread_{name}",
            f'CREATE TRIGGER spread_{name} AFTER UPDATE OF {other.name} ON troth."{source.name}" FOR EACH ROW'
            f" WHEN (OLD.{other.name} IS DISTINCT FROM NEW.{other.name}) EXECUTE FUNCTION troth.spread_{name}()",
        )

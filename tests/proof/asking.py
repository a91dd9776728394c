"""Questions as an analyst asks them with psql, and their answers from rows in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.proof.oracle import Values
from troth.policy.catalog import Catalog

type Views = Mapping[str, list[Values]]


@dataclass(frozen=True, slots=True)
class Posed:
    """A question: its form, the statement with its values, and what it is about."""

    form: str
    sql: str
    values: tuple[Any, ...]
    table: str
    other: str
    column: str


def asked(
    question: tuple[str, int, int, int], columns: Mapping[str, Sequence[str]], views: Views, catalog: Catalog
) -> Posed:
    """Choose a question's table, column and value by its numbers."""
    form, first, second, third = question
    table, other = (sorted(columns)[number % len(columns)] for number in (first, second))
    column = columns[table][second % len(columns[table])]
    values: tuple[Any, ...] = ()
    match form:
        case "where":
            known = sorted({row[column] for row in views[table] if row[column] is not None}, key=str)
            values = (known[third % len(known)] if known else None,)
            sql = f'SELECT subject, "{column}" FROM {table} WHERE "{column}" = %s'
        case "null":
            sql = f'SELECT subject FROM {table} WHERE "{column}" IS NULL'
        case "group":
            sql = f'SELECT "{column}", count(*), count(DISTINCT subject) FROM {table} GROUP BY "{column}"'
        case "self-join":
            sql = f'SELECT count(*) FROM {table} AS a JOIN {table} AS b ON a.subject = b.subject AND a."{column}" IS NOT DISTINCT FROM b."{column}"'
        case "exists":
            sql = f"SELECT subject FROM {table} AS a WHERE EXISTS (SELECT 1 FROM {other} AS b WHERE b.subject = a.subject)"
        case "aggregate":
            sql = (
                f'SELECT count(*), count("{column}"), count(DISTINCT "{column}"), count(DISTINCT subject) FROM {table}'
            )
        case "withheld":
            kept = [c.name for c in catalog.table(table).columns if c.name not in columns[table]]
            sql = f'SELECT subject FROM troth.{table} ORDER BY "{kept[third % len(kept)]}"'
        case "star":
            sql = f"SELECT * FROM troth.{table}"
        case _:
            sql = f"WITH a AS (SELECT * FROM {table}) SELECT count(*) FROM a LEFT JOIN {other} AS b USING (subject)"
    return Posed(form, sql, values, table, other, column)


def answered(posed: Posed, views: Views) -> list[tuple[Any, ...]] | None:
    """Answer from the rows that may be read; None where the question must be refused."""
    rows, others = views[posed.table], Counter(row["subject"] for row in views[posed.other])
    told = [(row["subject"], row[posed.column]) for row in rows]
    found: list[tuple[Any, ...]] | None
    match posed.form:
        case "where":
            found = [each for each in told if each[1] is not None and each[1] == posed.values[0]]
        case "null":
            found = [(subject,) for subject, value in told if value is None]
        case "group":
            found = [
                (value, len(who), len(set(who)))
                for value in {value for _, value in told}
                for who in [[subject for subject, each in told if each == value]]
            ]
        case "self-join":
            found = [(sum(many * many for many in Counter(told).values()),)]
        case "exists":
            found = [(row["subject"],) for row in rows if others[row["subject"]]]
        case "aggregate":
            known = [value for _, value in told if value is not None]
            found = [(len(told), len(known), len(set(known)), len({subject for subject, _ in told}))]
        case "withheld" | "star":
            found = None
        case _:
            found = [(sum(max(1, others[row["subject"]]) for row in rows),)]
    return found

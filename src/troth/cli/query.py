"""`troth query`: ask as a purpose, and hear which clause withholds what it may not see."""

import csv
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click
import psycopg
from rich.console import Console
from rich.table import Table

from troth.cli.options import data_option, form_option
from troth.cli.shown import OBEYED, harmless
from troth.database import connect, published
from troth.database.published import Published
from troth.policy.planned import Withheld

#: Statements that would change something.
CHANGING = re.compile(r"\s*(insert|update|delete|merge|truncate|create|alter|drop|grant|revoke)\b", re.IGNORECASE)
WORD = re.compile(r'"((?:[^"]|"")+)"|([A-Za-z_][A-Za-z0-9_]*)')


@dataclass(frozen=True, slots=True)
class Answer:
    """Column names and rows."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


@click.command("query")
@click.option(
    "--purpose", required=True, help="The purpose to ask as; the answer holds what it may see, and nothing else."
)
@click.argument("sql")
@form_option("table", "csv", "json")
@data_option
def query(purpose: str, sql: str, form: str) -> None:
    """Run one SQL query as a purpose and print the answer.

    Tables stand in a schema named like the purpose; `select * from withheld` says what it may not see, and why.
    """
    policy = published.current("steward")
    if purpose not in {unit.purpose for unit in policy.plan.units}:
        raise click.ClickException(unknown_purpose(policy, purpose))
    try:
        answer = ask(purpose, sql)
    except psycopg.Error as error:
        raise click.ClickException(harmless(explained(policy, purpose, sql, error), lines=True)) from None
    click.echo({"table": as_table, "csv": as_csv, "json": as_json}[form](answer), nl=form != "csv")


def ask(purpose: str, sql: str) -> Answer:
    """Return the answer of one statement. Raises psycopg.Error, also when there are several statements."""
    with connect.acting(purpose) as connection, connection.cursor() as cursor:
        # A pipeline speaks the extended protocol, which takes one statement: nothing can be stacked behind the first.
        with connection.pipeline():
            cursor.execute(sql.encode())
        if cursor.description is None:
            return Answer((), ())
        return Answer(tuple(column.name for column in cursor.description), cursor.fetchall())


def unknown_purpose(policy: Published, purpose: str) -> str:
    """Say which purposes there are."""
    known = "\n".join(f"  {p.name:<12} {p.sentence}" for p in policy.policy.purposes)
    return f"the policy knows no purpose `{purpose}`; it has\n{known}"


def explained(policy: Published, purpose: str, sql: str, error: psycopg.Error) -> str:
    """Say what went wrong, and which clauses withhold the columns that the query names."""
    said = (error.diag.message_primary or str(error)).strip()
    if error.sqlstate == "42601" and "multiple commands" in said:
        return "these are several statements, and `troth query` takes one; ask once for each"
    changing = CHANGING.match(sql)
    if error.sqlstate not in {"42501", "42703", "42P01"} and not changing:
        return said
    named = {(match.group(1) or match.group(2)).lower() for match in WORD.finditer(sql)}
    mine = [each for each in policy.plan.withheld if each.purpose == purpose]
    lines = [*_withheld_whole(policy, mine, named), *(_line(each) for each in mine if _meant(each, named))]
    if changing:
        said, lines = f"a purpose only reads, and `{changing[1].lower()}` would change something ({said})", []
    if changing or error.sqlstate == "42P01" or not lines:
        lines.append(f"  `{purpose}` sees: {', '.join(_sees(policy, purpose)) or 'nothing'}")
    shown = "\n".join(lines)
    return f"{said}\n{shown}\nwhat `{purpose}` may not see, and why: troth query --purpose {purpose} 'table withheld'"


def _meant(withheld: Withheld, named: set[str]) -> bool:
    return withheld.column in named and (withheld.table in named or not named)


def _withheld_whole(policy: Published, mine: Sequence[Withheld], named: set[str]) -> Iterator[str]:
    """Yield, for each table that is named and of which nothing is read, the clauses that withhold it."""
    purposes = {each.purpose for each in mine}
    read = {reading.table for reading in policy.plan.readings if reading.purpose in purposes}
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for each in mine:
        if each.table in named - read:
            reasons.setdefault((each.table, each.clause, each.reason), []).append(each.column)
    for (table, clause, reason), columns in reasons.items():
        yield f"  `{table}` ({', '.join(columns)}) is withheld by clause `{clause}`: {reason}"


def _line(each: Withheld) -> str:
    return f"  `{each.table}.{each.column}` ({each.category}) is withheld by clause `{each.clause}`: {each.reason}"


def _sees(policy: Published, purpose: str) -> list[str]:
    seen: dict[str, list[str]] = {}
    for reading in policy.plan.readings:
        if reading.purpose == purpose:
            seen.setdefault(reading.table, []).append(reading.column)
    return [f"{table} ({', '.join(columns)})" for table, columns in seen.items()]


def as_table(answer: Answer) -> str:
    """Return a table for eyes."""
    table = Table(*map(harmless, answer.columns))
    for row in answer.rows:
        table.add_row(*("" if value is None else harmless(str(value)) for value in row))
    out = io.StringIO()
    width = None if sys.stdout.isatty() else 200
    Console(file=out, width=width, markup=False, highlight=False).print(table)
    return out.getvalue() + f"{len(answer.rows)} row{'' if len(answer.rows) == 1 else 's'}"


def as_csv(answer: Answer) -> str:
    """Return RFC 4180 text with a header line."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)
    return out.getvalue()


def as_json(answer: Answer) -> str:
    """Return a list of objects; what a terminal would obey is escaped as JSON does, which changes no value."""
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    written = json.dumps(rows, default=str, ensure_ascii=False, indent=2)
    return OBEYED.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", written)

"""`troth policy simulate`: what a version would do to people and records, before anybody applies it."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from troth.cli.options import data_option, form_option
from troth.cli.reading import language_option, meant
from troth.database import connect, place
from troth.database import simulate as simulating
from troth.database.place import Place
from troth.database.simulate import Holding, Sight, Simulation, Touched
from troth.policy.differences import CATEGORY_AT, Differing
from troth.policy.meaning import Whose

OLD = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
IN_FORCE = Path("-")
PLURALS = {"person": "people"}
KINDS = {Whose.NOBODY: "visits", Whose.IDENTIFIER: "browsers that are known"}
UNTOLD = {"before", "after", "comparison", "touched"}


@click.command("simulate")
@click.argument("files", type=OLD, nargs=-1, required=True, metavar="[OLD] NEW")
@click.option("--on", metavar="DATABASE", help="A data folder, or a DATABASE_URL  [default: the folder of --data].")
@click.option("--person", default="", metavar="SUBJECT-OR-EMAIL", help="Say it of one person; the ledger keeps that.")
@language_option
@form_option("text", "json")
@data_option
def simulate(files: tuple[Path, ...], on: str | None, person: str, language: str, form: str) -> None:
    """Say how many people and records each change of NEW would touch, and change nothing.

    Without OLD, or with `-`, NEW is held against the version in force. Counts are those after the keeper's next round
    of retention, which follows within a minute.
    """
    if len(files) > 2 or files[-1] == IN_FORCE:  # noqa: PLR2004 - two versions
        raise click.UsageError("give NEW, or OLD and NEW; `-` is the version in force")
    old = files[0] if len(files) > 1 and files[0] != IN_FORCE else None
    for file in (files[-1], *((old,) if old else ())):
        meant(file, form)
    with connect.owning(_place_of(on)) as connection:
        before = _text(old) if old else None
        found = simulating.simulate(connection, _text(files[-1]), name=str(files[-1]), old=before, person=person)
    said = Differing(found.before, found.after, language)
    click.echo(json.dumps(as_data(found, said), ensure_ascii=False) if form == "json" else as_text(found, said))


def _place_of(on: str | None) -> Place | None:
    if on is None:
        return None
    if "://" not in on:
        os.environ["TROTH_DATA"] = on
        return None
    os.environ["DATABASE_URL"] = on
    return connect.external(on, place.current())


def _text(file: Path) -> str:
    return file.read_bytes().decode("utf-8", errors="surrogateescape")


def as_data(found: Simulation, said: Differing) -> dict[str, Any]:
    """Return a simulation as plain data, each difference with its sentence."""
    told = {name: value for name, value in asdict(found).items() if name not in UNTOLD}
    return told | {
        "verdict": found.comparison.verdict.name.lower().replace("_", " "),
        "touched": [
            {
                "kind": each.delta.kind,
                "about": each.delta.about,
                "direction": each.delta.direction,
                "significant": each.delta in found.comparison.significant,
                "sentence": said.sentence(each.delta),
                "clauses": each.delta.clauses,
                "columns": dict(each.columns),
                "records": each.records,
                "people": each.people,
            }
            for each in found.touched
        ],
    }


def as_text(found: Simulation, said: Differing) -> str:
    """Return a simulation for eyes: what follows, each difference, each purpose, what goes."""
    lines = [f"version {found.after.version}: {said.verdict(found.comparison)}"]
    lines += [found.obstacle] if found.obstacle else []
    lines += [_people(found), ""]
    significant = found.comparison.significant
    lines += [_touched(alike, said, asks=alike[0].delta in significant) for alike in _alike(found, said)] or [
        "the two say the same"
    ]
    lines += ["", *_purposes(found), *_readings(found), *_goes(found)]
    return "\n".join(lines)


def _people(found: Simulation) -> str:
    told = f"agreed: {_many(found.agreed, 'person')}, {found.in_force:,} of them to the version in force"
    again = f"{found.again:,} must agree again" if found.again else "nobody must agree again"
    mails = f"; told of it by {_many(found.mails, 'mail')}" if found.mails else ""
    return f"{told}; {again}{mails}"


def _many(number: int, what: str) -> str:
    """Say how many there are: 1 person, 2 people, 1 row, 2 rows."""
    return f"{number:,} {what if number == 1 else PLURALS.get(what, f'{what}s')}"


def _alike(found: Simulation, said: Differing) -> list[list[Touched]]:
    """Put together what differs only in its category and touches as much of the same tables."""
    groups: dict[tuple[object, ...], list[Touched]] = {}
    for each in found.touched:
        delta, place = each.delta, CATEGORY_AT.get(each.delta.kind)
        rest = delta.about if place is None else (*delta.about[:place], *delta.about[place + 1 :])
        tables = tuple(table for table, _ in each.columns)
        asks = delta in found.comparison.significant
        key = (delta.kind, rest, delta.direction, asks, delta.old, delta.new, tables, each.records, each.people)
        groups.setdefault(key, []).append(each)
    return sorted(groups.values(), key=lambda alike: min(said.place(each.delta) for each in alike))


def _touched(alike: list[Touched], said: Differing, *, asks: bool) -> str:
    first = alike[0]
    columns: dict[str, dict[str, None]] = {}
    for table, names in (held for each in alike for held in each.columns):
        columns.setdefault(table, {}).update(dict.fromkeys(names))
    places = ", ".join(f"{table} ({', '.join(names)})" for table, names in columns.items())
    whose = f" of {_many(first.people, 'person')}" if first.people else ""
    count = f"{places}: {_many(first.records, 'record')}{whose}" if places else "touches no record"
    sentence = said.sentence(*(each.delta for each in alike))
    again = "; asks again" if asks else ""
    return f"{sentence}  [{said.direction(first.delta)}{again}]\n    {count}"


def _purposes(found: Simulation) -> list[str]:
    lines = []
    for each in found.memberships:
        lines.append(
            f"{each.purpose}: {_many(each.before, 'person')} before, {each.at_once:,} at once, {each.agreed:,} once all"
            f" agree ({_many(each.objected, 'objection')}, {_many(each.consented, 'consent')})"
        )
        lines += [_sight(sight) for sight in found.sights if sight.purpose == each.purpose]
    return lines


def _sight(sight: Sight) -> str:
    rows = f"{_many(sight.before.rows, 'row')}, {sight.at_once.rows:,} at once, {sight.agreed.rows:,} once all agree"
    return f"    {_rows_of(sight)}: {rows}; out of sight: {sight.lost.rows:,}; into sight: {sight.gained.rows:,}"


def _rows_of(where: Sight | Holding) -> str:
    return f"{where.table}, {KINDS[where.whose]}" if where.whose in KINDS else where.table


def _readings(found: Simulation) -> list[str]:
    lines = [f"{r.purpose} reads {r.table}.{r.column} ({r.clause})" for r in found.readable]
    lines += [f"{r.purpose} no longer reads {r.table}.{r.column} ({r.clause})" for r in found.unreadable]
    lines += [f"collected on {c.occasion}: {c.table}.{c.column} {c.precision} ({c.clause})" for c in found.collected]
    lines += [f"no longer on {c.occasion}: {c.table}.{c.column} {c.precision} ({c.clause})" for c in found.uncollected]
    return ["", *lines] if lines else []


def _goes(found: Simulation) -> list[str]:
    lines = []
    for each in found.holdings:
        if each.due.rows:
            whose = "" if each.whose in KINDS else f" of {_many(each.due.people, 'person')}"
            lines.append(
                f"{_rows_of(each)}: removed at once, being past their time: {_many(each.due.rows, 'row')}{whose}"
            )
        if each.too_exact:
            lines.append(f"{_rows_of(each)}: made coarser at once: at most {_many(each.too_exact, 'row')}")
    return ["", *lines] if lines else []

"""`troth profile`: the fields that people fill in beside what signing in needs."""

import json
import re
from pathlib import Path
from typing import Any

import click

from troth.cli.options import data_option, form_option
from troth.database import connect, published, requests
from troth.database.statements import load
from troth.people.errors import ManifestRefusal
from troth.people.fielding import checked
from troth.people.fields import DECLARER, Field

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
LINE = re.compile(r"^  line (\d+): ", re.MULTILINE)


@click.group()
def profile() -> None:
    """What people tell of themselves beside what signing in needs."""


@profile.group()
def fields() -> None:
    """Declare profile fields, each with its type and category."""


@fields.command("check")
@click.argument("file", type=FILE)
@form_option("text", "json")
@data_option
def check(file: Path, form: str) -> None:
    """Hold fields against the policy in force and change nothing; exit with 1 when something is wrong."""
    found = _sound(file)
    if form == "json":
        click.echo(json.dumps({"fields": [_data(field) for field in found]}, ensure_ascii=False))
        return
    click.echo(f"{file}: {_many(len(found), 'field')}, all of them covered by the policy in force")


@fields.command("apply")
@click.argument("file", type=FILE)
@click.option("--yes", is_flag=True, help="Do not ask before fields that FILE leaves out go, with their values.")
@form_option("text", "json")
@data_option
def apply(file: Path, yes: bool, form: str) -> None:
    """Declare the fields of FILE, and drop those that it leaves out after saying how many people have one."""
    _sound(file)
    text = file.read_text(encoding="utf-8")
    before = requests.ask("profile.preview", {"text": text})
    removed: dict[str, int] = before["removed"]
    if removed and not yes:
        for name, many in removed.items():
            click.echo(f"`{name}` goes, with what {_many(many, 'person', 'people')} told in it", err=True)
        click.confirm("nothing brings it back; go on?", abort=True, err=True)
    answer = requests.ask("profile.declare", {"text": text, "removing": sorted(removed)})
    if form == "json":
        click.echo(json.dumps(answer | {"added": before["added"]}))
        return
    gone = f"; {', '.join(removed)} went, with every value" if removed else ""
    click.echo(f"{_many(len(answer['fields']), 'field')} stand, {len(before['added'])} of them new{gone}")


@fields.command("list")
@click.option("--source", is_flag=True, help="Print the text that declared them, to change it and apply it again.")
@form_option("text", "json")
@data_option
def list_(source: bool, form: str) -> None:
    """List the fields that are declared."""
    with connect.acting("steward") as connection:
        sql = load("troth.database.sql")["declared_source"].encode()
        row = connection.execute(sql, {"declarer": DECLARER}).fetchone()
    text = str(row[0]) if row else ""
    if source:
        click.echo(text, nl=False)
        return
    found = checked(text, published.current("steward"))
    if form == "json":
        click.echo(json.dumps([_data(field) for field in found], ensure_ascii=False))
        return
    for field in found:
        asked = f"on {field.occasion}{', required' if field.required else ''}"
        click.echo(f"{field.name:<20} {field.type:<14} {field.category:<24} {asked}, held by the {field.holder}")
    if not found:
        click.echo("there are no fields; declare some: troth profile fields apply FILE")


def _sound(file: Path) -> tuple[Field, ...]:
    try:
        return checked(file.read_text(encoding="utf-8"), published.current("steward"))
    except UnicodeDecodeError as error:
        raise click.ClickException(f"`{file}` is not UTF-8") from error
    except ManifestRefusal as refusal:
        said = LINE.sub(lambda found: f"{file}:{found[1]}: ", refusal.sentence)
        raise click.ClickException(f"{said}\n{refusal.advice}") from refusal


def _data(field: Field) -> dict[str, Any]:
    return {
        "field": field.name,
        "type": field.type,
        "category": field.category,
        "label": dict(field.labels),
        "asked": field.occasion,
        "required": field.required,
        "held_by": field.holder,
        "longest": field.longest or None,
        "choices": list(field.words or ()),
        "may": list(field.may) if field.may is not None else None,
    }


def _many(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or f'{one}s'}"

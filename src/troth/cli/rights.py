"""`troth export`, `troth erase`, `troth sign-out`: what an operator does about one person, which the person can see."""

import csv
import io
import json
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from troth.cli.options import data_option, form_option
from troth.cli.shown import harmless
from troth.database import place, requests
from troth.database.place import replace_file

PATIENCE = 300.0

reason_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--reason", default="asked", show_default=True, help="One word for the ledger: why this is done."
)


@click.command("export")
@click.argument("person")
@form_option("json", "csv")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where it goes, readable by you alone  [default: the terminal, for JSON].",
)
@reason_option
@data_option
def export(person: str, form: str, output: Path | None, reason: str) -> None:
    """Write down everything that is held about PERSON: an e-mail address, or a subject.

    With `--format csv` a zip of one file for each table. The ledger notes that this was done, and the person sees it.
    """
    if form == "csv" and output is None and sys.stdout.isatty():
        raise click.UsageError("a zip is nothing for a terminal; name a file with --output")
    if output is not None and not output.absolute().parent.is_dir():
        raise click.UsageError(f"there is no folder for `{output}`")
    answer = _ask("rights.export", person, reason)
    file = place.current().data / "exports" / answer["file"]
    try:
        content = file.read_bytes()
    except OSError as error:
        raise click.ClickException(f"the export cannot be read: {error.strerror}; ask as troth's user") from error
    file.unlink()
    content = as_zip(content) if form == "csv" else content
    if output is None:
        click.echo(content, nl=False)
        return
    try:
        replace_file(output, content, 0o600)
    except OSError as error:
        raise click.ClickException(f"`{output}` cannot be written: {error.strerror}") from error
    click.echo(f"{answer['rows']} rows of {answer['subject']} are in {output}", err=True)


@click.command("erase")
@click.argument("person")
@click.option("--preview", is_flag=True, help="Erase nothing; show what would go, and what would stay and why.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@form_option("table", "json")
@reason_option
@data_option
def erase(person: str, preview: bool, yes: bool, form: str, reason: str) -> None:
    """End PERSON's account and erase what no window keeps: an e-mail address, or a subject.

    What a clause keeps longer is marked, serves only the purposes that may still use it, and goes when its window ends.
    An organization of which they are the last owner is handed on, or deleted with everybody's membership.
    """
    shown = {}
    if preview or not yes:
        found = _ask("rights.preview", person, reason)
        if preview:
            click.echo(json.dumps(found, indent=2) if form == "json" else as_text(found))
            return
        click.echo(as_text(found), err=True)
        click.confirm(f"Erase {found['subject']}? This cannot be undone", abort=True, err=True)
        person, shown = found["subject"], {"organizations": found["organizations"]}
    done = _ask("rights.erase", person, reason, **shown)
    click.echo(json.dumps(done, indent=2) if form == "json" else as_text(done))


@click.command("sign-out")
@click.argument("person", default="")
@click.option("--everybody", is_flag=True, help="Everybody, after a theft of sessions or of a backup.")
@reason_option
@data_option
def sign_out(person: str, everybody: bool, reason: str) -> None:
    """End each session, remembered browser and application's token of PERSON, who then signs in again.

    PERSON is an e-mail address, or a subject. Nothing else changes; the person sees that it was done.
    """
    if bool(person.strip()) is everybody:
        raise click.UsageError("name a person, or say --everybody")
    done = _ask("rights.sign-out", person, reason)
    click.echo(f"{done['ended']} of what lets {'somebody' if everybody else 'them'} in without signing in has ended")


def _ask(kind: str, person: str, reason: str, **shown: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    told = {"person": person.strip(), "reason": reason, "until": time.time() + PATIENCE} | shown
    return requests.ask(kind, told, timeout=PATIENCE)


def as_text(found: dict[str, Any]) -> str:
    """Return for eyes what becomes of each table's rows, and of the person's organizations."""
    return "\n".join([as_table(found), *map(_of_organization, found["organizations"])])


def _of_organization(told: dict[str, Any]) -> str:
    others = told["others"]
    memberships = "the membership of 1 other person" if others == 1 else f"the memberships of {others:,} other people"
    match told["fate"]:
        case "left":
            becomes = "others own it, and it goes on"
        case "handed on":
            becomes = f"they are its last owner: {told['heir']}, who has administered it longest, becomes its owner"
        case _ if others:
            becomes = f"they are its last owner and nobody administers it: it is deleted, and with it {memberships}"
        case _:
            becomes = "they are alone in it: it is deleted"
    return f"organization `{harmless(told['name'])}`: {becomes}"


def as_table(found: dict[str, Any]) -> str:
    """Return a table for eyes: of each table what goes at once, what stays, until when and by which clause."""
    table = Table("table", "rows", "at once", "stay", "until", "because")
    for each in found["tables"]:
        if each["rows"]:
            until = (each["until"] or "")[:16].replace("T", " ")
            told = (str(each["rows"]), str(each["at_once"]), str(each["stays"]), until, _because(each))
            table.add_row(each["table"], *told)
    out = io.StringIO()
    Console(file=out, width=None if sys.stdout.isatty() else 200, markup=False, highlight=False).print(table)
    return out.getvalue().rstrip("\n")


def _because(told: dict[str, Any]) -> str:
    lines = [
        f"{each['purpose']} {each['days']} days {'after the end' if each['kind'] == 'account' else 'after the row'}"
        f" ({', '.join(each['clauses'])}): {each['rows']}"
        for each in told["because"]
    ]
    return "\n".join(lines) or ("ties the rest together, and goes with it" if told["stays"] else "")


def as_zip(content: bytes) -> bytes:
    """Return the document as a zip: a CSV of each table that has rows, and `columns.csv` for what the columns are."""
    told = json.loads(content)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("columns.csv", _columns(told))
        for table in told["tables"]:
            if table["rows"]:
                packed.writestr(f"{table['table']}.csv", _rows(table))
    return out.getvalue()


def _columns(told: dict[str, Any]) -> str:
    names = ("name", "category", "precision", "not_personal", "withheld")
    rows = [
        [table["table"], *(column[name] for name in names)] for table in told["tables"] for column in table["columns"]
    ]
    return _csv(["table", "column", *names[1:]], rows)


def _rows(table: dict[str, Any]) -> str:
    names = [column["name"] for column in table["columns"] if not column["withheld"]]
    rows = [
        [*(_plain(row["values"][name]) for name in names), " ".join(row["purposes"]), row["goes"]]
        for row in table["rows"]
    ]
    return _csv([*names, "purposes", "goes"], rows)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _csv(names: list[str], rows: list[list[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue()

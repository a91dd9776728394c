"""`troth ledger`: whether the record of what was done is still what was recorded."""

import json
from pathlib import Path

import click

from troth.cli.options import data_option, form_option
from troth.database import connect, place
from troth.ledger import queries, remembered
from troth.ledger.errors import LedgerRefusal
from troth.ledger.verify import Head, Verdict, verify


@click.group()
def ledger() -> None:
    """Look at the append-only ledger of what was done."""


@ledger.command("verify")
@form_option("text", "json")
@click.option(
    "--remember",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the last head seen is kept  [default: ledger-head.json in the data folder].",
)
@data_option
def verify_command(form: str, file: Path | None) -> None:
    """Recompute every entry's hash, and compare with the last head seen.

    Exits with 1 when an entry was edited, reordered, removed or cut off. The head is kept outside the database; copy
    it to another machine to notice even somebody who can write both.
    """
    file = file or place.current().data / remembered.FILE
    try:
        before = remembered.recall(file)
        with connect.acting("steward") as connection:
            verdict = verify(queries.entries(connection), remembered=before)
        if verdict.sound:
            remembered.remember(file, verdict.head)
    except LedgerRefusal as refusal:
        raise click.ClickException(str(refusal)) from refusal
    click.echo(as_json(verdict, before) if form == "json" else as_text(verdict, before))
    if not verdict.sound:
        raise SystemExit(1)


def as_json(verdict: Verdict, before: Head | None) -> str:
    """Return the verdict as one JSON object: sound, flaw, index, size, hash (hex), remembered (size, or null)."""
    told = {
        "sound": verdict.sound,
        "flaw": verdict.flaw,
        "index": verdict.index,
        "size": verdict.head.size,
        "hash": verdict.head.hash.hex(),
        "remembered": before.size if before else None,
    }
    return json.dumps(told)


def as_text(verdict: Verdict, before: Head | None) -> str:
    """Return the verdict as a few lines."""
    if not verdict.sound:
        before_it = f"counted from 0; the {verdict.head.size} before it each follow from the one before"
        return f"troth: {verdict.sentence()}; {before_it}; stop writing and compare with a backup"
    seen = f"the {before.size} seen before are among them" if before else "none were seen before"
    return f"{verdict.sentence()} ({seen})\nhead {verdict.head.hash.hex()}"

"""`troth ledger`: whether the record of what was done is still what was recorded."""

import json
from pathlib import Path

import click

from troth.cli.options import data_option, form_option
from troth.database import connect, place
from troth.ledger import published, queries, remembered, sequencing
from troth.ledger.errors import LedgerRefusal
from troth.ledger.proofs import Proof
from troth.ledger.sequencing import Head
from troth.ledger.signednote import Key
from troth.ledger.verify import Head as Seen
from troth.ledger.verify import Verdict, verify


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
    where = place.current()
    file = file or where.data / remembered.FILE
    try:
        before = remembered.recall(file)
        with connect.acting("steward") as connection:
            verdict = verify(queries.entries(connection), remembered=before)
            head = published.judge(connection, where) if verdict.sound else None
        if verdict.sound:
            remembered.remember(file, verdict.head)
    except LedgerRefusal as refusal:
        raise click.ClickException(str(refusal)) from refusal
    click.echo(as_json(verdict, before, head) if form == "json" else as_text(verdict, before, head))
    if not verdict.sound:
        raise SystemExit(1)


@ledger.command("key")
@data_option
def key_command() -> None:
    """Print the key with which the ledger's signed heads are believed, as other verifiers take it."""
    click.echo(_head()[1].written)


@ledger.command("checkpoint")
@data_option
def checkpoint_command() -> None:
    """Print the newest signed head. Keep it elsewhere: later heads must follow from it."""
    click.echo(_head()[0].note, nl=False)


@ledger.command("prove")
@click.argument("index", type=click.IntRange(min=0))
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="Write NAME.json and NAME.tlog-proof.")
@data_option
def prove_command(index: int, to: Path | None) -> None:
    """Print the proof that an entry is in the ledger; with --to, the entry itself too."""
    try:
        with connect.acting("steward") as connection:
            entry, proof = published.proven(connection, index)
    except LedgerRefusal as refusal:
        raise click.ClickException(str(refusal)) from refusal
    if to is None:
        click.echo(proof.text, nl=False)
        return
    to.with_suffix(".json").write_bytes(entry)
    to.with_suffix(".tlog-proof").write_text(proof.text, encoding="utf-8")
    click.echo(f"wrote `{to.with_suffix('.json')}` and `{to.with_suffix('.tlog-proof')}`")


@ledger.command("check")
@click.argument("proof", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("entry", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", "written", required=True, help="The ledger's key, from somewhere you trust.")
def check_command(proof: Path, entry: Path, written: str) -> None:
    """Check, without the service, that an entry is in the ledger whose key this is."""
    try:
        head = Proof.read(proof.read_text(encoding="utf-8")).shows(entry.read_bytes(), [Key.read(written)])
    except (LedgerRefusal, UnicodeDecodeError) as refusal:
        raise click.ClickException(str(refusal)) from refusal
    click.echo(f"the entry is in the ledger `{head.origin}` of {head.size} entries")


def _head() -> tuple[Head, Key]:
    with connect.acting("steward") as connection:
        head = sequencing.newest(connection)
    if head is None:
        raise click.ClickException("the ledger has no signed head yet; start `troth serve` and try again")
    return head, sequencing.key(place.current(), head.origin)


def as_json(verdict: Verdict, before: Seen | None, head: Head | None) -> str:
    """Return the verdict as one JSON object: sound, flaw, index, size, hash, remembered (size), signed (size)."""
    told = {
        "sound": verdict.sound,
        "flaw": verdict.flaw,
        "index": verdict.index,
        "size": verdict.head.size,
        "hash": verdict.head.hash.hex(),
        "remembered": before.size if before else None,
        "signed": head.size if head else None,
    }
    return json.dumps(told)


def as_text(verdict: Verdict, before: Seen | None, head: Head | None) -> str:
    """Return the verdict as a few lines."""
    if not verdict.sound:
        before_it = f"counted from 0; the {verdict.head.size} before it each follow from the one before"
        return f"troth: {verdict.sentence()}; {before_it}; stop writing and compare with a backup"
    seen = f"the {before.size} seen before are among them" if before else "none were seen before"
    tree = f"the signed tree of `{head.origin}` holds its {head.size}" if head else "no head is signed yet"
    return f"{verdict.sentence()} ({seen}); {tree}\nhead {verdict.head.hash.hex()}"

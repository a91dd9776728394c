"""`troth receipt`: whether a receipt that somebody kept is one, without asking the service."""

import json
from pathlib import Path

import click

from troth.cli.options import data_option, form_option
from troth.consent import receipts
from troth.consent.errors import ConsentRefusal, NotAReceipt
from troth.consent.receipts import Verdict
from troth.ledger.errors import LedgerRefusal
from troth.ledger.signednote import Key


@click.group()
def receipt() -> None:
    """Check the receipts of agreements and choices."""


@receipt.command("key")
@data_option
def key_command() -> None:
    """Print the key with which receipts of this place are believed; `/receipts/key` publishes it."""
    click.echo(receipts.key())


@receipt.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", "believed", required=True, help="The key of the receipts, from somewhere you trust.")
@click.option("--ledger", "written", multiple=True, help="The ledger's key too: then the ledger's proof is followed.")
@form_option("text", "json")
def verify_command(file: Path, believed: str, written: tuple[str, ...], form: str) -> None:
    """Check that a receipt is what was handed out, and with --ledger that the ledger has it.

    Nothing but the file and the keys is needed. A history holds when each of its receipts does; with --format json a
    line is printed for each. Exits with 1 when one does not hold.
    """
    try:
        ledgers = [Key.read(each) for each in written]
        every = receipts.separate(file.read_bytes())
        for number, each in enumerate(every, start=1):
            click.echo(_said(_verdict(each, believed, ledgers, number if len(every) > 1 else 0), form))
    except LedgerRefusal as refusal:
        raise click.ClickException(str(refusal)) from refusal
    except ConsentRefusal as refusal:
        raise click.ClickException(f"{refusal.sentence}; {refusal.advice}") from refusal


def _verdict(content: bytes, believed: str, ledgers: list[Key], number: int) -> Verdict:
    try:
        return receipts.verified(content, believed, ledgers)
    except NotAReceipt as refusal:
        place = f"receipt {number} of the file: " if number else ""
        raise NotAReceipt(f"{place}{refusal.sentence}", advice=refusal.advice) from refusal


def _said(verdict: Verdict, form: str) -> str:
    return as_json(verdict) if form == "json" else as_text(verdict)


def as_json(verdict: Verdict) -> str:
    """Return the verdict as one JSON object: kind, at, subject, operator, version, purpose, entries."""
    facts = verdict.facts
    told = {"kind": facts.kind, "at": facts.at, "subject": facts.subject, "operator": facts.operator}
    return json.dumps(told | {"version": facts.version, "purpose": facts.purpose, "entries": verdict.entries})


def as_text(verdict: Verdict) -> str:
    """Return the verdict as a few lines."""
    facts = verdict.facts
    about = f"{facts.kind} to `{facts.purpose}`" if facts.purpose else facts.kind
    proof = f"the ledger has it among {verdict.entries} entries" if verdict.entries else "its seal alone was checked"
    lines = f"{about} under version {facts.version}, {facts.at}\nwho {facts.subject}, to {facts.operator!r}"
    return f"the receipt holds; {proof}\n{lines}"

"""`troth policy publish` and `withdraw`: see what a version changes and whom it touches, then publish it for a day."""

import json
import re
from datetime import date
from pathlib import Path

import click

from troth.cli.options import Day, data_option, form_option, text_of
from troth.cli.reading import meant
from troth.cli.simulate import as_text
from troth.consent import coming, publishing, scheduling
from troth.database import connect, published, requests, simulate
from troth.database.errors import RequestRefusal
from troth.database.simulate import SimulationRefusal
from troth.policy import parse
from troth.policy.compare import Verdict
from troth.policy.differences import Differing

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
RAISED = {"tell": Verdict.NOTIFY, "agree-again": Verdict.AGREE_AGAIN}
#: The day in a policy's first clause.
DAY = re.compile(r'^(policy\s+"[^"]*"\s+version\s+\d+\s+effective\s+)\S+', re.MULTILINE)


@click.command("publish")
@click.argument("file", type=FILE)
@click.option("--effective", type=Day(), help="The day it takes effect, as 2027-01-31  [default: the file's].")
@click.option("--terms", "terms_file", type=FILE, help="The terms that go with it  [default: those in force].")
@click.option("--raise", "raised", type=click.Choice(list(RAISED)), help="Ask more of people than the changes do.")
@click.option("--yes", is_flag=True, help="Show the same, and do not ask before publishing.")
@form_option("text", "json")
@data_option
def publish(
    file: Path, effective: date | None, terms_file: Path | None, raised: str | None, form: str, *, yes: bool
) -> None:
    """Show what FILE changes, whom it touches and what is asked of them; then publish it for its day.

    With --effective the published version has that day in its first clause, whatever the file says. Where people must
    agree again, and two persons may publish, both agree at /operator/publishing instead.
    """
    meant(file, form)
    source = text_of(file)
    if effective is not None:
        source = DAY.sub(rf"\g<1>{effective}", source, count=1)
        if parse.read(source, str(file)).effective != effective:
            sentence = "the day of the first clause was not found"
            raise click.ClickException(f"{sentence}; write policy, name, version and effective one after the other")
    terms = text_of(terms_file) if terms_file else published.current("steward").terms
    level = RAISED.get(raised or "", Verdict.EDITORIAL)
    try:
        _show(source, file, level)
    except SimulationRefusal as refusal:
        if not yes:
            raise
        click.echo(f"what it touches could not be counted: {refusal}", err=True)
    if not yes:
        click.confirm("Publish it?", abort=True, err=True)
    answer = requests.ask(publishing.KIND, publishing.asked(source, terms, level, key=True))
    if form == "json":
        click.echo(json.dumps(answer))
    elif "waits" in answer:
        click.echo(f"version {answer['version']} takes effect on {answer['waits']}; until then:")
        click.echo(f"  troth policy withdraw {answer['version']}")
    else:
        click.echo(f"version {answer['version']} is in force; verdict: {_said(Verdict[answer['verdict']])}")


def _show(source: str, file: Path, raised: Verdict) -> None:
    with connect.owning() as connection:
        found = simulate.simulate(connection, source, name=str(file))
    click.echo(as_text(found, Differing(found.before, found.after)), err=True)
    if raised > found.comparison.verdict:
        click.echo(f"raised by you to: {_said(raised)}", err=True)


def _said(verdict: Verdict) -> str:
    return verdict.name.lower().replace("_", " ")


def _written_to(version: int) -> str:
    """Say who is written to if a version is withdrawn. Raises RequestRefusal where that is not what waits."""
    with connect.acting("steward") as connection:
        there = scheduling.waiting(connection)
    if there is None or there.version != version:
        raise RequestRefusal(f"version {version} does not wait", advice="see /operator/publishing")
    waits = f"version {version} waits for {there.effective_on}"
    sent = next((each for each in coming.tellings() if (each.version, each.kind) == (version, "ahead")), None)
    if sent is None or not sent.told:
        return f"{waits}; nobody was written to about it"
    told = "1 person was" if sent.told == 1 else f"{sent.told:,} people were"
    so_far = "" if sent.done_at else " so far"
    return f"{waits}; {told} told of it by {sent.channel}{so_far}, and will be told that it does not take effect"


@click.command("withdraw")
@click.argument("version", type=int)
@click.option("--yes", is_flag=True, help="Do not ask before withdrawing.")
@data_option
def withdraw(version: int, *, yes: bool) -> None:
    """Show who was told of a version that waits for its day and will be told of this, too; then withdraw it."""
    click.echo(_written_to(version), err=True)
    if not yes:
        click.confirm("Withdraw it?", abort=True, err=True)
    answer = requests.ask("policy.withdraw", {"version": version})
    click.echo(f"version {answer['version']} is withdrawn; what is in force stays")

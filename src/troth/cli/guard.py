"""`troth guard`: the detectors that look through free text, and what each found lately; counts, never what it was."""

import io
import json

import click
from rich.console import Console
from rich.table import Table

from troth.cli.options import data_option, form_option
from troth.intake import queries, special


@click.command()
@click.option(
    "--guard-words",
    type=click.Path(exists=True, dir_okay=False),
    envvar=special.VARIABLE,
    help="The file of words that `troth serve` was given, whose categories are listed too.",
)
@form_option("table", "json")
@data_option
def guard(guard_words: str | None, form: str) -> None:
    """List the detectors and how often each found something in the last thirty days, by kind of event."""
    try:
        found = queries.found(guard_words or "")
    except special.NotWords as error:
        raise click.UsageError(f"--guard-words `{guard_words}`: {error}") from error
    click.echo(json.dumps(found, indent=2) if form == "json" else as_table(found))


def as_table(found: dict[str, dict[str, int]]) -> str:
    """Return a line for each detector."""
    table = Table("detector", "found", "in", box=None, pad_edge=False)
    for name, kinds in found.items():
        where = ", ".join(f"{kind} {many:,}" for kind, many in kinds.items())
        table.add_row(name, f"{sum(kinds.values()):,}", where)
    out = io.StringIO()
    Console(file=out, width=100, markup=False, highlight=False).print(table)
    return out.getvalue().rstrip("\n")

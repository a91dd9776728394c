"""`troth policy export`: a policy in the words of a standard."""

from collections.abc import Callable
from pathlib import Path

import click

from troth.policy import parse
from troth.policy.errors import PolicyErrors
from troth.policy.meaning import Policy
from troth.policy.standards import dpv, fideslang, labels, record

#: What a policy can be written as.
FORMS: dict[str, Callable[[Policy], str]] = {
    "dpv-jsonld": dpv.json_ld,
    "dpv-turtle": dpv.turtle,
    "ropa-csv": record.record,
    "fideslang": fideslang.as_yaml,
    "labels": labels.as_json,
}


@click.command("export")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "form", type=click.Choice(tuple(FORMS)), required=True, help="The standard to write it in.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it  [default: here].")
def export(file: Path, form: str, output: Path | None) -> None:
    """Write a policy in the words of a standard: the Data Privacy Vocabulary, a record of processing, store labels."""
    try:
        policy = parse.read(file.read_bytes().decode("utf-8", errors="surrogateescape"), str(file))
    except PolicyErrors as errors:
        click.echo(str(errors), err=True)
        raise SystemExit(1) from None
    written = FORMS[form](policy).encode("utf-8")
    if output is None:
        click.echo(written, nl=False)
    else:
        output.write_bytes(written)

"""`troth import`: bring in what happened elsewhere, judged as it would have been judged here."""

import asyncio
import json
import zlib
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from troth.cli.options import data_option, form_option
from troth.database.errors import DatabaseRefusal
from troth.intake.accesslog import Tally, bring_in, size_of, source_of


@click.group("import")
def import_() -> None:
    """Bring in what happened elsewhere."""


@import_.command("access-log")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--source",
    help="The name that lines are known by, so that they are stored once"
    "  [default: the file's name, without what rotation appends].",
)
@click.option(
    "--shift-to-now", is_flag=True, help="Move the last line's time to the present, for trials with an old log."
)
@form_option("text", "json")
@data_option
def access_log(files: tuple[Path, ...], source: str | None, shift_to_now: bool, form: str) -> None:
    """Read Combined and Common logs, and JSON as nginx and Caddy write it, plain or .gz.

    The policy judges each line as it would have judged the visit. Every line is stored, refused with a reason, already
    there, or malformed; the same lines again store nothing twice, so an import that was cut off can be repeated. What
    `troth tail` has read is not known here: it would be stored a second time.
    """
    total = Tally()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=form == "json",
    ) as progress:
        for file in files:
            task = progress.add_task(file.name, total=size_of(file))
            try:
                found = asyncio.run(
                    bring_in(
                        file,
                        source=source or source_of(file),
                        shift_to_now=shift_to_now,
                        advance=lambda done, task=task: progress.update(task, completed=done),  # type: ignore[misc]
                    )
                )
            except (OSError, EOFError, zlib.error) as error:
                raise DatabaseRefusal(
                    f"`{file}` cannot be read: {error}", advice="nothing of it beyond the last batch is lost"
                ) from error
            total.add(found)
    click.echo(json.dumps(total.as_data()) if form == "json" else as_text(total))


def as_text(total: Tally) -> str:
    """Return the sums, which add up to the lines."""
    lines = [
        f"{total.lines:>10,} lines",
        f"{total.stored:>10,} stored",
        f"{total.already:>10,} already there",
        *(f"{many:>10,} refused: {reason}" for reason, many in sorted(total.refused.items())),
        f"{total.unread:>10,} malformed",
    ]
    shown = [f"{'':>12}line {number} of {name}" for name, number in total.malformed[:10]]
    more = [f"{'':>12}and {len(total.malformed) - 10:,} more"] if len(total.malformed) > 10 else []  # noqa: PLR2004 - as shown
    return "\n".join(lines + shown + more)

"""`troth retention`: what the policy's windows keep and for how much longer, and removing now what is past them."""

import io
import json
import sys
from datetime import timedelta
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from troth.cli.options import data_option, form_option
from troth.database import retention as kept_rows
from troth.database.retention import Done, Governing, Kept

COLUMNS = ("table", "rows", "due", "too exact", "oldest", "next due", "kept for", "last run removed", "finished")


@click.group()
def retention() -> None:
    """See what the policy keeps and for how much longer; remove what is past its time."""


@retention.command("status")
@form_option("table", "json")
@data_option
def status(form: str) -> None:
    """Count the rows of each table, those past every window, and say which clauses keep them.

    No purpose sees a row from the moment its own window passes. A row is due once no window keeps it, and goes with
    the keeper's next round, within a minute.
    """
    found = kept_rows.status()
    click.echo(json.dumps([as_data(each) for each in found], indent=2) if form == "json" else as_table(found))


@retention.command("run")
@form_option("text", "json")
@data_option
def run(form: str) -> None:
    """Remove what is due now, and make coarser what is too exact for its age.

    It goes in batches. It may be interrupted or killed at any point, and beside another run: the next goes on.
    """
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=form == "json",
    ) as progress:
        task = progress.add_task("past its time", total=sum(each.due + each.fine for each in kept_rows.status()))
        done = kept_rows.run(advance=lambda rows: progress.update(task, advance=rows))
    left = sum(each.due + each.fine for each in kept_rows.status())
    told = {"removed": done.removed, "coarsened": done.coarsened, "left": left}
    click.echo(json.dumps(told) if form == "json" else as_text(done, left))


def as_text(done: Done, left: int) -> str:
    """Return what a run did in a sentence, and what it had to leave."""
    said = f"{done.removed:,} rows removed, {done.coarsened:,} made coarser"
    return f"{said}; {left:,} are held by others just now: run it again" if left else f"{said}; nothing is due"


def as_data(kept: Kept) -> dict[str, Any]:
    """Return one table's state as plain data: times in ISO 8601, the age in seconds."""
    last = kept.last
    return {
        "table": kept.table,
        "rows": kept.rows,
        "due": kept.due,
        "too_exact": kept.fine,
        "oldest_seconds": kept.oldest and round(kept.oldest.total_seconds()),
        "next_due": kept.next_due and kept.next_due.isoformat(),
        "windows": [
            {"purpose": w.purpose, "kind": w.window.kind, "days": w.window.days, "clauses": list(w.clauses)}
            for w in kept.windows
        ],
        "coarsenings": [
            {"column": c.column, "precision": c.precision, "days": c.days, "clause": c.clause} for c in kept.coarsenings
        ],
        "last_run": last
        and {"removed": last.removed, "coarsened": last.coarsened, "finished_at": last.finished_at.isoformat()},
    }


def as_table(found: list[Kept]) -> str:
    """Return a table for eyes."""
    table = Table(*COLUMNS)
    for kept in found:
        numbers = (f"{kept.rows:,}", f"{kept.due:,}", f"{kept.fine:,}")
        moments = (_age(kept.oldest), f"{kept.next_due:%Y-%m-%d %H:%M}" if kept.next_due else "")
        lasting = [_window(each) for each in kept.windows] or ["no clause collects into it"]
        lasting += [f"{c.column} only as {c.precision} after {c.days} days ({c.clause})" for c in kept.coarsenings]
        last = (f"{kept.last.removed:,}", f"{kept.last.finished_at:%Y-%m-%d %H:%M}") if kept.last else ("", "never")
        table.add_row(kept.table, *numbers, *moments, "\n".join(lasting), *last)
    out = io.StringIO()
    Console(file=out, width=None if sys.stdout.isatty() else 200, markup=False, highlight=False).print(table)
    return out.getvalue().rstrip("\n")


def _age(age: timedelta | None) -> str:
    if age is None:
        return ""
    return f"{age.days} days" if age.days else f"{age.seconds // 3600} hours"


def _window(governing: Governing) -> str:
    return f"{governing.purpose} {governing.window.written} ({', '.join(governing.clauses)})"

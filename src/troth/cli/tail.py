"""`troth tail`: follow a web server's log, each line judged as it would have been judged here."""

import asyncio
import contextlib
from pathlib import Path

import click

from troth.cli.import_ import as_text
from troth.cli.options import data_option
from troth.database.errors import DatabaseRefusal
from troth.intake.tailing import Tail


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--source", help="The name that the place is remembered by  [default: the file's path].")
@click.option("--once", is_flag=True, help="Stop at the end of what is there.")
@data_option
def tail(file: Path, source: str | None, once: bool) -> None:
    """Follow a log across rotation and truncation, and go on where it was left.

    Combined and Common logs, also after a virtual host, and JSON as nginx and Caddy write it. The policy judges each
    line as it would have judged the visit. However it ends, the next start goes on behind the last line that was
    committed, also in a file that was renamed or packed meanwhile.
    """
    followed = Tail(file.absolute(), source or str(file.absolute()))
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(followed.follow(once=once))
    except OSError as error:
        raise DatabaseRefusal(
            f"`{file}` cannot be read: {error}", advice="what came before is stored, and the place is remembered"
        ) from error
    if once and not followed.tally.lines and not file.exists():
        raise DatabaseRefusal(f"there is no `{file}`", advice="name a log that is there, or leave out `--once` to wait")
    click.echo(as_text(followed.tally))

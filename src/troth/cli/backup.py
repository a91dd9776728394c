"""`troth backup`: the whole database and the secrets in one folder, and back."""

from pathlib import Path

import click

from troth.cli.options import data_option
from troth.database import backup as backups
from troth.database import place


@click.group()
def backup() -> None:
    """Create and restore backups."""


@backup.command("create")
@click.argument("folder", type=click.Path(path_type=Path))
@data_option
def create(folder: Path) -> None:
    """Write a backup of the running troth into a new FOLDER. It holds all but sessions: keep it as the service."""
    size = backups.create(place.current(), folder)
    click.echo(f"{folder}: {size / 1024**2:.1f} MB, complete")


@backup.command("restore")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@data_option
def restore(folder: Path) -> None:
    """Restore a backup into a new data folder (--data). Afterwards start `troth serve` with it."""
    data = place.data_folder()
    backups.restore(folder, data)
    click.echo("no session, remembered browser or application's token comes out of a backup: everybody signs in again")
    click.echo(f"{data}: restored; start it with: troth serve --data {data}")

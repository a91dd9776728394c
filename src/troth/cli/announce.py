"""`troth announce FILE`: tell those who want to hear of it, and nobody else."""

import json
import tomllib
from pathlib import Path

import click

from troth.cli.options import data_option, form_option
from troth.consent import announcing
from troth.consent.errors import NotAnAnnouncement
from troth.database import requests

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("announce")
@click.argument("file", type=FILE)
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@form_option("text", "json")
@data_option
def announce(file: Path, form: str, *, yes: bool) -> None:
    """Send what FILE says, a table for each language with `subject` and `text`, to those who permit announcements.

    Who they are is asked again for each mail, right before it leaves; how far it got stands at /operator/announcements.
    """
    try:
        texts = announcing.checked(tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.ClickException(f"`{file}` is no TOML: {error}") from error
    except NotAnAnnouncement as refusal:
        raise click.ClickException(f"`{file}`: {refusal.sentence}; {refusal.advice}") from refusal
    if not yes:
        many = announcing.listeners() or 0
        for language, each in texts.items():
            click.echo(f"[{language}] {each['subject']}\n\n{each['text']}\n", err=True)
        click.confirm(
            f"Send it to {many} {'person' if many == 1 else 'people'} who permit it now?", abort=True, err=True
        )
    answer = requests.ask(announcing.REQUEST, {"texts": texts})
    click.echo(json.dumps(answer) if form == "json" else "it is on its way; see /operator/announcements")

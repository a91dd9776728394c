"""`troth app`: the applications that sign people in."""

import json
from pathlib import Path
from typing import Any

import click

from troth.cli.options import data_option, form_option, text_of
from troth.database import connect, place, requests
from troth.database.statements import load

COLUMNS = ("application", "name", "manifest", "purposes", "claims", "events", "registered_at")


@click.group()
def app() -> None:
    """Register applications, so that people can sign in to them."""


@app.command("register")
@click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@form_option("text", "json")
@data_option
def register(manifest: Path, form: str) -> None:
    """Hold a manifest against the policy in force and register it; the secret is not shown again.

    To send what happens to people it needs a key, too: `troth app add-key CLIENT_ID`.
    """
    text = text_of(manifest)
    answer = requests.ask("application.register", {"manifest": text})
    if form == "json":
        click.echo(json.dumps(answer | {"issuer": place.current().address}))
        return
    click.echo(f"client_id      {answer['application']}")
    if answer["secret"]:
        click.echo(f"client_secret  {answer['secret']}")
    click.echo(f"issuer         {place.current().address}")
    if answer["secret"]:
        click.echo("a secret is shown this once; `troth app rotate-secret` makes another", err=True)
    if answer["events"]:
        click.echo(f"to send events it needs a key: troth app add-key {answer['application']}", err=True)


@app.command("list")
@form_option("text", "json")
@data_option
def list_(form: str) -> None:
    """List applications."""
    found = _rows("applications", {})
    if form == "json":
        click.echo(
            json.dumps([{key: each[key] for key in COLUMNS if key != "manifest"} for each in found], default=str)
        )
        return
    for each in found:
        click.echo(f"{each['application']:<50} {each['name']}")
    if not found:
        click.echo("there are no applications; add one: troth app register MANIFEST")


@app.command("show")
@click.argument("application", metavar="CLIENT_ID")
@data_option
def show(application: str) -> None:
    """Print an application's manifest as it was registered, under what it came to."""
    found = _rows("application", {"application": application})
    if not found:
        raise click.ClickException(f"there is no application `{application}`; see `troth app list`")
    each = found[0]
    click.echo(f"# {each['application']}, registered {each['registered_at']:%Y-%m-%d %H:%M} UTC")
    for claim in each["claims"]:
        name, category, purpose = claim.split(":")
        click.echo(f"# claim `{name}`: {category} for {purpose}")
    for event in each["events"]:
        click.echo(f"# event `{event}`")
    click.echo(each["manifest"].rstrip())


@app.command("rotate-secret")
@click.argument("application", metavar="CLIENT_ID")
@data_option
def rotate_secret(application: str) -> None:
    """Make another secret and print it this once; the one before opens nothing any more."""
    answer = requests.ask("application.renew", {"application": application})
    click.echo(f"client_secret  {answer['secret']}")


@app.command("add-key")
@click.argument("application", metavar="CLIENT_ID")
@data_option
def add_key(application: str) -> None:
    """Make one more key with which an application sends events, and print it this once."""
    answer = requests.ask("application.add_key", {"application": application})
    click.echo(f"key       {answer['key']}")
    address = place.current().address
    click.echo(f"address   {address}/intake/v1/events")
    click.echo(f"otlp      {address}/v1/logs")
    click.echo(f"dsn       {address.replace('://', f'://{answer["key"]}@')}/1")
    click.echo("a key is shown this once; `troth app end-keys` ends every one there is", err=True)


@app.command("end-keys")
@click.argument("application", metavar="CLIENT_ID")
@data_option
def end_keys(application: str) -> None:
    """End every key with which an application sends events: they open nothing any more."""
    answer = requests.ask("application.end_keys", {"application": application})
    click.echo(f"{answer['ended']} keys of `{application}` have ended")


@app.command("remove")
@click.argument("application", metavar="CLIENT_ID")
@data_option
def remove(application: str) -> None:
    """Remove an application and end its tokens; people keep the history of what they permitted it."""
    requests.ask("application.remove", {"application": application})
    click.echo(f"`{application}` is removed, and its tokens have ended")


@app.command("replace-keys")
@data_option
def replace_keys() -> None:
    """Sign with a new key at once and believe none of those before, as when one became known."""
    requests.ask("application.replace_keys", {})
    click.echo("tokens are signed with a new key; applications fetch it when they see one")


def _rows(statement: str, told: dict[str, str]) -> list[dict[str, Any]]:
    with connect.acting("steward") as connection:
        rows = connection.execute(load("troth.people")[statement].encode(), told).fetchall()
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]

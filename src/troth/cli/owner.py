"""`troth owner`: hand the service over to another owner; nobody's agreement, permission or status changes (P40)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from troth.cli.options import data_option, form_option
from troth.consent import handover
from troth.database import connect, place, published
from troth.ledger import sealing, sequencing

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
MEANS = """\
The successor's key will sign version {version} of `{name}`, word for word as it is in force.
Nobody is asked to agree again, no mail goes out, and no permission, choice or session changes.
New keys sign from then on: requests and versions, the ledger's heads, receipts, and in two days applications' tokens.
The passwords of this machine's database stay: whoever moves the service restores a backup elsewhere.
"""


@click.group()
def owner() -> None:
    """Hand the service over to another owner, and see who had it."""


@owner.command("show")
@form_option("text", "json")
@data_option
def show(form: str) -> None:
    """Print the operator's key, and every change of owner."""
    with connect.acting("steward") as connection:
        head = sequencing.newest(connection)
    told = [handover.told_of(each, head.origin if head else "ledger") for each in handover.changes()]
    now = sealing.written(place.secrets_of(place.current()).operator)
    if form == "json":
        click.echo(json.dumps({"operator": now, "changes": told}, indent=2))
        return
    click.echo(f"{now}  signs now")
    for each in told:
        click.echo(as_line(each))


def as_line(told: Mapping[str, Any]) -> str:
    """Return a change in one line."""
    key = told["keys"]["operator"]["before"]
    return f"{key}  until {told['at'][:19]} UTC; the successor signed version {told['version']}; entry {told['entry']}"


@owner.command("change")
@click.option("--key", "file", type=FILE, help="The successor's Ed25519 key (PEM, PKCS 8)  [default: a new one].")
@click.option("--yes", is_flag=True, help="Do not ask before.")
@form_option("text", "json")
@data_option
def change(file: Path | None, form: str, *, yes: bool) -> None:
    """Let a successor sign the version in force, and sign with their keys from then on.

    The successor makes a key on a machine of theirs (`openssl genpkey -algorithm ed25519`) and brings it here. Where
    the operator has another name then, publish the policy under that name afterwards: nothing is asked of anybody.
    """
    key = read(file) if file else None
    if not yes:
        now = published.current("steward")
        click.echo(MEANS.format(version=now.version, name=now.policy.name), err=True)
        click.confirm("Hand the service over?", abort=True, err=True)
    answer = handover.ask(key)
    if form == "json":
        click.echo(json.dumps(answer))
        return
    click.echo(f"the successor signed version {answer['version']}; entry {answer['entry']} of the ledger says so")
    click.echo(f"{answer['operator']}  signs now; make a backup: the one before has the keys of before", err=True)


def read(file: Path) -> Ed25519PrivateKey:
    """Return the key that a file holds. Raises click.ClickException."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        sentence = f"`{file}` is no Ed25519 key without a password; make one: openssl genpkey -algorithm ed25519"
        raise click.ClickException(sentence)
    return key

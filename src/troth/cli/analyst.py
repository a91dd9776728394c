"""`troth analyst`: login roles for people who query, each bound to one purpose."""

import json
from urllib.parse import quote

import click

from troth.cli.options import data_option, form_option
from troth.cli.query import unknown_purpose
from troth.database import connect, place, published, requests
from troth.database.statements import load


@click.group()
def analyst() -> None:
    """Give people psql or a BI tool that sees what a purpose may see, less what tells who somebody is."""


@analyst.command("add")
@click.argument("name")
@click.option("--purpose", required=True, help="The one purpose that the analyst works for.")
@data_option
def add(name: str, purpose: str) -> None:
    """Make a login role and print its connection string, which is not shown again."""
    policy = published.current("steward")
    if purpose not in {unit.purpose for unit in policy.plan.units}:
        raise click.ClickException(unknown_purpose(policy, purpose))
    answer = requests.ask("analyst.add", {"name": name, "purpose": purpose})
    click.echo(address(answer["role"], answer["password"]))
    click.echo(
        f"`{name}` sees what `{purpose}` may see, less what tells who somebody is;"
        " try psql with the line above, and in it: table withheld",
        err=True,
    )


@analyst.command("list")
@form_option("text", "json")
@data_option
def list_(form: str) -> None:
    """List analysts with their purposes."""
    with connect.acting("steward") as connection:
        found = connection.execute(load("troth.database.sql")["analysts"].encode()).fetchall()
    if form == "json":
        click.echo(json.dumps([{"name": name, "purpose": purpose} for name, purpose in found]))
        return
    for name, purpose in found:
        click.echo(f"{name:<30} {purpose}")
    if not found:
        click.echo("there are no analysts; add one: troth analyst add NAME --purpose PURPOSE")


@analyst.command("remove")
@click.argument("name")
@data_option
def remove(name: str) -> None:
    """End the analyst's sessions and remove the role."""
    requests.ask("analyst.remove", {"name": name})
    click.echo(f"`{name}` is removed, and their sessions have ended")


def address(role: str, password: str) -> str:
    """Return the connection string that psql takes as it is: a Unix socket for the embedded server, else over TLS."""
    where = place.current()
    told = {"host": where.host, "port": str(where.port)} | dict(where.tls)
    if where.external and where.host not in connect.LOOPBACK and not where.host.startswith("/"):
        told.setdefault("sslmode", "verify-full")
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in told.items())
    return f"postgresql://{quote(role)}:{quote(password, safe='')}@/{quote(where.database)}?{query}"

"""`troth`: one command, its parts loaded when they are used."""

import importlib
import logging
import os
import sys
from typing import ClassVar

import click
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from troth.database import connect
from troth.database.errors import DatabaseRefusal


class Lazy(click.Group):
    """Commands by name, each imported when it is asked for."""

    parts: ClassVar[dict[str, tuple[str, str]]] = {
        "serve": ("serve:serve", "Start the whole service."),
        "doctor": ("doctor:doctor", "Check that everything is as it should be."),
        "backup": ("backup:backup", "Create and restore backups."),
        "policy": ("policy:policy", "Check, plan and apply the policy; find drift."),
        "announce": ("announce:announce", "Tell those who permit announcements."),
        "query": ("query:query", "Ask as a purpose."),
        "analyst": ("analyst:analyst", "Login roles bound to a purpose."),
        "app": ("app:app", "Register applications that sign people in."),
        "profile": ("profile:profile", "Declare the fields that people fill in."),
        "import": ("import_:import_", "Bring in access logs."),
        "tail": ("tail:tail", "Follow a web server's log."),
        "places": ("places:places", "Bring the free database of places, and look an address up."),
        "guard": ("guard:guard", "See what is taken out of free text, and how often it was."),
        "retention": ("retention:retention", "See what is past its time, and remove it now."),
        "export": ("rights:export", "Write down everything that is held about a person."),
        "erase": ("rights:erase", "Erase a person, or see first what would go and what would stay."),
        "sign-out": ("rights:sign_out", "End the sessions of a person, or of everybody."),
        "receipt": ("receipt:receipt", "Check the receipts that people keep."),
        "owner": ("owner:owner", "Hand the service over to another owner, and see who had it."),
        "ledger": ("ledger:ledger", "Verify the record of what was done."),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names."""
        return list(self.parts)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import one."""
        if cmd_name not in self.parts:
            return None
        module, _, name = self.parts[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"troth.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List them without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in self.parts.items()])


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="troth")
def troth() -> None:
    """A home for hosted applications that executes its own privacy policy."""


def main() -> None:
    """Run; a refusal is one sentence and exit code 1, never a traceback."""
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # what it would tell is told once, below
    connect.refuse_at_once()
    try:
        code = troth(standalone_mode=False)
    except click.Abort:
        click.echo("troth: stopped", err=True)
    except click.ClickException as refusal:
        _show(refusal)
        sys.exit(refusal.exit_code)
    except DatabaseRefusal as refusal:
        click.echo(f"troth: {refusal}", err=True)
    except (OperationalError, PoolTimeout) as error:
        sentence = f"the database does not answer ({connect.said(error)})"
        click.echo(f"troth: {sentence}; is `troth serve` running with this --data?", err=True)
    except OSError as error:  # with no file of its own it is what is printed to; a reader that left is click's
        what = f"`{error.filename}`" if error.filename else "the answer cannot be written"
        click.echo(f"troth: {what}: {error.strerror or error}", err=True)
        _print_no_more()
    else:
        sys.exit(code or 0)
    finally:
        connect.close()
    sys.exit(1)


def _show(refusal: click.ClickException) -> None:
    """Show what a command refuses the way every refusal begins, a wrong use after how it is used."""
    if isinstance(refusal, click.UsageError) and refusal.ctx is not None:
        click.echo(f"{refusal.ctx.get_usage()}\nsee: {refusal.ctx.command_path} --help\n", err=True)
    click.echo(f"troth: {refusal.format_message()}", err=True)


def _print_no_more() -> None:
    """Let what is still to be printed go nowhere, or the interpreter would stumble over it once more on its way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

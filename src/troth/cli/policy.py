"""`troth policy`: check a policy, see what it compiles to, apply it, find drift."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from troth.cli.options import data_option, form_option
from troth.cli.reading import compare_command, coverage, explain_command, fmt, meant, show
from troth.cli.simulate import simulate
from troth.cli.standards import export
from troth.database import connect, published, requests
from troth.database.apply import not_yet
from troth.database.drift import drift as find_drift
from troth.policy.compare import Verdict
from troth.policy.meaning import Policy
from troth.policy.planned import Plan

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def policy() -> None:
    """Check, plan and apply the policy; find where the database differs from it."""


for command in (export, fmt, explain_command, compare_command, coverage, show, simulate):
    policy.add_command(command)


@policy.command("check")
@click.argument("file", type=FILE)
@form_option("text", "json")
def check(file: Path, form: str) -> None:
    """Say everything that is wrong with a policy, with the places; exit with 1 when something is."""
    found, compiled = meant(file, form)
    remarks = remarks_on(found)
    if form == "json":
        told = {"name": found.name, "version": found.version, "digest": found.digest}
        click.echo(json.dumps({"errors": [], "remarks": remarks} | told))
        return
    click.echo(
        f"{file}: version {found.version} of `{found.name}` is sound:"
        f" {len(found.purposes)} purposes, {len(found.collections)} collections,"
        f" {len(compiled.readings)} columns granted"
    )
    for remark in remarks:
        click.echo(f"{file}: remark: {remark}")


def remarks_on(found: Policy) -> list[str]:
    """Return what is no error, and still not what somebody might expect."""
    if not_yet(found.effective):
        return [f"it is effective on {found.effective}, which has not come; apply it on that day, not before"]
    return []


@policy.command("plan")
@click.argument("file", type=FILE)
@form_option("text", "json")
def plan_command(file: Path, form: str) -> None:
    """Show what a policy compiles to: who may read which columns of which rows, how long, by which clause."""
    _, compiled = meant(file, form)
    click.echo(json.dumps(as_data(compiled), indent=2) if form == "json" else "\n".join(as_lines(compiled)))


@policy.command("apply")
@click.argument("file", type=FILE)
@click.option(
    "--terms", "terms_file", type=FILE, help="The terms of service that go with it  [default: those in force]."
)
@form_option("text", "json")
@data_option
def apply(file: Path, terms_file: Path | None, form: str) -> None:
    """Ask the keeper of the running troth to put a policy into force.

    Where people must agree to it again, and two persons may publish, both agree at /operator/publishing first.
    """
    meant(file, form)
    terms = terms_file.read_text(encoding="utf-8") if terms_file else published.current("steward").terms
    answer = requests.ask("policy.apply", {"source": file.read_text(encoding="utf-8"), "terms": terms})
    opened = f"; people agree again before these resume: {', '.join(answer['widened'])}" if answer["widened"] else ""
    verdict = Verdict[answer["verdict"]].name.lower().replace("_", " ")
    if form == "json":
        click.echo(json.dumps(answer | {"verdict": verdict}))
        return
    click.echo(
        f"version {answer['version']} is in force, {answer['changed']} facts changed; verdict: {verdict}{opened}"
    )


@policy.command("drift")
@click.argument("file", type=FILE, required=False)
@form_option("text", "json")
@data_option
def drift(file: Path | None, form: str) -> None:
    """Compare the database with the policy in force; exit with 1 when they differ.

    With FILE, also say whether FILE is the policy in force.
    """
    with connect.owning() as connection:
        found = find_drift(connection)
    lines = found.lines()
    if file is not None and meant(file, form)[0].digest != published.current("steward").digest:
        lines.append(
            f"version {published.current('steward').version}, which is in force, has another text than `{file}`"
        )
    if form == "json":
        click.echo(json.dumps({"drift": lines}))
    else:
        click.echo("\n".join(lines) or "no drift: the database is what the policy in force says")
    if lines:
        raise SystemExit(1)


def as_data(compiled: Plan) -> dict[str, Any]:
    """Return the plan as plain data."""
    return {
        "policy": compiled.policy,
        "version": compiled.version,
        "digest": compiled.digest,
        "readings": [[r.purpose, r.table, r.column, r.clause] for r in compiled.readings],
        "withheld": [[w.purpose, w.table, w.column, w.category, w.reason, w.clause] for w in compiled.withheld],
        "rows": [[r.purpose, r.table, r.window.kind, r.window.days] for r in compiled.rows],
        "own": [[o.table, o.column, o.privilege, o.clause] for o in compiled.own],
        "collected": [[c.occasion, c.table, c.column, c.precision, c.clause] for c in compiled.collected],
        "retention": [[r.table, r.days, r.after_end, r.consented] for r in compiled.retention],
    }


def as_lines(compiled: Plan) -> list[str]:
    """Return the plan for eyes, one paragraph a purpose."""
    lines = [f"{compiled.policy}, version {compiled.version} ({compiled.digest[:12]})"]
    windows = {(r.purpose, r.table): r.window for r in compiled.rows}
    readings: dict[tuple[str, str], list[str]] = defaultdict(list)
    for reading in compiled.readings:
        readings[reading.purpose, reading.table].append(reading.column)
    for unit in compiled.units:
        lines += ["", f"{unit.purpose} (by {unit.basis})"]
        for (purpose, table), columns in readings.items():
            if purpose == unit.purpose:
                window = windows[purpose, table]
                lines.append(f"  reads {table}: {', '.join(columns)}  [{window.written}]")
    lines += ["", "the person"]
    own: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in compiled.own:
        if each.column not in own[each.table, each.privilege]:
            own[each.table, each.privilege].append(each.column)
    return lines + [
        f"  may {privilege} {table}: {', '.join(columns)}" for (table, privilege), columns in sorted(own.items())
    ]

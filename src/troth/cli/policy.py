"""`troth policy`: check a policy, see what it compiles to, apply it, find drift."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from troth.cli.options import data_option, form_option, text_of
from troth.cli.publish import publish, withdraw
from troth.cli.reading import compare_command, coverage, explain_command, fmt, meant, show
from troth.cli.simulate import simulate
from troth.cli.standards import export
from troth.database import connect, published, requests
from troth.database.apply import not_yet
from troth.database.catalog import known as known_catalog
from troth.database.drift import drift as find_drift
from troth.policy.compare import Verdict
from troth.policy.meaning import Basis, Policy, Whose
from troth.policy.planned import Plan, Unit

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def policy() -> None:
    """Check, plan and apply the policy; find where the database differs from it."""


for command in (export, fmt, explain_command, compare_command, coverage, show, simulate, publish, withdraw):
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
    """Ask the keeper of the running troth to put a policy into force now, and show nothing first; `publish` does.

    Where people must agree to it again, and two persons may publish, both agree at /operator/publishing first.
    """
    _, compiled = meant(file, form)
    before = published.current("steward")
    terms = text_of(terms_file) if terms_file else before.terms
    answer = requests.ask("policy.apply", {"source": text_of(file), "terms": terms})
    follows = what_follows(before.plan, compiled, frozenset(answer["widened"]))
    verdict = Verdict[answer["verdict"]].name.lower().replace("_", " ")
    if form == "json":
        click.echo(json.dumps(answer | {"verdict": verdict, "purposes": follows}))
        return
    click.echo(f"version {answer['version']} is in force, {answer['changed']} facts changed; verdict: {verdict}")
    width = max(map(len, follows), default=0)
    for name, sentence in follows.items():
        click.echo(f"  {name:<{width}}  {sentence}")


def what_follows(old: Plan, new: Plan, opened: frozenset[str]) -> dict[str, str]:
    """Say of each purpose, and of each audience that is shown something, what a new version does to it."""
    before = {unit.purpose for unit in old.units} | set(old.audiences)
    bases = {unit.purpose: unit.basis for unit in new.units} | dict.fromkeys(new.audiences, Basis.AGREEMENT)
    told = {}
    for name, basis in bases.items():
        if name in before and name not in opened:
            told[name] = "goes on with everybody who is in it"
        else:
            until = "they have agreed again and said yes" if basis is Basis.CONSENT else "they have agreed again"
            told[name] = f"{'wider' if name in before else 'new'}: nobody is in it until {until}"
    return told | dict.fromkeys(sorted(before - set(bases)), "gone: nobody is in it any more")


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
        "counted": [[c.purpose, c.table, c.columns, c.window.kind, c.window.days, c.clause] for c in compiled.counted],
        "coarsenings": [[c.table, c.column, c.precision, c.days, c.clause] for c in compiled.coarsenings],
        "seen": [[s.role, s.table, s.column, s.category, s.clause] for s in compiled.seen],
        "unseen": [[u.category, u.audience, u.clause] for u in compiled.unseen],
        "unheld": [[u.category, u.occasion, u.clause] for u in compiled.unheld],
    }


#: Whose rows a purpose on a basis may read.
WHOSE = {
    Basis.AGREEMENT: "of people who agreed",
    Basis.CONSENT: "of people who agreed and said yes",
    Basis.LEGITIMATE_INTEREST: "of people who agreed and did not object",
    Basis.LEGAL_DUTY: "of people who agreed, whatever they choose",
}


def as_lines(compiled: Plan) -> list[str]:
    """Return the plan for eyes: whose rows each purpose reads, how long, and by which clause which columns."""
    lines = [f"{compiled.policy}, version {compiled.version} ({compiled.digest[:12]})"]
    for unit in compiled.units:
        lines += ["", f"{unit.purpose} (by {unit.basis})", *(_of_unit(compiled, unit) or ["  reads no table"])]
    lines += ["", "the person, of their own rows"]
    own: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for each in compiled.own:
        own[each.table, each.privilege].append((each.clause, each.column))
    for (table, privilege), columns in sorted(own.items()):
        lines += [f"  may {privilege} {table}", *_by_clause(columns)]
    for role in compiled.audiences:
        lines += ["", f"{role}, of the rows of whom it is shown"]
        for table in sorted({seen.table for seen in compiled.seen if seen.role == role}):
            seen = ((s.clause, s.column) for s in compiled.seen if (s.role, s.table) == (role, table))
            lines += [f"  sees {table}", *_by_clause(seen)]
    return lines


def _of_unit(compiled: Plan, unit: Unit) -> list[str]:
    """Say what a purpose reads and counts."""
    lines = []
    for rows in (rows for rows in compiled.rows if rows.purpose == unit.purpose):
        lines.append(f"  reads {rows.table}, {rows.window.written}, {_whose(unit, rows.table)}")
        read = (r for r in compiled.readings if (r.purpose, r.table) == (unit.purpose, rows.table))
        lines += _by_clause((r.clause, r.column) for r in read)
    for counted in (each for each in compiled.counted if each.purpose == unit.purpose):
        lines.append(f"  counts people by {counted.table}, {counted.window.written}")
        lines += _by_clause((counted.clause, column) for column in counted.columns)
    return lines


def _whose(unit: Unit, name: str) -> str:
    """Say of which rows of a table a unit is: whose, and stored on which occasions."""
    held = {column.category for column in known_catalog().table(name).columns}
    occasions = {atom.occasion for atom in unit.atoms if atom.category in held}
    kinds = {occasion.whose for occasion in occasions}
    whose = [WHOSE[unit.basis]] if Whose.PERSON in kinds else []
    whose += ["of browsers that are known"] if Whose.IDENTIFIER in kinds else []
    whose += ["of visitors"] if Whose.NOBODY in kinds else []
    listed = " and ".join(filter(None, (", ".join(whose[:-1]), whose[-1])))
    return f"{listed}, stored on {', '.join(sorted(occasions))}"


def _by_clause(columns: Iterable[tuple[str, str]]) -> list[str]:
    """Say columns by their clause, each once."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    said = set[str]()
    for clause, column in columns:
        if column not in said:
            found[clause][column] = None
            said.add(column)
    return [f"    {', '.join(names)}  ({clause})" for clause, names in found.items()]

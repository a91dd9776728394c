"""`troth policy fmt|explain|compare|coverage|show`: what a policy says, in words, and what became of it."""

import json
from collections.abc import Mapping, Sized
from pathlib import Path
from typing import Any

import click

from troth.cli.options import data_option, form_option
from troth.database import published
from troth.database.catalog import known as known_catalog
from troth.policy import explain, parse
from troth.policy.compare import Comparison, compare
from troth.policy.coverage import PROMISES, Covered, Promise, Proof, Status, clauses, promises
from troth.policy.differences import Differing
from troth.policy.errors import PolicyError, PolicyErrors
from troth.policy.form import formatted
from troth.policy.meaning import Policy
from troth.policy.plan import plan
from troth.policy.planned import Plan
from troth.policy.voice import LANGUAGES
from troth.policy.widening import widened

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
language_option = click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True)


def meant(file: Path | None, told: str = "text") -> tuple[Policy, Plan]:
    """Return a file's meaning and plan, or the version in force without one. Exits with 1 after printing all errors.

    The plan is made over the tables of the running troth, profile fields included, where one runs.
    """
    if file is None:
        now = published.current("steward")
        return now.policy, now.plan
    try:
        found = parse.read(file.read_bytes().decode("utf-8", errors="surrogateescape"), str(file))
        return found, plan(found, known_catalog())
    except PolicyErrors as errors:
        click.echo(errors.as_json() if told == "json" else str(errors), err=told != "json")
    raise SystemExit(1)


@click.command("fmt")
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 where a file is not in its canonical form.")
@form_option("text", "json")
def fmt(files: tuple[Path, ...], check: bool, form: str) -> None:
    """Write policies in their canonical form."""
    changed, errors = [], list[PolicyError]()
    for file in files:
        before = file.read_bytes().decode("utf-8", errors="surrogateescape")
        try:
            after = formatted(before, str(file))
        except PolicyErrors as found:
            errors += found.errors
            continue
        if after != before:
            changed.append(str(file))
            if not check:
                file.write_text(after, encoding="utf-8")
    if form == "json":
        click.echo(json.dumps({"changed": changed, "errors": [each.as_data() for each in errors]}))
    elif changed:
        click.echo(
            "\n".join(f"{file}: {'is not in its canonical form' if check else 'written anew'}" for file in changed)
        )
    if errors and form == "text":
        click.echo("\n\n".join(map(str, errors)), err=True)
    if errors or (changed and check):
        raise SystemExit(1)


@click.command("explain")
@click.argument("file", type=FILE, required=False)
@language_option
@form_option("text", "json")
@data_option
def explain_command(file: Path | None, language: str, form: str) -> None:
    """Say a policy in plain sentences; without FILE, the one in force."""
    policy, _ = meant(file, form)
    sections = explain.sections(policy, language)
    if form == "json":
        told = [
            {"key": s.key, "title": s.title, "sentences": [sentence_data(each) for each in s.sentences]}
            for s in sections
        ]
        click.echo(json.dumps({"name": policy.name, "version": policy.version, "sections": told}, ensure_ascii=False))
        return
    click.echo(explain.as_text(policy, language), nl=False)


def sentence_data(sentence: explain.Sentence) -> dict[str, Any]:
    """Return a sentence as plain data."""
    return {
        "clause": sentence.clause,
        "text": sentence.text,
        "promises": sentence.promises,
        "commentary": sentence.commentary,
    }


@click.command("compare")
@click.argument("old", type=FILE)
@click.argument("new", type=FILE, required=False)
@language_option
@form_option("text", "json")
@data_option
def compare_command(old: Path, new: Path | None, language: str, form: str) -> None:
    """Say each difference of two versions, where it goes, and what follows; of one FILE, with the version in force."""
    sides = (meant(None), meant(old, form)) if new is None else (meant(old, form), meant(new, form))
    (before, old_plan), (after, new_plan) = sides
    comparison = compare(before, after, widened(old_plan, new_plan))
    differing = Differing(before, after, language)
    if form == "json":
        click.echo(json.dumps(comparison_data(comparison, differing), ensure_ascii=False))
        return
    for line in differing.lines(comparison):
        again = "; asks again" if line.significant else ""
        click.echo(f"{line.text}  [{line.goes}{again}: {', '.join(line.clauses)}]")
    click.echo(f"{'' if not comparison.deltas else chr(10)}{differing.verdict(comparison)}")


def comparison_data(comparison: Comparison, differing: Differing) -> dict[str, Any]:
    """Return a comparison as plain data."""
    return {
        "verdict": comparison.verdict.name.lower().replace("_", " "),
        "agree_again": comparison.agree_again,
        "asked": comparison.asked,
        "deltas": [
            {
                "kind": delta.kind,
                "about": delta.about,
                "direction": delta.direction,
                "significant": delta in comparison.significant,
                "changes": sorted(delta.changes),
                "clauses": delta.clauses,
                "sentence": differing.sentence(delta),
            }
            for delta in comparison.deltas
        ],
    }


@click.command("coverage")
@click.argument("file", type=FILE, required=False)
@click.option("--strict", is_flag=True, help="Exit with 1 while any promise is not built yet, or not in this policy.")
@form_option("text", "json")
@data_option
def coverage(file: Path | None, strict: bool, form: str) -> None:
    """Say of each promise whether it is enforced, told, or not built yet, and what shows it."""
    policy, compiled = meant(file, form)
    found = promises(policy, compiled, known_catalog())
    if form == "json":
        click.echo(json.dumps({"promises": [promise_data(each) for each in found]}))
    else:
        for each in found:
            shown = f"{counted(each.clauses, 'clause')}, {counted(each.proofs, 'proof')}"
            click.echo(f"{each.name:<4} {each.status:<18} {shown}")
        counts = {status: sum(each.status is status for each in found) for status in Status}
        click.echo("\n" + ", ".join(f"{many} {status}" for status, many in counts.items() if many))
    if strict and any(each.status in (Status.UNBUILT, Status.SILENT) for each in found):
        raise SystemExit(1)


def counted(things: Sized, name: str) -> str:
    """Say how many things there are."""
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def promise_data(promise: Promise) -> dict[str, Any]:
    """Return a promise as plain data."""
    return {
        "promise": promise.name,
        "status": promise.status,
        "clauses": [covered_data(each) for each in promise.clauses],
        "proofs": [{"test": proof.test, "mutation": proof.mutation} for proof in promise.proofs],
    }


def covered_data(covered: Covered) -> dict[str, Any]:
    """Return a clause's coverage as plain data."""
    return {"clause": covered.clause, "status": covered.status, "objects": covered.objects}


@click.command("show")
@click.argument("what")
@click.argument("file", type=FILE, required=False)
@language_option
@form_option("text", "json")
@data_option
def show(what: str, file: Path | None, language: str, form: str) -> None:
    """Walk from a promise (P17), a clause, a category (access.ip) or an object of the database to all the others."""
    policy, compiled = meant(file, form)
    known = clauses(policy, compiled, known_catalog())
    wanted = clauses_of(what, policy, known)
    if not wanted and what.upper() in PROMISES:
        raise click.ClickException(f"no clause of this policy cites `{what.upper()}`")
    if not wanted:
        raise click.ClickException(
            f"nothing here is called `{what}`; give a promise (P17), a clause, a category, or part of an object's name"
        )
    said = {s.clause: s for section in explain.sections(policy, language) for s in section.sentences}
    proofs = {p.name: p.proofs for p in promises(policy, compiled, known_catalog())}
    shown = [_shown(known[name], said.get(name), proofs) for name in wanted]
    if form == "json":
        click.echo(json.dumps({"clauses": shown}, ensure_ascii=False))
        return
    for each in shown:
        click.echo(f"{each['clause']}  [{each['status']}]  {' '.join(each['promises'])}")
        for line in (each["text"], *each["objects"], *(f"{p['test']}  ({p['mutation']})" for p in each["proofs"])):
            if line:
                click.echo(f"    {line}")


def clauses_of(what: str, policy: Policy, known: Mapping[str, Covered]) -> list[str]:
    """Return the clauses that a promise, a clause, a category or an object leads to."""
    if what in known:
        return [what]
    if what.upper() in PROMISES:
        return [name for name, covered in known.items() if what.upper() in covered.promises]
    if any(category.name == what for category in policy.categories):
        things: list[Any] = [c for c in policy.categories if c.name == what]
        things += [t for kind in NAMING for t in getattr(policy, kind) if what in t.categories]
        return list(dict.fromkeys(thing.clause.name for thing in things))
    return [name for name, covered in known.items() if what.strip() and any(what in o for o in covered.objects)]


NAMING = ("collections", "coarsenings", "sights", "rights", "shares", "postings")


def _shown(
    covered: Covered, sentence: explain.Sentence | None, proofs: Mapping[str, tuple[Proof, ...]]
) -> dict[str, Any]:
    shown = [proof for promise in covered.promises for proof in proofs.get(promise, ())]
    return covered_data(covered) | {
        "text": sentence.text if sentence else "",
        "promises": covered.promises,
        "proofs": [{"test": proof.test, "mutation": proof.mutation} for proof in dict.fromkeys(shown)],
    }

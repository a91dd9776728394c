"""What `proofs.toml` claims: read, and tried: a test fails, and a probe speaks, where its mutation is applied.

A part of `make prove`, which writes its part of `docs/proof.md`.
"""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from tests.conftest import PROJECT, serving
from tests.mutations.killing import Judge
from tests.mutations.mutants import mutants
from tests.mutations.pages import write
from tests.mutations.peopling import planted


@dataclass(frozen=True, slots=True)
class Proof:
    """A promise, the test or the probe that proves it, and what is taken away so that the proof fails."""

    promise: str
    mutation: str
    test: str = ""
    probe: str = ""
    where: str = ""


def proofs() -> list[Proof]:
    """Return what the file claims."""
    told = tomllib.loads(resources.files("troth.policy").joinpath("proofs.toml").read_text(encoding="utf-8"))
    return [Proof(promise, **entry) for promise, entries in told.items() for entry in entries]


def main() -> int:
    """Try all; return 1 when one does not hold."""
    with serving() as where, planted(where) as world:
        judge = Judge(world)
        wrong = judge.settle()
        wrong += list(unproven(judge))
    for line in wrong:
        print(line)
    if not wrong:
        write("claims", report(proofs()))
    return 1 if wrong else 0


def unproven(judge: Judge) -> Iterator[str]:
    """Yield each claim that does not hold; takes minutes."""
    known = {mutant.name: mutant for mutant in mutants(judge.world)}
    claims = proofs()
    kept = sorted({proof.test for proof in claims if proof.test})
    if _run(kept, []) != 0:
        yield "some test that proves something fails while nothing is taken away"
    for number, proof in enumerate(claims, 1):
        print(f"{number} of {len(claims)}: {proof.promise} {proof.test or proof.probe}", flush=True)
        if proof.probe:
            if not judge.speaks(proof.probe, known[proof.mutation]):
                yield f"{proof.promise}: the probe {proof.probe} does not notice: {proof.mutation}"
        elif not proof.where and not _fails(proof.test, proof.mutation):
            yield f"{proof.promise}: {proof.test} passes in spite of: {proof.mutation}"


def report(claims: list[Proof]) -> str:
    """Return the part of the page, after all held."""
    probes = sum(bool(proof.probe) for proof in claims)
    own = sum(bool(proof.where) for proof in claims)
    return (
        f"## Claims\n\nAll {len(claims)} proofs of {len({proof.promise for proof in claims})} promises hold: each of"
        f" {len(claims) - probes - own} tests fails, and each of {probes} probes speaks, where its mutation is applied;"
        f" {own} more tests take away what they are about themselves. All of these tests pass while nothing is taken away.\n"
    )


def _fails(test: str, mutation: str) -> bool:
    return _run([test], ["-p", "tests.mutations.breaking"], TROTH_MUTANT=mutation) == 1


def _run(tests: list[str], options: list[str], **told: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *options, *tests]
    environment = {k: v for k, v in os.environ.items() if k != "TROTH_DATA"} | told
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

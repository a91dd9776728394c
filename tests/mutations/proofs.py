"""What `proofs.toml` claims: read, and tried: a test fails, and a probe speaks, where its mutation is applied."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from tests.conftest import PROJECT
from tests.mutations.killing import Judge
from tests.mutations.mutants import mutants


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


def unproven(judge: Judge) -> Iterator[str]:
    """Yield each claim that does not hold; takes minutes."""
    world = judge.world
    known = {mutant.name: mutant for mutant in mutants(world)}
    for proof in proofs():
        if proof.probe:
            if not judge.speaks(proof.probe, known[proof.mutation]):
                yield f"{proof.promise}: the probe {proof.probe} does not notice: {proof.mutation}"
        elif not proof.where and not _fails(proof.test, proof.mutation):
            yield f"{proof.promise}: {proof.test} passes in spite of: {proof.mutation}"
    kept = sorted({proof.test for proof in proofs() if proof.test})
    if _run(kept, []) != 0:
        yield "some test that proves something fails while nothing is taken away"


def _fails(test: str, mutation: str) -> bool:
    return _run([test], ["-p", "tests.mutations.breaking"], TROTH_MUTANT=mutation) == 1


def _run(tests: list[str], options: list[str], **told: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *options, *tests]
    environment = {k: v for k, v in os.environ.items() if k != "TROTH_DATA"} | told
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, check=False).returncode

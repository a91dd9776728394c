"""What is taken away from the compiled policy is noticed by what roles and people experience; `make prove` tries all."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.conftest import PROJECT
from tests.mutations.equivalent import reason
from tests.mutations.killing import Judge
from tests.mutations.mutants import Mutant, mutants
from tests.mutations.peopling import planted
from tests.mutations.proofs import proofs
from tests.mutations.world import World, imagined
from troth.database.place import Place
from troth.database.probes import PROBES
from troth.policy.facts import Kind

#: How many mutants of each way of taking something away are tried here.
EACH = 1
#: What facts of fields are about that the operator declares: here are none, and `tests/people/test_fields.py` takes them away.
DECLARED = {Kind.TABLE, Kind.COLUMN}
#: The promises that this troth enforces today.
ENFORCED = {
    "P2", "P3", "P4", "P5", "P6", "P8", "P9", "P10", "P11", "P14", "P15", "P16", "P18", "P19", "P20", "P21", "P22", "P23", "P24", "P25", "P26",
    "P27", "P28", "P29", "P30", "P31", "P32", "P34", "P36", "P37", "P38", "P39", "P40",
}  # fmt: skip


@pytest.fixture(scope="module")
def world(cluster: Place) -> Iterator[World]:
    with planted(cluster) as made:
        yield made


def chosen(world: World) -> list[Mutant]:
    """Return some of each kind and way, from the middle of the facts, always the same."""
    ways: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in mutants(world):
        if not reason(mutant, world):
            ways[re.sub(r"\d+", "", mutant.operator)].append(mutant)
    return [mutant for found in ways.values() for mutant in found[len(found) // 2 :][:EACH]]


def test_whatever_is_taken_away_is_noticed(world: World) -> None:
    judge = Judge(world)
    assert judge.settle() == []
    tried = chosen(world)
    survivors = [mutant.name for mutant in tried if not judge.killer(mutant)]
    assert survivors == []
    assert {mutant.fact.kind for mutant in tried} == set(Kind) - {Kind.UNDECLARED} - DECLARED
    assert len(tried) > 100
    assert judge.settle() == []


def test_mutants_are_the_same_with_and_without_a_database(world: World) -> None:
    assert [mutant.name for mutant in mutants(world)] == [mutant.name for mutant in mutants(imagined())]


def named_in(path: str) -> set[str]:
    tree = ast.parse((PROJECT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_proof_names_a_test_or_a_probe_and_a_mutation_that_there_are() -> None:
    known = {mutant.name for mutant in mutants(imagined())}
    for proof in proofs():
        assert proof.where in ("", "in the test")
        assert proof.where or proof.mutation in known, proof
        assert bool(proof.test) is not bool(proof.probe), proof
        if proof.test:
            path, _, name = proof.test.partition("::")
            assert name in named_in(path), proof
        else:
            assert proof.probe in {probe.name for probe in PROBES}, proof


def test_every_promise_that_is_enforced_has_a_proof() -> None:
    assert {proof.promise for proof in proofs()} >= ENFORCED

"""PostgreSQL answers what the policy means: row for row and column for column, as an independent reading of it says."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.proof import policies
from tests.proof.cases import Case, cases
from tests.proof.posing import Stage

FOUND = Path(__file__).with_name("found")
#: `make prove` asks for thousands; each share of them has a seed of its own.
CASES = int(os.environ.get("TROTH_PROVE", "200"))
SHARES = 4 if CASES <= 1000 else 16
#: A smaller case is asked for by `TROTH_SHRINK=1`: it takes minutes.
PHASES = (Phase.explicit, Phase.generate, *([Phase.shrink] if "TROTH_SHRINK" in os.environ else []))


@pytest.mark.parametrize("share", range(SHARES))
def test_postgresql_answers_what_the_policy_means(stage: Stage, share: int) -> None:
    differences: list[tuple[Case, list[str]]] = []

    @seed(int(os.environ.get("TROTH_SEED", "0")) + share)
    @settings(
        max_examples=-(-CASES // SHARES), database=None, deadline=None, phases=PHASES,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def holds(case: Case) -> None:
        found = stage.play(case)
        if found:
            differences.append((case, found))
        assert not found, "\n".join(found[:10])

    try:
        holds()
    finally:
        print(f"share {share}: {stage.played} cases; {dict(policies.drawn)}")
        if differences:
            case, found = differences[-1]
            written = FOUND / f"new-{share}.toml"
            written.write_text(str(Case(case.phases, found[0][:200])), encoding="utf-8")
            print(f"written to {written.name}: play it with `make prove`, then mend what differs and name it")

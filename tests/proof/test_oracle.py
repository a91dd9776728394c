"""PostgreSQL answers what the policy means: row for row and column for column, as an independent reading of it says."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from psycopg import Connection

from tests.proof import policies
from tests.proof.cases import Case, cases, read
from tests.proof.posing import Stage

FOUND = Path(__file__).with_name("found")
#: A case in which every control has something to keep back.
WHOLE = Path(__file__).with_name("whole.toml")
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
        max_examples=-(-CASES // SHARES),
        database=None,
        deadline=None,
        phases=PHASES,
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
            print(f"written to {written.name}, which the next run plays first: mend what differs, and name the file")
    assert stage.played >= CASES // SHARES // 2, "too few of the policies that were drawn compile"


@pytest.mark.parametrize("file", sorted(FOUND.glob("*.toml")), ids=lambda file: file.stem)
def test_what_was_found_once_stays_mended(stage: Stage, file: Path) -> None:
    assert stage.play(read(file.read_text(encoding="utf-8"))) == []


# Mutations: what is taken away from PostgreSQL, the oracle sees.

RULE = (
    "SELECT qual FROM pg_policies WHERE schemaname = 'troth' AND tablename = 'access' AND policyname = 'protect_select'"
)


def rewriting(pattern: str) -> Callable[[Connection[Any]], None]:
    """Return what takes one condition out of the row rule of `protect`."""

    def change(owner: Connection[Any]) -> None:
        (rule,) = owner.execute(RULE).fetchone() or ("",)
        other, times = re.subn(pattern, "true", rule)
        assert times == 1, rule
        owner.execute(f"ALTER POLICY protect_select ON troth.access USING ({other})".encode())

    return change


def running(statement: str) -> Callable[[Connection[Any]], None]:
    """Return what runs a statement."""

    def change(owner: Connection[Any]) -> None:
        owner.execute(statement.encode())

    return change


BREAKS: dict[str, tuple[Callable[[Connection[Any]], None], str]] = {
    "the stamp": (rewriting(r"\(\(uses & .*?\) <> 0\)"), "protect reads"),
    "the window": (rewriting(r"at > \(statement_timestamp\(\) - '[^']*'::interval\)"), "protect reads"),
    "the signal": (rewriting(r"uses >= 0"), "protect reads"),
    "the mark, where a row comes in": (running("ALTER TABLE troth.access DISABLE TRIGGER stamp"), "misstamped"),
    "the column grants": (running("GRANT SELECT (ip) ON troth.access TO troth_study"), "study read access.ip"),
    "the count of people": (
        running(
            "DO $$ BEGIN EXECUTE replace(pg_get_functiondef('troth.count_study_access'::regproc), '>= 5', '>= 1'); END $$"
        ),
        "study counts access",
    ),
    "whose rows are a person's own": (
        running("ALTER POLICY self_select ON troth.access USING (true)"),
        "alice sees",
    ),
    "restamping": (
        running(
            "CREATE OR REPLACE FUNCTION troth.restamp(whose uuid, stamp bigint) RETURNS void LANGUAGE sql AS 'SELECT'"
        ),
        "misstamped",
    ),
}


@pytest.mark.parametrize("control", BREAKS)
def test_what_is_taken_away_is_seen(stage: Stage, control: str) -> None:
    broken, wanted = BREAKS[control]
    case = read(WHOLE.read_text(encoding="utf-8"))
    assert stage.play(case) == []
    assert any(wanted in line for line in stage.play(case, broken))
    assert stage.play(case) == []


def test_what_an_earlier_version_stored_more_of_is_seen_without_the_occasions(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = read((FOUND / "known-of-visits.toml").read_text(encoding="utf-8"))
    with monkeypatch.context() as taken_away:
        taken_away.setattr("troth.policy.occasions.known", lambda *_: ())
        assert any("study reads" in line and "192.0.2.77" in line for line in stage.play(case))
    assert stage.play(case) == []


FORGETFUL = """
DO $$ BEGIN
    EXECUTE replace(pg_get_functiondef('troth.fold(uuid)'::regprocedure), 'agreed = greatest(agreed, (', 'agreed = nullif(NULL::integer, (');
END $$;
UPDATE troth.permitted SET agreed = NULL
"""


@pytest.mark.parametrize(
    "taken",
    [FORGETFUL, "DELETE FROM troth.version_retention WHERE version = 1"],
    ids=["who agreed to what", "what that says"],
)
def test_what_nobody_agreed_to_keep_is_seen_where_it_is_kept(stage: Stage, taken: str) -> None:
    case = read((FOUND / "bound-by-agreement.toml").read_text(encoding="utf-8"))
    assert stage.play(case) == []
    found = stage.play(case, running(taken))
    assert any(line.startswith("access of") and "PostgreSQL keeps 2 rows, and 1 last" in line for line in found), found
    assert stage.play(case) == []

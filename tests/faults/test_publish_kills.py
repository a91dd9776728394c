"""Killed at any statement of a publication, what stands is the old version or the new one, whole, and the next turn goes on."""

import os
import re
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, forget
from troth.consent import publishing, scheduling
from troth.database import apply, connect
from troth.database.drift import drift
from troth.database.place import Place
from troth.policy.compare import Verdict

pytestmark = pytest.mark.xdist_group("faults")
DAY = datetime.now(UTC).date() + timedelta(days=9)
WIDER = re.sub(
    r"effective \S+",
    f"effective {DAY}",
    POLICY.read_text(encoding="utf-8").replace("version 1 effective", "version 2 effective"),
    count=1,
).replace("for understand 30 days as network", "for understand 60 days as network")


class Doomed(Connection[Any]):
    """A connection whose process dies before its n-th statement."""

    left = 0

    def execute(self, *told: Any, **more: Any) -> Any:
        Doomed.left -= 1
        if Doomed.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(*told, **more)


def dies(database: Place, statement: int) -> bool:
    """Put what waits into force in a process that dies before that statement; return whether it got so far."""
    forget()
    child = os.fork()
    if child == 0:
        try:
            Doomed.left = statement
            with Doomed.connect(**connect.parameters(connect.OWNER, database), autocommit=True) as connection:
                scheduling.take_effect(connection)
        except BaseException:  # noqa: BLE001 - nothing of the test's may run in the child
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.fixture
def scheduled(owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    publishing.publish(owner, publishing.asked(WIDER, TERMS, Verdict.EDITORIAL, key=True))
    assert scheduling.waiting(owner) is not None
    monkeypatch.setattr(apply, "not_yet", lambda day: day > DAY)


PUBLISHED = "SELECT count(*) FROM troth.ledger_entry WHERE action = 'policy-published'"
SIGNED = "SELECT count(*) FROM troth.policy_signature"
EDITIONS = "SELECT max(edition) FROM troth.unit WHERE purpose = 'understand'"


def stands(owner: Connection[Any]) -> tuple[Any, ...]:
    """Say what stands: version, entries, signatures, the edition of what widened, and whether something waits."""
    now = apply.newest(owner)
    assert now is not None
    counts = [(owner.execute(query.encode()).fetchone() or (0,))[0] for query in (PUBLISHED, SIGNED, EDITIONS)]
    return (now.version, *counts, scheduling.waiting(owner) is not None)


@pytest.mark.usefixtures("scheduled")
def test_a_publication_killed_at_any_statement_is_the_old_or_the_new_and_never_a_mix(
    database: Place, owner: Connection[Any]
) -> None:
    before = stands(owner)
    assert before == (1, 0, 1, 1, True)
    statement, step, killed = 1, 1, 0
    while dies(database, statement):
        killed += 1
        with connect.owning(database) as looking:
            assert stands(looking) == before, f"killed before statement {statement}"
            assert drift(looking).lines() == []
        statement += step
        step = 1 if statement < 4 else 7
    with connect.owning(database) as looking:
        assert stands(looking) == (2, 1, 2, 2, False)
        assert drift(looking).lines() == []
    assert killed > 5
    print(f"killed {killed} times, up to statement {statement}")

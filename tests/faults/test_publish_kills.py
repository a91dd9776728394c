"""Killed at any statement of a publication, what stands is the old version or the new one, whole, and the next turn goes on."""

import os
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection, Cursor, ServerCursor
from psycopg.pq import TransactionStatus

from tests.conftest import POLICY, TERMS, forget
from tests.seeding import REPLAY, SEED
from troth.consent import publishing, scheduling
from troth.database import apply, connect
from troth.database.drift import drift
from troth.database.place import Place
from troth.policy.compare import Verdict

pytestmark = pytest.mark.xdist_group("faults")
DAY = datetime.now(UTC).date() + timedelta(days=9)
AT_ONCE = (
    POLICY.read_text(encoding="utf-8")
    .replace("version 1 effective", "version 2 effective")
    .replace("for understand 30 days as network", "for understand 60 days as network")
)
WIDER = re.sub(r"effective \S+", f"effective {DAY}", AT_ONCE, count=1)


#: Inside a transaction, all of which PostgreSQL undoes alike, a process dies at every so many statements, from one that the run's seed
#: draws; `TROTH_EVERY=1` kills at each. Between transactions, and where a file changes places, it always dies at each.
STRIDE = int(os.environ.get("TROTH_EVERY", "7"))
OFFSET = SEED % STRIDE
Publication = Callable[[Connection[Any]], object]


def dies(database: Place, does: Publication, step: int) -> int | None:
    """Publish in a process that dies at its `step`-th statement or move of a file or soon after; return where, or None."""
    forget()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with connect.owning(database) as connection:
                _doom(connection, step, writing)
                does(connection)
        except BaseException:  # noqa: BLE001 - nothing of the test's may run in the child
            os._exit(3)
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        where = told.read()
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return int(where) if os.WIFSIGNALED(status) else None


def _doom(connection: Connection[Any], step: int, writing: int) -> None:
    """Let this process die: every statement counts, also of cursors and other connections, and every move of a file."""
    passed = [0]

    def counted(call: Callable[..., Any], *, file: bool = False) -> Callable[..., Any]:
        def instead(*given: Any, **named: Any) -> Any:
            passed[0] += 1
            between = file or connection.info.transaction_status is TransactionStatus.IDLE
            if passed[0] >= step and (between or passed[0] % STRIDE == OFFSET):
                os.write(writing, str(passed[0]).encode())
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*given, **named)

        return instead

    for name in ("replace", "rename", "unlink"):
        setattr(Path, name, counted(getattr(Path, name), file=True))
        setattr(os, name, counted(getattr(os, name), file=True))
    for cursor in (Cursor, ServerCursor):
        cursor.execute = counted(cursor.execute)  # type: ignore[method-assign]
        cursor.executemany = counted(cursor.executemany)  # type: ignore[method-assign]
    Cursor.copy = counted(Cursor.copy)  # type: ignore[method-assign]


@pytest.fixture
def scheduled(owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    publishing.publish(owner, publishing.asked(WIDER, TERMS, Verdict.EDITORIAL, key=True))
    assert scheduling.waiting(owner) is not None
    monkeypatch.setattr(apply, "not_yet", lambda day: day > DAY)


LEFT = "SELECT count(*) FROM troth.ledger_entry WHERE action = 'policy-scheduled'"
PUBLISHED = "SELECT count(*) FROM troth.ledger_entry WHERE action = 'policy-published'"
SIGNED = "SELECT count(*) FROM troth.policy_signature"
EDITIONS = "SELECT max(edition) FROM troth.unit WHERE purpose = 'understand'"


def stands(owner: Connection[Any]) -> tuple[Any, ...]:
    """Say what stands: version, entries, signatures, the edition of what widened, left to wait, and whether something waits."""
    now = apply.newest(owner)
    assert now is not None
    counts = [(owner.execute(query.encode()).fetchone() or (0,))[0] for query in (PUBLISHED, SIGNED, EDITIONS, LEFT)]
    return (now.version, *counts, scheduling.waiting(owner) is not None)


def dying(database: Place, does: Publication, before: tuple[Any, ...], after: tuple[Any, ...]) -> None:
    """Kill it at one point after the other until it has happened: the old stands, or the new, whole."""
    step, killed = 1, 0
    while True:
        died = dies(database, does, step)
        with connect.owning(database) as looking:
            found = stands(looking)
            assert found in ((before, after) if died else (after,)), f"killed at {died}"
            assert drift(looking).lines() == []
        killed, step = killed + (died is not None), (died or 0) + 1
        if found == after:
            break
    assert killed > 5
    print(f"{REPLAY}: killed {killed} times, up to {step - 1}, every {STRIDE} statements from {OFFSET}")


@pytest.mark.usefixtures("scheduled")
def test_a_publication_killed_at_any_statement_is_the_old_or_the_new_and_never_a_mix(
    database: Place, owner: Connection[Any]
) -> None:
    before = stands(owner)
    assert before == (1, 0, 1, 1, 1, True)
    dying(database, scheduling.take_effect, before, (2, 1, 2, 2, 1, False))


def test_a_version_in_force_at_once_killed_at_any_point_is_the_old_or_the_new(
    database: Place, owner: Connection[Any]
) -> None:
    told = publishing.asked(AT_ONCE, TERMS, Verdict.EDITORIAL, key=True)
    before = stands(owner)
    assert before == (1, 0, 1, 1, 0, False)
    dying(database, lambda connection: publishing.publish(connection, told), before, (2, 1, 2, 2, 0, False))


def test_what_is_left_to_wait_killed_at_any_point_waits_whole_or_not_at_all_and_takes_effect(
    database: Place, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = publishing.asked(WIDER, TERMS, Verdict.EDITORIAL, key=True)
    before = stands(owner)
    dying(database, lambda connection: publishing.publish(connection, told), before, (1, 0, 1, 1, 1, True))
    monkeypatch.setattr(apply, "not_yet", lambda day: day > DAY)
    with connect.owning(database) as looking:
        scheduling.take_effect(looking)
        assert stands(looking) == (2, 1, 2, 2, 1, False)

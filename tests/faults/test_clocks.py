"""Clocks that go wrong (threat 23): one that differs from the database's is not believed, and one that was set back undoes nothing."""

import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import Person, count
from tests.serving import TROTH, free_port
from troth.consent.actions import choose
from troth.database import clocks, connect
from troth.database.errors import ClockRefusal

pytestmark = pytest.mark.xdist_group("faults")
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not here")
@pytest.mark.parametrize("off", ["+3h", "-3h"])
def test_a_service_whose_clock_is_hours_off_does_not_start_and_says_so(database: Any, off: str, tmp_path: Path) -> None:
    """Its minute would have ended before it began, or last three hours."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TROTH_")}
    environment |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME": off, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    environment |= {"DATABASE_URL": f"postgresql://troth_owner@localhost:{database.port}/troth?host={database.host}"}
    command = [str(TROTH), "serve", "--port", str(free_port()), "--data", str(tmp_path / "data")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    side = "ahead of" if off == "+3h" else "behind"
    assert f"s {side} the database's" in done.stdout + done.stderr
    assert "NTP" in done.stdout + done.stderr


@pytest.mark.parametrize("hours", [-3, 0, 3])
def test_the_two_clocks_are_compared(owner: Connection[Any], hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    off = timedelta(hours=hours)

    class Off(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + off

    monkeypatch.setattr(clocks, "datetime", Off)
    assert abs(clocks.ahead(owner) - off) < timedelta(seconds=1)
    if not hours:
        clocks.check(owner)
        return
    with pytest.raises(ClockRefusal, match=r"10800 s|10799 s"):
        clocks.check(owner)


def withdrawn_after_the_clock_was_set_back(owner: Connection[Any], alice: Person) -> int:
    """Consent, let that be three hours ahead, withdraw; return what the purpose still sees."""
    choose(token=alice.token, purpose="announce", kind="consent")
    assert count("announce", f"SELECT count(*) FROM person WHERE subject = '{alice.subject}'") == 1
    owner.execute("UPDATE troth.choice SET at = at + interval '3 hours'")
    choose(token=alice.token, purpose="announce", kind="withdrawal")
    return count("announce", f"SELECT count(*) FROM person WHERE subject = '{alice.subject}'")


def test_the_last_choice_counts_also_where_the_clock_was_set_back(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    assert withdrawn_after_the_clock_was_set_back(owner, cast["alice"]) == 0
    with connect.acting("self", token=cast["alice"].token) as mine:
        found = mine.execute("SELECT kind FROM troth.choice ORDER BY at").fetchall()
    assert found == [("consent",), ("withdrawal",)], "and everybody reads them in their order"


def test_without_the_order_a_withdrawal_would_count_for_nothing(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """The control taken away."""
    body = owner.execute("SELECT pg_get_functiondef('troth.next_moment'::regproc)").fetchone()
    assert body is not None
    owner.execute(body[0].replace("max(c.at) + interval '1 microsecond'", "max(NULL::timestamptz)").encode())
    assert withdrawn_after_the_clock_was_set_back(owner, cast["alice"]) == 1

"""Sends to many: behind every code, at a rate, over few connections; killed in the middle, they leave nobody out."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from typing import Any

import pytest
from psycopg import Connection

from tests.notices.mailing import ALICE, SENDER, Sink, due_now, left, post
from troth.database.place import Place
from troth.notices import delivery
from troth.notices.delivery import Pace, Route, deliver

BATCH = str(uuid.uuid4())
#: A process that delivers what is sent to many, as the server's thread does.
WORKER = """
import sys, threading
from troth.notices.delivery import Route, run
run(Route(sys.argv[1], sys.argv[2]), threading.Event(), many=True)
"""


def send_to(many: int) -> None:
    for number in range(many):
        post(f"person{number}@harbor.example", batch=BATCH)


def within(seconds: float, found: Any) -> None:
    until = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("dropping", [0, 1])
def test_a_code_leaves_while_a_send_to_many_is_on_its_way_slow_as_it_may_be(
    owner: Connection[Any], sink: Sink, dropping: int
) -> None:
    """Two lanes: a million in one of them do not hold up the other, nor does the one on its way just now."""
    send_to(30)
    sink.slowness, sink.dropping = 0.3, dropping
    stopped = threading.Event()
    worker = threading.Thread(
        target=deliver, args=(Route(sink.url, SENDER),), kwargs={"many": True, "stopped": stopped}
    )
    worker.start()
    try:
        within(20, lambda: sink.taken or (dropping and not sink.dropping))
        post(ALICE, "Your code")
        assert deliver(Route(sink.url, SENDER)) == 1
        assert left(owner) > 20
        assert [to for to, mail in sink.taken if mail["Subject"] == "Your code"] == [[ALICE]]
    finally:
        stopped.set()
        worker.join(20)


def test_neither_lane_takes_what_is_the_others(owner: Connection[Any], sink: Sink) -> None:
    send_to(2)
    post(ALICE)
    assert deliver(Route(sink.url, SENDER)) == 1
    assert sink.taken[0][0] == [ALICE]
    assert deliver(Route(sink.url, SENDER), many=True) == 2
    assert left(owner) == 0


def test_many_leave_over_few_connections(owner: Connection[Any], sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MOST_CARRIED", 5)
    send_to(12)
    assert deliver(Route(sink.url, SENDER), many=True) == 12
    assert sink.greeted == 3


def test_many_leave_at_most_so_many_a_second(owner: Connection[Any], sink: Sink) -> None:
    send_to(6)
    began = time.monotonic()
    assert deliver(Route(sink.url, SENDER), many=True, pace=Pace(10)) == 6
    assert time.monotonic() - began > 0.45


def test_a_pause_is_not_made_up_for_in_one_go() -> None:
    pace = Pace(1000, due=time.monotonic() - 3600)
    stopped = threading.Event()
    began = time.monotonic()
    for _ in range(20):
        assert pace.wait(stopped)
    assert time.monotonic() - began > 0.015


def test_whoever_is_told_to_stop_stops_before_the_next(owner: Connection[Any], sink: Sink) -> None:
    send_to(2)
    stopped = threading.Event()
    stopped.set()
    assert deliver(Route(sink.url, SENDER), many=True, stopped=stopped) == 0
    assert left(owner) == 2


def test_a_server_that_is_away_costs_one_try_and_not_everybodys(owner: Connection[Any]) -> None:
    send_to(5)
    assert deliver(Route("smtp://127.0.0.1:1", SENDER), many=True) == 0
    assert owner.execute("SELECT sum(tries) FROM troth.notice").fetchone() == (1,)


def test_a_refusal_of_one_or_a_connection_that_ends_costs_nobody_else_theirs(
    owner: Connection[Any], sink: Sink
) -> None:
    send_to(8)
    sink.unknown.add("person2@harbor.example")
    sink.dropping = 1
    for _ in range(3):
        deliver(Route(sink.url, SENDER), many=True)
        due_now(owner)
    assert left(owner) == 0
    assert Counter(to[0] for to, _ in sink.taken) == {f"person{n}@harbor.example": 1 for n in range(8) if n != 2}


def test_killed_again_and_again_it_leaves_nobody_out_and_repeats_at_most_the_one_on_its_way(
    database: Place, owner: Connection[Any], sink: Sink
) -> None:
    """kill -9 of the whole process: what comes twice is one a kill, and has the same Message-ID."""
    everybody, kills = 60, 3
    send_to(everybody)
    sink.slowness = 0.02
    for kill in range(kills + 1):
        worker = subprocess.Popen([sys.executable, "-c", WORKER, sink.url, SENDER], env=dict(os.environ))
        try:
            enough = everybody if kill == kills else 15 * (kill + 1)
            within(60, lambda: len({*sink.named}) >= enough)  # noqa: B023 - asked within the round
            if kill == kills:
                within(20, lambda: left(owner) == 0)
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait(10)
    assert {to[0] for to, _ in sink.taken} == {f"person{n}@harbor.example" for n in range(everybody)}
    twice = [many for many in Counter(sink.named).values() if many > 1]
    assert len({*sink.named}) == everybody, "one Message-ID each"
    assert sum(many - 1 for many in twice) <= kills

"""What looking through free text costs: events judged and reduced with the guard, against the same without it."""

import argparse
import gc
import json
import platform
import statistics
import time
import uuid
from collections.abc import Callable
from copy import copy
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import msgspec

from troth.database.catalog import load as load_catalog
from troth.intake import reading, sent, steps
from troth.intake.decisions import Decisions
from troth.intake.event import Event, now
from troth.intake.guard import Found
from troth.intake.kinds import KINDS
from troth.intake.sent import Known, Sender, Sent
from troth.policy import parse
from troth.policy.plan import plan

RESULTS = Path(__file__).parent / "results" / "guarding.json"
POLICY = Path(__file__).parents[1] / "policies" / "hosted-solutions.troth"
ROUNDS, EVENTS = 15, 2000
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
FRAMES = [{"function": f"save_{nth}", "file": f"src/notes/store_{nth}.py", "line": 10 + nth} for nth in range(20)]
SAID = {
    "crash": {"kind": "TypeError", "message": "cannot read property of undefined in save", "stack": FRAMES,
              "release": "1.4.2", "environment": "production"},
    "activity": {"event": "job.finished", "severity": "info", "message": "imported 312 rows in 4.2 s from a file"},
    "feature_use": {"feature": "export", "outcome": "done"},
}  # fmt: skip
SENDER, PERSON = Sender("notes", b"d", b"s"), "somebody"


def decided() -> tuple[Decisions, int]:
    """Return the default policy's decisions, and the bits of somebody who is in every purpose."""
    planned = plan(parse.read(POLICY.read_text(encoding="utf-8"), POLICY.name), load_catalog())
    bits = {unit.purpose: nth for nth, unit in enumerate(planned.units)}
    return Decisions.of(planned, bits), (1 << len(bits)) - 1


def applications(kind: str, decisions: Decisions, uses: int) -> Callable[[], None]:
    """Return what decodes, judges and reduces one event of an application."""
    known = Known("notes", list(KINDS), uuid.uuid4(), uses)
    raw = msgspec.json.encode({"key": "benchmark-0001", "kind": kind, "person": PERSON, "data": SAID[kind]})

    def one() -> None:
        event = reading.decode(raw, SENDER, timedelta())
        judged = sent.judge(event, known, decisions) if isinstance(event, Sent) else event
        if not isinstance(judged, Sent):
            raise TypeError(judged)
        sent.reduce(judged, decisions)

    return one


def accesses(decisions: Decisions, uses: int) -> Callable[[], None]:
    """Return what takes one access through the steps, its address and its agent seen before."""
    event = Event(now(), "GET", "/docs/page-12?tab=2", 200, None, "192.0.2.7", FIREFOX, subject=uuid.uuid4(), uses=uses)

    def one() -> None:
        if not isinstance(steps.through(copy(event), decisions), Event):
            raise TypeError(event)

    return one


def seconds(one: Callable[[], None]) -> float:
    """Return how long EVENTS take."""
    began = time.perf_counter()
    for _ in range(EVENTS):
        one()
    return time.perf_counter() - began


def compared(one: Callable[[], None]) -> dict[str, float]:
    """Return the median of the ratios of rounds in turn, and microseconds of an event with and without the guard."""
    found = []
    for _ in range(ROUNDS):
        guarded = seconds(one)
        with (
            patch.object(sent, "cleared", lambda text: Found(text, {})),
            patch.object(steps, "STEPS", steps.STEPS[:-1]),
        ):
            found.append((guarded, seconds(one)))
    middle = [statistics.median(each) / EVENTS * 1e6 for each in zip(*found, strict=True)]
    ratio = statistics.median(guarded / bare for guarded, bare in found)
    return {"ratio": round(ratio, 3), "guarded": round(middle[0], 2), "bare": round(middle[1], 2)}


def main() -> None:
    """Measure, print, and write down."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    gc.disable()
    decisions, uses = decided()
    what = {"access": accesses(decisions, uses)} | {kind: applications(kind, decisions, uses) for kind in SAID}
    found = {name: compared(one) for name, one in what.items()}
    for name, each in found.items():
        print(f"{name:12} {each['guarded']:8.2f} us with, {each['bare']:8.2f} us without: {each['ratio']:.2f}")
    told = {"python": platform.python_version(), "events": EVENTS, "rounds": ROUNDS, "measured": found}
    RESULTS.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

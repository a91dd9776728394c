"""A node in a process of its own: it takes what a line of its input says and writes what it answered; for tests."""

import asyncio
import json
import os
import sys
from typing import Any

from tests.intake.sending import post
from troth.api.app import Lean
from troth.intake import bridging, gate, sent


def _believing(event: Any, known: Any, *_decisions: Any) -> Any:
    """Judge as if everybody permitted everything: the control taken away."""
    event.subject, event.uses = known.subject, -1 & ~(1 << 63)
    return event


async def main(data: str, lease: str, believing: str) -> None:
    """Serve from a data folder until the input ends; `lease` is for how many seconds what the database said is believed."""
    os.environ["TROTH_DATA"] = data  # which tests name anew when they are loaded
    vars(bridging)["LEASE"] = vars(gate)["LEASE"] = float(lease)
    gate.PAUSE = 0.2
    lean = Lean()
    await lean.start()
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        told = json.loads(line)
        answer = await post(lean, told["event"], key=told["key"])
        print(json.dumps([answer.status, answer.body.get("outcome", "")]), flush=True)
        if believing:
            vars(sent)["judge"] = _believing
    await lean.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

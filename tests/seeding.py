"""The seed of what a run leaves to chance: one for all workers, drawn anew each time, printed, and given again to replay.

`TROTH_SEED=4711 pytest ...` replays the run that said so.
"""

import os
import time

#: Workers inherit it from whoever started them.
SEED = int(os.environ.setdefault("TROTH_DRAWN", os.environ.get("TROTH_SEED") or str(time.time_ns() % 100_000)))
REPLAY = f"TROTH_SEED={SEED} replays what this run left to chance"

"""A keeper who answers in the background what pages ask, as beside a running service."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from troth.database.keeper import Keeper
from troth.database.place import Place
from troth.people import fielding, registering


@contextmanager
def keeping(where: Place) -> Iterator[Keeper]:
    """Let it answer about applications and profile fields; nothing else of its rounds comes."""
    stopped, keeper = threading.Event(), fielding.taught(registering.taught(Keeper(where)))
    keeper.next_round = float("inf")

    def turn() -> None:
        while not stopped.wait(0.02):
            keeper.turn()

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield keeper
    finally:
        stopped.set()
        thread.join()

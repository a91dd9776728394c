"""A server of the proof's own: purposes come and go, which the prepared copies of other tests would hold on to."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import POLICY, QUICK, forget
from tests.proof.posing import TERMS, Stage
from tests.serving import roomy
from troth.database import connect, embedded, place
from troth.database.keeper import Keeper


@pytest.fixture(scope="session")
def proving() -> Iterator[place.Place]:
    """A server with tables and roles, and nobody in it."""
    before = os.environ["TROTH_DATA"]
    with tempfile.TemporaryDirectory(prefix="troth-", dir=roomy()) as folder:
        os.environ["TROTH_DATA"] = folder
        place.prepare(Path(folder))
        where = embedded.located(Path(folder))
        server = embedded.Server(where, settings=QUICK)
        server.start()
        where.write()
        Keeper(where).prepare(POLICY.read_text(encoding="utf-8"), TERMS)
        os.environ["TROTH_DATA"] = before
        yield where
        server.stop()


@pytest.fixture
def stage(proving: place.Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Where a case is played."""
    forget()
    monkeypatch.setenv("TROTH_DATA", str(proving.data))
    with connect.owning(proving) as owner:
        stage = Stage(owner)
        yield stage
        stage.close()
    forget()

"""A plugin that takes one control away from every fresh database: `TROTH_MUTANT=... pytest -p tests.mutations.breaking`."""

import os
from collections.abc import Generator
from typing import Any

import pytest

from tests.mutations.mutants import mutants
from tests.mutations.world import imagined
from troth.database import connect


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
    """Apply the mutant to the database that a test is given."""
    made = yield
    if fixturedef.argname == "database":
        wanted = os.environ["TROTH_MUTANT"]
        (mutant,) = [each for each in mutants(imagined()) if each.name == wanted]
        with connect.owning() as owner:
            for statement in mutant.change:
                owner.execute(statement.encode())
    return made

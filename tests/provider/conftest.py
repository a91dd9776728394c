"""An application, people who sign in to it, and what it sends: all on real tables, with the pages asked without a window."""

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import browser, settings
from tests.provider.asking import MANIFEST, Notes
from troth.database import place
from troth.people import keys, registering

__all__ = ["browser", "settings"]


@pytest.fixture
def register(owner: Connection[Any], database: place.Place, browser: Any) -> Callable[..., Notes]:
    """Register a manifest as the keeper does; the keys that sign are there too."""
    keys.keep(owner, database)

    def make(manifest: str = MANIFEST) -> Notes:
        answer = registering.register(owner, {"manifest": manifest})
        return Notes(answer["application"], answer["secret"])

    return make


@pytest.fixture
def notes(register: Callable[..., Notes]) -> Notes:
    """Harbor Notes, which asks for name and address."""
    return register()

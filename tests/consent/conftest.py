"""The pages, asked without a window, and a keeper who publishes."""

from typing import Any

import pytest

from tests.browsing import browser, settings
from troth.consent import publishing
from troth.database.keeper import Keeper
from troth.database.place import Place

__all__ = ["browser", "settings"]


@pytest.fixture
def django(database: Any) -> None:
    import django

    django.setup()


@pytest.fixture
def keeper(database: Place) -> Keeper:
    keeper = publishing.taught(Keeper(database))
    keeper.next_round = float("inf")
    return keeper

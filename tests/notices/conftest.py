"""The pages, asked without a window, and a mail server."""

from collections.abc import Iterator

import pytest

from tests.browsing import browser, settings
from tests.notices.mailing import Sink, listening

__all__ = ["browser", "settings"]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as running:
        yield running

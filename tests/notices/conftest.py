"""The pages, asked without a window."""

from tests.browsing import browser, settings

__all__ = ["browser", "settings"]

"""The pages, asked without a window."""

from tests.browsing import browser

__all__ = ["browser"]

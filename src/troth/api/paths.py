"""Every way that the lean plane is asked: method and path, or the pattern of one; a table asks each as everybody."""

from scim2_server.routing import ROUTES

from troth.api import intake, ledger, watching
from troth.api.app import Lean
from troth.api.scim.mount import BASE
from troth.api.speaking import SPOKEN
from troth.ledger import tiles


def ways() -> frozenset[tuple[str, str]]:
    """Return them all."""
    below = (*ledger.NAMES, ledger.NUMBERED.pattern, tiles.PATH.pattern)
    return frozenset(
        {
            *((method, path) for path, methods in Lean().routes.items() for method in methods),
            *((method, path) for path, method in intake.ROUTES.items()),
            *(("POST", clients.path.pattern) for clients in SPOKEN),
            *(("GET", ledger.ROOT + name) for name in below),
            *((route.method, BASE + route.pattern) for route in ROUTES),
            ("GET", watching.PATH),
        }
    )

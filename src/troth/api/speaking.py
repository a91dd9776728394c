"""Which protocols are spoken here, besides our own."""

from troth.api.envelopes import Envelopes
from troth.api.logs import Logs
from troth.api.protocols import Clients
from troth.api.reports import Reports
from troth.api.telemetry import Telemetry
from troth.api.tracks import Tracks

SPOKEN: tuple[Clients, ...] = (Envelopes(), Logs(), Tracks(), Reports(), Telemetry())


def speaking(path: str) -> Clients | None:
    """Return who sends to a path by a protocol of their own; None where nobody does."""
    return next((clients for clients in SPOKEN if clients.path.fullmatch(path)), None)

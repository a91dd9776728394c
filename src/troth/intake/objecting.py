"""Whether a browser objects: the signal of Global Privacy Control, `Sec-GPC: 1`, sent once or several times."""

from collections.abc import Iterable

HEADER = b"sec-gpc"


def objects(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a request's headers, by lower-case names, say so."""
    told = [value.decode("latin-1") for name, value in headers if name == HEADER]
    return bool(told) and signalled(told)


def signalled(values: Iterable[str]) -> bool:
    """Return whether any of the header's values is `1`: each on its own, or joined by commas (RFC 9110, 5.3)."""
    return any(each.strip(" \t") == "1" for value in values for each in value.split(","))

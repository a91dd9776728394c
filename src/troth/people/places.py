"""About where a network is, out of the operator's own database (P12): looked up as a page is shown, stored nowhere."""

import ipaddress
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import maxminddb

from troth.people.errors import NoAtlas

LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Atlas:
    """A file in the MaxMind DB format (version 2.0), nested as theirs or flat; read anew once it changed."""

    file: Path
    _reader: maxminddb.Reader | None = None
    _seen: tuple[int, int] = (0, 0)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def place(self, network: str, language: str) -> str:
        """Return the city, where it is known, and the country of a network's first address; empty where none is.

        Raises NoAtlas when there is no such database any more.
        """
        found = self._open().get(str(ipaddress.ip_network(network, strict=False).network_address))
        if not isinstance(found, dict):
            return ""
        city = _said(found.get("city"), language) or _said(found.get("city_name"), language)
        country = (
            _said(found.get("country"), language)
            or _said(found.get("country_name"), language)
            or _said(found.get("country_code"), language)
        )
        return ", ".join(filter(None, (city, country)))

    def _open(self) -> maxminddb.Reader:
        try:
            about = self.file.stat()
            seen = (about.st_mtime_ns, about.st_ino)
            with self._turn:
                if self._reader is None or seen != self._seen:
                    self._reader, self._seen = maxminddb.open_database(self.file), seen
                return self._reader
        except (OSError, maxminddb.InvalidDatabaseError) as problem:
            raise NoAtlas(
                f"`{self.file}` is no database of places",
                advice="name a readable file in the MaxMind DB format (.mmdb), or none",
            ) from problem


def about(network: str | None, language: str, *, file: str) -> str:
    """Return about where a network is; empty where it is not known, no file was named, or it is gone meanwhile."""
    try:
        return atlas(file).place(network, language) if network and file else ""
    except NoAtlas as gone:
        LOG.warning("%s; %s", gone.sentence, gone.advice)
        return ""


@cache
def atlas(file: str) -> Atlas:
    """Return the one reader of a file."""
    return Atlas(Path(file))


def _said(what: object, language: str) -> str:
    """Return what a name by language says, or, in flatter schemas, the words themselves."""
    if isinstance(what, str):
        return what
    if not isinstance(what, Mapping):
        return ""
    names = what.get("names", what)
    if isinstance(names, Mapping):
        return str(names.get(language) or names.get("en") or what.get("iso_code") or "")
    return ""

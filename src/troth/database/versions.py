"""Which PostgreSQL is good enough: 18 or newer, and no minor version with a known flaw in roles or row security."""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from troth.database.errors import VersionRefusal

MAJOR = 18
#: The first minor version of each major that has every fix below.
SAFE = {18: 6}
#: Flaws of role and row security (or of what stands on them) that older versions have.
FLAWS = ("CVE-2023-2455", "CVE-2024-10976", "CVE-2024-10978", "CVE-2025-8713", "CVE-2026-120146")


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """A server's version, as `server_version_num` counts: 180006 is 18.6."""

    number: int

    @property
    def words(self) -> str:
        """The version as people write it."""
        return f"{self.number // 10000}.{self.number % 10000}"


def check(version: ServerVersion) -> None:
    """Raise VersionRefusal for a server that is too old or has a known flaw."""
    major, minor = divmod(version.number, 10000)
    if major < MAJOR:
        raise VersionRefusal(
            f"PostgreSQL {version.words} is too old", advice=f"troth needs PostgreSQL {MAJOR} or newer"
        )
    if minor < SAFE.get(major, 0):
        sentence = f"PostgreSQL {version.words} has known flaws in roles and row security ({', '.join(FLAWS)})"
        raise VersionRefusal(sentence, advice=f"update it to {major}.{SAFE[major]} or newer")


def of(connection: Connection[Any]) -> ServerVersion:
    """Return the connected server's version."""
    return ServerVersion(connection.info.server_version)

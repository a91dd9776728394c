"""What the database room refuses or cannot do: a stable code, the place, a plain sentence, what to do next."""

from typing import ClassVar


class DatabaseRefusal(Exception):
    """The family. Shown as: sentence, then what to do next."""

    code: ClassVar[str] = "database"

    def __init__(self, sentence: str, *, advice: str = "", place: str = "") -> None:
        """Keep what happened, what to do next, and where."""
        super().__init__(sentence)
        self.sentence = sentence
        self.advice = advice
        self.place = place

    def __str__(self) -> str:
        """Return the refusal as one paragraph."""
        where = f" ({self.place})" if self.place else ""
        return f"{self.sentence}{where}" + (f"; {self.advice}" if self.advice else "")


class FolderRefusal(DatabaseRefusal):
    """The data folder cannot be used: not writable, somebody else's, in use, or full."""

    code = "data-folder"


class FolderInUse(FolderRefusal):
    """Another keeper holds the data folder's lock."""

    code = "data-folder-in-use"


class ServerRefusal(DatabaseRefusal):
    """PostgreSQL does not start, does not answer, or does not stop."""

    code = "server"


class VersionRefusal(DatabaseRefusal):
    """PostgreSQL is too old, or has a known flaw in role or row security."""

    code = "server-version"


class ClockRefusal(DatabaseRefusal):
    """The clock of this machine and the database's are too far apart."""

    code = "clocks-apart"


class AddressRefusal(DatabaseRefusal):
    """`DATABASE_URL` cannot be used as it stands."""

    code = "database-url"


class RequestRefusal(DatabaseRefusal):
    """The keeper refused a request, or did not answer in time."""

    code = "keeper-request"


class BackupRefusal(DatabaseRefusal):
    """A backup cannot be written, or what is given is not a whole backup."""

    code = "backup"


class CatalogRefusal(DatabaseRefusal):
    """A `governed.toml` says something that no table can be."""

    code = "catalog"


class StatementsRefusal(DatabaseRefusal):
    """A `.sql` file of named statements is malformed."""

    code = "statements"

"""Where sessions are kept: under a digest of their key, so that whoever reads the table can go on with none."""

from hashlib import sha256
from typing import Any

from django.contrib.sessions.backends import db


def kept_under(key: str) -> str:
    """Return the name of a session's row: the first 160 bits of its key's SHA-256, 40 signs as the column has."""
    return sha256(key.encode()).hexdigest()[:40]


# Its name is part of the salt with which a session's content is signed.
class SessionStore(db.SessionStore):
    """Django's sessions in the database, of which the browser alone has the key."""

    def _get_session_from_db(self) -> Any:  # noqa: ANN401 - the library's
        if self.session_key is None:
            return None
        key, self._session_key = self.session_key, kept_under(self.session_key)
        found = super()._get_session_from_db()  # type: ignore[misc] # the stubs do not know it
        self._session_key = key if found else None
        return found

    def exists(self, session_key: str) -> bool:
        """Return whether there is a session of a key."""
        return super().exists(kept_under(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> Any:  # noqa: ANN401 - the library's
        """Return the row of this session as it is to be kept."""
        row = super().create_model_instance(data)
        row.session_key = kept_under(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        """Remove a session of a key, or this one."""
        key = session_key or self.session_key
        if key is not None:
            super().delete(kept_under(key))

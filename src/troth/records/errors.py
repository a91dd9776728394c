"""What the records room refuses: a stable code, a plain sentence, what to do next."""

from typing import ClassVar


class RecordsRefusal(Exception):
    """The family. `clause` is what of the policy refuses it, where one does."""

    code: ClassVar[str] = "records"

    def __init__(self, sentence: str, *, advice: str = "", clause: str = "") -> None:
        """Keep what happened, what to do next, and by which clause."""
        super().__init__(sentence)
        self.sentence, self.advice, self.clause = sentence, advice, clause


class NotSignedIn(RecordsRefusal):
    """The viewer's token opens nothing."""

    code = "sign-in-needed"


class NoSuchPost(RecordsRefusal):
    """There is no such post of the viewer's."""

    code = "post-unknown"


class NotThisAudience(RecordsRefusal):
    """The policy lets nobody post this to them, or the viewer is not in that organization."""

    code = "audience-refused"


class AudienceChanged(RecordsRefusal):
    """Others would read it than the viewer was told of."""

    code = "audience-changed"


class EnoughForToday(RecordsRefusal):
    """Somebody posted more than anybody does in a day."""

    code = "enough-for-today"


class TextRefusal(RecordsRefusal):
    """What was written cannot be a post: empty, too long, or with signs that nobody sees."""

    code = "text-refused"


class FileRefusal(RecordsRefusal):
    """A file is too large, empty, one too many, or nothing that is kept here."""

    code = "file-refused"

"""The organization's cast, and posting as one of them."""

import uuid
from collections.abc import Sequence

from tests.conftest import Person
from tests.organizations.conftest import Harbor, browser, harbor, settings
from troth.database import published
from troth.policy.meaning import Audience
from troth.records import actions, queries
from troth.records.files import File
from troth.records.queries import Feed, Readers

__all__ = ["Harbor", "browser", "harbor", "settings"]
PUBLIC, SIGNED_IN, CHOSEN = Readers(Audience.PUBLIC), Readers(Audience.SIGNED_IN), Readers(Audience.CHOSEN)
PICTURE = File("boat.png", "image/png", b"\x89PNG\r\n\x1a\n" + b"of a boat")


def members(author: Person) -> Readers:
    """Return the members of the one organization that somebody is in, as they are told of them."""
    (found,) = [each for each in queries.offered(author.token) if each.audience is Audience.MEMBERS]
    return found


def write(author: Person, text: str, readers: Readers, *, files: Sequence[File] = ()) -> uuid.UUID:
    """Post as somebody who was told right."""
    return actions.write(
        token=author.token, text=text, readers=readers, version=published.current().version, files=files
    )


def read(reader: Person | None, *feeds: Feed) -> list[str]:
    """Return what somebody reads in some feeds, or in all that are others', sorted; nobody is a visitor."""
    token = reader.token if reader else None
    others = feeds or [each for each in queries.feeds(known=reader is not None) if each is not Feed.MINE]
    return sorted(post.text or "" for feed in others for post in queries.posts(token, feed))

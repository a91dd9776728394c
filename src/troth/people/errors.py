"""What the people room refuses: a stable code, a plain sentence, what to do next."""

from enum import StrEnum
from typing import ClassVar


class PeopleRefusal(Exception):
    """The family."""

    code: ClassVar[str] = "people"

    def __init__(self, sentence: str, *, advice: str = "") -> None:
        """Keep what happened and what to do next."""
        super().__init__(sentence)
        self.sentence, self.advice = sentence, advice


class NameRefusal(PeopleRefusal):
    """A name that cannot be kept."""

    code = "name"


class NoAtlas(PeopleRefusal):
    """A file that is no database of places."""

    code = "atlas"


class Unfit(StrEnum):
    """Why a profile field does not take a value."""

    LONG = "long"
    LARGE = "large"
    CONTROL = "control"
    WEB = "web"
    PHONE = "phone"
    OTHER = "other"
    NOBODY = "nobody"
    EMPTY = "empty"


class FieldRefusal(PeopleRefusal):
    """A value that a profile field cannot hold, or that the policy lets nobody write: `why`, with its numbers."""

    code = "field"

    def __init__(self, why: Unfit, sentence: str, *, advice: str = "", **told: int) -> None:
        """Keep the reason with its numbers."""
        super().__init__(sentence, advice=advice)
        self.why, self.told = why, told


class NobodyThere(PeopleRefusal):
    """The viewer's token no longer opens anything."""

    code = "sign-in-needed"


class OrganizationRefusal(PeopleRefusal):
    """What cannot be done in an organization."""

    code = "organization"


class NoSuchOrganization(OrganizationRefusal):
    """An organization, a member or an invitation that is not there, or not for whoever asks."""

    code = "no-such-organization"


class NotAllowed(OrganizationRefusal):
    """What the viewer's role does not let them do."""

    code = "role-does-not-allow"


class OwnerNeeded(OrganizationRefusal):
    """The last owner of an organization cannot go."""

    code = "owner-needed"


class CorrectionRefusal(PeopleRefusal):
    """A request for a correction that cannot be made or answered, or a field that nobody holds."""

    code = "correction"


class LinkRefusal(PeopleRefusal):
    """Accounts that cannot be linked, or are not."""

    code = "link"


class DeviceRefusal(PeopleRefusal):
    """A session or a device that is not there."""

    code = "device"


class ManifestRefusal(PeopleRefusal):
    """An application's manifest that is wrong, or that the policy does not cover."""

    code = "manifest"


class NothingThere(PeopleRefusal):
    """What one's roles do not open, which is told from what does not exist by nobody."""

    code = "not-found"


class Unsecured(PeopleRefusal):
    """Whoever is on the staff showed no second factor in this session."""

    code = "second-factor-needed"


class NotOnStaff(PeopleRefusal):
    """Somebody without that role, or a role that does not exist."""

    code = "staff-unknown"


class LastOwner(PeopleRefusal):
    """The only owner left cannot be taken away."""

    code = "last-owner"


class DirectoryClosed(PeopleRefusal):
    """A directory's token that opens nothing: unknown, ended, or past its end."""

    code = "directory-closed"


class DirectoryTaken(PeopleRefusal):
    """A user name that another entry of the directory has, or an entry where the person has one already."""

    code = "directory-taken"


class DirectoryUnknown(PeopleRefusal):
    """An entry, a group, an offer or a token that is not there, or not theirs to know of."""

    code = "directory-unknown"


class DirectoryChanged(PeopleRefusal):
    """An entry or a group that has changed since it was read."""

    code = "directory-changed"


class DirectoryOwner(PeopleRefusal):
    """A directory that would remove the owner of its organization."""

    code = "directory-owner"


class DirectoryMember(PeopleRefusal):
    """A member of a group who is no entry of its directory."""

    code = "directory-member"


class DirectoryUnfit(PeopleRefusal):
    """A value that is none of its field's, or a field that the organization does not hold."""

    code = "directory-unfit"


class DirectoryFull(PeopleRefusal):
    """More tokens or domains than an organization may have."""

    code = "directory-full"


class DomainRefusal(PeopleRefusal):
    """What cannot be an organization's domain."""

    code = "domain"

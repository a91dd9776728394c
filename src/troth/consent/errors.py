"""What the consent room refuses: a stable code, a plain sentence, what to do next."""

from typing import ClassVar


class ConsentRefusal(Exception):
    """The family."""

    code: ClassVar[str] = "consent"

    def __init__(self, sentence: str, *, advice: str = "") -> None:
        """Keep what happened and what to do next."""
        super().__init__(sentence)
        self.sentence, self.advice = sentence, advice


class OutdatedAgreement(ConsentRefusal):
    """The version shown is no longer the one in force."""

    code = "agreement-outdated"


class NoSuchRecord(ConsentRefusal):
    """The viewer gave no such agreement and made no such choice, or the policy shows it to nobody."""

    code = "record-unknown"


class NotAReceipt(ConsentRefusal):
    """A file is no receipt, or what it says does not hold together."""

    code = "receipt-unsound"


class NotSignedIn(ConsentRefusal):
    """The viewer's token opens nothing."""

    code = "sign-in-needed"


class NoSuchIdentifier(ConsentRefusal):
    """The browser is known by no identifier, the viewer tied no such one, or the policy lets nobody tie any."""

    code = "identifier-unknown"


class NoSuchPurpose(ConsentRefusal):
    """The policy has no such purpose."""

    code = "purpose-unknown"


class NoSuchChoice(ConsentRefusal):
    """The purpose's basis knows no such choice."""

    code = "choice-unknown"


class OutdatedChoice(ConsentRefusal):
    """Another choice was made since the viewer saw how it stood."""

    code = "choice-outdated"


class NoSuchApplication(ConsentRefusal):
    """No application of that name is registered, or the viewer permitted it nothing."""

    code = "application-unknown"


class NotAskedFor(ConsentRefusal):
    """More was permitted than the application asks for."""

    code = "claim-unknown"


class OverAlready(ConsentRefusal):
    """A permission was to last until a moment that is over."""

    code = "over-already"


class Unsecured(ConsentRefusal):
    """Whoever is on the staff showed no second factor in this session."""

    code = "second-factor-needed"


class NothingToPublish(ConsentRefusal):
    """Only publishers and owners see that there is something."""

    code = "not-found"


class SamePerson(ConsentRefusal):
    """Whoever proposes something does not approve it."""

    code = "same-person"


class ProposalClosed(ConsentRefusal):
    """A proposal that was published, refused or withdrawn meanwhile."""

    code = "proposal-closed"


class NothingToSee(ConsentRefusal):
    """Nothing is asked, or open, any more; or it is none of one's own."""

    code = "not-open"


class TooManyQuestions(ConsentRefusal):
    """Somebody of support asked more in a day than anybody needs to."""

    code = "too-many-questions"


class NotAnAnnouncement(ConsentRefusal):
    """It says nothing, too much, or in no language of the service; or no clause lets anybody be told of news."""

    code = "announcement-unfit"


class NotForChosenPeople(ConsentRefusal):
    """The policy shows nothing of that to chosen people, or the window is none."""

    code = "permission-not-in-policy"


class EnoughForToday(ConsentRefusal):
    """Nobody offers more than twenty permissions a day."""

    code = "permission-limit"


class NoSuchPermission(ConsentRefusal):
    """There is no such permission or offer, it is over, or it is somebody else's."""

    code = "permission-unknown"


class WiderThanBefore(ConsentRefusal):
    """A permission that stands can be narrowed; more needs an offer of its own, which the other side answers."""

    code = "permission-wider"


class NotTheOperator(ConsentRefusal):
    """Only the operator proposes permissions."""

    code = "permission-not-operator"


class NotTheirOrganization(ConsentRefusal):
    """Only who administers an organization proposes permissions to its members."""

    code = "permission-not-administrator"


class NotPermissible(ConsentRefusal):
    """The policy permits nobody that, whatever is agreed."""

    code = "permission-not-permissible"


class NotAsProposed(ConsentRefusal):
    """The proposal is another's, answered, old, in other words, or from before the policy in force."""

    code = "permission-not-as-proposed"

"""Human words for what the machinery names by identifiers; what has no word of its own is said as it is."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = Mapping[str, str | Promise]

PURPOSES: Words = {
    "provide": _("Provide"),
    "protect": _("Protect"),
    "understand": _("Understand"),
    "personalise": _("Personalise"),
    "announce": _("Announce"),
}
ACTIONS: Words = {
    "signed-up": _("You signed up"),
    "agreed": _("You agreed to the policy and the terms"),
    "name-corrected": _("You corrected your name"),
    "field-corrected": _("You corrected your profile"),
    "held-field-changed": _("Something that an organization holds about you was changed"),
    "field-deleted": _("You deleted something from your profile"),
    "correction-asked": _("You asked an organization for a correction"),
    "correction-made": _("An organization corrected what it holds, as its member asked"),
    "correction-declined": _("An organization declined a correction that its member asked for"),
    "correction-withdrawn": _("You asked for a correction no longer"),
    "profile-fields-declared": _("The operator declared profile fields"),
    "address-changed": _("You use another address"),
    "second-factor-changed": _("Your passkeys, app or recovery codes changed"),
    "browser-remembered": _("You had a browser remembered"),
    "browsers-forgotten": _("You had your browsers forgotten"),
    "browser-token-replayed": _("The token of a remembered browser came twice; you were signed out everywhere"),
    "consent": _("You said yes to a purpose"),
    "refusal": _("You said no to a purpose"),
    "question-opened": _("The operator began to ask about a purpose"),
    "question-closed": _("The operator no longer asks about a purpose"),
    "withdrawal": _("You took a yes back"),
    "objection": _("You objected to a purpose"),
    "permission": _("You allowed a purpose again"),
    "account-closed": _("Your account was closed"),
    "exported": _("The operator wrote down everything that is held about you"),
    "erasure-previewed": _("The operator looked at what erasing you would take"),
    "erased-by-operator": _("The operator erased what nothing keeps"),
    "signed-out-by-operator": _("The operator signed you out everywhere"),
    "declined": _("Somebody declined"),
    "link-offered": _("You made a code for linking accounts"),
    "accounts-linked": _("Two accounts were linked"),
    "accounts-unlinked": _("A link between accounts was ended"),
    "session-ended": _("You signed a session out"),
    "other-sessions-ended": _("You signed out everywhere else"),
    "device-named": _("You named a device"),
    "device-forgotten": _("You had a device forgotten"),
    "application-permitted": _("You let an application know you"),
    "application-ended": _("You ended what an application may see"),
    "permission-offered": _("You offered to let somebody see something"),
    "permission-accepted": _("What somebody offered to show was accepted"),
    "permission-declined": _("What somebody offered to show was declined"),
    "permission-changed": _("You changed what you let somebody see"),
    "permission-ended": _("A permission was ended"),
    "permission-used": _("Somebody looked at what they were let see"),
    "permission-proposed": _("The operator asked for a permission"),
    "permission-agreed": _("You agreed to a permission"),
    "permission-refused": _("You declined a permission"),
    "token-brought-twice": _("A stolen or lost token was brought twice, and all that belonged to it ended"),
    "organization-founded": _("You made an organization"),
    "organization-changed": _("You changed what an organization is called, or who may ask to join"),
    "organization-joined": _("You joined an organization"),
    "organization-left": _("You left an organization"),
    "organization-deleted": _("You deleted an organization"),
    "organization-handed-over": _("An organization was handed over"),
    "role-set": _("You made or changed a role of an organization"),
    "role-removed": _("You removed a role of an organization"),
    "role-given": _("A member of an organization was given another role"),
    "member-removed": _("A member was removed from an organization"),
    "invited": _("You invited somebody to an organization"),
    "invitation-withdrawn": _("You took an invitation back"),
    "asked-to-join": _("You asked to join an organization"),
    "request-withdrawn": _("You asked to join no longer"),
    "admitted": _("Somebody who asked was admitted to an organization"),
    "request-refused": _("Somebody who asked was not admitted to an organization"),
    "directory-opened": _("You let an organization's directory in"),
    "directory-ended": _("You ended the access of an organization's directory"),
    "directory-supplied": _("An organization's directory wrote down something about you"),
    "directory-changed": _("An organization's directory changed what it supplied about you"),
    "directory-suspended": _("An organization's directory wants you to be a member no longer"),
    "directory-removed": _("An organization's directory removed what it supplied about you"),
    "directory-joined": _("You joined the organization whose directory named you"),
    "directory-declined": _("You declined to join the organization whose directory named you"),
    "directory-group-added": _("An organization's directory made a group"),
    "directory-group-changed": _("An organization's directory changed a group"),
    "directory-group-removed": _("An organization's directory removed a group"),
    "domain-claimed": _("You said that a domain is your organization's"),
    "domain-dropped": _("You gave a domain of your organization up"),
    "domain-held": _("A domain was shown to be an organization's"),
    "domain-lost": _("A domain was no longer shown to be an organization's"),
    "simulated": _("The operator looked at what a version would change for you"),
    "staff-joined": _("You joined the operator's staff"),
    "staff-invited": _("You invited somebody to the staff"),
    "staff-uninvited": _("You took an invitation to the staff back"),
    "staff-role-given": _("A role on the operator's staff was given"),
    "staff-role-ended": _("A role on the operator's staff was ended"),
    "policy-proposed": _("You proposed a version of the policy"),
    "policy-approved": _("You approved a version of the policy"),
    "agreed-ahead": _("You agreed to a version before its day"),
    "unagreed-ahead": _("You took your agreement to the next version back"),
    "proposal-withdrawn": _("A proposed version was withdrawn"),
    "announced": _("Something was announced"),
    "announcement-stopped": _("An announcement was stopped on its way"),
    "policy-published": _("A version of the policy was published"),
    "policy-scheduled": _("A version of the policy was published for a later day"),
    "version-withdrawn": _("A version that waited for its day was withdrawn"),
    "version-refused": _("A version that waited for its day could not take effect"),
    "access-asked": _("Support asked to see some of your data"),
    "access-allowed": _("You let support see some of your data"),
    "access-declined": _("You let support see nothing"),
    "access-read": _("Support looked at your data"),
    "members-read": _("Somebody who administers an organization looked at its members"),
    "access-left": _("Support is done, and sees nothing more"),
    "access-ended": _("You ended what support may see"),
    "erased": _("What was due was erased"),
    "retained": _("What had outlasted its time was removed"),
}
KINDS: Words = {
    "consent": _("You said yes"),
    "refusal": _("You said no"),
    "withdrawal": _("You took your yes back"),
    "objection": _("You objected"),
    "permission": _("You allowed it again"),
}
DEVICES: Words = {
    "computer": _("computer"),
    "phone": _("phone"),
    "tablet": _("tablet"),
    "robot": _("robot"),
    "unknown": _("device of an unknown kind"),
}
TABLES: Words = {
    "person": _("Your name and address"),
    "profile": _("Your profile"),
    "device": _("Your devices"),
    "access": _("Your accesses"),
    "crash": _("Your crashes"),
    "activity": _("What programs did while you used them"),
    "feature_use": _("The features you used"),
    "refused_event": _("How much about you was refused"),
    "agreement": _("Your agreements"),
    "choice": _("Your choices"),
    "application_grant": _("Your applications"),
    "membership": _("Your organizations"),
    "join_request": _("What you asked of organizations"),
    "correction": _("Corrections that you asked of organizations"),
    "session": _("Where you are signed in"),
    "earlier_name": _("Your earlier names"),
    "person_grant": _("What you let people see"),
    "person_grant_use": _("Looks at what you let people see"),
    "agreed_permission": _("What you agreed with the operator"),
    "organization_look": _("Looks in the name of an organization"),
    "notice_outcome": _("Which mails were sent to you"),
}
#: role on the operator's staff -> what it is called, what it may do
STAFF_ROLES: Mapping[str, tuple[str | Promise, str | Promise]] = {
    "owner": (_("Owner"), _("says who is on the staff, publishes, and registers applications")),
    "support": (_("Support"), _("asks people for access to their data, and sees what they allow, while they allow it")),
    "publisher": (_("Publisher"), _("proposes and approves new versions of the policy")),
    "analyst": (
        _("Analyst"),
        _("queries through a login bound to one purpose, which never shows who somebody is"),
    ),
    "auditor": (_("Auditor"), _("reads the ledger, what the probes find, and counts; never a person")),
}
ROLES: Words = {role: words[0] for role, words in STAFF_ROLES.items()}
AREAS: Words = {
    "profile": _("Profile"),
    "access": _("Accesses"),
    "device": _("Devices"),
    "agreements": _("Agreements and choices"),
}
ACCESSES: Words = {
    "asked": _("asked"),
    "lapsed": _("not answered in time"),
    "declined": _("declined"),
    "open": _("allowed"),
    "ended": _("ended"),
}
CORRECTIONS: Words = {
    "asked": _("Waits for an answer"),
    "corrected": _("Corrected"),
    "declined": _("Declined"),
    "withdrawn": _("Withdrawn"),
}
MEMBERS: Words = {"owner": _("Owner"), "administrator": _("Administrator"), "member": _("Member")}
LOOKS: Words = {
    "list": _("the list of members"),
    "search": _("a search by name among the members"),
    "member": _("at you alone"),
    "requests": _("those who ask to be let in"),
    "corrections": _("the corrections that members ask for"),
}
#: What a mail was about, by its template.
MAILS: Words = {
    "mail": _("A code, or a message about your account"),
    "version": _("A new version of the policy"),
    "announcement": _("An announcement"),
    "correction-asked": _("Somebody asks for a correction"),
    "correction-answered": _("An answer about a correction"),
}
DELIVERIES: Words = {
    "queued": _("Waits to be sent"),
    "sent": _("Sent"),
    "deferred": _("Not taken yet; it is tried again"),
    "failed": _("Not taken by the mail server"),
    "bounced": _("Came back"),
}
OUTCOMES: Words = {"refused": _("Refused"), "dropped": _("Dropped")}
REASONS: Words = {
    "killed": _("lost when the service was killed"),
    "queue-full": _("more came at once than could be noted"),
    "not-collected": _("the policy does not collect it"),
    "person-declined": _("its person is in no purpose that may use it"),
    "browser-objects": _("its person's browser objects to what may use it"),
    "older-than-every-window": _("older than any purpose may use it"),
    "in-the-future": _("dated in the future"),
    "malformed-line": _("a line of a log that cannot be read"),
    "malformed": _("not what its kind may say"),
    "unknown-kind": _("of a kind that is not known"),
    "too-long": _("longer than such a record may be"),
    "not-linked": _("it says who somebody is, or that two names are one person's"),
    "not-declared": _("of a kind that the application did not declare"),
    "names-nobody": _("it says of nobody who it is about"),
    "unknown-person": _("its person does not use the application"),
    "key-ended": _("sent with a key that has ended"),
    "refused-by-the-database": _("the database refused it"),
    "conflict": _("another stood under its key when the database was back"),
    "spool-torn": _("a file of what was kept while the database was away was torn, and its end is set aside"),
    "spool-expired": _("kept while the database was away until its time was over"),
}
EVENTS: Words = {
    "crash": _("crashes"),
    "activity": _("what programs did"),
    "feature_use": _("uses of features"),
}
SEVERITIES: Words = {
    "trace": _("of the finest detail"),
    "debug": _("for finding faults"),
    "info": _("for information"),
    "warn": _("a warning"),
    "error": _("an error"),
    "fatal": _("the end of the program"),
}
FAMILIES: Mapping[str, Words] = {
    "purpose": PURPOSES,
    "action": ACTIONS,
    "kind": KINDS,
    "device": DEVICES,
    "table": TABLES,
    "outcome": OUTCOMES,
    "role": ROLES,
    "area": AREAS,
    "asking": ACCESSES,
    "member": MEMBERS,
    "correction": CORRECTIONS,
    "look": LOOKS,
    "mail": MAILS,
    "delivery": DELIVERIES,
    "reason": REASONS,
    "event": EVENTS,
    "severity": SEVERITIES,
}


def say(name: Any, family: str) -> str:  # noqa: ANN401 - whatever a template holds
    """Return the words for an identifier of a family, or the identifier with spaces and a capital. Raises KeyError."""
    known = FAMILIES[family].get(str(name))
    plain = str(name).replace("-", " ").replace("_", " ")
    return str(known) if known is not None else plain[:1].upper() + plain[1:]

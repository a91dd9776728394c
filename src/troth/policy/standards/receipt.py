"""What somebody agreed to or chose, as a receipt in the Data Privacy Vocabulary 2.3: whose, when, how, to what.

The fields are those of ISO/IEC TS 27560:2023 as https://w3id.org/dpv/schema/dpv-27560 writes them in the vocabulary:
record, notice, processing, parties and event.
"""

from dataclasses import dataclass

from troth.policy.meaning import Policy
from troth.policy.standards import dpv
from troth.policy.standards.graph import TYPE, Graph, Literal

PROFILE = "https://w3id.org/dpv/schema/dpv-27560#receipt"
EVENT = "own:given"
#: What each kind of record says: the event's class, and the property and value that say how it stands.
SAID = {
    "agreement": ("dpv:Contract", "dpv:hasContractStatus", "dpv:ContractFullySigned"),
    "consent": ("dpv:ExpressedConsent", "dpv:hasConsentStatus", "dpv:ConsentGiven"),
    "refusal": ("dpv:ExpressedConsent", "dpv:hasConsentStatus", "dpv:ConsentRefused"),
    "withdrawal": ("dpv:ExpressedConsent", "dpv:hasConsentStatus", "dpv:ConsentWithdrawn"),
    "objection": ("dpv:LegitimateInterest", "dpv:hasEntityInvolvement", "dpv:ObjectingToProcess"),
    "permission": ("dpv:LegitimateInterest", "dpv:hasEntityInvolvement", "dpv:OptingInToProcess"),
}
CONSENTS = ("consent", "refusal", "withdrawal")


@dataclass(frozen=True, slots=True)
class Given:
    """What was given, taken back or objected to, by whom, when (RFC 3339) and how.

    `kind` is one of `SAID`, `key` the record's UUID, `subject` the person's; `purpose` is empty for an agreement, which
    is to the whole policy. `page` is the address at which the person takes it back.
    """

    kind: str
    key: str
    subject: str
    at: str
    purpose: str
    how: str
    wording: str
    language: str
    page: str


def graph(policy: Policy, given: Given) -> Graph:
    """Return what a version of the policy says of what was given, and that it was."""
    made = dpv.part(policy, {each.name for each in policy.purposes if given.purpose in ("", each.name)})
    receipt, person = f"urn:uuid:{given.key}", f"urn:uuid:{given.subject}"
    made.say(receipt, TYPE, "dpv:ConsentReceipt" if given.kind in CONSENTS else "dpv:DataProcessingRecord")
    if given.kind in CONSENTS:
        made.say(receipt, "dcterms:conformsTo", PROFILE)
    made.say(receipt, "dcterms:identifier", Literal(given.key))
    made.say(receipt, "dpv:hasDataSubject", person)
    made.say(receipt, "dpv:hasDataController", dpv.OPERATOR)
    made.say(receipt, "dpv:hasNotice", dpv.NOTICE)
    made.say(receipt, "dpv:hasLegalBasis", EVENT)
    for term, said in list(made.said.items()):
        if "dpv:PersonalDataProcess" in said[TYPE]:
            made.say(receipt, "dpv:hasProcess", term)
    made.say(person, TYPE, "dpv:DataSubject", "dpv:User")
    made.say(person, "dcterms:identifier", Literal(given.subject))
    _event(made, given, person)
    return made


def _event(made: Graph, given: Given, person: str) -> None:
    kind, status, value = SAID[given.kind]
    made.say(EVENT, TYPE, kind)
    made.say(EVENT, status, value)
    made.say(EVENT, "dpv:isIndicatedBy", person)
    made.say(EVENT, "dpv:isIndicatedAtTime", Literal(given.at, "xsd:dateTime"))
    made.say(EVENT, "dpv:hasIndicationMethod", Literal(given.how))
    if given.wording:
        made.say(EVENT, "dcterms:description", Literal(given.wording, language=given.language))
    made.say(EVENT, "dpv:isExercisedAt", Literal(given.page, "xsd:anyURI"))

"""What somebody agreed to or chose, as a receipt in the Data Privacy Vocabulary 2.3: whose, when, how, to what.

The fields are those of ISO/IEC TS 27560:2023 as https://w3id.org/dpv/schema/dpv-27560 writes them in the vocabulary:
receipt, record, notice, processing, parties and event. `docs/receipts.md` has the table of them.
"""

import uuid
from dataclasses import dataclass

from troth.policy.meaning import Policy
from troth.policy.standards import dpv
from troth.policy.standards.graph import TYPE, Graph, Literal

PROFILE = "https://w3id.org/dpv/schema/dpv-27560#"
#: What the standard wants said and no policy says: said as that, rather than left out.
UNSAID, UNSAID_WORDS = "own:unsaid", "not stated in the policy"
#: Where what is used here is stored, and what the record is about.
HERE, SERVICE = "own:place-service", "own:service"
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
#: How long what was given holds.
HOLDS = {
    "agreement": "until another version is agreed to or the account is closed",
    "consent": "until it is withdrawn or the account is closed",
    "refusal": "until consent is given",
    "withdrawal": "until consent is given again",
    "objection": "until it is lifted",
    "permission": "until it is objected to again or the account is closed",
}


@dataclass(frozen=True, slots=True)
class Given:
    """What was given, taken back or objected to, by whom, when (RFC 3339) and how.

    `kind` is one of `SAID`, `key` the record's UUID, `subject` the person's; `purpose` is empty for an agreement, which
    is to the whole policy. `address` is the service's, `page` where the person takes it back, `languages` those in
    which they could read what it is about, `made` (RFC 3339) when this receipt of it is made.
    """

    kind: str
    key: str
    subject: str
    at: str
    purpose: str
    how: str
    wording: str
    language: str
    address: str
    page: str
    languages: tuple[str, ...]
    made: str


def graph(policy: Policy, given: Given) -> Graph:
    """Return what a version of the policy says of what was given, and that it was."""
    made = dpv.part(policy, {each.name for each in policy.purposes if given.purpose in ("", each.name)})
    record, person = f"urn:uuid:{given.key}", f"urn:uuid:{given.subject}"
    _receipt(made, given, record)
    made.say(record, TYPE, "dpv:ConsentRecord" if given.kind in CONSENTS else "dpv:DataProcessingRecord")
    if given.kind in CONSENTS:
        made.say(record, "dcterms:conformsTo", f"{PROFILE}record")
    made.say(record, "dcterms:identifier", Literal(given.key))
    made.say(record, "dpv:hasDataSubject", person)
    made.say(record, "dpv:hasDataController", dpv.OPERATOR)
    made.say(record, "dpv:hasNotice", dpv.NOTICE)
    made.say(dpv.NOTICE, "dcterms:language", *map(Literal, given.languages))
    made.say(record, "dpv:hasJurisdiction", UNSAID)
    made.say(record, "dpv:hasService", SERVICE)
    made.say(SERVICE, TYPE, "dpv:Service")
    made.say(SERVICE, "skos:prefLabel", Literal(given.address))
    _processes(made, record, given.address)
    _parties(made, policy)
    made.say(person, TYPE, "dpv:DataSubject", "dpv:User")
    made.say(person, "dcterms:identifier", Literal(given.subject))
    _event(made, given, record, person)
    return made


def _receipt(made: Graph, given: Given, record: str) -> None:
    """Say what the receipt itself is: a copy of the record, whose identifier follows from the record's."""
    key = str(uuid.uuid5(uuid.UUID(given.key), "receipt"))
    receipt = f"urn:uuid:{key}"
    made.say(receipt, TYPE, "dpv:ConsentReceipt" if given.kind in CONSENTS else "dpv:DataProcessingRecord")
    if given.kind in CONSENTS:
        made.say(receipt, "dcterms:conformsTo", f"{PROFILE}receipt")
    made.say(receipt, "dpv:hasIdentifier", Literal(key))
    made.say(receipt, "dcterms:created", Literal(given.made, "xsd:dateTime"))
    made.say(receipt, "dpv:hasRecordOfActivity", record)


def _processes(made: Graph, record: str, address: str) -> None:
    """Say of each use where it is stored and who receives it: the operator, beside those to whom it is handed."""
    for place, words in ((HERE, f"in the service at {address}"), (UNSAID, UNSAID_WORDS)):
        made.say(place, TYPE, "dpv:StorageLocation")
        made.say(place, "skos:prefLabel", Literal(words))
    for term, said in list(made.said.items()):
        if "dpv:PersonalDataProcess" in said[TYPE]:
            made.say(record, "dpv:hasProcess", term)
            shared = "dpv:Share" in said["dpv:hasProcessing"]
            made.say(term, "dpv:hasStorageCondition", UNSAID if shared else HERE)
            made.say(term, "dpv:hasRecipient", dpv.OPERATOR)


def _parties(made: Graph, policy: Policy) -> None:
    """Say who the operator is, and each recipient, as far as the policy says it."""
    made.say(dpv.OPERATOR, TYPE, "dpv:Recipient")
    made.say(dpv.OPERATOR, "dcterms:identifier", Literal(policy.contact.rpartition("@")[2].lower()))
    made.say(dpv.OPERATOR, "dpv:hasAddress", Literal(UNSAID_WORDS))
    for term, said in made.said.items():
        if "dpv:ThirdParty" in said[TYPE]:
            made.say(term, "dcterms:identifier", *said["dpv:hasName"])
            made.say(term, "dpv:hasContact", Literal(UNSAID_WORDS))
            made.say(term, "dpv:hasAddress", Literal(UNSAID_WORDS))


def _event(made: Graph, given: Given, record: str, person: str) -> None:
    kind, status, value = SAID[given.kind]
    event, holds, control = (f"{record}#{part}" for part in ("given", "holds", "control"))
    made.say(record, "dpv:hasLegalBasis", event)
    made.say(event, TYPE, kind)
    made.say(event, status, value)
    made.say(event, "dpv:isIndicatedBy", person)
    made.say(event, "dpv:isIndicatedAtTime", Literal(given.at, "xsd:dateTime"))
    made.say(event, "dpv:hasIndicationMethod", Literal(given.how))
    if given.wording:
        made.say(event, "dcterms:description", Literal(given.wording, language=given.language))
    made.say(event, "dpv:hasDuration", holds)
    made.say(holds, TYPE, "dpv:UntilEventDuration")
    made.say(holds, "skos:prefLabel", Literal(HOLDS[given.kind]))
    made.say(event, "dpv:isExercisedAt", Literal(given.page, "xsd:anyURI"))
    if given.kind in CONSENTS:
        made.say(record, "dpv:hasConsentControl", control)
        made.say(control, TYPE, "dpv:WithdrawConsent", "dpv:ProvideConsent")
        made.say(control, "dpv:isExercisedAt", Literal(given.page, "xsd:anyURI"))

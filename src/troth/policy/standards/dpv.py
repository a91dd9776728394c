"""A policy in the W3C Data Privacy Vocabulary 2.3: processes, purposes, bases, data, recipients, durations, rights.

Its terms: https://w3id.org/dpv/2.3, with the extensions pd (personal data) and eu-gdpr. What the vocabulary has no
term for is a term of the operator's own, under an IRI of the operator's domain and the policy's version.
"""

from collections.abc import Collection, Iterable, Iterator
from urllib.parse import quote

from troth.policy.meaning import (
    PERMITTING,
    Audience,
    Basis,
    Policy,
    Precision,
    Right,
    Stored,
    Verb,
    Window,
    WindowKind,
)
from troth.policy.standards import mapping
from troth.policy.standards.activities import (
    MEASURES,
    Activity,
    Known,
    activities,
    duties,
    handings,
    measures,
    window_words,
)
from troth.policy.standards.graph import TYPE, Graph, Literal

NOTICE = "own:policy"
OPERATOR = "own:operator"
PERSON, VISITOR = "own:person", "own:visitor"
CONFORMS = ("https://w3id.org/dpv/2.3", "https://w3id.org/dpv/2.3/pd", "https://w3id.org/dpv/2.3/legal/eu/gdpr")
#: What somebody can do about a purpose, by its basis.
INVOLVED = {
    Basis.CONSENT: ("dpv:OptingInToProcess", "dpv:WithdrawingFromProcess"),
    Basis.LEGITIMATE_INTEREST: ("dpv:ObjectingToProcess",),
}
#: Rights that follow from a basis, whatever the policy grants beside them.
FOLLOWING = {Basis.CONSENT: "withdraw", Basis.LEGITIMATE_INTEREST: "object"}
#: The kinds of rules, each with the property that a notice has it by.
OBLIGATION = ("dpv:Obligation", "dpv:hasObligation")
PERMISSION = ("dpv:Permission", "dpv:hasPermission")
PROHIBITION = ("dpv:Prohibition", "dpv:hasProhibition")
#: Duties that are said as prohibitions: what is done in none of the service's processes.
FORBIDDEN = {
    "never-sell": ("dpv:hasPurpose", "dpv:SellDataToThirdParties"),
    "share-nothing": ("dpv:hasProcessing", "dpv:Share"),
    "apart": ("dpv:hasProcessing", "dpv:Combine"),
}


def json_ld(policy: Policy) -> str:
    """Return the policy as JSON-LD."""
    return graph(policy).json_ld()


def turtle(policy: Policy) -> str:
    """Return the policy as Turtle."""
    return graph(policy).turtle()


def base(policy: Policy) -> str:
    """Return the IRI under which an operator's own terms stand: the contact's domain, and the version."""
    domain = policy.contact.rpartition("@")[2].lower()
    return f"https://{quote(domain, safe='')}/policy/{policy.version}#"


def graph(policy: Policy) -> Graph:
    """Return everything that the policy says."""
    made = _used(policy, {purpose.name for purpose in policy.purposes}, {each.name for each in policy.categories})
    for step in (_shown, _stored, _rights, _rules, _measures):
        step(made, policy)
    return made


def part(policy: Policy, purposes: Collection[str]) -> Graph:
    """Return what the policy says of some purposes: their uses of data, who is handed any, and the rights of people."""
    known = {name for each in activities(policy) if each.purpose.name in purposes for name in each.categories}
    made = _used(policy, purposes, known)
    for step in (_rights, _measures):
        step(made, policy)
    return made


def _used(policy: Policy, purposes: Collection[str], categories: Collection[str]) -> Graph:
    made = Graph(base(policy))
    _notice(made, policy)
    for category in policy.categories:
        if category.name in categories:
            kinds = ["dpv:IdentifyingPersonalData"] * category.identifying
            kinds += ["dpv:SensitivePersonalData"] * category.sensitive
            _category(made, policy, category.name, kinds)
    for purpose in policy.purposes:
        if purpose.name in purposes:
            _purpose(made, policy, purpose.name)
    for activity in activities(policy):
        if activity.purpose.name in purposes:
            _activity(made, activity, policy)
    _handings(made, policy, purposes)
    return made


# The notice, its words


def _notice(made: Graph, policy: Policy) -> None:
    made.say(NOTICE, TYPE, "dpv:PrivacyNotice")
    made.say(NOTICE, "dcterms:title", Literal(policy.name))
    made.say(NOTICE, "owl:versionInfo", Literal(str(policy.version)))
    made.say(NOTICE, "dcterms:available", Literal(policy.effective.isoformat(), "xsd:date"))
    made.say(NOTICE, "dcterms:identifier", Literal(f"sha256:{policy.digest}"))
    made.say(NOTICE, "dcterms:conformsTo", *CONFORMS)
    made.say(NOTICE, "dpv:hasDataController", OPERATOR)
    for note in policy.notes:
        made.say(NOTICE, "skos:note", *_texts(note.texts))
    made.say(OPERATOR, TYPE, "dpv:DataController")
    made.say(OPERATOR, "dpv:hasName", Literal(policy.operator))
    made.say(OPERATOR, "dpv:hasContact", Literal(policy.contact))
    made.say(PERSON, TYPE, "dpv:DataSubject", "dpv:User")
    made.say(PERSON, "skos:prefLabel", Literal("people with an account"))
    made.say(VISITOR, TYPE, "dpv:DataSubject", "dpv:Visitor")
    made.say(VISITOR, "skos:prefLabel", Literal("visitors without an agreement"))


def _texts(texts: Iterable[tuple[str, str]]) -> Iterator[Literal]:
    return (Literal(text, language=language) for language, text in texts)


def _category(made: Graph, policy: Policy, name: str, kinds: Iterable[str]) -> None:
    term = _data(Known(name, Precision.AS_IS))
    made.say(term, TYPE, "skos:Concept", "dpv:PersonalData", *kinds)
    made.say(term, "skos:notation", Literal(name))
    made.say(term, "skos:prefLabel", Literal(name.replace(".", " ").replace("_", " ")))
    for called in policy.called:
        if called.category == name:
            made.say(term, "skos:altLabel", *_texts(called.texts))
    if broader := mapping.load("dpv").word("categories", name):
        made.say(term, "skos:broader", broader)


def _data(known: Known) -> str:
    return f"own:category-{str(known).replace(' ', '-')}"


def _known(made: Graph, known: Known) -> str:
    """Return the term of a category as it is known, and say what it is derived from where it is known less exactly."""
    term, exact = _data(known), _data(Known(known.category, Precision.AS_IS))
    if term != exact:
        pseudonymous = ("dpv:PseudonymisedData",) if known.precision is Precision.HASHED else ()
        made.say(term, TYPE, "skos:Concept", "dpv:PersonalData", "dpv:DerivedPersonalData", *pseudonymous)
        made.say(term, "skos:notation", Literal(str(known)))
        made.say(term, "dcterms:source", exact)
    return term


def _purpose(made: Graph, policy: Policy, name: str) -> None:
    purpose, term = policy.purpose(name), f"own:purpose-{name}"
    made.say(term, TYPE, "skos:Concept", "dpv:Purpose")
    made.say(term, "skos:notation", Literal(name))
    made.say(term, "skos:prefLabel", Literal(purpose.sentence), *_texts(purpose.translations))
    if broader := mapping.load("dpv").purpose("purposes", purpose):
        made.say(term, "skos:broader", broader)


# Processes


def _process(made: Graph, term: str, clause: str, purpose: str = "") -> None:
    made.say(NOTICE, "dpv:hasProcess", term)
    made.say(term, TYPE, "dpv:Process")
    made.say(term, "dcterms:identifier", Literal(clause))
    made.say(term, "dpv:hasDataController", OPERATOR)
    if purpose:
        made.say(term, "dpv:hasPurpose", f"own:purpose-{purpose}")


def _based(made: Graph, term: str, policy: Policy, purpose: str, categories: Iterable[str]) -> None:
    """Say that a process is one of personal data, on its basis, and what people can do about it."""
    basis = policy.purpose(purpose).basis
    words = mapping.load("dpv")
    made.say(term, TYPE, "dpv:PersonalDataProcess")
    made.say(term, "dpv:hasLegalBasis", words.word("bases", basis), words.word("articles", basis))
    made.say(term, "dpv:hasEntityInvolvement", *INVOLVED.get(basis, ()))
    sensitive = {category.name for category in policy.categories if category.sensitive}
    if basis is Basis.CONSENT and sensitive & set(categories):
        made.say(term, "dpv:hasLegalBasis", "eu-gdpr:A9-2-a")


def _activity(made: Graph, activity: Activity, policy: Policy) -> None:
    term, purpose = f"own:process-{activity.key}", activity.purpose.name
    _process(made, term, activity.clause.name, purpose)
    _based(made, term, policy, purpose, activity.categories)
    counted = [known for known in activity.known if known.precision is Precision.COUNTED]
    made.say(term, "dpv:hasProcessing", "dpv:Collect", "dpv:Store", "dpv:Use", *["dpv:Aggregate"] * bool(counted))
    made.say(term, "dpv:hasPersonalData", *(_known(made, known) for known in activity.known))
    made.say(term, "dpv:hasDataSubject", VISITOR if activity.anonymous else PERSON)
    made.say(term, "dpv:hasStorageCondition", _storage(made, activity.window))
    occasion = f"own:occasion-{activity.occasion.replace(' ', '-')}"
    made.say(term, "dpv:hasContext", occasion)
    made.say(occasion, TYPE, "dpv:Context")
    made.say(occasion, "skos:prefLabel", Literal(activity.occasion))


def _storage(made: Graph, window: Window) -> str:
    """Return the storage condition of a window; where an event ends it, with the days that follow the event."""
    name = f"{window.kind}-{window.days}"
    condition, duration = f"own:storage-{name}", f"own:duration-{name}"
    made.say(condition, TYPE, "dpv:StorageDuration")
    made.say(condition, "dpv:hasDuration", duration)
    days = Literal(f"P{window.days}D", "xsd:duration")
    if window.kind is WindowKind.DAYS:
        made.say(duration, TYPE, "dpv:TemporalDuration")
        made.say(duration, "rdf:value", days)
    else:
        made.say(duration, TYPE, "dpv:UntilEventDuration")
        made.say(duration, "dpv:hasDuration", *[days] * bool(window.days))
    made.say(duration, "skos:prefLabel", Literal(window_words(window)))
    return condition


def _handings(made: Graph, policy: Policy, purposes: Collection[str]) -> None:
    for handing in handings(policy):
        if handing.purpose.name not in purposes:
            continue
        term, recipient = f"own:process-{handing.clause.name}", f"own:recipient-{quote(handing.recipient, safe='')}"
        _process(made, term, handing.clause.name, handing.purpose.name)
        _based(made, term, policy, handing.purpose.name, handing.categories)
        made.say(term, "dpv:hasProcessing", "dpv:Share")
        made.say(term, "dpv:hasPersonalData", *map(_exact, handing.categories))
        made.say(term, "dpv:hasDataSubject", PERSON)
        kept = [_storage(made, window) for window in handing.windows] or [_unsaid(made)]
        made.say(term, "dpv:hasStorageCondition", *kept)
        made.say(term, "dpv:hasRecipient", recipient)
        made.say(recipient, TYPE, "dpv:Recipient", "dpv:ThirdParty")
        made.say(recipient, "dpv:hasName", Literal(handing.recipient))


def _unsaid(made: Graph) -> str:
    """Return the storage condition of what is handed on without being used here: the policy says no window."""
    made.say("own:storage-unsaid", TYPE, "dpv:StorageDuration")
    made.say("own:storage-unsaid", "dpv:hasDuration", "dpv:IndeterminateDuration")
    return "own:storage-unsaid"


def _exact(category: str) -> str:
    return _data(Known(category, Precision.AS_IS))


def _shown(made: Graph, policy: Policy) -> None:
    """Say who is shown what, and who reads what people post; the person is no recipient of their own data."""
    shown = [(sight.clause, sight.categories, (sight.audience,), "dpv:Disclose") for sight in policy.sights]
    posted = [(each.clause, each.categories, each.audiences, "dpv:MakeAvailable") for each in policy.postings]
    for clause, categories, audiences, processing in (*shown, *posted):
        others = [audience for audience in audiences if audience is not Audience.PERSON]
        term = f"own:process-{clause.name}"
        _process(made, term, clause.name)
        made.say(term, "dpv:hasProcessing", processing)
        made.say(term, "dpv:hasPersonalData", *map(_exact, categories))
        made.say(term, "dpv:hasDataSubject", PERSON)
        for audience in others:
            recipient = f"own:audience-{quote(audience.replace(' ', '-'), safe='')}"
            made.say(term, "dpv:hasRecipient", recipient)
            made.say(recipient, TYPE, "dpv:Recipient")
            made.say(recipient, "skos:prefLabel", Literal(audience))


def _stored(made: Graph, policy: Policy) -> None:
    for stored in policy.stored:
        term, place = f"own:process-{stored.clause.name}", f"own:device-{stored.storage.replace(' ', '-')}"
        _process(made, term, stored.clause.name, stored.purpose)
        made.say(term, "dpv:hasProcessing", "dpv:Store")
        made.say(term, "dcterms:description", Literal(stored.key))
        made.say(term, "dpv:hasStorageCondition", place, _lasting(made, stored))
        made.say(place, TYPE, "dpv:StorageLocation")
        made.say(place, "skos:prefLabel", Literal(f"{stored.storage} on the person's device"))


def _lasting(made: Graph, stored: Stored) -> str:
    if stored.days is not None:
        return _storage(made, Window(WindowKind.DAYS, stored.days))
    condition, duration = "own:storage-session", "own:duration-session"
    made.say(condition, TYPE, "dpv:StorageDuration")
    made.say(condition, "dpv:hasDuration", duration)
    made.say(duration, TYPE, "dpv:UntilEventDuration")
    made.say(duration, "skos:prefLabel", Literal("until the session ends"))
    return condition


# Rights, rules, measures


def _rights(made: Graph, policy: Policy) -> None:
    for right in policy.rights:
        for verb in right.verbs:
            _right(made, right, verb)
    for basis, name in FOLLOWING.items():
        based = (f"own:purpose-{purpose.name}" for purpose in policy.purposes if purpose.basis is basis)
        purposes = [purpose for purpose in based if purpose in made.said]
        if purposes:
            made.say(NOTICE, "dpv:hasRight", f"own:right-{name}")
            made.say(f"own:right-{name}", TYPE, "dpv:DataSubjectRight", mapping.load("dpv").word("rights", name))
            made.say(f"own:right-{name}", "dpv:hasPurpose", *purposes)


def _right(made: Graph, right: Right, verb: Verb) -> None:
    term = f"own:right-{right.clause.name}.{verb}"
    made.say(NOTICE, "dpv:hasRight", term)
    made.say(term, TYPE, "dpv:DataSubjectRight", mapping.load("dpv").word("rights", verb))
    made.say(term, "dcterms:identifier", Literal(right.clause.name))
    made.say(term, "skos:prefLabel", Literal(verb))
    made.say(term, "dpv:hasPersonalData", *map(_exact, right.categories))
    if right.days is not None:
        made.say(term, "dpv:hasDuration", Literal(f"P{right.days}D", "xsd:duration"))
    if right.condition is not None:
        made.say(term, "dcterms:description", Literal(right.condition))


def _rules(made: Graph, policy: Policy) -> None:
    for name, clause, sentence in duties(policy):
        kind = PROHIBITION if name in FORBIDDEN else PERMISSION if name in PERMITTING else OBLIGATION
        term = _rule(made, clause.name, kind, sentence)
        if name in FORBIDDEN:
            made.say(term, *FORBIDDEN[name])
    for each in policy.correlations:
        joined = f"{', '.join(each.left)} with {', '.join(each.right)}"
        kind, verb = (PERMISSION, "correlate") if each.allowed else (PROHIBITION, "never correlate")
        term = _rule(made, each.clause.name, kind, f"{verb} {joined}")
        made.say(term, "dpv:hasProcessing", "dpv:Combine")
        made.say(term, "dpv:hasPersonalData", *map(_exact, (*each.left, *each.right)))


def _rule(made: Graph, clause: str, kind: tuple[str, str], sentence: str) -> str:
    term = f"own:rule-{clause}"
    made.say(NOTICE, kind[1], term)
    made.say(term, TYPE, kind[0])
    made.say(term, "dcterms:identifier", Literal(clause))
    made.say(term, "dcterms:description", Literal(sentence))
    return term


def _measures(made: Graph, policy: Policy) -> None:
    for key in measures(policy):
        term = f"own:measure-{key}"
        made.say(NOTICE, "dpv:hasTechnicalMeasure", term)
        made.say(term, TYPE, mapping.load("dpv").word("measures", key))
        made.say(term, "dcterms:description", Literal(MEASURES[key]))
    for each in policy.coarsenings:
        term = f"own:measure-{each.clause.name}"
        made.say(NOTICE, "dpv:hasTechnicalMeasure", term)
        made.say(term, TYPE, mapping.load("dpv").word("measures", "coarsened"))
        made.say(term, "dcterms:identifier", Literal(each.clause.name))
        made.say(term, "dcterms:description", Literal(f"becomes {each.precision} after {each.days} days"))
        made.say(term, "dpv:hasPersonalData", *map(_exact, each.categories))
        made.say(term, "dpv:hasDuration", Literal(f"P{each.days}D", "xsd:duration"))

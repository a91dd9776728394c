"""A policy in the Data Privacy Vocabulary says what the policy says, in terms that exist, and in well-formed RDF."""

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from pyshacl import validate
from rdflib import RDF, Graph, Literal, Namespace, URIRef
from rdflib.compare import isomorphic
from rdflib.namespace import DCTERMS, SKOS

from tests.policy.exported import (
    DEFAULT,
    DOCUMENTS,
    FORGETTING,
    POLICIES,
    PROJECT,
    WHOLE,
    collected,
    named_recipients,
    policies,
)
from troth.policy.meaning import PERMITTING, Basis, Occasion, Policy, WindowKind
from troth.policy.standards import dpv, graph

#: rdflib reads JSON-LD with a class of its own that it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")

DPV = Namespace("https://w3id.org/dpv#")
GDPR = Namespace("https://w3id.org/dpv/legal/eu/gdpr#")
PREFIXES = {"dpv": str(DPV), "pd": "https://w3id.org/dpv/pd#", "eu-gdpr": str(GDPR)}
TERM = re.compile(r"(?<![\w-])((?:dpv|pd|eu-gdpr):[A-Za-z][A-Za-z0-9-]*)")
SHAPES = Graph().parse(DOCUMENTS / "troth-shapes.ttl")


def read_turtle(policy: Policy) -> Graph:
    return Graph().parse(data=dpv.turtle(policy), format="turtle")


def read_json_ld(policy: Policy) -> Graph:
    return Graph().parse(data=dpv.json_ld(policy), format="json-ld")


def own(policy: Policy, name: str) -> URIRef:
    return URIRef(dpv.base(policy) + name)


def listed_terms() -> set[str]:
    lines = (DOCUMENTS / "terms.txt").read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if line and not line.startswith("#")}


def terms_of(triples: Graph) -> set[str]:
    """Every term of the vocabulary in a graph, wherever it stands."""
    found = set()
    for node in {node for triple in triples for node in triple if isinstance(node, URIRef)}:
        found |= {f"{p}:{node.removeprefix(iri)}" for p, iri in PREFIXES.items() if node.startswith(iri)}
    return found


def missing(policy: Policy, triples: Graph) -> list[str]:
    """Name what a policy says and a graph does not."""
    return list(_missing(policy, triples))


def _missing(policy: Policy, triples: Graph) -> Iterator[str]:
    processes = set(triples.subjects(RDF.type, DPV.PersonalDataProcess))
    for purpose in policy.purposes:
        term = own(policy, f"purpose-{purpose.name}")
        if Literal(purpose.sentence) not in set(triples.objects(term, SKOS.prefLabel)):
            yield purpose.name
        if not set(triples.subjects(DPV.hasPurpose, term)):
            yield f"a process for {purpose.name}"
    data = {
        str(text) for term in triples.subjects(RDF.type, DPV.PersonalData) for text in triples[term : SKOS.notation]
    }
    yield from (f"the category {each.name}" for each in policy.categories if each.name not in data)
    used = {term for process in processes for term in triples[process : DPV.hasPersonalData]}
    said = {str(text).partition(" as ")[0] for term in used for text in triples[term : SKOS.notation]}
    yield from (f"a use of {name}" for name in sorted(collected(policy) - said))
    for collection in policy.collections:
        for use in collection.uses:
            process = own(policy, f"process-{collection.clause.name}.{_dashed(collection.occasion)}.{use.purpose}")
            window = own(policy, f"storage-{use.window.kind}-{use.window.days}")
            if (process, DPV.hasStorageCondition, window) not in triples:
                yield f"{use.window} of {process}"
    names = {str(text) for who in triples.objects(None, DPV.hasRecipient) for text in _names(triples, who)}
    yield from (f"the recipient {name}" for name in named_recipients(policy) - names)


def _names(triples: Graph, who: object) -> Iterator[object]:
    yield from triples.objects(who, DPV.hasName)  # type: ignore[arg-type] # a node, whichever
    yield from triples.objects(who, SKOS.prefLabel)  # type: ignore[arg-type]


def _dashed(occasion: Occasion) -> str:
    return occasion.replace(" ", "-")


@pytest.mark.parametrize("name", POLICIES)
def test_everything_a_policy_says_is_said(name: str) -> None:
    policy = POLICIES[name]
    triples = read_turtle(policy)
    assert missing(policy, triples) == []
    assert len(set(triples.subjects(RDF.type, DPV.Purpose))) == len(policy.purposes)
    assert len(set(triples.subjects(RDF.type, DPV.PrivacyNotice))) == 1
    uses = sum(len(collection.uses) for collection in policy.collections)
    assert len(set(triples.subjects(RDF.type, DPV.PersonalDataProcess))) == uses + len(policy.shares)


@pytest.mark.parametrize("forgotten", FORGETTING)
def test_what_is_forgotten_is_missed(forgotten: str) -> None:
    assert missing(WHOLE, read_turtle(FORGETTING[forgotten](WHOLE))) != []


@pytest.mark.parametrize("name", POLICIES)
def test_both_forms_say_the_same(name: str) -> None:
    assert isomorphic(read_turtle(POLICIES[name]), read_json_ld(POLICIES[name]))


@settings(max_examples=60, deadline=None)
@given(policies())
def test_whatever_the_operator_writes_both_forms_say_the_same_and_say_it(policy: Policy) -> None:
    turtle, json_ld = read_turtle(policy), read_json_ld(policy)
    assert isomorphic(turtle, json_ld)
    assert missing(policy, turtle) == []
    assert turtle.value(own(policy, "policy"), DCTERMS.title) == Literal(policy.name)


def test_without_escaping_a_text_would_say_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    hostile = replace(DEFAULT, operator='x" ; <https://w3id.org/dpv#hasRecipient> <urn:evil> ; skos:note "')
    assert URIRef("urn:evil") not in set(read_turtle(hostile).objects())
    monkeypatch.setattr(graph, "quoted", lambda text: f'"{text}"')
    assert URIRef("urn:evil") in set(read_turtle(hostile).objects())


# The shapes


def faults(triples: Graph) -> str:
    conforms, _, words = validate(triples, shacl_graph=SHAPES)
    return "" if conforms else str(words)


@pytest.mark.parametrize("name", POLICIES)
def test_every_export_has_the_published_shapes(name: str) -> None:
    assert faults(read_turtle(POLICIES[name])) == ""


@pytest.mark.parametrize(
    "predicate",
    [
        DCTERMS.title,
        DCTERMS.available,
        DCTERMS.conformsTo,
        DCTERMS.description,
        DPV.hasContact,
        DPV.hasDataController,
        DPV.hasDataSubject,
        DPV.hasDuration,
        DPV.hasEntityInvolvement,
        DPV.hasLegalBasis,
        DPV.hasName,
        DPV.hasPersonalData,
        DPV.hasProcess,
        DPV.hasProcessing,
        DPV.hasPurpose,
        DPV.hasStorageCondition,
        DPV.hasTechnicalMeasure,
        RDF.value,
        SKOS.notation,
        SKOS.prefLabel,
    ],
)
def test_a_shape_breaks_where_a_predicate_is_taken_away(predicate: URIRef) -> None:
    triples = read_turtle(WHOLE)
    triples.remove((None, predicate, None))
    assert faults(triples) != ""


@pytest.mark.parametrize(
    ("predicate", "thing"),
    [
        (DPV.hasPurpose, own(WHOLE, "operator")),
        (DPV.hasLegalBasis, DPV.VitalInterest),
        (DPV.hasStorageCondition, own(WHOLE, "person")),
        (DPV.hasProcessing, DPV.SellDataToThirdParties),
    ],
)
def test_a_shape_breaks_where_something_of_another_kind_stands(predicate: URIRef, thing: URIRef) -> None:
    triples = read_turtle(WHOLE)
    triples.add((next(triples.subjects(RDF.type, DPV.PersonalDataProcess)), predicate, thing))
    assert faults(triples) != ""


# The terms


def test_every_term_used_is_a_listed_one_and_every_listed_one_can_be_used() -> None:
    package = PROJECT / "src" / "troth" / "policy" / "standards"
    files = [*package.glob("*.py"), *package.glob("*.toml"), DOCUMENTS / "troth-shapes.ttl"]
    written = {term for file in files for term in TERM.findall(file.read_text(encoding="utf-8"))}
    assert written == listed_terms()


@pytest.mark.parametrize("name", POLICIES)
def test_every_exported_term_is_a_listed_one(name: str) -> None:
    found = terms_of(read_json_ld(POLICIES[name]))
    assert found
    assert found <= listed_terms()


def test_an_invented_term_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dpv, "OPERATOR", "dpv:TheOperator")
    assert terms_of(read_turtle(DEFAULT)) - listed_terms() == {"dpv:TheOperator"}


# Golden facts


def test_the_default_policy_says_what_is_known_of_it() -> None:
    triples = read_turtle(DEFAULT)
    base = "https://harbor.example/policy/1#"
    sign_up = URIRef(f"{base}process-collect-person-name-on-sign-up.sign-up.provide")
    assert len(set(triples.subjects(RDF.type, DPV.Purpose))) == 5
    assert set(triples[sign_up : DPV.hasLegalBasis]) == {DPV.Contract, GDPR["A6-1-b"]}
    assert set(triples[sign_up : DPV.hasPersonalData]) == {
        URIRef(f"{base}category-person.name"),
        URIRef(f"{base}category-person.email"),
    }
    assert triples.value(URIRef(f"{base}operator"), DPV.hasName) == Literal("Harbor Software, Inc.")
    assert set(triples[URIRef(f"{base}category-person.email") : SKOS.broader]) == {
        URIRef("https://w3id.org/dpv/pd#EmailAddress")
    }
    assert (URIRef(f"{base}right-withdraw"), RDF.type, GDPR["A7-3"]) in triples


def test_what_is_known_less_exactly_is_another_thing_derived_from_the_exact_one() -> None:
    triples = read_turtle(WHOLE)
    hashed = own(WHOLE, "category-device.identifier-as-hashed")
    assert (hashed, RDF.type, DPV.PseudonymisedData) in triples
    assert (hashed, DCTERMS.source, own(WHOLE, "category-device.identifier")) in triples
    understand = own(WHOLE, "process-collect-access-ip-on-access.access.understand")
    assert set(triples[understand : DPV.hasPersonalData]) == {
        own(WHOLE, "category-access.ip-as-network"),
        own(WHOLE, "category-access.url"),
        own(WHOLE, "category-access.time"),
    }


def test_sensitive_data_by_consent_has_the_basis_that_it_needs() -> None:
    triples = read_turtle(WHOLE)
    health = set(triples.subjects(DPV.hasPersonalData, own(WHOLE, "category-health.condition")))
    assert {own(WHOLE, "process-collect-person-shoe-on-transaction.transaction.odd")} <= health
    for process in health:
        assert (process, DPV.hasLegalBasis, GDPR["A9-2-a"]) in triples
    others = set(triples.subjects(DPV.hasLegalBasis, GDPR["A9-2-a"])) - health
    assert others == set()


def test_each_duty_is_a_rule_of_its_kind() -> None:
    triples = read_turtle(WHOLE)
    rules = {kind: set(triples.subjects(RDF.type, DPV[kind])) for kind in ("Obligation", "Permission", "Prohibition")}
    said = {str(text) for kind in rules.values() for rule in kind for text in triples[rule : DCTERMS.description]}
    assert len(set.union(*rules.values())) == len(WHOLE.duties) + len(WHOLE.correlations)
    assert {own(WHOLE, f"rule-{d.clause.name}") for d in WHOLE.duties if d.name in PERMITTING} <= rules["Permission"]
    assert own(WHOLE, "rule-never-sell") in rules["Prohibition"]
    assert {"never sell anything", "ask again when these change: purposes, recipients"} <= said


def test_every_way_out_follows_from_its_basis() -> None:
    triples = read_turtle(WHOLE)
    bases = {purpose.name: purpose.basis for purpose in WHOLE.purposes}
    for process in triples.subjects(RDF.type, DPV.PersonalDataProcess):
        name = str(triples.value(triples.value(process, DPV.hasPurpose), SKOS.notation))
        ways = set(triples[process : DPV.hasEntityInvolvement])
        assert (DPV.WithdrawingFromProcess in ways) == (bases[name] is Basis.CONSENT)
        assert (DPV.ObjectingToProcess in ways) == (bases[name] is Basis.LEGITIMATE_INTEREST)


def test_days_are_durations_that_a_machine_reads() -> None:
    triples = read_turtle(WHOLE)
    days = {u.window.days for c in WHOLE.collections for u in c.uses if u.window.kind is WindowKind.DAYS}
    read = {text for term in triples.subjects(RDF.type, DPV.TemporalDuration) for text in triples[term : RDF.value]}
    assert {f"P{each}D" for each in days} <= {str(text) for text in read}


def test_the_json_ld_needs_nothing_from_elsewhere() -> None:
    context = json.loads(dpv.json_ld(WHOLE))["@context"]
    assert isinstance(context, dict)
    assert context["own"] == "https://harbor.example/policy/7#"
    assert "@import" not in context


# Each thing that a policy says beside its uses


def test_visitors_and_people_with_an_account_are_told_apart() -> None:
    triples = read_turtle(WHOLE)
    whom = {
        occasion: set(
            triples[own(WHOLE, f"process-collect-access-ip-on-{occasion}.{occasion}.understand") : DPV.hasDataSubject]
        )
        for occasion in ("access", "visit")
    }
    assert whom == {"access": {own(WHOLE, "person")}, "visit": {own(WHOLE, "visitor")}}


def test_what_is_stored_on_a_device_says_where_and_for_how_long() -> None:
    triples = read_turtle(WHOLE)
    language = own(WHOLE, "process-store-language")
    assert set(triples[language : DPV.hasStorageCondition]) == {
        own(WHOLE, "device-persistent-cookie"),
        own(WHOLE, "storage-days-365"),
    }
    stored = {
        str(text) for stored in WHOLE.stored for text in triples[_stored(stored.clause.name) : DCTERMS.description]
    }
    assert stored == {"token", "language", "draft-*"}
    assert own(WHOLE, "storage-session") in set(triples[_stored("store-token") : DPV.hasStorageCondition])


def _stored(clause: str) -> URIRef:
    return own(WHOLE, f"process-{clause}")


def test_days_after_an_event_are_said_with_the_event() -> None:
    triples = read_turtle(WHOLE)
    assert str(triples.value(own(WHOLE, "duration-account-30"), DPV.hasDuration)) == "P30D"
    assert triples.value(own(WHOLE, "duration-account-0"), DPV.hasDuration) is None
    assert triples.value(own(WHOLE, "duration-consented-0"), DPV.hasDuration) is None


def test_each_right_says_what_it_is_over_how_soon_and_unless_what() -> None:
    triples = read_turtle(WHOLE)
    review, erase, restrict = (
        own(WHOLE, f"right-let-people-{name}")
        for name in ("review-person.review", "delete-person.erase", "restrict-access.restrict")
    )
    names = {own(WHOLE, f"category-person.{name}") for name in ("name", "email", "phone", "shoe")}
    assert set(triples[review : DPV.hasPersonalData]) == names
    assert str(triples.value(review, DPV.hasDuration)) == "P30D"
    assert (erase, RDF.type, GDPR["A17"]) in triples
    assert str(triples.value(erase, DCTERMS.description)) == "unless a legal duty keeps it"
    assert triples.value(restrict, DPV.hasDuration) is None


def test_what_becomes_coarser_is_a_measure_with_its_days() -> None:
    triples = read_turtle(WHOLE)
    coarse = set(triples.subjects(DCTERMS.description, Literal("becomes day after 20 days")))
    (measure,) = coarse
    assert str(triples.value(measure, DPV.hasDuration)) == "P20D"
    assert (measure, DPV.hasPersonalData, own(WHOLE, "category-access.time")) in triples


def test_names_notes_and_sentences_are_said_in_every_language_they_are_written_in() -> None:
    triples = read_turtle(WHOLE)
    assert set(triples[own(WHOLE, "category-person.shoe") : SKOS.altLabel]) == {
        Literal("your shoe size"),
        Literal("deine Schuhgr\u00f6\u00dfe", lang="de"),
        Literal("seu n\u00famero", lang="pt-BR"),
    }
    assert Literal("den Dienst erbringen", lang="de") in set(triples[own(WHOLE, "purpose-provide") : SKOS.prefLabel])
    assert set(triples[own(WHOLE, "policy") : SKOS.note]) == {
        Literal("Commentary."),
        Literal("Anmerkung.", lang="de"),
    }


def test_identifying_and_sensitive_categories_are_said_to_be() -> None:
    triples = read_turtle(WHOLE)
    for kind, wanted in (
        (DPV.IdentifyingPersonalData, {c.name for c in WHOLE.categories if c.identifying}),
        (DPV.SensitivePersonalData, {c.name for c in WHOLE.categories if c.sensitive}),
    ):
        assert set(triples.subjects(RDF.type, kind)) == {own(WHOLE, f"category-{name}") for name in wanted}


def test_only_what_is_counted_is_aggregated() -> None:
    counted = set(read_turtle(WHOLE).subjects(DPV.hasProcessing, DPV.Aggregate))
    assert counted == {own(WHOLE, "process-collect-access-ip-on-visit.visit.understand")}


def test_a_prohibition_names_what_is_done_nowhere() -> None:
    triples = read_turtle(WHOLE)
    assert (own(WHOLE, "rule-never-sell"), DPV.hasPurpose, DPV.SellDataToThirdParties) in triples
    assert (own(WHOLE, "rule-apart"), DPV.hasProcessing, DPV.Combine) in triples


def test_the_person_is_no_recipient_of_their_own_data() -> None:
    triples = read_turtle(WHOLE)
    seen = own(WHOLE, "process-show-person-name-to-the-person")
    assert (seen, DPV.hasProcessing, DPV.Disclose) in triples
    assert set(triples[seen : DPV.hasRecipient]) == set()

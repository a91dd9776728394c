"""Each field that ISO/IEC TS 27560 asks of a consent's record stands in each receipt, where `docs/receipts.md` says it does."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg import Connection
from pyshacl import validate
from rdflib import RDF, Graph, Namespace, URIRef
from rdflib.term import Node

from tests.browsing import Browser
from tests.conftest import PROJECT, Person
from tests.policy.exported import POLICIES, WHOLE
from tests.policy.test_standards_dpv import SHAPES, listed_terms, terms_of
from troth.consent import actions, queries, receipts
from troth.policy.meaning import Policy
from troth.policy.standards import receipt as standard
from troth.policy.standards.graph import PREFIXES
from troth.policy.standards.receipt import Given

#: rdflib reads JSON-LD with a class of its own that it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
ADDRESS, AT = "https://harbor.example", "2026-11-28T12:00:00Z"
DPV, GDPR = Namespace("https://w3id.org/dpv#"), Namespace("https://w3id.org/dpv/legal/eu/gdpr#")
UNSAID = "not stated in the policy"
#: The fields of the standard, as the guide of the vocabulary's group compares them (section 7.2 of its report of 2024-08-01).
MANDATORY = {
    "receipt schema version", "receipt id", "record schema version", "record id", "pii principal id", "privacy notice",
    "language", "purpose", "pii information", "pii controllers", "storage locations", "retention period", "jurisdiction",
    "recipient third parties", "withdrawal method", "pii type", "party id", "party address", "party name", "party contact",
    "party type", "event time", "validity duration", "entity id", "event type", "event state",
}  # fmt: skip
OPTIONAL = {
    "purpose type", "lawful basis", "collection method", "processing method", "processing locations",
    "geographic restrictions", "service", "privacy rights", "codes of conduct", "impact assessment", "authority party",
    "pii attribute id", "pii optional", "sensitive pii category", "special pii category", "party email", "party url",
    "party phone", "party role",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """A row of the documented table: its path from the record, what must be among its values, where the page has it."""

    name: str
    mandatory: bool
    path: str
    value: str
    consents: bool
    heading: str


def fields() -> dict[str, Field]:
    """Return the documented table."""
    text = (PROJECT / "docs" / "receipts.md").read_text(encoding="utf-8").replace(r"\|", "\0")
    rows = re.findall(r"^\| ([a-z ]+) \| ([mo]) \| (.*?) \| (.*?) ?\|$", text, re.MULTILINE)
    return {name: _field(name, needed, where, heading) for name, needed, where, heading in rows}


def _field(name: str, needed: str, where: str, heading: str) -> Field:
    said = [*re.findall(r"`([^`]+)`", where.replace("\0", "|")), "", ""]
    return Field(name, needed == "m", said[0], said[1], "(consents)" in where, heading)


FIELDS = fields()


def values(triples: Graph, start: Node, path: str) -> list[Node]:
    query = f"SELECT ?found WHERE {{ <{start}> {path} ?found }}"
    return [row[0] for row in triples.query(query, initNs=PREFIXES)]  # type: ignore[index]


def unsaid(triples: Graph, kind: str) -> list[str]:
    """Name the fields that a receipt lacks, of each process that it covers."""
    records = set(triples.objects(None, DPV.hasRecordOfActivity))
    assert len(records) == 1
    return sorted(set(_unsaid(triples, kind, records.pop())))


def _unsaid(triples: Graph, kind: str, record: Node) -> Iterator[str]:
    consents = kind in ("consent", "refusal", "withdrawal")
    processes = set(triples.objects(record, DPV.hasProcess)) or {URIRef("urn:none")}
    for field in FIELDS.values():
        if not field.path or field.value or (field.consents and not consents):
            continue
        rest = field.path.removeprefix("dpv:hasProcess/")
        starts = [record] if rest == field.path else processes
        yield from (field.name for start in starts if not values(triples, start, rest))


def given(kind: str, policy: Policy) -> Given:
    key, person = str(uuid.UUID(int=7)), str(uuid.UUID(int=8))
    purpose = "" if kind == "agreement" else policy.purposes[-1].name
    wording, language = ("I agree.", "en") if kind == "agreement" else ("", "")
    page, languages = f"{ADDRESS}/me", ("en", "es")
    return Given(kind, key, person, AT, purpose, "page", wording, language, ADDRESS, page, languages, AT)


def test_the_table_has_every_field_of_the_standard_and_says_which_are_mandatory() -> None:
    assert {name for name, field in FIELDS.items() if field.mandatory} == MANDATORY
    assert {name for name, field in FIELDS.items() if not field.mandatory} == OPTIONAL
    assert [name for name in MANDATORY if not FIELDS[name].path] == []


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("kind", standard.SAID)
def test_of_any_policy_each_field_stands_where_the_table_says(kind: str, name: str) -> None:
    made = standard.graph(POLICIES[name], given(kind, POLICIES[name]))
    triples = Graph().parse(data=made.json_ld(), format="json-ld")
    found = set(unsaid(triples, kind))
    # No term may fit a purpose, and what is handed on is not collected by that.
    assert found <= {"purpose type", "collection method"}
    conforms, _, words = validate(triples, shacl_graph=SHAPES)
    assert conforms, words
    assert terms_of(triples) <= listed_terms()


def test_what_is_sensitive_and_who_receives_it_are_said() -> None:
    triples = Graph().parse(data=standard.graph(WHOLE, given("agreement", WHOLE)).json_ld(), format="json-ld")
    for name in ("sensitive pii category", "special pii category"):
        field = FIELDS[name]
        wanted = field.value.partition(":")
        term = {"dpv": DPV, "eu-gdpr": GDPR}[wanted[0]][wanted[2]]
        record = next(triples.objects(None, DPV.hasRecordOfActivity))
        assert term in values(triples, record, field.path), name
    for share in WHOLE.shares:
        party = next(
            who
            for who in triples.subjects(RDF.type, DPV.ThirdParty)
            if str(triples.value(who, DPV.hasName)) == share.recipient
        )
        for each in ("dcterms:identifier", "dpv:hasName", "dpv:hasAddress", "dpv:hasContact"):
            assert values(triples, party, each), each
        kept = values(triples, party, "^dpv:hasRecipient/dpv:hasStorageCondition/skos:prefLabel")
        assert UNSAID in map(str, kept), "where a recipient stores it no policy says"


@pytest.mark.parametrize("name", sorted(MANDATORY))
def test_mutation_a_mandatory_field_left_out_is_missed(name: str) -> None:
    policy = POLICIES["hosted-solutions"]
    triples = Graph().parse(data=standard.graph(policy, given("consent", policy)).json_ld(), format="json-ld")
    assert name not in unsaid(triples, "consent")
    record = next(triples.objects(None, DPV.hasRecordOfActivity))
    last = re.split(r"[/^|()]", FIELDS[name].path)[-1] or "dpv:hasConsentStatus"
    for end in values(triples, record, FIELDS[name].path):
        prefix, _, local = last.partition(":")
        triples.remove((None, URIRef(PREFIXES[prefix] + local), end))
    assert name in unsaid(triples, "consent")


def chosen(person: Person, kind: str) -> receipts.Receipt:
    """Return the receipt of what a person gives now."""
    if kind == "agreement":
        return receipts.agreement(
            token=person.token, which=queries.agreements(person.token)[0].agreement, address=ADDRESS
        )
    purpose = "understand" if kind in ("objection", "permission") else "announce"
    before = {"withdrawal": "consent", "permission": "objection"}.get(kind)
    for each in filter(None, (before, kind)):
        actions.choose(token=person.token, purpose=purpose, kind=each)
    return receipts.choice(token=person.token, which=queries.choices(person.token)[0].choice, address=ADDRESS)


@pytest.mark.parametrize("kind", standard.SAID)
def test_each_receipt_that_is_handed_out_has_every_field(cast: dict[str, Person], kind: str) -> None:
    alice = cast["alice"]
    found = chosen(alice, kind)
    assert found.facts.kind == kind
    triples = Graph().parse(data=found.content.decode(), format="json-ld")
    assert unsaid(triples, kind) == []
    record = URIRef(f"urn:uuid:{found.facts.key}")

    def told(name: str) -> set[str]:
        return {str(each) for each in values(triples, record, FIELDS[name].path)}

    assert told("record id") == {found.facts.key}
    assert told("receipt id").isdisjoint({found.facts.key})
    assert told("pii principal id") == told("entity id") == {str(alice.subject)}
    assert told("privacy notice") == {f"sha256:{found.facts.policy}"}
    assert told("language") == ({"en"} if kind == "agreement" else {"en", "es"})
    assert told("party id") == {"harbor.example"}
    assert told("party name") == {found.facts.operator}
    assert told("jurisdiction") == told("party address") == {UNSAID}
    assert f"in the service at {ADDRESS}" in told("storage locations")
    assert told("validity duration") == {standard.HOLDS[kind]}
    assert told("withdrawal method") == {
        f"{ADDRESS}/me/close" if kind == "agreement" else f"{ADDRESS}/me#purpose-{found.facts.purpose}"
    }
    again = json.loads(receipts.history(token=alice.token, address=ADDRESS))
    assert told("receipt id") <= {
        each["@value"] for one in again for node in one["@graph"] for each in node.get("dpv:hasIdentifier", [])
    }


def test_the_page_says_each_field_under_the_heading_that_the_table_names(
    browser: Browser, owner: Connection[Any]
) -> None:
    browser.sign_up(owner, "alice@harbor.example")
    paths = set()
    for kind in ("consent", "withdrawal"):
        browser.choose("announce", kind)
        page = browser.get("/me").content.decode()
        paths |= set(re.findall(r'href="(/me/receipts/(?:agreement|choice)/[0-9a-f-]{36})"', page))
    assert len(paths) == 3
    headings = {field.heading for field in FIELDS.values() if field.heading}
    for path in paths:
        page = browser.get(path).content.decode()
        parts = re.findall(
            r"<(?:dt|h2)[^>]*>([^<]+)<|<p class=\"small soft\">([^<:]+):|<p><a href=\"/me#[^>]*>([^<]+)<", page
        )
        said = {next(filter(None, each)) for each in parts}
        wanted = headings - ({"Change your mind"} if "/agreement/" in path else set())
        assert wanted <= said, wanted - said
        key = path.rpartition("/")[2]
        assert key in page
        assert "privacy@harbor.example" in page

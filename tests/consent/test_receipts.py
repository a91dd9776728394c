"""Each agreement and choice gives a receipt, which holds without the service, and of which nothing can be changed."""

import json
import re
import shutil
import subprocess
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from psycopg import Connection
from pyshacl import validate
from rdflib import RDF, Graph, Literal, Namespace, URIRef

from tests.browsing import Browser
from tests.conftest import PROJECT, Person
from tests.ledger.test_sealing import changed
from tests.policy.test_standards_dpv import SHAPES, listed_terms, terms_of
from troth.cli.receipt import receipt
from troth.consent import actions, queries, receipts
from troth.consent.errors import NoSuchRecord, NotAReceipt
from troth.consent.receipts import Receipt
from troth.database import place
from troth.ledger import sealing, sequencing
from troth.ledger.signednote import Key

ADDRESS = "https://harbor.example"
#: rdflib reads JSON-LD with a class of its own that it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
DPV = Namespace("https://w3id.org/dpv#")


@pytest.fixture
def ledger(owner: Connection[Any]) -> Key:
    """The key of the ledger, whose head has everything that was done until now."""
    return signed(owner)


def signed(owner: Connection[Any]) -> Key:
    (place.current().data / sequencing.FILE).unlink(missing_ok=True)
    head = sequencing.sequence(owner, place.current())
    assert head is not None
    return sequencing.key(place.current(), head.origin)


def of_agreement(person: Person) -> Receipt:
    which = queries.agreements(person.token)[0].agreement
    return receipts.agreement(token=person.token, which=which, address=ADDRESS)


def of_choice(person: Person, purpose: str, kind: str) -> Receipt:
    actions.choose(token=person.token, purpose=purpose, kind=kind)
    newest = queries.choices(person.token)[0]
    return receipts.choice(token=person.token, which=newest.choice, address=ADDRESS)


def again(found: Receipt, person: Person) -> Receipt:
    """The same receipt, taken once more."""
    make = receipts.agreement if found.facts.kind == "agreement" else receipts.choice
    return make(token=person.token, which=uuid.UUID(found.facts.key), address=ADDRESS)


def test_an_agreement_s_receipt_says_to_what_and_holds(cast: dict[str, Person], ledger: Key) -> None:
    alice = cast["alice"]
    found = of_agreement(alice)
    verdict = receipts.verified(found.content, receipts.key(), [ledger])
    assert verdict.facts == found.facts
    assert verdict.entries > 0
    facts = found.facts
    assert (facts.kind, facts.subject, facts.version, facts.wording, facts.language) == (
        "agreement", str(alice.subject), 1, "I agree.", "en",
    )  # fmt: skip
    assert facts.at.endswith("Z")


@pytest.mark.parametrize(
    ("purpose", "kind"),
    [
        ("announce", "consent"),
        ("announce", "withdrawal"),
        ("understand", "objection"),
        ("understand", "permission"),
    ],
)
def test_each_choice_has_a_receipt_with_its_own_entry(
    cast: dict[str, Person], owner: Connection[Any], purpose: str, kind: str
) -> None:
    alice = cast["alice"]
    for other in ("consent", "withdrawal") if purpose == "announce" else ("objection", "permission"):
        actions.choose(token=alice.token, purpose=purpose, kind=other)
    found = of_choice(alice, purpose, kind)
    assert not found.proven
    with pytest.raises(NotAReceipt, match="next head"):
        receipts.verified(found.content, receipts.key(), [Key("harbor.example/ledger", bytes(32))])
    key = signed(owner)
    later = again(found, alice)
    assert later.proven
    verdict = receipts.verified(later.content, receipts.key(), [key])
    assert (verdict.facts.kind, verdict.facts.purpose) == (kind, purpose)
    # The entry is the newest of this kind, not an earlier one about the same purpose.
    assert json.loads(json.loads(later.content)["ledger"]["entry"])["index"] == verdict.entries - 1


def test_nobody_gets_another_s_receipt(cast: dict[str, Person]) -> None:
    alice, bob = cast["alice"], cast["bob"]
    which = queries.agreements(alice.token)[0].agreement
    actions.choose(token=alice.token, purpose="announce", kind="consent")
    choice = queries.choices(alice.token)[0].choice
    for make, key in ((receipts.agreement, which), (receipts.choice, choice), (receipts.choice, which)):
        with pytest.raises(NoSuchRecord):
            make(token=bob.token, which=key, address=ADDRESS)
    with pytest.raises(NoSuchRecord):
        receipts.agreement(token="nobody's", which=which, address=ADDRESS)


def test_no_value_of_a_receipt_can_be_changed(cast: dict[str, Person], ledger: Key) -> None:
    document = json.loads(of_agreement(cast["alice"]).content)
    for other in changed({**document, "@graph": document["@graph"][-3:]}):
        with pytest.raises(NotAReceipt):
            receipts.verified(json.dumps(other).encode(), receipts.key(), [ledger])
    for broken in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000, json.dumps(document)[:-9].encode()):
        with pytest.raises(NotAReceipt):
            receipts.verified(broken, receipts.key(), [ledger])


def test_a_seal_over_what_the_ledger_does_not_say_is_no_receipt(cast: dict[str, Person], ledger: Key) -> None:
    """Whoever has the key of the receipts alone cannot make one: the ledger's entry is held against it."""
    alices, bobs = (json.loads(of_agreement(cast[who]).content) for who in ("alice", "bob"))
    sealer = place.secrets_of(place.current()).receipts

    def sealed(told: dict[str, Any]) -> bytes:
        inside = {name: value for name, value in told.items() if name != "proof"}
        return json.dumps(sealing.sealed(inside, sealer, at="2026-11-28T12:00:00Z")).encode()

    assert receipts.verified(sealed(alices), receipts.key(), [ledger]).entries > 0
    for wrong, sentence in (
        (alices | {"ledger": bobs["ledger"]}, "somebody else"),
        (alices | {"receipt": alices["receipt"] | {"subject": str(uuid.uuid4())}}, "somebody else"),
        (alices | {"receipt": alices["receipt"] | {"version": 2}}, "something else"),
        (alices | {"receipt": alices["receipt"] | {"policy": "0" * 64}}, "something else"),
        (alices | {"receipt": alices["receipt"] | {"kind": "consent"}}, "something else"),
        (alices | {"ledger": None}, "no entry"),
        (alices | {"ledger": alices["ledger"] | {"proof": None}}, "next head"),
        (alices | {"ledger": alices["ledger"] | {"proof": bobs["ledger"]["proof"]}}, "does not stand"),
        (alices | {"receipt": alices["receipt"] | {"more": 1}}, "no receipt"),
    ):
        with pytest.raises(NotAReceipt, match=sentence):
            receipts.verified(sealed(wrong), receipts.key(), [ledger])


def test_a_receipt_is_linked_data_in_terms_that_exist(cast: dict[str, Person], ledger: Key) -> None:
    del ledger
    alice = cast["alice"]
    consent = of_choice(alice, "announce", "consent")
    for found in (consent, of_agreement(alice)):
        triples = Graph().parse(data=found.content.decode(), format="json-ld")
        conforms, _, words = validate(triples, shacl_graph=SHAPES)
        assert conforms, words
        assert terms_of(triples) <= listed_terms()
        record = URIRef(f"urn:uuid:{found.facts.key}")
        assert triples.value(record, DPV.hasDataSubject) == URIRef(f"urn:uuid:{alice.subject}")
        assert set(triples.objects(record, DPV.hasProcess))
        event = triples.value(record, DPV.hasLegalBasis)
        assert triples.value(event, DPV.isIndicatedBy) == URIRef(f"urn:uuid:{alice.subject}")
        at = triples.value(event, DPV.isIndicatedAtTime)
        assert isinstance(at, Literal)
        assert at.toPython() == datetime.fromisoformat(found.facts.at)
    triples = Graph().parse(data=consent.content.decode(), format="json-ld")
    record = URIRef(f"urn:uuid:{consent.facts.key}")
    assert (record, RDF.type, DPV.ConsentRecord) in triples
    assert (triples.value(None, DPV.hasRecordOfActivity, record), RDF.type, DPV.ConsentReceipt) in triples
    assert (None, DPV.hasConsentStatus, DPV.ConsentGiven) in triples
    purposes = {str(text) for text in triples.objects(None, URIRef("http://www.w3.org/2004/02/skos/core#notation"))}
    assert "announce" in purposes
    assert "understand" not in purposes


def test_a_kept_receipt_holds_after_its_person_is_gone(
    cast: dict[str, Person], owner: Connection[Any], ledger: Key
) -> None:
    alice = cast["alice"]
    kept = of_agreement(alice).content
    owner.execute("SELECT troth.end_subject(%s, 'asked')", (alice.subject,))
    owner.execute("SELECT troth.remove_subject(%s)", (alice.subject,))
    assert owner.execute("SELECT FROM troth.ledger_salt WHERE subject = %s", (alice.subject,)).fetchone() is None
    assert receipts.verified(kept, receipts.key(), [ledger]).facts.subject == str(alice.subject)


def test_the_command_needs_the_file_and_the_keys_alone(
    cast: dict[str, Person], ledger: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, changed_file = tmp_path / "receipt.jsonld", tmp_path / "changed.jsonld"
    content = of_agreement(cast["alice"]).content
    file.write_bytes(content)
    changed_file.write_bytes(content.replace(b"I agree.", b"I do not"))
    key = receipts.key()
    monkeypatch.setenv("TROTH_DATA", str(tmp_path / "nowhere"))
    run = CliRunner().invoke
    good = run(receipt, ["verify", str(file), "--key", key, "--ledger", ledger.written])
    assert good.exit_code == 0, good.output
    assert "the ledger has it among" in good.output
    alone = run(receipt, ["verify", str(file), "--key", key, "--format", "json"])
    assert json.loads(alone.output)["entries"] == 0
    for arguments in (
        ["verify", str(changed_file), "--key", key],
        ["verify", str(file), "--key", "z6Mk"],
        ["verify", str(file), "--key", key, "--ledger", "nothing"],
    ):
        bad = run(receipt, arguments)
        assert bad.exit_code == 1
        assert "; " in bad.output


def test_the_whole_history_is_one_file_that_holds(
    cast: dict[str, Person], owner: Connection[Any], tmp_path: Path
) -> None:
    alice, bob = cast["alice"], cast["bob"]
    actions.choose(token=bob.token, purpose="announce", kind="consent")
    for kind in ("consent", "withdrawal", "consent"):
        actions.choose(token=alice.token, purpose="announce", kind=kind)
    actions.choose(token=alice.token, purpose="understand", kind="objection")
    ledger = signed(owner)
    content = receipts.history(token=alice.token, address=ADDRESS)
    verdicts = [receipts.verified(each, receipts.key(), [ledger]) for each in receipts.separate(content)]
    assert [each.facts.kind for each in verdicts] == ["agreement", "consent", "withdrawal", "consent", "objection"]
    assert {each.facts.subject for each in verdicts} == {str(alice.subject)}
    entries = [json.loads(json.loads(each)["ledger"]["entry"])["index"] for each in receipts.separate(content)]
    assert entries == sorted(set(entries)), "each has an entry of its own"

    file, run = tmp_path / "receipts.jsonld", CliRunner().invoke
    file.write_bytes(content)
    good = run(receipt, ["verify", str(file), "--key", receipts.key(), "--ledger", ledger.written])
    assert good.exit_code == 0, good.output
    assert good.output.count("the receipt holds") == 5
    file.write_bytes(content.replace(b'"kind": "withdrawal"', b'"kind": "objection"'))
    bad = run(receipt, ["verify", str(file), "--key", receipts.key()])
    assert bad.exit_code == 1
    assert "receipt 3 of the file" in bad.output
    for nothing in (b"[]", b"", b"[" * 100_000):
        with pytest.raises(NotAReceipt):
            receipts.separate(nothing)


def test_the_documented_lines_in_another_language_say_the_same(cast: dict[str, Person], tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node, "install nodejs (Debian)"
    text = (PROJECT / "docs" / "receipts.md").read_text(encoding="utf-8")
    script = re.search(r"```js\n(.*?)```", text, re.DOTALL)
    assert script
    (tmp_path / "check.js").write_text(script.group(1), encoding="utf-8")
    content = of_agreement(cast["alice"]).content
    choice = of_choice(cast["alice"], "announce", "consent").content
    history = receipts.history(token=cast["alice"].token, address=ADDRESS)
    for told, key, holds in (
        (content, receipts.key(), [True]),
        (content.replace(b"I agree.", b"I do not"), receipts.key(), [False]),
        (content, "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2", [False]),
        (choice, receipts.key(), [True]),
        (history, receipts.key(), [True, True]),
        (history.replace(b'"kind": "consent"', b'"kind": "objection"'), receipts.key(), [True, False]),
        (b"[]", receipts.key(), []),
    ):
        (tmp_path / "receipt.jsonld").write_bytes(told)
        command = [node, str(tmp_path / "check.js"), str(tmp_path / "receipt.jsonld"), key]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is (bool(holds) and all(holds)), done.stdout + done.stderr
        said = ("the seal holds" if each else "the seal does not hold" for each in holds)
        assert done.stdout.splitlines() == [f"receipt {n} of {len(holds)}: {each}" for n, each in enumerate(said, 1)]


def test_the_pages_show_it_to_its_person_alone(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, "alice@harbor.example")
    browser.post("/me/purposes/announce", {"kind": "consent"})
    page = browser.get("/me").content.decode()
    paths = re.findall(r'href="(/me/receipts/(?:agreement|choice)/[0-9a-f-]{36})"', page)
    assert len(paths) == 2
    assert 'href="/me/receipts"' in page
    every = browser.get("/me/receipts")
    assert every.headers["Content-Disposition"] == 'attachment; filename="receipts.jsonld"'
    assert len(receipts.separate(every.content)) == 2
    other = Browser()
    other.sign_up(owner, "bob@harbor.example", "Bob")
    for path in paths:
        shown = browser.get(path)
        assert shown.status_code == 200
        assert "Save the receipt" in shown.content.decode()
        answer = browser.get(f"{path}/file")
        assert answer.headers["Content-Type"] == "application/ld+json"
        key = browser.get("/receipts/key").content.decode().strip()
        assert receipts.verified(answer.content, key).facts.key in path
        assert other.get(path).status_code == other.get(f"{path}/file").status_code == 404
    assert browser.get(paths[0].replace("agreement", "nothing").replace("choice", "nothing")).status_code == 404


def test_a_receipt_that_tells_a_member_twice_is_none(cast: dict[str, Person], ledger: Key) -> None:
    """Readers differ in which of the two they take, so that one sees what another's seal does not cover."""
    found = of_choice(cast["alice"], "announce", "consent")
    receipts.verified(found.content, receipts.key())
    twice = found.content.replace(b"{", b'{"receipt":{"kind":"withdrawal"},', 1)
    assert json.loads(twice) == json.loads(found.content)
    for ask in (lambda: receipts.verified(twice, receipts.key()), lambda: receipts.separate(twice)):
        with pytest.raises(NotAReceipt):
            ask()

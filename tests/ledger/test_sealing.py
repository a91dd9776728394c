"""Seals are those of the recommendation, and hold for nothing that was changed."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from troth.ledger import sealing
from troth.ledger.errors import SealRefusal

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
AT = "2026-11-28T12:00:00Z"
#: Appendix B.1 of Data Integrity EdDSA Cryptosuites v1.0: the example of eddsa-jcs-2022.
THEIRS = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
CONTEXT = ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"]
EXAMPLE = {
    "@context": CONTEXT,
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "AlumniCredential"],
    "name": "Alumni Credential",
    "description": "A minimum viable example of an Alumni Credential.",
    "issuer": "https://vc.example/issuers/5678",
    "validFrom": "2023-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
    "proof": {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "created": "2023-02-24T23:36:38Z",
        "verificationMethod": f"did:key:{THEIRS}#{THEIRS}",
        "proofPurpose": "assertionMethod",
        "@context": CONTEXT,
        "proofValue": "z2HnFSSPPBzR36zdDgK8PbEHeXbR56YF24jwMpt3R1eHXQzJDMWS93FCzpvJpwTWd3GAVFuUfjoJdcnTMuVor51aX",
    },
}
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def changed(document: Any) -> Iterator[Any]:
    """Yield the document once for each of its values, with that value another."""
    for path in list(paths(document)):
        copied = copy.deepcopy(document)
        at = copied
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = f"{at[path[-1]]}x" if isinstance(at[path[-1]], str) else "x"
        yield copied


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list) and value:
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*before, name))
    else:
        yield before


def test_the_recommendation_s_own_example_holds_and_nothing_of_it_can_be_changed() -> None:
    assert sealing.opened(EXAMPLE, THEIRS)["name"] == "Alumni Credential"
    for other in changed(EXAMPLE):
        with pytest.raises(SealRefusal):
            sealing.opened(other, THEIRS)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(max_size=8).filter(lambda name: name != "proof"), json, max_size=3))
def test_what_is_sealed_is_opened_with_its_key_alone(document: dict[str, Any]) -> None:
    made = sealing.sealed(document, KEY, at=AT)
    assert sealing.opened(made, sealing.written(KEY)) == document
    with pytest.raises(SealRefusal, match="another key"):
        sealing.opened(made, sealing.written(Ed25519PrivateKey.generate()))


@pytest.mark.parametrize("broken", [None, [], {}, {"proof": 1}, {"proof": {}}, {"a": 2**70, **EXAMPLE}])
def test_what_is_no_sealed_document_is_refused(broken: Any) -> None:
    with pytest.raises(SealRefusal):
        sealing.opened(broken, THEIRS)


@pytest.mark.parametrize("key", ["", "z", "z6Mk", "zzzz0", "é", sealing.written(KEY)[:-1]])
def test_what_is_no_key_is_refused(key: str) -> None:
    proof = dict(EXAMPLE["proof"], verificationMethod=f"did:key:{key}#{key}")  # type: ignore[arg-type]
    with pytest.raises(SealRefusal):
        sealing.opened(EXAMPLE | {"proof": proof}, key)

"""JSON documents sealed with a signature inside them, which anybody checks without the service.

Source: Data Integrity EdDSA Cryptosuites v1.0, eddsa-jcs-2022 (W3C Recommendation, 2025); RFC 8785 for the bytes that
are signed, RFC 8032 for Ed25519. Keys are written as the Multikey of that recommendation: `z6Mk...`.
"""

from hashlib import sha256
from typing import Any

import base58
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from troth.ledger.errors import SealRefusal

#: The multicodec of an Ed25519 public key, and the sign of base58 in multibase.
ED25519, BASE58 = b"\xed\x01", "z"
SUITE = {"type": "DataIntegrityProof", "cryptosuite": "eddsa-jcs-2022", "proofPurpose": "assertionMethod"}
ADVICE = "take the document as it was handed out, and the key from somewhere you trust"


def written(key: Ed25519PrivateKey) -> str:
    """Return the public half of a key as Multikey."""
    return multikey(key.public_key().public_bytes_raw())


def multikey(public: bytes) -> str:
    """Return a public key of 32 bytes as Multikey."""
    return _multibase(ED25519 + public)


def sealed(document: dict[str, Any], key: Ed25519PrivateKey, *, at: str) -> dict[str, Any]:
    """Return the document with its proof, made at a time (RFC 3339). The document has no member `proof` yet."""
    name = written(key)
    told = {**SUITE, "created": at, "verificationMethod": f"did:key:{name}#{name}"}
    if "@context" in document:
        told["@context"] = document["@context"]
    return document | {"proof": told | {"proofValue": _multibase(key.sign(_digest(document, told)))}}


def opened(document: Any, key: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return the document without its proof, which the Multikey `key` signed. Raises SealRefusal."""
    if not isinstance(document, dict) or not isinstance(document.get("proof"), dict):
        raise SealRefusal("this document carries no seal", advice=ADVICE)
    told = dict(document["proof"])
    value = told.pop("proofValue", None)
    inside = {name: each for name, each in document.items() if name != "proof"}
    if any(told.get(name) != each for name, each in SUITE.items()) or told.get("@context") != inside.get("@context"):
        raise SealRefusal("the seal is of a kind that is not known here", advice=ADVICE)
    if told.get("verificationMethod") != f"did:key:{key}#{key}":
        raise SealRefusal("the document is sealed with another key", advice=ADVICE)
    try:
        Ed25519PublicKey.from_public_bytes(_public(key)).verify(_bytes(value), _digest(inside, told))
    except (InvalidSignature, ValueError, rfc8785.CanonicalizationError) as error:
        raise SealRefusal("the seal does not hold: the document is not what was sealed", advice=ADVICE) from error
    return inside


def _digest(document: dict[str, Any], told: dict[str, Any]) -> bytes:
    return b"".join(sha256(rfc8785.dumps(each)).digest() for each in (told, document))


def _public(key: str) -> bytes:
    raw = _bytes(key)
    if raw[:2] != ED25519 or len(raw) != 34:  # noqa: PLR2004 - kind and key
        raise ValueError(key)
    return raw[2:]


def _multibase(raw: bytes) -> str:
    return BASE58 + base58.b58encode(raw).decode("ascii")


def _bytes(text: Any) -> bytes:  # noqa: ANN401 - any JSON
    if not isinstance(text, str) or not text.startswith(BASE58):
        raise ValueError(text)
    return base58.b58decode(text[1:])

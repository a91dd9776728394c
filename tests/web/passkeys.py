"""A security key in software: it makes a passkey and signs with it, having recognised its owner or not."""

import base64
import hashlib
import html
import json
import re
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from fido2.cose import ES256
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

HOST, ORIGIN = "localhost", "https://localhost:8443"
FLAG = AuthenticatorData.FLAG


def options(page: bytes) -> Any:
    """Return what a page asks of a key (WebAuthn's `publicKey`)."""
    found = re.search(r'data-options="([^"]+)"', page.decode())
    assert found
    return json.loads(html.unescape(found[1]))["publicKey"]


class Key:
    """One passkey for the service's host (ES256, attestation `none`), of whoever adds it."""

    def __init__(self) -> None:
        self.number, self.held, self.whose = secrets.token_bytes(16), generate_private_key(SECP256R1()), ""

    def made(self, asked: dict[str, Any]) -> str:
        """Return the answer to options of creation, its owner recognised."""
        self.whose = asked["user"]["id"]
        public = ES256.from_cryptography_key(self.held.public_key())  # type: ignore[no-untyped-call]
        credential = AttestedCredentialData.create(bytes(16), self.number, public)
        told = CollectedClientData.create("webauthn.create", asked["challenge"], ORIGIN)
        about = _about(FLAG.UP | FLAG.UV | FLAG.AT, credential)
        attested = AttestationObject.create("none", about, {})
        return self._answer({"clientDataJSON": _text(told), "attestationObject": _text(attested)})

    def signed(self, asked: dict[str, Any], *, recognised: bool) -> str:
        """Return the answer to options of signing in, by somebody whom the key recognised as its owner or did not."""
        told = CollectedClientData.create("webauthn.get", asked["challenge"], ORIGIN)
        about = _about(FLAG.UP | FLAG.UV if recognised else FLAG.UP)
        signature = self.held.sign(bytes(about) + told.hash, ECDSA(SHA256()))
        answer = {"clientDataJSON": _text(told), "authenticatorData": _text(about), "signature": _text(signature)}
        return self._answer(answer | {"userHandle": self.whose})

    def _answer(self, response: dict[str, str]) -> str:
        number = _text(self.number)
        told = {"id": number, "rawId": number, "type": "public-key", "clientExtensionResults": {}}
        return json.dumps(told | {"response": response})


def _about(flags: AuthenticatorData.FLAG, credential: bytes = b"") -> AuthenticatorData:
    made: AuthenticatorData = AuthenticatorData.create(hashlib.sha256(HOST.encode()).digest(), flags, 0, credential)
    return made


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

"""An application as its own author would write it: plain requests, nothing of ours."""

import base64
import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from django.test import Client

from tests.browsing import Browser

BACK = "https://notes.example/signed-in"
MANIFEST = """name = "Harbor Notes"
origins = ["https://notes.example"]
redirect_uris = ["https://notes.example/signed-in"]
after_sign_out = ["https://notes.example/bye"]
purposes = ["provide"]

[claims]
name = { category = "person.name", purpose = "provide" }
email = { category = "person.email", purpose = "provide" }
"""


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Notes:
    """The application; `server` is its own machine, which has no cookies."""

    id: str
    secret: str = ""
    back: str = BACK
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    server: Client = field(default_factory=lambda: Browser(csrf=True))

    def question(self, **told: str | None) -> str:
        """Return the address that a person's browser is sent to."""
        asked: dict[str, str | None] = {
            "client_id": self.id,
            "redirect_uri": self.back,
            "response_type": "code",
            "scope": "openid profile email",
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": s256(self.verifier),
            "code_challenge_method": "S256",
        }
        return "/connect/authorize?" + urlencode({k: v for k, v in (asked | told).items() if v is not None})

    def permit(
        self, person: Browser, claims: list[str] | None = None, answer: str = "permit", **told: str | None
    ) -> Any:
        """Let somebody answer the question; `claims` None ticks all that is asked."""
        question = self.question(**told)
        page = person.get(question)
        if page.status_code != 200:
            return page
        shown = re.findall(r'name="claims" id="[^"]*" value="([^"]*)"', page.content.decode())
        chosen = shown if claims is None else [each for each in shown if each.split(":")[0] in claims]
        return person.post(question, {"answer": answer, "claims": chosen})

    def code(self, person: Browser, claims: list[str] | None = None, **told: str | None) -> str:
        """Return the code that a person's browser brings back."""
        answer = self.permit(person, claims, "permit", **told)
        assert answer.status_code == 302, answer.content.decode()
        assert answer.headers["Location"].startswith(told.get("redirect_uri") or self.back), answer.headers["Location"]
        return brought(answer)["code"]

    def ask(self, path: str, told: dict[str, str], **headers: str) -> Any:
        """Ask the provider as the application's own machine."""
        if self.secret and "Authorization" not in headers:
            word = f"{quote(self.id)}:{quote(self.secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(word.encode()).decode()
        elif not self.secret:
            told = told | {"client_id": self.id}
        return self.server.post(
            path, urlencode(told), content_type="application/x-www-form-urlencoded", headers=headers
        )

    def redeem(self, code: str, **told: str) -> Any:
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.back,
            "code_verifier": self.verifier,
        }
        return self.ask("/connect/token", asked | told)

    def refresh(self, token: str) -> Any:
        return self.ask("/connect/token", {"grant_type": "refresh_token", "refresh_token": token})

    def tokens(self, person: Browser, claims: list[str] | None = None, **told: str | None) -> dict[str, Any]:
        """Go the whole way in."""
        answer = self.redeem(self.code(person, claims, **told))
        assert answer.status_code == 200, answer.content
        found: dict[str, Any] = answer.json()
        return found

    def told(self, access: str) -> Any:
        """Return the userinfo page's answer."""
        return self.server.get("/connect/userinfo", headers={"Authorization": f"Bearer {access}"})

    def active(self, token: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("/connect/introspect", {"token": token}).json()
        return found


def brought(answer: Any) -> dict[str, str]:
    """Return what a browser brings back in the address."""
    return {key: values[0] for key, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def inside(token: str) -> dict[str, Any]:
    """Return a token's claims, unverified."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found

"""What the provider says about people and about itself: pairwise subjects, permitted claims, one fixed address."""

import hmac
from collections.abc import Iterable
from functools import cache
from typing import Any

from allauth.core import context
from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from allauth.idp.oidc.models import Client, PrivateKey, Token
from django.conf import settings
from django.urls import reverse

from troth.consent import applications
from troth.database import place
from troth.people import keys
from troth.people.manifests import SCOPES

LABEL = "pairwise subjects"
ENDPOINTS = {
    "authorization_endpoint": "authorization",
    "token_endpoint": "token",
    "userinfo_endpoint": "userinfo",
    "jwks_uri": "jwks",
    "revocation_endpoint": "revoke",
    "introspection_endpoint": "introspect",
    "users_endpoint": "users",
    "device_authorization_endpoint": "device_code",
    "end_session_endpoint": "logout",
}


class Provider(DefaultOIDCAdapter):
    """The provider's own ways."""

    def get_issuer(self) -> str:
        """Return the fixed address of the service, whatever Host the request named."""
        return str(settings.BASE_URL)

    def get_user_sub(self, client: Client, user: Any) -> str:  # noqa: ANN401 - an account, or nobody
        """Return who somebody is to one application: another can do nothing with it (OpenID Connect Core 1.0, 8.1)."""
        subject = getattr(user, "subject", None)
        return pairwise(client.id, str(subject)) if subject else ""

    def get_user_by_sub(self, client: Client, sub: str) -> Any:  # noqa: ANN401 - an account, or None
        """Return who is signed in when they are meant: a pairwise subject leads nowhere else."""
        user = context.request.user
        same = bool(sub) and hmac.compare_digest(sub.encode(), self.get_user_sub(client, user).encode())
        return user if same else None

    def get_claims(
        self,
        purpose: str,  # noqa: ARG002 - the same in ID token and userinfo
        user: Any,  # noqa: ANN401 - an account
        client: Client,
        scopes: Iterable[str],
        email: str | None = None,  # noqa: ARG002 - which address is the policy's and the person's to say
        **_told: Any,  # noqa: ANN401 - the library's
    ) -> dict[str, Any]:
        """Return what the database lets this application know about somebody at this moment."""
        told = applications.told(user.subject, client.id, list(scopes))
        return {**told, "sub": self.get_user_sub(client, user)}

    def populate_id_token(self, id_token: dict[str, Any], client: Client, scopes: Iterable[str], **_: Any) -> None:  # noqa: ANN401, ARG002
        """Say when the person signed in."""
        signed_in_at = getattr(context.request, "troth_signed_in_at", None)
        if signed_in_at:
            id_token["auth_time"] = int(signed_in_at)

    def populate_server_metadata(self, data: dict[str, Any]) -> None:
        """Say what there is, at the service's own address (OpenID Connect Discovery 1.0, RFC 8414, RFC 9207)."""
        data |= {name: settings.BASE_URL + reverse(f"idp:oidc:{route}") for name, route in ENDPOINTS.items()}
        data["subject_types_supported"] = ["pairwise"]
        data["response_types_supported"] = ["code"]
        data["response_modes_supported"] = ["query"]
        data["grant_types_supported"] = [
            Client.GrantType.AUTHORIZATION_CODE.value,
            Client.GrantType.REFRESH_TOKEN.value,
            Client.GrantType.DEVICE_CODE.value,
        ]
        data["scopes_supported"] = ["openid", *SCOPES]
        claims = [name for names in SCOPES.values() for name in names]
        data["claims_supported"] = ["sub", "auth_time", "email_verified", *claims]
        data["authorization_response_iss_parameter_supported"] = True
        data["request_parameter_supported"] = data["request_uri_parameter_supported"] = False
        data["claims_parameter_supported"] = False
        data["service_documentation"] = settings.BASE_URL + reverse("policy")
        data["op_policy_uri"], data["op_tos_uri"] = (settings.BASE_URL + reverse(each) for each in ("policy", "terms"))

    def list_private_keys(self, *, did_activate: bool | None = None, is_active: bool | None = None) -> list[PrivateKey]:
        """Return the keys that the keeper made, opened with the place's secret."""
        from allauth.idp.oidc.internal.private_keys import filter_keys  # noqa: PLC0415 - it needs the models

        listed = [
            PrivateKey(pem=key.pem, not_before=key.signs_from, issued_at=key.signs_from, expires_at=key.shown_until)
            for key in keys.held()
        ]
        return list(filter_keys(listed, did_activate=did_activate, is_active=is_active))

    def is_introspection_allowed(self, token: Token, *, caller_client: Client) -> bool:
        """Call a token active only while its person permits the application and has agreed to what is needed."""
        same = token.client_id == caller_client.id
        return bool(same and token.user and applications.standing(token.user.subject, token.client_id))

    def populate_introspection_response(self, *, response: dict[str, Any], token: Token) -> None:
        """Say for which purposes the token holds now."""
        now = applications.standing(token.user.subject, token.client_id) if token.user else None
        response["purposes"] = list(now.purposes) if now else []


def pairwise(application: str, subject: str) -> str:
    """Return what a subject is called to one application: HMAC-SHA-256 with a key of this place, in hex."""
    return hmac.digest(_key(place.current()), f"{application}\0{subject}".encode(), "sha256").hex()


@cache
def _key(where: place.Place) -> bytes:
    return place.secrets_of(where).derive(LABEL)

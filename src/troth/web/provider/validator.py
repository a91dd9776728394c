"""Where the provider is stricter than its library: exact addresses, PKCE for everybody, codes and refresh tokens once.

Sources: RFC 9700 (best current practice), RFC 7636 (PKCE), RFC 8252 (native apps), RFC 7009 (revocation).
"""

import re
import secrets
import uuid
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

from allauth.account.internal.flows.login import get_authentication_records
from allauth.core import context
from allauth.idp.oidc.adapter import get_adapter
from allauth.idp.oidc.internal.oauthlib.request_validator import OAuthLibRequestValidator
from allauth.idp.oidc.internal.oauthlib.utils import ValidatorContext, get_validator_context
from allauth.idp.oidc.internal.tokens import decode_jwt_token
from allauth.idp.oidc.models import Client, Token
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749 import errors

from troth.consent import applications
from troth.people import authorizing
from troth.people.actions import Account
from troth.people.authorizing import Code
from troth.people.manifests import LOOPBACK as HERE
from troth.people.manifests import Claim, parsed, within
from troth.web.provider.adapter import pairwise

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
CODE_SECONDS, DEVICE_SECONDS = 60, 3600


def of_device(device_code: str) -> str:
    """Return by which code it is known that somebody let a device in: as any code, it dies with what they permitted."""
    return f"device {device_code}"


def keep_device(device_code: str, *, subject: uuid.UUID, application: str, scopes: list[str]) -> None:
    """Remember that somebody let a device in; nobody has what this code is turned in with, but the device its own."""
    authorizing.keep_code(
        of_device(device_code),
        seconds=DEVICE_SECONDS,
        subject=subject,
        application=application,
        redirect_uri="",
        scopes=scopes,
        nonce=None,
        challenge=secrets.token_urlsafe(32),
        signed_in_at=None,
    )


def asked(application: str, scopes: list[str]) -> tuple[Claim, ...]:
    """Return what an application asks for with these scopes."""
    known = authorizing.application(application)
    return within(tuple(map(parsed, known.claims)), scopes) if known else ()


def sends(application: str) -> tuple[str, ...]:
    """Return the kinds of events that an application may send of whoever signs in to it."""
    known = authorizing.application(application)
    return known.events if known else ()


def remembered(request: Any, client: Client, scopes: list[str], redirect_uri: str) -> bool:
    """Whether the viewer has answered all that is asked, so that they need not be asked again.

    Who waits at an address that any program on a device can take is asked for each time (RFC 8252 section 8.6).
    """
    known, before = (
        authorizing.application(client.id),
        applications.live(token=request.viewer, application=client.id) if request.viewer else None,
    )
    if known is None or before is None or urlsplit(redirect_uri).scheme != "https":
        return False
    wanted = {claim.written for claim in asked(client.id, scopes)}
    return wanted <= set(before.offered) and set(known.purposes) <= set(before.purposes)


def proven_at(request: Any) -> float | None:
    """Return when somebody last proved that it is them in this session, in seconds since 1970."""
    records = [float(record["at"]) for record in get_authentication_records(request)]
    if not records and request.user.last_login is not None:
        return float(request.user.last_login.timestamp())  # signing up leaves no record
    return max(records, default=None)


def same_address(address: str, registered: list[str]) -> bool:
    """Whether an address is a registered one, sign for sign; on the loopback interface any port will do."""
    if address in registered:
        return True
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme != "http" or parts.hostname not in HERE or port is None:
        return False
    return any(_without_port(address, port) == _without_port(each, urlsplit(each).port) for each in registered)


def _without_port(address: str, port: int | None) -> str:
    return address.replace(f":{port}", "", 1) if port is not None else address


class Validator(OAuthLibRequestValidator):
    """The library's judge, stricter."""

    # Authorization

    def validate_redirect_uri(self, _client_id: str, redirect_uri: str, request: Request, *_: Any, **__: Any) -> bool:
        """Compare sign for sign: whatever a parser makes of two addresses, they are the same or they are not."""
        return same_address(redirect_uri, request.client.get_redirect_uris())

    def is_pkce_required(self, _client_id: str, request: Request) -> bool:
        """Require it of everybody, and no method but S256."""
        if request.code_challenge is not None:
            if request.code_challenge_method != "S256":
                raise errors.UnsupportedCodeChallengeMethodError(request=request)
            if not CHALLENGE.fullmatch(request.code_challenge):
                raise errors.InvalidRequestError(description="code_challenge is no SHA-256", request=request)
        return True

    def validate_silent_login(self, request: Request) -> bool:
        """Let nobody through in silence who has not agreed to what is needed."""
        asker = context.request
        if not asker.user.is_authenticated or not asker.standing.agreed:
            return False
        request.user = asker.user
        return True

    def validate_silent_authorization(self, request: Request) -> bool:
        """Look for the person's answer to this application, not for any token of any."""
        return remembered(context.request, request.client, request.scopes, request.redirect_uri)

    def validate_user_match(self, id_token_hint: str | None, _scopes: Any, _claims: Any, request: Request) -> bool:
        """Refuse when a hint names somebody else than who is signed in."""
        if not id_token_hint or not context.request.user.is_authenticated:
            return True
        held = decode_jwt_token(id_token_hint, client_id=request.client.id, verify_exp=False, verify_iss=True)
        return bool(held and get_adapter().get_user_by_sub(request.client, str(held.get("sub"))))

    def save_authorization_code(
        self, _client_id: str, code: dict[str, Any], request: Request, *_: Any, **__: Any
    ) -> None:
        """Keep the code's digest, with all that it is bound to."""
        last = proven_at(context.request)
        authorizing.keep_code(
            code["code"],
            seconds=CODE_SECONDS,
            subject=request.user.subject,
            application=request.client.id,
            redirect_uri=request.redirect_uri,
            scopes=list(request.scopes),
            nonce=request.nonce or None,
            challenge=request.code_challenge,
            signed_in_at=datetime.fromtimestamp(last, UTC) if last else None,
        )

    # Codes

    def _lookup_authorization_code(self, _request: Request, client_id: str, code: str) -> Code | None:
        held = context.request.__dict__.setdefault("troth_codes", {})
        key = (client_id, code)
        if key not in held:
            held[key] = authorizing.held_code(str(code), str(client_id))
        return held[key]  # type: ignore[no-any-return]

    def get_authorization_code_scopes(
        self, client_id: str, code: str, redirect_uri: str, request: Request
    ) -> list[str]:
        """Return what a code was asked for."""
        held = self._lookup_authorization_code(request, client_id or _named(request), code)
        return list(held.scopes) if held else []

    def get_authorization_code_nonce(
        self, client_id: str, code: str, redirect_uri: str, request: Request
    ) -> str | None:
        """Return the application's random value."""
        held = self._lookup_authorization_code(request, client_id, code)
        return held.nonce if held else None

    def get_code_challenge(self, code: str, request: Request) -> str | None:
        """Return the digest that the verifier must have."""
        held = self._lookup_authorization_code(request, request.client_id, code)
        return held.challenge if held else None

    def get_code_challenge_method(self, code: str, request: Request) -> str | None:
        """Return the one method there is."""
        return "S256"

    def confirm_redirect_uri(
        self,
        client_id: str,
        code: str,
        redirect_uri: str,
        client: Client,
        request: Request,
        *_: Any,
        **__: Any,
    ) -> bool:
        """Compare sign for sign with the address that the code was sent to."""
        held = self._lookup_authorization_code(request, client_id, code)
        return held is not None and redirect_uri == held.redirect_uri

    def validate_code(self, client_id: str, code: str, client: Client, request: Request, *_: Any, **__: Any) -> bool:
        """Take a code once; brought again, it ends what was issued for it."""
        held = self._lookup_authorization_code(request, client.id, code)
        if held is None:
            return False
        if held.used:
            authorizing.end_stolen(held.family, subject=held.subject, application=held.application)
            return False
        account = Account.objects.filter(subject=held.subject, is_active=True).first()
        if account is None or applications.standing(held.subject, client.id) is None:
            return False
        request.user, request.scopes, request.claims = account, list(held.scopes), None
        at = held.signed_in_at
        _begin(str(held.family), at.timestamp() if at else None)
        return True

    def invalidate_authorization_code(self, _client_id: str, _code: str, _request: Request, *_: Any, **__: Any) -> None:
        """Do nothing more: `claim_authorization_code` was there before any token was made."""

    def validate_device_code(
        self, client_id: str, device_code: str, request: Request, *_: Any, **__: Any
    ) -> str | None:
        """Take a device's code once, whose person let it in, as the library found, and ended nothing since."""
        answered = super().validate_device_code(client_id, device_code, request)
        if answered is None or request.user is None:
            return None
        held = authorizing.held_code(of_device(device_code), client_id)
        if held is None or held.used or held.subject != request.user.subject:
            raise errors.InvalidGrantError(request=request)
        authorizing.use_code(of_device(device_code), client_id)
        return cast("str | None", answered)

    # Tokens

    def validate_refresh_token(self, refresh_token: str, client: Client, request: Request, *_: Any, **__: Any) -> bool:
        """Take a refresh token once; brought again, it ends its whole family."""
        valid = Token.objects.filter(client=client, type=Token.Type.REFRESH_TOKEN).by_value(refresh_token).valid()
        token = valid.select_for_update(of=("self",)).select_related(None).first()
        if token is None:
            before = authorizing.spent(get_adapter().hash_token(refresh_token), client.id)
            if before:
                authorizing.end_stolen(before[1], subject=before[0], application=client.id)
            return False
        user = token.user
        if not user or not user.is_active or applications.standing(user.subject, client.id) is None:
            return False
        request.user = user
        get_validator_context().refresh_token = token
        _begin(str(token.data["family"]), token.data.get("signed_in_at"))
        return True

    def save_bearer_token(self, token: dict[str, Any], request: Request, *args: Any, **kwargs: Any) -> None:
        """Issue only about somebody who permits it now, and remember the token that was turned in."""
        user, client = request.user, request.client
        if user is None or not _held(user.subject, client.id):
            raise errors.InvalidGrantError(request=request)
        before = get_validator_context().refresh_token
        if before is not None:
            digest, family = before.hash, str(before.data["family"])
            authorizing.spend(
                digest, subject=user.subject, application=client.id, family=family, until=before.expires_at
            )
        super().save_bearer_token(token, request, *args, **kwargs)

    def _prep_access_token(self, ctx: ValidatorContext, token: dict[str, Any], request: Request) -> Token:
        return _of_family(super()._prep_access_token(ctx, token, request))

    def _prep_refresh_token(self, ctx: ValidatorContext, refresh_token: str, request: Request) -> Token:
        # The one that is turned in is forgotten there; what comes of it lives no longer than it would have.
        until = ctx.refresh_token.expires_at if ctx.refresh_token else None
        token = _of_family(super()._prep_refresh_token(ctx, refresh_token, request))
        token.expires_at = until or token.expires_at
        return token

    def validate_bearer_token(self, token: str, scopes: list[str], request: Request) -> bool:
        """Let a token open something only while its person permits the application and has agreed."""
        if not super().validate_bearer_token(token, scopes, request) or request.user is None:
            return False
        if applications.standing(request.user.subject, request.client.id) is None:
            return False
        whose, which = request.user.subject, request.client.id
        applications.used(whose, which, known_as=pairwise(which, str(whose)))
        return True

    def validate_jwt_bearer_token(self, token: str, scopes: list[str], request: Request) -> bool:
        """Refuse: an ID token opens nothing, and access tokens are no JWT here."""
        return False

    def revoke_token(self, token: str, token_type_hint: str, request: Request, *_: Any, **__: Any) -> None:
        """End a token of the application that asks, and with a refresh token its family."""
        for held in Token.objects.filter(client=request.client).by_value(token):
            if held.type == Token.Type.REFRESH_TOKEN:
                authorizing.end_family(held.data["family"], application=request.client.id)
            held.delete()

    def is_origin_allowed(self, _client_id: str, _origin: str, _request: Request, *_: Any, **__: Any) -> bool:
        """Leave what browsers of other origins may read to one place, `cors`."""
        return False


def claim_authorization_code(request: Request) -> None:
    """Take a code, of which all else was judged, before tokens are made of it: once, whoever else brings it now."""
    if not authorizing.use_code(request.code, request.client.id):
        raise errors.InvalidGrantError(request=request)


def _held(subject: uuid.UUID, application: str) -> bool:
    """Note that an application asks about somebody, and return whether it may until this transaction ends.

    Whoever ends it waits for what is noted, and then ends what was issued; what was ended meanwhile does not stand.
    """
    if applications.standing(subject, application) is None:
        return False
    applications.used(subject, application, known_as=pairwise(application, str(subject)))
    return applications.standing(subject, application) is not None


def _named(request: Request) -> str:
    from allauth.core.internal.httpkit import extract_basic_auth  # noqa: PLC0415 - used before the client is known

    return str(extract_basic_auth(request.headers)[0] or "")


def _begin(family: str, signed_in_at: float | None) -> None:
    context.request.troth_family, context.request.troth_signed_in_at = family, signed_in_at


def _of_family(token: Token) -> Token:
    """Mark a token as one of those that came of one sign-in."""
    asker = context.request
    if not getattr(asker, "troth_family", None):
        _begin(str(uuid.uuid4()), None)  # a device's first tokens: no code came before them
    token.data = {**(token.data or {}), "family": asker.troth_family, "signed_in_at": asker.troth_signed_in_at}
    return token

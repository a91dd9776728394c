"""Hardening 1: every route, asked by everybody; a route that is not listed opens for nobody and fails here."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser

CONFIRM = "confirm first"
OPEN, IN, AGREE, GONE, AWAY, WRONG, SECRET = "open", "sign-in", "agree", "not there", "sent on", "wrong", "secret"
NONE = "00000000-0000-0000-0000-000000000001"
#: Forms of the operator's staff: to everybody else they are not there.
HIDDEN = ("renew_secret", "remove_application", "staff_role", "withdraw_invitation", "answer_proposal")
SUPPORT = ("support_look", "support_done")
NOBODYS = "7f0e1c1e-0000-4000-8000-000000000000"
WHO = ("nobody", "unagreed", "alice", "olga")
#: route -> (its path, what nobody, somebody without an agreement, Alice and the operator get from GET)
EXPECTED: dict[str, tuple[str, tuple[str, str, str, str]]] = {
    "home": ("/", (OPEN, OPEN, AWAY, AWAY)),
    "policy": ("/policy", (OPEN, OPEN, OPEN, OPEN)),
    "policy_text": ("/policy.txt", (OPEN, OPEN, OPEN, OPEN)),
    "versions": ("/policy/versions", (OPEN, OPEN, OPEN, OPEN)),
    "comparison": ("/policy/compare/1..1", (OPEN, OPEN, OPEN, OPEN)),
    "promises": ("/policy/promises", (OPEN, OPEN, OPEN, OPEN)),
    "policy_jsonld": ("/policy.jsonld", (OPEN, OPEN, OPEN, OPEN)),
    "policy_turtle": ("/policy.ttl", (OPEN, OPEN, OPEN, OPEN)),
    "policy_labels": ("/policy/labels.json", (OPEN, OPEN, OPEN, OPEN)),
    "terms": ("/terms", (OPEN, OPEN, OPEN, OPEN)),
    "declined": ("/declined", (OPEN, OPEN, OPEN, OPEN)),
    "closed": ("/closed", (OPEN, OPEN, OPEN, OPEN)),
    "first": ("/operator/first/word", (GONE, GONE, GONE, GONE)),
    "agree": ("/agree", (IN, OPEN, AWAY, AWAY)),
    "account_login": ("/sign-in", (OPEN, AGREE, AWAY, AWAY)),
    "account_signup": ("/sign-up", (OPEN, AGREE, AWAY, AWAY)),
    "account_email_verification_sent": ("/sign-up/verify", (IN, IN, AWAY, AWAY)),
    "account_inactive": ("/sign-in/inactive", (OPEN, OPEN, OPEN, OPEN)),
    "account_reset_password": ("/password/forgotten", (OPEN, OPEN, OPEN, OPEN)),
    "account_confirm_password_reset_code": ("/password/forgotten/code", (IN, IN, IN, IN)),
    "account_complete_password_reset": ("/password/forgotten/new", (AWAY, AWAY, AWAY, AWAY)),
    "account_password_reset_completed": ("/password/forgotten/done", (OPEN, OPEN, OPEN, OPEN)),
    "account_logout": ("/sign-out", (IN, IN, OPEN, OPEN)),
    "account_change_password": ("/password", (IN, IN, OPEN, OPEN)),
    "account_reauthenticate": ("/password/confirm", (IN, IN, OPEN, OPEN)),
    "account_email": ("/me/security/addresses", (IN, IN, CONFIRM, CONFIRM)),
    "account_signup_by_passkey": ("/sign-up/passkey", (OPEN, AGREE, AWAY, AWAY)),
    "mfa_signup_webauthn": ("/sign-up/passkey/make", (AWAY, AWAY, AWAY, AWAY)),
    "mfa_login_webauthn": ("/sign-in/passkey", (IN, AGREE, AWAY, AWAY)),
    "account_request_login_code": ("/sign-in/code", (OPEN, AGREE, AWAY, AWAY)),
    "account_confirm_login_code": ("/sign-in/code/enter", (AWAY, AWAY, AWAY, AWAY)),
    "mfa_authenticate": ("/sign-in/second", (IN, IN, AWAY, AWAY)),
    "mfa_trust": ("/sign-in/trust", (IN, IN, AWAY, AWAY)),
    "mfa_reauthenticate": ("/password/confirm/code", (IN, IN, CONFIRM, CONFIRM)),
    "mfa_reauthenticate_webauthn": ("/password/confirm/passkey", (IN, IN, CONFIRM, CONFIRM)),
    "mfa_index": ("/me/security", (IN, IN, OPEN, OPEN)),
    "mfa_activate_totp": ("/me/security/app", (IN, IN, CONFIRM, CONFIRM)),
    "mfa_deactivate_totp": ("/me/security/app/remove", (IN, IN, GONE, GONE)),
    "mfa_view_recovery_codes": ("/me/security/codes", (IN, IN, GONE, GONE)),
    "mfa_generate_recovery_codes": ("/me/security/codes/new", (IN, IN, CONFIRM, CONFIRM)),
    "mfa_add_webauthn": ("/me/security/passkeys/add", (IN, IN, CONFIRM, CONFIRM)),
    "mfa_edit_webauthn": ("/me/security/passkeys/1/name", (IN, IN, CONFIRM, CONFIRM)),
    "mfa_remove_webauthn": ("/me/security/passkeys/1/remove", (IN, IN, CONFIRM, CONFIRM)),
    "account_set_password": ("/password/set", (IN, IN, CONFIRM, CONFIRM)),
    "me": ("/me", (IN, IN, OPEN, OPEN)),
    "name": ("/me/name", (IN, IN, OPEN, OPEN)),
    "profile": ("/me/profile", (IN, IN, OPEN, OPEN)),
    "profile_field": ("/me/profile/none_of_these", (IN, IN, GONE, GONE)),
    "profile_delete": ("/me/profile/none_of_these/delete", (IN, IN, GONE, GONE)),
    "accesses": ("/me/accesses", (IN, IN, OPEN, OPEN)),
    "devices": ("/me/devices", (IN, IN, OPEN, OPEN)),
    "name_device": (f"/me/devices/{NOBODYS}/name", (IN, IN, GONE, GONE)),
    "linked": ("/me/linked", (IN, IN, OPEN, OPEN)),
    "offer_link": ("/me/linked/code", (IN, IN, CONFIRM, CONFIRM)),
    "enter_link": ("/me/linked/enter", (IN, IN, CONFIRM, CONFIRM)),
    "close": ("/me/close", (IN, IN, OPEN, OPEN)),
    "operator": ("/operator", (IN, IN, GONE, OPEN)),
    "staff": ("/operator/staff", (IN, IN, GONE, CONFIRM)),
    "invited": ("/operator/staff/invited/word", (IN, IN, GONE, GONE)),
    "publishing": ("/operator/publishing", (IN, IN, GONE, OPEN)),
    "proposal": (f"/operator/publishing/{NONE}", (IN, IN, GONE, GONE)),
    "record": ("/operator/record", (IN, IN, GONE, GONE)),
    "support": ("/operator/support", (IN, IN, GONE, GONE)),
    "support_access": (f"/operator/support/{NONE}", (IN, IN, GONE, GONE)),
    "my_support": ("/me/support", (IN, IN, OPEN, OPEN)),
    "fields": ("/operator/fields", (IN, IN, GONE, OPEN)),
    "configuration": ("/.well-known/openid-configuration", (OPEN, OPEN, OPEN, OPEN)),
    "jwks": ("/.well-known/jwks.json", (OPEN, OPEN, OPEN, OPEN)),
    "authorization": ("/connect/authorize", (WRONG, WRONG, WRONG, WRONG)),
    "userinfo": ("/connect/userinfo", (SECRET, SECRET, SECRET, SECRET)),
    "logout": ("/connect/sign-out", (AWAY, AWAY, OPEN, OPEN)),
    "device_authorization": ("/device", (IN, IN, OPEN, OPEN)),
    "my_permissions": ("/me/permissions", (IN, IN, OPEN, OPEN)),
    "give": ("/me/permissions/give", (IN, IN, OPEN, OPEN)),
    "lent": ("/me/permissions/people/00000000-0000-4000-8000-000000000000", (IN, IN, GONE, GONE)),
    "offer": ("/me/permissions/offer?token=guessed", (IN, IN, GONE, GONE)),
    "agreed": ("/me/permissions/agreed/00000000-0000-4000-8000-000000000000", (IN, IN, GONE, GONE)),
    "permissions_asked": ("/operator/permissions", (IN, IN, GONE, OPEN)),
    "permission_receipt": ("/operator/permissions/00000000-0000-4000-8000-000000000000", (IN, IN, GONE, GONE)),
    "my_directories": ("/me/directories", (IN, IN, OPEN, OPEN)),
    "directory": (f"/organizations/{NONE}/directory", (IN, IN, GONE, GONE)),
    "applications": ("/applications", (IN, IN, GONE, OPEN)),
    "register_application": ("/applications/register", (IN, IN, GONE, OPEN)),
    "application": ("/applications/none-of-these", (IN, IN, GONE, GONE)),
    "organizations": ("/organizations", (IN, IN, OPEN, OPEN)),
    "organization": (f"/organizations/{NONE}", (IN, IN, GONE, GONE)),
    "organization_members": (f"/organizations/{NONE}/members", (IN, IN, GONE, GONE)),
    "organization_joining": (f"/organizations/{NONE}/joining", (IN, IN, GONE, GONE)),
    "organization_roles": (f"/organizations/{NONE}/roles", (IN, IN, GONE, GONE)),
    "organization_ask": (f"/organizations/{NONE}/ask", (IN, IN, GONE, GONE)),
    "join": ("/join/none-of-these", (IN, IN, GONE, GONE)),
    "dev": ("/dev/", (GONE, GONE, GONE, GONE)),
    "components": ("/dev/components", (GONE, GONE, GONE, GONE)),
    "mail": ("/dev/mail", (GONE, GONE, GONE, GONE)),
}
#: Routes that only take forms, with a form.
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "language": ("/language", {"language": "es"}),
    "choose": ("/me/purposes/understand", {"kind": "objection"}),
    "another": ("/sign-up/another", {}),
    "instead": ("/sign-up/instead", {}),
    "identify_device": ("/me/devices/this", {"identifier": NOBODYS}),
    "end_other_sessions": ("/me/devices/sessions/end", {}),
    "end_session": (f"/me/devices/sessions/{NOBODYS}/end", {}),
    "forget_device": (f"/me/devices/{NOBODYS}/forget", {}),
    "unlink": (f"/me/linked/{NOBODYS}/end", {}),
    "forget_browsers": ("/me/security/forget", {}),
    "end_application": ("/me/applications/none-of-these/end", {}),
    "narrow_application": ("/me/applications/none-of-these/narrow", {}),
    "answer_offer": (f"/me/directories/{NONE}", {"answer": "join"}),
    "renew_secret": ("/applications/none-of-these/secret", {}),
    "remove_application": ("/applications/none-of-these/remove", {}),
    "staff_role": ("/operator/staff/role", {"what": "give", "whom": NONE, "role": "owner"}),
    "withdraw_invitation": (f"/operator/staff/invitations/{NONE}/withdraw", {}),
    "support_look": (f"/operator/support/{NONE}/look", {"area": "profile"}),
    "support_done": (f"/operator/support/{NONE}/done", {}),
    "answer_support": (f"/me/support/{NONE}", {"answer": "decline"}),
    "end_support": (f"/me/support/{NONE}/end", {}),
    "answer_proposal": (f"/operator/publishing/{NONE}/answer", {"answer": "approve"}),
    "token": ("/connect/token", {}),
    "introspect": ("/connect/introspect", {}),
    "revoke": ("/connect/revoke", {}),
    "device_code": ("/connect/device", {}),
}


@pytest.fixture
def everybody(browser: Browser, owner: Connection[Any]) -> dict[str, Browser]:
    unagreed, alice, olga = Browser(), Browser(), Browser()
    unagreed.begin("eve@harbor.example", "Eve")
    alice.sign_up(owner, "alice@harbor.example")
    whose = olga.sign_up(owner, "olga@harbor.example", "Olga")
    owner.execute("INSERT INTO troth.staff (subject, role) VALUES (%s, 'owner')", (whose,))
    return {"nobody": browser, "unagreed": unagreed, "alice": alice, "olga": olga}


def walked(patterns: list[Any]) -> Iterator[Any]:
    for pattern in patterns:
        inner = getattr(pattern, "url_patterns", None)
        yield from [pattern] if inner is None else walked(inner)


def seen(answer: Any) -> str:
    """Return what an answer is, in this table's words."""
    if answer.status_code == 404:
        return GONE
    if answer.status_code in (400, 401):
        return WRONG if answer.status_code == 400 else SECRET
    if answer.status_code in (302, 303):
        where = answer.headers["Location"].partition("?")[0]
        return {"/sign-in": IN, "/agree": AGREE, "/password/confirm": CONFIRM}.get(where, AWAY)
    assert answer.status_code == 200, answer.status_code
    return OPEN


def test_every_route_is_listed_with_its_audience_and_walked_here(browser: Browser) -> None:
    from troth.config.urls import urlpatterns
    from troth.web.routes import ROUTES

    names = {pattern.name for pattern in walked(urlpatterns)}
    assert names == set(ROUTES) == set(EXPECTED) | set(FORMS)


@pytest.mark.asvs("8.2.1")
def test_each_route_opens_for_whom_it_is_meant(everybody: dict[str, Browser]) -> None:
    wrong = []
    for name, (path, expected) in EXPECTED.items():
        for who, wanted in zip(WHO, expected, strict=True):
            got = seen(everybody[who].get(path))
            if got != wanted:
                wrong.append((name, who, got, wanted))
    assert not wrong, "\n".join(map(str, wrong))


def test_forms_without_a_page_take_no_other_request(everybody: dict[str, Browser]) -> None:
    for name, (path, _) in FORMS.items():
        assert everybody["alice"].get(path).status_code == (404 if name in HIDDEN + SUPPORT else 405)
        assert everybody["olga"].get(path).status_code == (404 if name in SUPPORT else 405)
    given = {"withdraw_invitation": AWAY, "staff_role": CONFIRM, "answer_proposal": CONFIRM}
    for name in HIDDEN:
        assert [seen(everybody[who].post(*FORMS[name])) for who in WHO] == [IN, IN, GONE, given.get(name, GONE)]
    for name in SUPPORT:
        assert [seen(everybody[who].post(*FORMS[name])) for who in WHO] == [IN, IN, GONE, GONE]
    for name in ("end_application", "narrow_application", "answer_support", "end_support"):
        assert [seen(everybody[who].post(*FORMS[name])) for who in WHO] == [IN, IN, AWAY, AWAY]
    for name in ("token", "introspect", "revoke", "device_code"):
        assert {seen(everybody[who].post(*FORMS[name])) for who in WHO} <= {WRONG, SECRET}
    assert seen(everybody["nobody"].post(*FORMS["choose"])) == IN
    assert seen(everybody["unagreed"].post(*FORMS["choose"])) == IN
    assert everybody["alice"].post(*FORMS["choose"]).status_code == 302


@pytest.mark.asvs("13.4.5", "15.2.3")
def test_what_only_development_has_is_named_on_one_page(browser: Browser, settings: Any) -> None:
    settings.DEV = True
    page = browser.get("/dev/").content.decode()
    for path in ("/dev/components", "/dev/mail"):
        assert f'href="{path}"' in page
        assert browser.get(path).status_code == 200


def test_a_route_that_is_not_listed_opens_for_nobody(
    everybody: dict[str, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.web.routes import ROUTES

    monkeypatch.delitem(ROUTES, "policy")
    assert [everybody[who].get("/policy").status_code for who in WHO] == [404] * 4


@pytest.mark.asvs("8.4.1")
def test_what_is_not_yours_answers_as_what_is_not_there(everybody: dict[str, Browser]) -> None:
    import re

    def told(path: str) -> str:
        page = everybody["alice"].get(path).content.decode()
        return re.sub(r'csrfmiddlewaretoken" value="\w+"|name="next" value="[^"]*"', "", page)

    assert told("/operator") == told("/no-such-page")


@pytest.mark.asvs("8.3.1")
def test_without_the_gate_the_operators_page_would_open(
    everybody: dict[str, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    from troth.web.gate import Gate

    monkeypatch.setattr(Gate, "process_view", lambda *_: None)
    alice = Browser()
    alice.cookies = everybody["alice"].cookies
    assert alice.get("/operator").status_code == 200


def test_a_page_shows_only_ones_own_name(everybody: dict[str, Browser]) -> None:
    assert "Olga" in everybody["olga"].get("/me").content.decode()
    for path, _ in EXPECTED.values():
        assert "Olga" not in everybody["alice"].get(path).content.decode(), path

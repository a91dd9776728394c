"""What attackers of applications' sign-in try (RFC 9700, and issue trackers of providers); each control also taken away."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.provider.asking import BACK, MANIFEST, Notes, brought, inside, s256

ALICE = "alice@harbor.example"
#: Addresses that are like the registered one to some parser or other.
TRICKS = [
    "https://notes.example/signed-in/",
    "https://notes.example/signed-in?next=https://evil.example",
    "https://notes.example/signed-in#evil",
    "https://notes.example/signed-in/../evil",
    "https://notes.example/%2e%2e/signed-in",
    "https://notes.example:443/signed-in",
    "https://notes.example:444/signed-in",
    "https://evil@notes.example/signed-in",
    "https://notes.example@evil.example/signed-in",
    "https://notes.example.evil.example/signed-in",
    "https://evil.example\\@notes.example/signed-in",
    "https://NOTES.example/signed-in",
    "http://notes.example/signed-in",
    "//notes.example/signed-in",
    "https://notes.example/Signed-In",
    "https://notes.example/signed-in%0d%0aSet-Cookie:x=y",
    "javascript:alert(1)//https://notes.example/signed-in",
    "https://evil.example/signed-in",
    "",
]


@pytest.fixture
def alice(browser: Browser, owner: Connection[Any]) -> Browser:
    browser.sign_up(owner, ALICE)
    return browser


@pytest.mark.asvs("10.4.1")
@pytest.mark.parametrize("address", TRICKS)
def test_an_address_that_only_resembles_the_registered_one_is_sent_nothing(
    notes: Notes, alice: Browser, address: str
) -> None:
    for someone in (alice, Browser()):
        answer = someone.get(notes.question(redirect_uri=address))
        assert answer.status_code == 400
        assert "Location" not in answer.headers
        assert "evil" not in answer.content.decode()


def test_without_the_exact_comparison_a_trick_would_work(
    notes: Notes, alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away: what the library alone takes for the same address."""
    from allauth.idp.oidc.internal.oauthlib.request_validator import OAuthLibRequestValidator

    from troth.web.provider.validator import Validator

    monkeypatch.setattr(Validator, "validate_redirect_uri", OAuthLibRequestValidator.validate_redirect_uri)
    taken = [each for each in TRICKS if alice.get(notes.question(redirect_uri=each)).status_code == 200]
    assert "https://notes.example/signed-in?next=https://evil.example" in taken


@pytest.mark.asvs("15.3.7")
def test_a_question_asked_twice_over_is_no_question(notes: Notes, alice: Browser) -> None:
    for more in ("&redirect_uri=https://evil.example/", "&client_id=other", "&state=another"):
        assert alice.get(notes.question() + more).status_code == 400


@pytest.mark.asvs("10.4.6")
@pytest.mark.parametrize(
    "told",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge": "short"},
    ],
)
def test_nobody_does_without_pkce_or_with_less(notes: Notes, alice: Browser, told: dict[str, str | None]) -> None:
    answer = alice.get(notes.question(**told))
    assert answer.status_code == 302
    assert brought(answer)["error"] == "invalid_request"


@pytest.mark.asvs("10.4.10")
def test_a_code_opens_nothing_without_its_verifier_its_address_and_its_application(
    notes: Notes, register: Callable[..., Notes], alice: Browser
) -> None:
    code, other = notes.code(alice), register()
    assert notes.redeem(code, code_verifier="x" * 64).status_code == 400
    assert notes.redeem(code, code_verifier="").status_code == 400
    assert notes.redeem(code, redirect_uri=BACK + "/").status_code == 400
    other.verifier = notes.verifier
    assert other.redeem(code).json()["error"] == "invalid_grant"
    assert Notes(notes.id, "wrong", verifier=notes.verifier).redeem(code).status_code == 401
    assert Notes(notes.id, "", verifier=notes.verifier).redeem(code).status_code == 401, "not even with its name alone"
    assert notes.redeem(code).status_code == 200


def test_without_requiring_pkce_a_question_without_it_passes(
    notes: Notes, alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    from troth.web.provider.validator import Validator

    monkeypatch.setattr(Validator, "is_pkce_required", lambda *_: False)
    assert alice.get(notes.question(code_challenge=None, code_challenge_method=None)).status_code == 200


@pytest.mark.asvs("10.4.2")
def test_a_code_brought_twice_ends_what_it_gave(notes: Notes, alice: Browser, owner: Connection[Any]) -> None:
    code = notes.code(alice)
    first = notes.redeem(code).json()
    assert notes.told(first["access_token"]).status_code == 200
    assert notes.redeem(code).json()["error"] == "invalid_grant"
    assert notes.told(first["access_token"]).status_code == 401
    assert notes.refresh(first["refresh_token"]).status_code == 400
    assert owner.execute("SELECT count(*) FROM troth.ledger_entry WHERE action = 'token-brought-twice'").fetchone() == (
        1,
    )


@pytest.mark.asvs("2.3.4")
def test_of_two_who_bring_one_code_at_once_one_gets_tokens_at_most(notes: Notes, alice: Browser) -> None:
    code = notes.code(alice)
    answers: list[int] = []
    racers = [Notes(notes.id, notes.secret, verifier=notes.verifier) for _ in range(4)]
    threads = [threading.Thread(target=_racing, args=(racer, code, answers)) for racer in racers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers)[:1] == [200]
    assert answers.count(200) == 1


def _racing(racer: Notes, code: str, answers: list[int]) -> None:
    from django.db import connections

    answers.append(racer.redeem(code).status_code)
    connections.close_all()


@pytest.mark.asvs("10.4.3")
def test_a_code_dies_after_a_minute(notes: Notes, alice: Browser, owner: Connection[Any]) -> None:
    code = notes.code(alice)
    owner.execute("UPDATE troth.application_code SET expires_at = statement_timestamp()")
    assert notes.redeem(code).json()["error"] == "invalid_grant"


@pytest.mark.asvs("10.4.8")
def test_turning_a_refresh_token_makes_it_live_no_longer(notes: Notes, alice: Browser, owner: Connection[Any]) -> None:
    def ends() -> list[Any]:
        return owner.execute("SELECT expires_at FROM troth.allauth_idp_oidc_token WHERE type = 'rt'").fetchall()

    token = notes.tokens(alice)["refresh_token"]
    owner.execute("UPDATE troth.allauth_idp_oidc_token SET expires_at = now() + interval '3 days' WHERE type = 'rt'")
    soon = ends()
    for _ in range(2):
        token = notes.refresh(token).json()["refresh_token"]
        assert ends() == soon


@pytest.mark.asvs("10.4.5")
def test_a_stolen_refresh_token_ends_the_family_and_no_other(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    mine, elsewhere = notes.tokens(alice), notes.tokens(alice)
    turned = notes.refresh(mine["refresh_token"]).json()
    assert turned["refresh_token"] != mine["refresh_token"]
    assert notes.told(turned["access_token"]).status_code == 200
    assert notes.refresh(mine["refresh_token"]).json()["error"] == "invalid_grant", "the thief comes second"
    assert notes.told(turned["access_token"]).status_code == 401
    assert notes.refresh(turned["refresh_token"]).json()["error"] == "invalid_grant"
    assert notes.told(elsewhere["access_token"]).status_code == 200, "another sign-in goes on"
    assert owner.execute("SELECT count(*) FROM troth.ledger_entry WHERE action = 'token-brought-twice'").fetchone() == (
        1,
    )


def test_without_remembering_what_was_spent_a_thief_goes_unnoticed(
    notes: Notes, alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    from troth.people import authorizing

    monkeypatch.setattr(authorizing, "spent", lambda *_: None)
    mine = notes.tokens(alice)
    turned = notes.refresh(mine["refresh_token"]).json()
    assert notes.refresh(mine["refresh_token"]).status_code == 400
    assert notes.told(turned["access_token"]).status_code == 200


@pytest.mark.asvs("8.3.3")
def test_another_application_can_do_nothing_with_a_token(
    notes: Notes, register: Callable[..., Notes], alice: Browser
) -> None:
    tokens, other = notes.tokens(alice), register()
    assert other.refresh(tokens["refresh_token"]).status_code == 400
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert other.active(token) == {"active": False}
        assert notes.active(token)["active"] is True
        assert other.ask("/connect/revoke", {"token": token}).status_code == 200
        assert notes.active(token)["active"] is True, "it was not another's to revoke"


def test_an_application_revokes_what_is_its_own(notes: Notes, alice: Browser) -> None:
    tokens = notes.tokens(alice)
    assert notes.ask("/connect/revoke", {"token": tokens["refresh_token"]}).status_code == 200
    assert notes.active(tokens["refresh_token"]) == {"active": False}
    assert notes.told(tokens["access_token"]).status_code == 401, "with a refresh token its family goes"


@pytest.mark.asvs("9.2.4")
def test_answers_of_two_providers_cannot_be_mixed_up(notes: Notes, alice: Browser) -> None:
    """RFC 9207: whoever answers says who they are, with a code and with an error."""
    for answer in (notes.permit(alice), alice.get(notes.question(scope="openid everything"))):
        assert brought(answer)["iss"] == "https://localhost:8443"
    told = notes.server.get("/.well-known/openid-configuration").json()
    assert told["authorization_response_iss_parameter_supported"] is True


@pytest.mark.asvs("7.6.2")
def test_no_page_elsewhere_can_give_the_persons_answer(notes: Notes, alice: Browser, owner: Connection[Any]) -> None:
    strict = Browser(csrf=True)
    strict.cookies = alice.cookies
    answer = strict.post(notes.question(), {"answer": "permit", "claims": []})
    assert answer.status_code == 403
    assert "Location" not in answer.headers
    assert owner.execute("SELECT count(*) FROM troth.application_grant").fetchone() == (0,)
    page = alice.get(notes.question())
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.asvs("2.2.3", "10.4.11", "15.3.3")
def test_a_form_cannot_permit_more_than_is_asked(notes: Notes, alice: Browser) -> None:
    question = notes.question(scope="openid profile")
    answer = alice.post(
        question, {"answer": "permit", "claims": ["email:person.email:provide", "name:person.name:announce"]}
    )
    tokens = notes.redeem(brought(answer)["code"]).json()
    assert set(notes.told(tokens["access_token"]).json()) == {"sub"}


@pytest.mark.asvs("10.3.1", "10.3.2")
def test_a_token_can_do_no_more_than_it_was_asked_for(notes: Notes, alice: Browser) -> None:
    notes.code(alice)
    tokens = notes.tokens(alice, scope="openid profile")
    assert set(notes.told(tokens["access_token"]).json()) == {"sub", "name"}
    more = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "scope": "openid email"}
    assert notes.ask("/connect/token", more).json()["error"] == "invalid_scope"


@pytest.mark.parametrize("kind", ["access_token", "id_token", "refresh_token"])
def test_a_token_opens_no_page_of_the_platform(notes: Notes, alice: Browser, kind: str) -> None:
    token = notes.tokens(alice)[kind]
    stranger = Browser()
    for path in ("/me", "/me/permissions?kind=applications", "/me/accesses", "/api/v1/me"):
        answer = stranger.get(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code in (303, 404), path
    if kind != "access_token":
        assert notes.told(token).status_code == 401


@pytest.mark.asvs("14.2.1")
def test_a_token_in_an_address_opens_nothing(notes: Notes, alice: Browser) -> None:
    token = notes.tokens(alice)["access_token"]
    assert notes.server.get(f"/connect/userinfo?access_token={token}").status_code == 401


@pytest.mark.asvs("10.4.4", "10.6.1")
@pytest.mark.parametrize(
    "grant", ["client_credentials", "password", "implicit", "urn:ietf:params:oauth:grant-type:device_code"]
)
def test_there_is_no_other_way_to_a_token(notes: Notes, alice: Browser, grant: str) -> None:
    told = {"grant_type": grant, "username": ALICE, "password": "seven herons over a grey quay", "scope": "openid"}
    answer = notes.ask("/connect/token", told)
    assert answer.status_code in (400, 401)
    assert "access_token" not in answer.json()
    for kind in ("token", "id_token token", "code id_token", "none"):
        answer = alice.get(notes.question(response_type=kind))
        assert "error" in brought(answer)
    assert "error" in brought(alice.get(notes.question(response_mode="fragment")))


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "https://notes.example/bye/",
        "https://notes.example/other",
        "//evil.example",
        "javascript:alert(1)",
    ],
)
def test_signing_out_sends_nobody_elsewhere(notes: Notes, alice: Browser, address: str) -> None:
    token = notes.tokens(alice)["id_token"]
    told = {"id_token_hint": token, "client_id": notes.id, "post_logout_redirect_uri": address}
    for someone in (Browser(), alice):
        answer = someone.get("/connect/sign-out", told)
        assert answer.status_code in (200, 302, 400)
        assert answer.headers.get("Location", "/") == "/"
        assert "evil" not in answer.content.decode()


def test_without_the_exact_comparison_signing_out_leads_to_another_page(
    notes: Notes, register: Callable[..., Notes], alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    from allauth.idp.oidc.forms import RPInitiatedLogoutForm

    from troth.web.provider.pages import Leave

    app = register(MANIFEST.replace('after_sign_out = ["https://notes.example/bye"]\n', ""))
    told = {"client_id": app.id, "post_logout_redirect_uri": "https://notes.example/open?to=evil.example"}
    assert Browser().get("/connect/sign-out", told).headers["Location"] == "/"
    monkeypatch.setattr(Leave, "form_class", RPInitiatedLogoutForm)
    assert Browser().get("/connect/sign-out", told).headers["Location"].startswith("https://notes.example/open")


@pytest.mark.asvs("10.6.2")
def test_nobody_is_signed_out_without_their_word(notes: Notes, alice: Browser) -> None:
    token = notes.tokens(alice)["id_token"]
    told = {"id_token_hint": token, "post_logout_redirect_uri": "https://notes.example/bye", "state": "s"}
    page = alice.get("/connect/sign-out", told)
    assert page.status_code == 200
    assert "form-action 'self' https://notes.example" in page.headers["Content-Security-Policy"]
    assert alice.get("/me").status_code == 200
    strict = Browser(csrf=True)
    strict.cookies = alice.cookies
    strict.post("/connect/sign-out", told | {"action": "logout"})
    assert alice.get("/me").status_code == 200, "a page elsewhere cannot say it for them"
    answer = alice.post("/connect/sign-out", told | {"action": "logout", "csrfmiddlewaretoken": "x"})
    assert answer.headers["Location"] == "https://notes.example/bye?state=s"
    assert alice.get("/me").status_code == 303


@pytest.mark.asvs("10.3.3")
def test_a_subject_of_one_application_names_nobody_to_another(
    notes: Notes, register: Callable[..., Notes], alice: Browser
) -> None:
    other = register()
    token = other.tokens(alice)["id_token"]
    notes.code(alice)
    assert brought(alice.get(notes.question(prompt="none", id_token_hint=token)))["error"] == "login_required"
    mine = notes.tokens(alice)["id_token"]
    assert "code" in brought(alice.get(notes.question(prompt="none", id_token_hint=mine)))
    forged = mine.rsplit(".", 1)[0] + "." + "A" * 342
    assert brought(alice.get(notes.question(prompt="none", id_token_hint=forged)))["error"] == "login_required"
    assert inside(mine)["sub"] != inside(token)["sub"]


def test_what_is_stored_of_codes_and_tokens_opens_nothing(notes: Notes, alice: Browser, owner: Connection[Any]) -> None:
    code = notes.code(alice)
    stored = owner.execute("SELECT encode(code, 'hex'), code::text FROM troth.application_code").fetchone()
    assert stored is not None
    assert all(notes.redeem(each).status_code == 400 for each in stored)
    tokens = notes.redeem(code).json()
    for (digest,) in owner.execute("SELECT hash FROM troth.allauth_idp_oidc_token").fetchall():
        assert notes.told(digest).status_code == 401
        assert digest not in tokens.values()
    secret = owner.execute("SELECT secret FROM troth.allauth_idp_oidc_client").fetchone()
    assert secret is not None
    assert notes.secret not in secret[0]
    assert Notes(notes.id, secret[0]).active(tokens["access_token"]).get("active") is not True


def test_a_made_up_token_tells_nothing(notes: Notes, alice: Browser) -> None:
    notes.tokens(alice)
    for token in ("", "x", str(uuid.uuid4()), "ey.ey.ey", s256("x")):
        assert notes.told(token).status_code == 401
        assert notes.active(token or "x") == {"active": False}

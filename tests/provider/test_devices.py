"""A device without a browser signs in by a code that somebody reads from it (RFC 8628)."""

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.provider.asking import MANIFEST, Notes
from tests.provider.test_lasting import NAME, TOMORROW, pass_by
from tests.provider.test_permitted import version

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
TELEVISION = MANIFEST.replace("origins", 'kind = "public"\ndevice = true\norigins')
ALICE = "alice@harbor.example"


@pytest.fixture
def television(register: Callable[..., Notes], settings: Any) -> Notes:
    settings.IDP_OIDC_DEVICE_CODE_INTERVAL = 0
    return register(TELEVISION)


@pytest.fixture
def alice(browser: Browser, owner: Connection[Any]) -> Browser:
    browser.sign_up(owner, ALICE)
    return browser


def begun(device: Notes, scope: str = "openid profile email") -> dict[str, Any]:
    answer = device.ask("/connect/device", {"scope": scope})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def polled(device: Notes, told: dict[str, Any]) -> Any:
    return device.ask("/connect/token", {"grant_type": GRANT, "device_code": told["device_code"]})


def answer(person: Browser, told: dict[str, Any], answer: str, *claims: str) -> Any:
    written = [f"{name}:person.{name}:provide" for name in claims]
    return person.post("/device", {"code": told["user_code"], "answer": answer, "claims": written})


def test_a_device_is_let_in_with_what_the_person_ticked(television: Notes, alice: Browser) -> None:
    told = begun(television)
    assert told["verification_uri"] == "https://localhost:8443/device"
    assert polled(television, told).json()["error"] == "authorization_pending"
    page = alice.get("/device", {"code": told["user_code"]}).content.decode()
    assert "Harbor Notes" in page
    assert told["user_code"] in page
    assert answer(alice, told, "permit", "name").status_code == 200
    tokens = polled(television, told).json()
    assert set(television.told(tokens["access_token"]).json()) == {"sub", "name"}
    assert polled(television, told).json()["error"] == "invalid_grant", "once"
    turned = television.refresh(tokens["refresh_token"]).json()
    assert television.refresh(tokens["refresh_token"]).status_code == 400
    assert television.told(turned["access_token"]).status_code == 401


WIDER = ("for understand 30 days as network\ncollect", "for understand 60 days as network\ncollect")


def test_a_device_gets_no_token_of_whoever_has_not_agreed_and_gets_one_once_they_have(
    television: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    """One agreement (P1, P2): a significant version shuts this way in too, at each step of it, and agreeing opens it."""
    tokens_of_before = permitted(television, alice)
    let_in = begun(television)
    assert answer(alice, let_in, "permit", "name").status_code == 200
    version(owner, 2, WIDER)
    refused = polled(television, let_in)
    assert refused.status_code == 400, "let in before, not agreed now"
    assert "access_token" not in refused.json()
    assert television.told(tokens_of_before["access_token"]).status_code == 401
    assert television.refresh(tokens_of_before["refresh_token"]).status_code == 400
    told = begun(television)
    assert answer(alice, told, "permit", "name").headers["Location"] == "/agree"
    assert polled(television, told).json()["error"] == "authorization_pending", "the answer counted for nothing"
    assert alice.get("/device", {"code": told["user_code"]}).headers["Location"] == "/agree"
    assert alice.agree().headers["Location"] == f"/device?code={told['user_code']}", "on with what the device shows"
    assert answer(alice, told, "permit", "name").status_code == 200
    assert television.told(polled(television, told).json()["access_token"]).status_code == 200


def test_without_the_agreement_in_the_standing_the_device_would_get_a_token(
    television: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    """The control taken away: a version that needs no agreement shuts nobody out."""
    let_in = begun(television)
    answer(alice, let_in, "permit", "name")
    version(owner, 2, WIDER)
    owner.execute("UPDATE troth.policy_version SET floor = false WHERE version = 2")
    assert "access_token" in polled(television, let_in).json()


def permitted(device: Notes, person: Browser) -> dict[str, str]:
    """Return the tokens of a device whose person said yes."""
    told = begun(device)
    assert answer(person, told, "permit", "name").status_code == 200
    found: dict[str, str] = polled(device, told).json()
    return found


def test_a_device_that_was_turned_away_learns_nothing(television: Notes, alice: Browser) -> None:
    told = begun(television)
    answer(alice, told, "decline", "name")
    assert polled(television, told).json()["error"] == "access_denied"
    assert "You sign in to no application" in alice.get("/me/permissions?kind=applications").content.decode()


def test_opening_the_page_lets_nobody_in(television: Notes, alice: Browser) -> None:
    told = begun(television)
    alice.get("/device", {"code": told["user_code"], "answer": "permit"})
    strict = Browser(csrf=True)
    strict.cookies = alice.cookies
    assert answer(strict, told, "permit", "name").status_code == 403
    assert polled(television, told).json()["error"] == "authorization_pending"


def test_who_ends_the_application_meanwhile_gives_no_token(television: Notes, alice: Browser) -> None:
    told = begun(television)
    answer(alice, told, "permit", "name")
    alice.post(f"/me/applications/{television.id}/end")
    refused = polled(television, told)
    assert refused.status_code == 400
    assert refused.json()["error"] == "invalid_grant"


def test_who_ends_the_application_and_renews_it_meanwhile_gives_no_token(television: Notes, alice: Browser) -> None:
    told = begun(television)
    answer(alice, told, "permit", "name")
    alice.post(f"/me/applications/{television.id}/end")
    alice.post(f"/me/applications/{television.id}/renew", {"claims": [NAME]})
    assert polled(television, told).json()["error"] == "invalid_grant", "what was let in before is not let in again"
    assert television.told(permitted(television, alice)["access_token"]).status_code == 200


def test_what_lasts_to_a_day_that_is_over_lets_in_no_device_of_before(
    television: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    told = begun(television)
    answer(alice, told, "permit", "name")
    alice.post(f"/me/applications/{television.id}/renew", {"claims": [NAME], "until": TOMORROW})
    pass_by(owner)
    alice.post(f"/me/applications/{television.id}/renew", {"claims": [NAME]})
    assert polled(television, told).json()["error"] == "invalid_grant"


def test_a_new_last_day_shuts_out_no_device_that_was_let_in(television: Notes, alice: Browser) -> None:
    told = begun(television)
    answer(alice, told, "permit", "name")
    alice.post(f"/me/applications/{television.id}/renew", {"claims": [NAME], "until": TOMORROW})
    assert television.told(polled(television, told).json()["access_token"]).status_code == 200


def test_what_a_device_was_let_in_by_is_no_code_of_a_sign_in(
    television: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    told = begun(television)
    answer(alice, told, "permit", "name")
    assert owner.execute("SELECT count(*) FROM troth.application_code").fetchone() == (1,)
    for address in ("", television.back):
        refused = television.redeem(f"device {told['device_code']}", redirect_uri=address)
        assert refused.status_code == 400
        assert "access_token" not in refused.json()
    assert television.told(polled(television, told).json()["access_token"]).status_code == 200


def test_a_code_of_another_device_or_none_is_refused(television: Notes, notes: Notes, alice: Browser) -> None:
    told = begun(television)
    assert alice.get("/device", {"code": "AAAA-AAAA"}).status_code == 422
    assert notes.ask("/connect/token", {"grant_type": GRANT, "device_code": told["device_code"]}).status_code == 400
    assert notes.ask("/connect/device", {"scope": "openid", "client_id": notes.id}).status_code in (400, 401)
    assert television.ask("/connect/device", {"scope": "openid phone"}).json()["error"] == "invalid_scope"


def test_who_is_not_signed_in_reads_the_code_afterwards(television: Notes, alice: Browser) -> None:
    told = begun(television)
    sent = Browser().get("/device", {"code": told["user_code"]})
    assert sent.headers["Location"] == f"/sign-in?next=/device%3Fcode%3D{told['user_code']}"


def guessed(person: Browser, times: int) -> list[str]:
    """Return what somebody reads who tries so many codes that no device shows."""
    return [person.get("/device", {"code": f"BBBB-{place:04}"}).content.decode() for place in range(times)]


@pytest.mark.asvs("6.3.1")
def test_who_guesses_codes_is_stopped_and_hears_of_no_right_one(
    television: Notes, alice: Browser, owner: Connection[Any], settings: Any
) -> None:
    settings.IDP_OIDC_RATE_LIMITS = settings.DEVICE_LIMITS | {"device_user_code": "10/h/user"}
    told = begun(television)
    assert not any("Too many tries" in page for page in guessed(alice, 10))
    assert "Too many tries" in alice.get("/device", {"code": told["user_code"]}).content.decode()
    assert answer(alice, told, "permit", "name").status_code == 422
    assert polled(television, told).json()["error"] == "authorization_pending"
    bob = Browser()
    bob.sign_up(owner, "bob@harbor.example", "Bob")
    assert bob.get("/device", {"code": told["user_code"]}).status_code == 200, "nobody is stopped by another's guesses"


def test_the_network_is_counted_too_and_what_was_right_is_not(
    television: Notes, alice: Browser, owner: Connection[Any], settings: Any
) -> None:
    settings.IDP_OIDC_RATE_LIMITS = settings.DEVICE_LIMITS
    told = begun(television)
    for _ in range(12):
        assert alice.get("/device", {"code": told["user_code"]}).status_code == 200
    bob = Browser()
    bob.sign_up(owner, "bob@harbor.example", "Bob")
    assert not any("Too many tries" in page for page in guessed(bob, 5))
    assert "Too many tries" in alice.get("/device", {"code": told["user_code"]}).content.decode()


def test_without_the_limits_a_guesser_would_come_to_the_right_code(
    television: Notes, alice: Browser, settings: Any
) -> None:
    """The control taken away."""
    settings.IDP_OIDC_RATE_LIMITS = False
    told = begun(television)
    guessed(alice, 31)
    assert alice.get("/device", {"code": told["user_code"]}).status_code == 200


def test_nobody_begins_without_end(television: Notes, settings: Any) -> None:
    settings.IDP_OIDC_RATE_LIMITS = settings.DEVICE_LIMITS
    for _ in range(30):
        begun(television)
    refused = television.ask("/connect/device", {"scope": "openid"})
    assert (refused.status_code, refused.json(), refused["Retry-After"]) == (429, {"error": "slow_down"}, "60")

"""A passkey counts as two factors because the key recognised its owner: one that did not lets nobody in, whatever it signs."""

from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.web.passkeys import Key, options
from tests.web.second import SECOND, confirm
from tests.web.test_second_factor import level

ALICE, MALLORY = "alice@harbor.example", "mallory@harbor.example"
ADD, BY_PASSKEY = "/me/security/passkeys/add", "/sign-in/passkey"


def add_key(browser: Browser) -> Key:
    """Add a passkey to the account of a signed-in browser."""
    confirm(browser)
    key = Key()
    answer = browser.post(ADD, {"name": "", "credential": key.made(options(browser.get(ADD).content))})
    assert answer.headers.get("Location") == "/me/security/codes", answer.content.decode()
    return key


@pytest.fixture
def key(browser: Browser, owner: Connection[Any]) -> Key:
    """Alice's; `browser` is the one she added it with."""
    browser.sign_up(owner, ALICE)
    return add_key(browser)


def at_the_second_step(owner: Connection[Any]) -> tuple[Browser, dict[str, Any]]:
    """Return somebody's browser who has shown their own password, and what its page asks of their own key."""
    Browser().sign_up(owner, MALLORY)
    mallory = Browser()
    mallory.sign_in(MALLORY)
    add_key(mallory)
    mallory.post("/sign-out")
    assert mallory.sign_in(MALLORY).headers["Location"] == SECOND
    return mallory, options(mallory.get(SECOND).content)


def by_passkey(browser: Browser) -> dict[str, Any]:
    """Return what signing in by passkey alone asks of any key."""
    answer = browser.get(BY_PASSKEY, HTTP_X_REQUESTED_WITH="XMLHttpRequest")
    return dict(answer.json()["request_options"]["publicKey"])


@pytest.mark.asvs("6.3.3")
@pytest.mark.parametrize("recognised", [True, False])
def test_a_passkey_alone_signs_in_only_whom_it_recognised(owner: Connection[Any], key: Key, recognised: bool) -> None:  # noqa: FBT001
    someone = Browser()
    asked = by_passkey(someone)
    assert asked["userVerification"] == "required"
    someone.post(BY_PASSKEY, {"credential": key.signed(asked, recognised=recognised)})
    assert someone.get("/me").status_code == (200 if recognised else 303)
    assert not recognised or level(owner, someone) == 2


@pytest.mark.asvs("6.3.3")
def test_a_stolen_key_signs_nobody_in_with_the_challenge_of_another_accounts_second_step(
    owner: Connection[Any], key: Key, settings: Any
) -> None:
    """The challenge outlives the way in that it was made for, which lapses."""
    mallory, asked = at_the_second_step(owner)
    told = {"credential": key.signed(asked, recognised=False)}
    assert mallory.post(BY_PASSKEY, told).headers["Location"] == SECOND
    settings.ACCOUNT_LOGIN_TIMEOUT = 0
    assert mallory.post(BY_PASSKEY, told).headers["Location"] == "/sign-in"
    assert mallory.get("/me").status_code == 303


@pytest.mark.asvs("6.3.3", "6.3.4")
def test_a_key_that_did_not_recognise_its_owner_is_no_second_step(owner: Connection[Any], key: Key) -> None:
    """Beside a remembered browser or a code by mail it would be a second thing that was stolen, not a second factor."""
    someone = Browser()
    someone.sign_in(ALICE)
    asked = options(someone.get(SECOND).content)
    assert asked["userVerification"] == "required"
    assert someone.post(SECOND, {"credential": key.signed(asked, recognised=False)}).status_code == 200
    assert someone.get("/me").status_code == 303
    asked = options(someone.get(SECOND).content)
    assert someone.post(SECOND, {"credential": key.signed(asked, recognised=True)}).status_code == 302


@pytest.mark.asvs("7.5.1")
def test_a_key_that_did_not_recognise_its_owner_confirms_nothing(browser: Browser, key: Key) -> None:
    browser.post("/sign-out")
    browser.post(BY_PASSKEY, {"credential": key.signed(by_passkey(browser), recognised=True)})
    confirming = "/password/confirm/passkey"
    for recognised in (False, True):
        asked = options(browser.get(confirming).content)
        answer = browser.post(confirming, {"credential": key.signed(asked, recognised=recognised), "next": "/me"})
        assert answer.headers["Location"] == ("/me" if recognised else "/sign-in")


def test_every_key_that_was_ever_added_recognised_its_owner(browser: Browser, owner: Connection[Any]) -> None:
    """So that asking each for it from now on locks nobody out."""
    browser.sign_up(owner, ALICE)
    confirm(browser)
    asked = options(browser.get(ADD).content)
    assert asked["authenticatorSelection"]["userVerification"] == "required"


@pytest.mark.parametrize("wished", ["preferred", "discouraged"])
def test_were_it_only_wished_for_a_stolen_key_would_be_a_second_step(
    owner: Connection[Any], key: Key, settings: Any, wished: str
) -> None:
    """The control taken away."""
    settings.MFA_WEBAUTHN_USER_VERIFICATION = wished
    someone = Browser()
    someone.sign_in(ALICE)
    asked = options(someone.get(SECOND).content)
    assert someone.post(SECOND, {"credential": key.signed(asked, recognised=False)}).status_code == 302

"""Passkeys with a real browser's authenticator, an app, a remembered browser: the ways in as people go them."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from tests.journeys.conftest import PASSWORD, Visitor
from tests.journeys.test_journeys import inspect
from tests.web.second import app_code

Visit = Callable[..., Visitor]


def authenticator(someone: Visitor) -> tuple[Any, str]:
    """Put a device into somebody's browser that keeps passkeys and recognises its owner."""
    session = someone.context.new_cdp_session(someone.page)
    session.send("WebAuthn.enable")
    told = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": told})
    return session, str(made["authenticatorId"])


def confirm(someone: Visitor) -> None:
    if someone.title() == "Confirm that it is you":
        someone.page.get_by_label("Password").fill(PASSWORD)
        someone.press("Confirm")


def persistent(context: BrowserContext) -> list[dict[str, Any]]:
    return [dict(each) for each in context.cookies() if each["expires"] > 0]


@pytest.mark.asvs("6.3.3")
def test_signing_up_and_in_with_a_passkey_and_no_password(visit: Visit) -> None:
    alice = visit()
    session, device = authenticator(alice)
    alice.go("/sign-up")
    alice.page.get_by_role("link", name="Sign up with a passkey").click()
    alice.page.get_by_label("E-mail address").fill("passkey@harbor.example")
    alice.page.get_by_label("Name").fill("Alice")
    alice.press("Continue")
    assert alice.title() == "Before anything else: your agreement"
    alice.press("Agree")
    alice.page.get_by_label("Code").fill(alice.code("passkey@harbor.example"))
    alice.press("Confirm")
    assert alice.title() == "Make your passkey"
    assert inspect_here(alice) == []
    alice.press("Make a passkey")
    alice.page.wait_for_url("**/me")
    held = session.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    assert [(each["rpId"], each["isResidentCredential"]) for each in held] == [("localhost", True)]

    alice.page.get_by_role("button", name="Sign out").click()
    alice.go("/sign-in")
    alice.press("Sign in with a passkey")
    alice.page.wait_for_url("**/me")
    assert alice.title() == "Your data"
    alice.go("/me/security")
    assert "You have no password" in alice.page.locator("main").inner_text()

    # the only way in cannot be taken away; the account can be closed without a password
    alice.page.get_by_role("link", name=re.compile("Remove “")).click()
    assert alice.title() == "Confirm that it is you"
    alice.press("Confirm with a passkey")
    alice.page.wait_for_url("**/remove")
    alice.press("Remove it")
    assert "This is your only way in" in alice.page.locator("main").inner_text()
    alice.go("/me/close")
    alice.press("Close my account")
    assert alice.page.url.endswith("/closed")
    assert alice.complaints == []
    assert alice.elsewhere == []


def test_a_passkey_that_does_not_recognise_its_owner_signs_nobody_in(visit: Visit) -> None:
    bob = visit()
    session, device = authenticator(bob)
    bob.join("verified@harbor.example", "Bob")
    bob.go("/me/security/passkeys/add")
    confirm(bob)
    assert inspect_here(bob) == []
    bob.press("Make a passkey")
    bob.page.wait_for_url("**/codes")
    bob.page.get_by_role("button", name="Sign out").click()
    session.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    bob.go("/sign-in")
    bob.press("Sign in with a passkey")
    bob.page.get_by_text("That did not work").wait_for()
    assert bob.go("/me").url.startswith(bob.service.address + "/sign-in")
    session.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
    bob.go("/sign-in")
    bob.press("Sign in with a passkey")
    bob.page.wait_for_url("**/me")


def inspect_here(someone: Visitor) -> list[str]:
    """Look at the page that is open, with axe; a page of a step cannot be opened again."""
    from axe_playwright_python.sync_playwright import Axe

    # What checks is put into the page; the page's own rules forbid that, so it is done where they do not reach.
    content = someone.page.content()
    elsewhere = someone.context.browser.new_context(bypass_csp=True, ignore_https_errors=True)  # type: ignore[union-attr]
    page = elsewhere.new_page()
    page.goto(someone.service.address + "/policy.txt")
    page.set_content(content)
    found = [f"{someone.page.url}: {each['id']}" for each in Axe().run(page).response["violations"]]
    elsewhere.close()
    return found


def test_an_app_and_recovery_codes(visit: Visit) -> None:
    carol = visit()
    carol.join("app@harbor.example", "Carol")
    carol.page.locator("main").get_by_role("link", name="See and change it").click()
    carol.page.get_by_role("link", name="Add an authenticator app").click()
    confirm(carol)
    assert carol.title() == "Add an authenticator app"
    assert carol.page.locator(".qr svg").bounding_box()["width"] > 100  # type: ignore[index]
    assert inspect_here(carol) == []
    secret = carol.page.locator(".key").inner_text()
    carol.page.get_by_label("Code").fill(app_code(secret))
    carol.press("Add the app")
    assert carol.title() == "Your recovery codes"
    assert inspect_here(carol) == []
    codes = carol.page.locator(".codes code").all_inner_texts()
    assert len(codes) == 10
    carol.page.get_by_role("button", name="Sign out").click()

    carol.go("/sign-in")
    carol.page.get_by_label("E-mail address").fill("app@harbor.example")
    carol.page.get_by_label("Password").fill(PASSWORD)
    carol.press("Sign in")
    assert carol.title() == "The second step"
    assert inspect_here(carol) == []
    carol.page.get_by_label("Code").fill(codes[0])
    carol.press("Continue")
    assert carol.title() == "Trust this browser?"
    assert inspect_here(carol) == []
    carol.press("Ask me each time")
    assert carol.title() == "Your data"
    assert "9 codes are left" in carol.go("/me/security").locator("main").inner_text()
    assert carol.complaints == []


def test_a_browser_that_is_remembered_after_it_was_closed(visit: Visit) -> None:
    dave, again = visit(), visit()
    dave.join("remembered@harbor.example", "Dave")
    dave.page.get_by_role("button", name="Sign out").click()
    dave.go("/sign-in")
    dave.page.get_by_label("E-mail address").fill("remembered@harbor.example")
    dave.page.get_by_label("Password").fill(PASSWORD)
    dave.page.get_by_label("Remember me here for 30 days").check()
    dave.press("Sign in")
    assert dave.title() == "Your data"
    kept = persistent(dave.context)
    assert [each["name"] for each in kept] == ["__Host-remembered"]

    again.context.add_cookies(kept)  # type: ignore[arg-type]
    again.go("/me")
    assert again.title() == "Your data"
    assert persistent(again.context)[0]["value"] != kept[0]["value"]
    again.go("/me/security")
    again.press("Forget all of them")
    assert persistent(again.context) == []


def test_a_code_by_mail_and_a_second_address(visit: Visit) -> None:
    erin = visit()
    erin.join("code@harbor.example", "Erin")
    erin.go("/me/security")
    erin.page.get_by_role("link", name="Change them").click()
    confirm(erin)
    assert erin.title() == "Your addresses"
    erin.page.get_by_label("E-mail address").fill("second@harbor.example")
    erin.press("Add the address")
    assert erin.title() == "Enter the code"
    erin.page.get_by_label("Code").fill(erin.code("second@harbor.example"))
    erin.press("Confirm")
    erin.go("/me/security/addresses")
    assert inspect_here(erin) == []
    erin.press("Use second@harbor.example")
    assert "second@harbor.example" in erin.go("/me").locator("main").inner_text()
    erin.page.get_by_role("button", name="Sign out").click()
    erin.go("/sign-in")
    erin.page.get_by_role("link", name="Sign in with a code").click()
    erin.page.get_by_label("E-mail address").fill("second@harbor.example")
    erin.press("Send the code")
    assert inspect_here(erin) == []
    erin.page.get_by_label("Code").fill(erin.code("second@harbor.example"))
    erin.press("Sign in")
    assert erin.title() == "Your data"


@pytest.mark.parametrize("width", [320, 1280])
def test_the_security_page_in_every_width(visit: Visit, width: int) -> None:
    scheme = "dark" if width == 320 else "light"
    someone = visit(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    someone.join(f"width{width}@harbor.example", "Width")
    assert inspect(someone, ("/me/security", "/password/confirm", "/sign-up/passkey")) == []


def another(someone: Visitor, address: str, before: str) -> str:
    """Return the code that was mailed after another: it comes when the outbox is emptied."""
    deadline = time.monotonic() + 30
    while (code := someone.code(address)) == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert code != before
    return code


@pytest.mark.parametrize("width", [390, 1280])
def test_who_came_by_a_code_and_has_nothing_else_confirms_by_one(visit: Visit, width: int, tmp_path: Path) -> None:
    scheme = "dark" if width == 390 else "light"
    zoe = visit(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    address = f"nothing{width}@harbor.example"
    zoe.go("/sign-up/passkey")
    zoe.page.get_by_label("E-mail address").fill(address)
    zoe.page.get_by_label("Name").fill("Zoe")
    zoe.press("Continue")
    zoe.press("Agree")
    first = zoe.code(address)
    zoe.page.get_by_label("Code").fill(first)
    zoe.press("Confirm")
    assert zoe.title() == "Make your passkey"
    zoe.context.clear_cookies()
    zoe.go("/sign-in/code")
    zoe.page.get_by_label("E-mail address").fill(address)
    zoe.press("Send the code")
    second = another(zoe, address, first)
    zoe.page.get_by_label("Code").fill(second)
    zoe.press("Sign in")
    zoe.go("/me/copy")
    assert zoe.title() == "Confirm that it is you"
    assert inspect_here(zoe) == []
    zoe.page.screenshot(path=tmp_path / "ask.png", full_page=True)
    zoe.press("Send the code")
    assert zoe.title() == "Enter the code"
    assert inspect_here(zoe) == []
    zoe.page.screenshot(path=tmp_path / "enter.png", full_page=True)
    third = another(zoe, address, second)  # before one more is on its way
    zoe.page.get_by_role("link", name="Send the code again").click()
    assert zoe.title() == "Confirm that it is you"
    zoe.press("Send the code")
    zoe.page.get_by_label("Code").fill(another(zoe, address, third))
    zoe.press("Confirm")
    assert zoe.page.url.endswith("/me/copy")
    assert zoe.complaints == []
    assert zoe.elsewhere == []

"""What a person goes through, in a real browser against the real service."""

import json
import time
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.journeys.conftest import PASSWORD, Visitor
from tests.serving import Serving

Visit = Callable[..., Visitor]
COUNT = "select count(distinct subject) as people from access where subject <> '00000000-0000-0000-0000-000000000000'"


def people(service: Serving) -> int:
    answer = service.run("query", "--purpose", "understand", "--format", "json", COUNT)
    return int(json.loads(answer.stdout)[0]["people"])


def test_from_sign_up_to_leaving(service: Serving, visit: Visit) -> None:
    alice = visit()
    alice.begin("alice@harbor.example", "Alise")
    assert alice.title() == "Before anything else: your agreement"
    alice.go("/me")
    assert alice.page.url.endswith("/agree")
    assert alice.context.request.get(service.address + "/api/v1/me").status == 401
    alice.press("Agree")
    assert alice.title() == "Enter the code"
    alice.page.get_by_label("Code").fill(alice.code("alice@harbor.example"))
    alice.press("Confirm")
    assert alice.title() == "Your data"

    alice.page.get_by_role("link", name="Correct your name").click()
    alice.page.get_by_label("Name").fill("Alice Liddell")
    alice.press("Save")
    assert alice.page.get_by_text("Alice Liddell").count() == 1

    alice.page.get_by_role("link", name="See all of them").click()
    alice.page.wait_for_load_state()
    assert alice.page.locator("td", has_text="GET /me").count() > 0

    before = people(service)
    assert before >= 1
    alice.go("/me")
    alice.page.get_by_role("button", name="No: Understand").click()
    alice.page.wait_for_load_state()
    expect(alice.page.get_by_role("status")).to_be_in_viewport()
    assert alice.page.locator("#purpose-understand").get_by_role("status").count() == 1
    assert alice.page.get_by_role("button", name="No: Understand").get_attribute("aria-pressed") == "true"
    assert people(service) == before - 1
    alice.page.get_by_role("button", name="Yes: Understand").click()
    alice.page.wait_for_load_state()
    assert people(service) == before

    alice.go("/me/close")
    alice.page.get_by_label("Your password").fill("not my password at all")
    alice.press("Close my account")
    assert alice.page.get_by_text("This is not your password.").count() == 1
    alice.page.get_by_label("Your password").fill(PASSWORD)
    alice.press("Close my account")
    assert alice.title() == "Your account is closed"
    alice.go("/sign-in")
    alice.page.get_by_label("E-mail address").fill("alice@harbor.example")
    alice.page.get_by_label("Password").fill(PASSWORD)
    alice.press("Sign in")
    assert alice.page.url.endswith("/sign-in")
    assert [line for line in alice.complaints if "422" not in line and "401" not in line] == []
    assert alice.elsewhere == []


def test_declining_leaves_nothing(service: Serving, visit: Visit) -> None:
    with service.connect("owner") as owner:
        before = owner.execute("SELECT count(*) FROM troth.subject").fetchone()
    bob = visit()
    bob.begin("bob@harbor.example", "Bob")
    bob.press("Decline")
    assert bob.title() == "You declined, and nothing is left"
    with service.connect("owner") as owner:
        assert owner.execute("SELECT count(*) FROM troth.subject").fetchone() == before
        for table in ("person", "people_account", "account_emailaddress", "notice"):
            column = "address" if table == "notice" else "email"
            found = owner.execute(
                f"SELECT count(*) FROM troth.{table} WHERE {column} = 'bob@harbor.example'".encode()
            ).fetchone()
            assert found == (0,), table


def test_signing_out_and_in_again_changes_the_session(visit: Visit) -> None:
    carol = visit()
    carol.join("carol@harbor.example", "Carol")
    first = {c["name"]: c["value"] for c in carol.context.cookies()}
    assert {"__Host-session", "__Host-viewer", "__Host-csrf"} <= set(first)
    assert all(c["secure"] and c["httpOnly"] and c["sameSite"] == "Lax" for c in carol.context.cookies())
    carol.page.get_by_role("button", name="Sign out").click()
    carol.page.wait_for_load_state()
    assert "__Host-viewer" not in {c["name"] for c in carol.context.cookies()}
    old = visit()
    old.context.add_cookies(
        [{"name": n, "value": first[n], "url": carol.service.address} for n in ("__Host-session", "__Host-viewer")]
    )
    old.go("/me")
    assert "/sign-in" in old.page.url
    assert old.context.request.get(carol.service.address + "/api/v1/me").status == 401
    carol.go("/sign-in")
    carol.page.get_by_label("E-mail address").fill("carol@harbor.example")
    carol.page.get_by_label("Password").fill(PASSWORD)
    carol.press("Sign in")
    assert carol.title() == "Your data"
    second = {c["name"]: c["value"] for c in carol.context.cookies()}
    assert second["__Host-session"] != first["__Host-session"]
    assert second["__Host-viewer"] != first["__Host-viewer"]


def test_a_forgotten_password_by_code(visit: Visit) -> None:
    erin = visit()
    erin.join("erin@harbor.example", "Erin")
    other = visit()
    other.go("/password/forgotten")
    other.page.get_by_label("E-mail address").fill("erin@harbor.example")
    other.press("Send the code")
    time.sleep(1)
    other.page.get_by_label("Code").fill(other.code("erin@harbor.example"))
    other.press("Continue")
    fields = other.page.locator("main input[type=password]")
    for place in range(fields.count()):
        fields.nth(place).fill("four words that nobody guesses")
    other.press("Save")
    erin.go("/me")
    assert "/sign-in" in erin.page.url
    erin.page.get_by_label("E-mail address").fill("erin@harbor.example")
    erin.page.get_by_label("Password").fill("four words that nobody guesses")
    erin.press("Sign in")
    assert erin.title() == "Your data"


def test_the_keyboard_is_enough_to_sign_up(visit: Visit) -> None:
    page = visit().go("/sign-up")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    for text in ("dave@harbor.example", "Dave", PASSWORD):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/agree")


def test_bad_input_is_said_beside_the_field_and_nothing_is_lost(visit: Visit) -> None:
    someone = visit()
    page = someone.go("/sign-up")
    page.locator("form").last.evaluate("form => form.noValidate = true")
    page.locator("main form").evaluate("form => form.noValidate = true")
    page.get_by_label("E-mail address").fill("frank@harbor.example")
    page.get_by_label("Name").fill("F\u202ernak")
    page.get_by_label("Password").fill("passwordpassword")
    someone.press("Continue")
    said = page.locator(".wrong").all_inner_texts()
    assert any("control characters" in line for line in said)
    assert any("leaked passwords" in line for line in said)
    assert page.get_by_label("E-mail address").input_value() == "frank@harbor.example"


PAGES = (
    "/",
    "/sign-up",
    "/sign-in",
    "/sign-in/code",
    "/sign-up/passkey",
    "/password/forgotten",
    "/policy",
    "/policy/promises",
    "/policy/versions",
    "/policy/compare/1..1",
    "/terms",
    "/declined",
    "/nothing-here",
    "/dev/",
    "/dev/components",
    "/dev/mail",
)
MINE = (
    "/me",
    "/me/name",
    "/me/profile",
    "/me/profile/phone",
    "/me/accesses",
    "/me/accesses?path=/nothing",
    "/me/directories",
    "/me/close",
    "/password",
    "/me/security",
)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")])
def test_axe_finds_nothing_and_nothing_overflows(visit: Visit, width: int, scheme: str) -> None:
    someone = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    faults = inspect(someone, PAGES)
    name = "نورة بنت عبد الرحمن" if width == 390 else "Wolfeschlegelsteinhausenbergerdorff" * 3
    someone.begin(f"axe{width}{scheme}@harbor.example", name)
    faults += inspect(someone, ("/agree",))
    someone.go("/agree")
    someone.press("Agree")
    faults += inspect(someone, ("/sign-up/verify",))
    someone.page.get_by_label("Code").fill(someone.code(f"axe{width}{scheme}@harbor.example"))
    someone.press("Confirm")
    faults += inspect(someone, MINE)
    assert faults == []


def inspect(someone: Visitor, pages: tuple[str, ...]) -> list[str]:
    found = []
    for path in pages:
        page = someone.go(path)
        for violation in Axe().run(page).response["violations"]:
            targets = [node["target"] for node in violation["nodes"][:2]]
            found.append(f"{path}: {violation['id']} {targets}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            found.append(f"{path}: {wide} px too wide")
    return found


def test_at_320_pixels_and_twice_the_size_nothing_overflows(visit: Visit) -> None:
    someone = visit(viewport={"width": 320, "height": 700}, device_scale_factor=2)
    for path in PAGES:
        page = someone.go(path)
        assert page.evaluate("document.documentElement.scrollWidth <= 320"), path


def test_the_first_page_is_light_and_asks_nobody_else(visit: Visit, service: Serving) -> None:
    someone, sizes = visit(), []
    someone.page.on("response", lambda response: sizes.append(int(response.headers.get("content-length", 0) or 0)))
    someone.go("/")
    someone.page.wait_for_load_state("networkidle")
    assert someone.elsewhere == []
    assert someone.complaints == []
    assert 0 < sum(sizes) < 30_000


def test_another_language_stays(visit: Visit) -> None:
    someone = visit()
    someone.go("/")
    someone.page.get_by_role("button", name="Español").click()
    someone.page.wait_for_load_state()
    assert someone.page.locator("html").get_attribute("lang") == "es"
    assert someone.page.get_by_role("link", name="Crear una cuenta").count() > 0

"""Two browsers of one person: a device named and forgotten, one browser signed out from the other, two accounts linked."""

import json
import re
from collections.abc import Callable

import pytest

from tests.journeys.conftest import PASSWORD, Visitor
from tests.journeys.test_journeys import inspect
from tests.journeys.test_security import confirm

Visit = Callable[..., Visitor]
KEPT = "localStorage.getItem('troth-device')"


def sign_in(someone: Visitor, email: str) -> None:
    someone.go("/sign-in")
    someone.page.get_by_label("E-mail address").fill(email)
    someone.page.get_by_label("Password").fill(PASSWORD)
    someone.press("Sign in")
    assert someone.title() == "Your data"


def identified(someone: Visitor) -> str:
    """Return the identifier that a browser keeps, once the service was told."""
    someone.page.wait_for_function(f"{KEPT} !== null")
    someone.page.wait_for_load_state("networkidle")
    return str(json.loads(someone.page.evaluate(KEPT))["identifier"])


def test_one_browser_signs_the_other_out_and_a_device_is_named_and_forgotten(visit: Visit) -> None:
    here, there = visit(), visit()
    here.join("two@harbor.example", "Judy")
    sign_in(there, "two@harbor.example")
    first, second = identified(here), identified(there)
    assert first != second
    here.go("/me/devices")
    devices = here.page.locator("section", has=here.page.get_by_role("heading", name="Your devices"))
    devices.get_by_role("listitem").filter(has_text="this device").get_by_role("link", name="Name it").click()
    here.page.get_by_label("Name of the device").fill("Kitchen")
    here.press("Save")
    assert here.page.get_by_text("Kitchen", exact=True).is_visible()
    assert there.go("/me/devices").get_by_text("Kitchen", exact=True).is_visible()

    sessions = here.page.locator("section", has=here.page.get_by_role("heading", name="Where you are signed in"))
    items = sessions.get_by_role("listitem")
    assert items.count() == 2
    other = items.filter(has_not_text="this browser")
    other.get_by_role("button", name=re.compile("^Sign out")).click()
    here.page.get_by_text("Signed out: whoever is there is nobody").wait_for()
    there.go("/me")
    assert there.title() == "Sign in"
    assert there.page.evaluate(KEPT) is None

    here.go("/me/devices").get_by_role("button", name="Forget Kitchen").click()
    here.page.wait_for_url("**/sign-in*")
    assert here.page.evaluate(KEPT) is None
    sign_in(here, "two@harbor.example")
    assert identified(here) not in (first, second)
    assert here.go("/me/devices").get_by_text("Kitchen", exact=True).count() == 0


@pytest.mark.parametrize("how", ["storage refused", "cookies cleared"])
def test_a_browser_that_refuses_is_served_all_the_same(visit: Visit, how: str) -> None:
    someone = visit()
    email = f"{how.replace(' ', '-')}@harbor.example"
    if how == "storage refused":
        refusing = (
            "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})"
        )
        someone.context.add_init_script(refusing)
    asked: list[str] = []
    someone.page.on("request", lambda request: asked.append(request.url))
    someone.join(email, "Mallory")
    someone.page.wait_for_load_state("networkidle")
    if how == "storage refused":
        assert not any("/me/devices/this" in url for url in asked)
    else:
        someone.context.clear_cookies()
        assert someone.go("/me").url.endswith("/sign-in?next=/me")
        return
    page = someone.go("/me/devices")
    assert page.get_by_text("this browser", exact=True).is_visible()
    assert [line for line in someone.complaints if "404" not in line] == []


def test_two_accounts_are_linked_renamed_and_unlinked(visit: Visit) -> None:
    here, there = visit(), visit()
    here.join("home@harbor.example", "Zoë Home")
    there.join("work@harbor.example", "Zoë Work")
    here.go("/me/linked").get_by_role("link", name="Make a code here").click()
    confirm(here)
    here.press("Make the code")
    code = here.page.locator("#code").inner_text()
    there.go("/me/linked").get_by_role("link", name="Enter a code").click()
    confirm(there)
    there.page.get_by_label("Code").fill(code.lower())
    there.press("Go on")
    assert there.page.get_by_text("h***@harbor.example").is_visible()
    there.press("Zoë Home")
    assert there.title() == "Linked accounts"
    here.go("/me/name").get_by_label("Name").fill("Zoë Anders")
    here.press("Save")
    for someone in (here, there):
        assert someone.go("/me").get_by_text("Zoë Anders").is_visible()
    here.go("/me/linked").get_by_role("button", name=re.compile("^Unlink")).click()
    for someone in (here, there):
        assert someone.go("/me").get_by_text("A link between accounts was ended").is_visible()
        assert someone.go("/me/linked").get_by_text("linked with no other").is_visible()


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (390, "light"), (1280, "light"), (1280, "dark")])
def test_the_pages_in_every_width(visit: Visit, width: int, scheme: str) -> None:
    someone = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    someone.join(f"seen{width}{scheme}@harbor.example", "محمد بن عبد الرحمن")
    someone.page.wait_for_load_state("networkidle")
    someone.go("/me/linked/code")
    confirm(someone)
    assert inspect(someone, ("/me/devices", "/me/linked", "/me/linked/code", "/me/linked/enter", "/me/name")) == []

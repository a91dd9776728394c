"""An organization's directory, in a real browser and over HTTPS: a token, somebody supplied, who sees it, joins and is let go."""

import ssl
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.journeys.conftest import Visitor

Visit = Callable[..., Visitor]
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def fine(visitor: Visitor, pictures: Path, name: str) -> None:
    """Nothing wider than the window, nothing that axe finds, one heading."""
    page = visitor.page
    page.screenshot(path=pictures / f"{name}.png", full_page=True)
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.get_by_role("heading", level=1).count() == 1


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_supplied_seen_joined_and_let_go(visit: Visit, width: int, scheme: str, tmp_path: Path) -> None:
    alice, bob = (visit(viewport={"width": width, "height": 800}, color_scheme=scheme) for _ in range(2))
    alice.join(f"alice-directory-{width}@harbor.example", "Alice")
    address = f"bob-directory-{width}@harbor.example"
    bob.join(address, "Bob")
    alice.go("/organizations")
    alice.page.get_by_label("Its name").fill("شركة الميناء Harbor")
    alice.press("Make it")
    home = alice.page.url.removeprefix(alice.service.address)
    assert alice.go(f"{home}/directory").get_by_text("No directory speaks for this organization.").is_visible()
    alice.page.get_by_label("What the directory is called").fill("The one on the second floor")
    alice.press("Make a token")
    token = alice.page.locator("code.secret").inner_text()
    alice.page.get_by_role("textbox", name="Domain").fill("h\u0430rbor.example")
    alice.press("Add the domain")
    assert alice.page.get_by_role("heading", name="xn--hrbor-4ve.example").is_visible()
    assert token not in alice.page.content()
    fine(alice, tmp_path, "directory")

    trusting = ssl.create_default_context(cafile=alice.service.data / "tls" / "ca.pem")
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=f"{alice.service.address}/scim/v2", headers=headers, verify=trusting) as directory:
        told = {"schemas": [USER], "userName": "bob", "emails": [{"value": address}], "displayName": "Robert"}
        made = directory.post("/Users", json=told)
        assert made.status_code == 201
        bob.go("/me/directories")
        assert bob.page.get_by_text("It has not proven that it holds the domain of this address.").is_visible()
        fine(bob, tmp_path, "offer")
        bob.press("Join شركة الميناء Harbor")
        assert bob.page.get_by_text("It entered you").is_visible()
        fine(bob, tmp_path, "held")
        assert directory.get(f"/Users/{made.json()['id']}").json()["displayName"] == "Bob"
        assert bob.go(home).get_by_text("What your administrator sees of you").is_visible()
        off = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "active", "value": False}]}
        assert directory.patch(f"/Users/{made.json()['id']}", json=off).status_code == 204
        bob.go(home)
        assert bob.page.get_by_text("What your administrator sees of you").count() == 0
        assert bob.title() != "", "the account is there"
        alice.go(f"{home}/directory")
        alice.press("End it: The one on the second floor")
        assert directory.get("/Users").status_code == 401
    assert bob.go("/me/directories").get_by_text("No directory holds anything under your addresses.").is_visible()
    assert alice.elsewhere + bob.elsewhere == []

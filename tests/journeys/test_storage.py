"""P7, P15 to P18 in a real browser: what pages leave in it stands in the policy, and without cookies what can work does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.journeys.conftest import PASSWORD, Visitor
from tests.journeys.storing import DECLARED, undeclared_cookies, undeclared_entries
from tests.journeys.test_journeys import MINE, PAGES
from tests.serving import Serving
from tests.web.test_routes import table
from troth.policy.meaning import Stored

Visit = Callable[..., Visitor]
#: Of the table of every route what is a file and no page.
FILES = {
    "policy_text", "policy_jsonld", "policy_turtle", "policy_labels", "receipts_key", "security_txt", "gpc",
    "configuration", "jwks", "receipts", "receipt_file", "post_file",
}  # fmt: skip
#: Pages whose addresses name something that is somebody's, or that one role of the staff alone sees: not opened here.
#: Beside each, the journey that opens it, in a browser that is looked through when it is closed, as every journey's is.
NAMED = {
    "agree": "test_journeys", "receipt": "test_receipts", "post": "test_posts", "edit_post": "test_posts",
    "delete_post": "test_posts", "lent": "test_permissions", "agreed": "test_permissions",
    "organization": "test_organizations", "organization_members": "test_organizations",
    "organization_member": "test_organizations", "organization_permission": "test_permissions",
    "organization_corrections": "test_organizations", "organization_joining": "test_organizations",
    "organization_roles": "test_organizations", "directory": "test_directory", "proposal": "test_publishing",
    "record": "test_operator", "support": "test_support", "application": "test_applications",
    "permission_receipt": "test_permissions",
}  # fmt: skip


def undeclared(someone: Visitor, stored: tuple[Stored, ...] = DECLARED) -> list[str]:
    """Return what is in a browser that no clause declares, and what a script could read of its cookies."""
    return [
        *undeclared_cookies(someone.context, someone.service.address, stored),
        *undeclared_entries(someone.page, stored),
    ]


def opened(who: str) -> dict[str, str]:
    """Return the pages that the table lets somebody see and that name nothing: route -> path."""
    rows = (row for row in table() if row.cells[who][0] == "page" and row.route not in FILES)
    return {row.route: row.path for row in rows if "{" not in row.path}


def test_every_page_of_the_table_is_opened_here_or_named_with_the_journey_that_does() -> None:
    pages = {row.route for row in table() if "page" in {look for look, _form in row.cells.values()}} - FILES
    assert pages - {route for who in ("visitor", "charlie", "owner") for route in opened(who)} == NAMED.keys()
    assert [each for each in NAMED.values() if not (Path(__file__).parent / f"{each}.py").exists()] == []


def test_no_page_leaves_what_the_policy_does_not_declare(visit: Visit, operator: Any) -> None:
    newcomer, sam, olga = visit(), visit(), visit()
    sam.join("stored@harbor.example", "Sam")
    olga.context.add_cookies(operator)
    ways = ((newcomer, (*PAGES, *opened("visitor").values())), (sam, (*MINE, *opened("charlie").values())))
    for someone, paths in (*ways, (olga, tuple(opened("owner").values()))):
        for path in dict.fromkeys(paths):
            someone.go(path)
            assert undeclared(someone) == [], path
    assert {"__Host-session", "__Host-viewer", "__Host-csrf"} <= {c["name"] for c in sam.context.cookies()}


PLANTED = ("localStorage.x = 1", "sessionStorage.x = 1", "document.cookie = 'x=1'", "caches.open('x')")
CLEARED = "localStorage.clear(); sessionStorage.clear(); document.cookie = 'x=; max-age=0'; caches.delete('x')"


@pytest.mark.parametrize("script", PLANTED)
def test_mutation_what_a_script_would_leave_is_seen(visit: Visit, script: str) -> None:
    someone = visit()
    someone.go("/policy")
    someone.page.evaluate(script)
    assert undeclared(someone)
    someone.page.evaluate(CLEARED)


@pytest.mark.parametrize("script", PLANTED)
def test_mutation_a_journey_that_leaves_something_undeclared_fails(
    service: Serving, browser: Browser, script: str
) -> None:
    someone = Visitor(service, browser.new_context(ignore_https_errors=True))
    someone.go("/policy")
    someone.page.evaluate(script)
    with pytest.raises(AssertionError, match=r"left in the browser: \[.*x"):
        someone.context.close()


def test_mutation_a_cookie_that_no_page_declares_is_seen_wherever_the_journey_ends(
    service: Serving, browser: Browser
) -> None:
    someone = Visitor(service, browser.new_context(ignore_https_errors=True))
    someone.context.add_cookies([{"name": "tracker", "value": "1", "url": service.address + "/me"}])
    with pytest.raises(AssertionError, match="tracker"):
        someone.context.close()


def test_mutation_a_declaration_taken_away_is_seen(visit: Visit) -> None:
    someone = visit()
    someone.go("/sign-in")
    assert undeclared(someone, tuple(each for each in DECLARED if each.key != "__Host-csrf")) == ["__Host-csrf"]


def test_without_cookies_what_can_work_does_and_what_cannot_says_why(visit: Visit) -> None:
    """A browser that refuses cookies sends none back: what it was given is gone before it asks again."""
    nora = visit()
    for path in (path for path in PAGES if path != "/nothing-here"):
        nora.context.clear_cookies()
        nora.go(path)
        assert nora.page.locator("h1").count() == 1, path
    nora.go("/policy")
    assert nora.page.get_by_text("You can tell your browser to refuse cookies.").count() == 1
    nora.go("/sign-in")
    nora.page.get_by_label("E-mail address").fill("nora@harbor.example")
    nora.page.get_by_label("Password").fill(PASSWORD)
    nora.context.clear_cookies()
    nora.press("Sign in")
    assert nora.title() == "Your browser sent no cookie"
    assert "signing in" in nora.page.locator("main").inner_text()
    nora.page.get_by_role("navigation").get_by_role("link", name="Policy", exact=True).click()
    assert nora.title() == "The policy"


def test_a_browser_that_objects_is_shown_so(visit: Visit) -> None:
    gil = visit(extra_http_headers={"Sec-GPC": "1"})
    gil.join("gil@harbor.example", "Gil")
    card = gil.page.locator("#purpose-understand")
    assert card.get_by_text("This browser objects to it").count() == 1
    assert gil.page.locator("#purpose-protect").get_by_text("This browser objects to it").count() == 0
    gil.page.get_by_role("link", name="What is not done with this visit").click()
    assert gil.page.url.endswith("/policy#honour-global-privacy-control")
    assert gil.page.locator("#honour-global-privacy-control").inner_text().startswith("When your browser sends")
    other = visit()
    other.go("/policy")
    assert other.page.locator(".signal").count() == 0

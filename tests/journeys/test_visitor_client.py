"""An application's page, no account: a click, a yes at the service, back, what is told, and its end on the service's page."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.conftest import PROJECT
from tests.journeys.conftest import Visitor
from tests.journeys.test_browsers import COOKIE, SIZES, held, looked
from tests.journeys.test_clients import served
from tests.journeys.test_sent import Registered
from tests.journeys.test_telemetry_client import DECLARED, MOST
from tests.serving import Serving, free_port

Visit = Callable[..., Visitor]
CLIENTS = PROJECT / "clients" / "javascript"
KEY = "troth-visitor"
MANIFEST = """name = "Harbor Notes"
kind = "public"
origins = ["{origin}"]
redirect_uris = ["{origin}/index.html"]
purposes = ["personalise"]
events = ["page_view", "feature_use"]
"""
PAGE = """<!doctype html><title>Notes</title><h1>Notes</h1><button id="ask">Know this browser?</button><script type="module">
import { start } from "./telemetry.js";
import { Visitor } from "./visitor.js";
const told = await (await fetch("./told.json")).json();
const visitor = new Visitor({ origin: told.origin, application: told.application, redirect: told.redirect });
const telemetry = start({ origin: told.origin, key: told.key });
Object.assign(window, { visitor, telemetry });
telemetry.used("before");
document.getElementById("ask").onclick = () => visitor.ask();
await visitor.arrive();
telemetry.about(visitor.token);
window.arrived = true;
</script>"""
NUMBERS = count()


@pytest.fixture(scope="module")
def site(service: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Registered]]:
    """The application's own web server, with copies of the libraries."""
    folder, port = tmp_path_factory.mktemp("visited"), free_port()
    origin = f"http://127.0.0.1:{port}"
    (folder / "notes.toml").write_text(MANIFEST.format(origin=origin), encoding="utf-8")
    told = json.loads(service.run("app", "register", str(folder / "notes.toml"), "--format", "json").stdout)
    key = service.run("app", "add-key", told["application"]).stdout.split()[1]
    said = {
        "origin": service.address,
        "application": told["application"],
        "key": key,
        "redirect": f"{origin}/index.html",
    }
    (folder / "told.json").write_text(json.dumps(said), encoding="utf-8")
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    for name in ("telemetry.js", "visitor.js"):
        (folder / name).write_bytes((CLIENTS / name).read_bytes())
    with served(folder, port=port):
        yield origin, Registered(told["application"], "", key)


def opened(someone: Visitor, origin: str, query: str = "") -> Page:
    someone.page.goto(f"{origin}/index.html{query}")
    someone.page.wait_for_function("window.arrived")
    return someone.page


def state(page: Page) -> Any:
    return page.evaluate("visitor.state")


def views(someone: Visitor) -> list[str]:
    """Return the pages that the application told of, of whoever has no account."""
    with someone.service.connect("owner") as owner:
        asked = (
            "SELECT url FROM troth.page_view WHERE subject >= 'ffffffff-ffff-8000-8000-000000000000' ORDER BY at, id"
        )
        return [url for (url,) in owner.execute(asked.encode()).fetchall()]


def answers(page: Page) -> list[Any]:
    """Send what waits; return what the service says of it."""
    return list(page.evaluate("(async () => { await telemetry.flush(); return await telemetry.ask(); })()"))


def test_it_is_small_names_nothing_of_the_house_and_needs_nothing() -> None:
    source = (CLIENTS / "visitor.js").read_bytes()
    assert len(gzip.compress(source, 6)) + len(gzip.compress((CLIENTS / "telemetry.js").read_bytes(), 6)) < 2 * MOST
    assert len(gzip.compress(source, 6)) < MOST
    assert b"import " not in source


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_click_a_yes_back_and_its_end(
    visit: Visit, site: tuple[str, Registered], tmp_path: Path, size: str, scheme: Any
) -> None:
    origin, _notes = site
    someone = visit(viewport=SIZES[size], color_scheme=scheme)
    requests: list[str] = []
    someone.page.on("request", lambda each: requests.append(each.url) if "/telemetry/" in each.url else None)
    page = opened(someone, origin)
    assert (state(page), answers(page), requests) == ("unknown", [], [])
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]

    page.click("#ask")
    page.wait_for_url(f"{someone.service.address}/browser/let?*")
    assert someone.title() == "May Harbor Notes know this browser, without an account?"
    looked(someone, tmp_path, "asked")
    yes, no = (page.get_by_role("button", name=name) for name in ("Yes, let Harbor Notes know it", "No, stay unknown"))
    assert yes.get_attribute("class") == no.get_attribute("class")
    before = len(views(someone))
    yes.click()
    page.wait_for_function("window.arrived")
    assert page.url == f"{origin}/index.html"
    assert (state(page), answers(page)) == ("agreed", ["page_view"])
    assert set(page.evaluate("Object.keys(localStorage)")) == {KEY} <= DECLARED
    assert page.evaluate("sessionStorage.length") == 0
    assert held(someone)
    page.evaluate("(async () => { telemetry.visited('/told'); await telemetry.flush(); })()")
    assert set(views(someone)[before:]) == {"/index.html", "/told"}

    someone.go("/browser")
    listed = page.locator("section", has=page.get_by_role("heading", name="Applications that know it"))
    listed.get_by_text("Harbor Notes").first.wait_for()
    assert page.locator("ol.timeline > li").filter(has_text="/told").count() == 1
    looked(someone, tmp_path, "listed")
    listed.get_by_role("button", name="End").click()
    page.get_by_text("Ended. What it tells of this browser").wait_for()

    page = opened(someone, origin)
    assert state(page) == "agreed"  # until it asks
    page.evaluate("(async () => { telemetry.visited('/after'); await telemetry.flush(); })()")
    assert answers(page) == []
    assert "/after" not in views(someone)
    assert someone.complaints == []


def test_a_no_is_remembered_and_not_asked_again(visit: Visit, site: tuple[str, Registered]) -> None:
    origin, _ = site
    someone = visit()
    page = opened(someone, origin)
    page.click("#ask")
    page.wait_for_url(f"{someone.service.address}/browser/let?*")
    page.get_by_role("button", name="No, stay unknown").click()
    page.wait_for_function("window.arrived")
    assert (state(page), answers(page)) == ("refused", [])
    page.click("#ask")
    page.reload()
    page.wait_for_function("window.arrived")
    assert page.url == f"{origin}/index.html"
    assert state(page) == "refused"
    assert not held(someone)


def test_an_answer_that_this_page_did_not_ask_for_is_not_taken(visit: Visit, site: tuple[str, Registered]) -> None:
    """An attacker's own code, or refusal, in a link: the victim's page stays what it was."""
    origin, _notes = site
    attacker, victim = visit(), visit()
    page = opened(attacker, origin)
    page.route(f"{origin}/index.html?*", lambda route: route.abort())
    page.click("#ask")
    page.wait_for_url(f"{attacker.service.address}/browser/let?*")
    with page.expect_request(re.compile(r"/index\.html\?code=")) as asked:
        page.get_by_role("button", name="Yes, let Harbor Notes know it").click()
    query = asked.value.url.partition("?")[2]
    turned: list[str] = []
    victim.page.on("request", lambda each: turned.append(each.url) if "/browser/token" in each.url else None)
    for given in (query, "error=access_denied&again=0&state=guessed"):
        theirs = opened(victim, origin, f"?{given}")
        assert (state(theirs), theirs.evaluate("localStorage.length")) == ("unknown", 0)
    # Nor where the victim has begun to ask as well.
    theirs.click("#ask")
    theirs.wait_for_url(f"{victim.service.address}/browser/let?*")
    theirs = opened(victim, origin, f"?{query}")
    assert (state(theirs), turned) == ("unknown", [])
    assert not held(victim)
    assert held(attacker)
    assert COOKIE not in str(theirs.evaluate("document.cookie"))

"""The client library in a real browser: random, kept as declared, reset on request, silent where storage is refused."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT

LIBRARY = PROJECT / "clients" / "javascript" / "device.js"
ORIGIN = "https://clients.example"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """An empty page of an origin of its own that can import the library; nothing leaves the machine."""
    context = browser.new_context()

    def answer(route: Any) -> None:
        script = route.request.url.endswith(".js")
        told = LIBRARY.read_text(encoding="utf-8") if script else "<!doctype html><title>Client</title>"
        route.fulfill(body=told, content_type="text/javascript" if script else "text/html")

    context.route("**/*", answer)
    page = context.new_page()
    page.goto(ORIGIN)
    yield page
    context.close()


def run(page: Any, body: str) -> Any:
    """Run JavaScript with a device of the library."""
    begin = (
        "const { Device } = await import('/device.js'); const device = new Device({ key: 'troth-device', days: 30 });"
    )
    return page.evaluate(f"async () => {{ {begin} {body} }}")


def test_an_identifier_is_random_and_stays_until_it_is_reset(page: Any) -> None:
    assert run(page, "return device.known()") is None
    first = run(page, "return device.identifier()")
    assert UUID.fullmatch(first)
    page.reload()
    assert run(page, "return device.identifier()") == first
    second = run(page, "device.reset(); return [device.known(), device.identifier()]")
    assert second[0] is None
    assert second[1] != first


def test_it_is_kept_under_the_declared_key_alone_and_no_longer_than_declared(page: Any) -> None:
    first = run(page, "return device.identifier()")
    assert page.evaluate("Object.keys(localStorage)") == ["troth-device"]
    assert page.evaluate("document.cookie") == ""
    page.evaluate("""() => { const held = JSON.parse(localStorage.getItem('troth-device'));
        held.since -= 30 * 86400000 + 1; localStorage.setItem('troth-device', JSON.stringify(held)); }""")
    assert run(page, "return device.known()") is None
    assert run(page, "return device.identifier()") != first


@pytest.mark.parametrize("held", ['"x"', "{", "null", "[]", '{"identifier": "me", "since": 1}', '{"since": 0}', "7"])
def test_what_it_did_not_write_is_no_identifier(page: Any, held: str) -> None:
    page.evaluate("held => localStorage.setItem('troth-device', held)", held)
    assert run(page, "return device.known()") is None
    assert UUID.fullmatch(run(page, "return device.identifier()"))


@pytest.mark.parametrize(
    "storage",
    [
        "() => { throw new DOMException('refused', 'SecurityError') }",
        "() => ({ getItem: () => null, setItem() { throw new DOMException('full', 'QuotaExceededError') }, removeItem() {} })",
        "() => ({ getItem: () => null, setItem() {}, removeItem() {} })",
        "() => null",
    ],
)
def test_where_storage_is_refused_there_is_none(page: Any, storage: str) -> None:
    body = (
        f"const none = new Device({{ key: 'k', days: 1, storage: {storage} }}); none.reset(); return none.identifier()"
    )
    assert run(page, body) is None
    assert page.evaluate("Object.keys(localStorage)") == []


def test_without_a_declaration_it_does_nothing(page: Any) -> None:
    for told in ("{ key: '', days: 30 }", "{ key: 'k' }", "{ key: 'k', days: 0 }"):
        assert run(page, f"try {{ new Device({told}); }} catch (error) {{ return error.name }}") == "TypeError"


def test_the_library_names_nothing_of_the_house_and_the_pages_serve_it_as_it_is() -> None:
    assert "import" not in LIBRARY.read_text(encoding="utf-8")
    served = PROJECT / "src" / "troth" / "web" / "static" / "device.js"
    assert served.resolve() == LIBRARY
    assert isinstance(served, Path)

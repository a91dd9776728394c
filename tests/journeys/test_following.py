"""What journeys look at after a click is the page that it led to, also where that takes its time."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page

PAGE = """<!doctype html><title>old</title><h1>Old</h1><a href="/slow">slow</a> <a href="/stays">stays</a>
<a href="/file" download>file</a> <a href="#here">here</a>
<form method="post" action="/slow"><button>Send</button></form>"""
PAUSE = 0.7


class Slow(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/":
            self.answer(200, PAGE)
        elif self.path == "/slow":
            time.sleep(PAUSE)
            self.answer(303, "", ("Location", "/new"))
        elif self.path == "/new":
            self.answer(200, "<!doctype html><h1>New</h1>")
        else:
            self.answer(204 if self.path == "/stays" else 200, "")

    do_POST = do_GET  # noqa: N815 - the library's name

    def answer(self, status: int, text: str, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Type", "text/html"), ("Content-Length", str(len(text)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        time.sleep(PAUSE if self.path == "/new" else 0)  # what has begun is not there yet
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    yield page
    context.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("by", ["a[href='/slow']", "button"])
def test_what_is_slow_is_waited_for(page: Page, by: str) -> None:
    page.locator(by).click()
    assert page.locator("h1").all_inner_texts() == ["New"]


@pytest.mark.parametrize("by", ["a[href='/stays']", "a[download]", "a[href='#here']"])
def test_what_leads_nowhere_is_not(page: Page, by: str) -> None:
    page.locator(by).click()
    assert page.locator("h1").all_inner_texts() == ["Old"]

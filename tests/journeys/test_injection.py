"""Hardening 4: sqlmap asks a running service, as somebody who is signed in, and finds nothing; a page with built SQL it opens."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import psycopg
import pytest

from tests.journeys.conftest import Visitor
from tests.serving import Serving

Visit = Callable[..., Visitor]
SQLMAP = Path(sys.executable).with_name("sqlmap")
#: Blind by answer, by time and by stacked statements, and by errors: whatever reaches a parser shows in one of these.
USUAL = ("--batch", "--flush-session", "--disable-coloring", "--dbms=PostgreSQL", "--technique=BEST", "--time-sec=1",
         "--ignore-code=*", "--time-limit=120", "--drop-set-cookie")  # fmt: skip
NOTHING = re.compile(r"all tested parameters do not appear to be injectable|do(es)? not seem to be injectable")


def asked(folder: Path, address: str, *told: str) -> str:
    """Return what sqlmap says of an address; it runs in a folder of its own, and asks nobody else."""
    command = [str(SQLMAP), "-u", address, *USUAL, f"--output-dir={folder}", *told]
    environment = os.environ | {"HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
    return done.stdout + done.stderr


@contextmanager
def careless(service: Serving) -> Iterator[str]:
    """A page that puts what it is asked into its SQL, over the same database, as a purpose."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sought = parse_qs(urlsplit(self.path).query).get("page", [""])[0]
            try:
                with service.connect("understand") as connection:
                    query = f"SELECT url FROM troth.access WHERE url = '{sought}' LIMIT 5"
                    found = str(connection.execute(query.encode()).fetchall())
            except psycopg.Error as refused:
                found = str(refused)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(found.encode())

        def log_message(self, *_told: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/?page=/me"
    server.shutdown()
    server.server_close()


@pytest.mark.asvs("1.2.4")
def test_sqlmap_opens_what_is_built_and_nothing_of_ours(service: Serving, visit: Visit, tmp_path: Path) -> None:
    alice = visit()
    alice.join("alice-injected@harbor.example", "Alice")
    alice.go("/organizations").get_by_label("Its name").fill("Harbor Probing")
    alice.press("Make it")
    home = alice.page.url
    alice.page.goto(f"{home}/directory")
    alice.page.get_by_label("What the directory is called").fill("Staff")
    alice.press("Make a token")
    token = alice.page.locator("code.secret").inner_text()
    cookies = {cookie["name"]: cookie["value"] for cookie in alice.context.cookies()}
    kept = "; ".join(f"{name}={value}" for name, value in cookies.items())
    alice.go("/me/name")
    form = {"csrfmiddlewaretoken": alice.page.locator("main [name=csrfmiddlewaretoken]").first.input_value()}
    at = service.address

    signed = ("--cookie", kept)
    filtered = quote('userName eq "a"')
    tries = {
        "members by name": (f"{home}/members?name=A&after=A", *signed),
        "accesses": (f"{at}/me/accesses?path=/me&before=2026-11-29T10:00:00Z", *signed),
        "records to lend": (f"{at}/me/permissions/give/access?page=1", *signed),
        "a name": (
            f"{at}/me/name",
            *signed,
            "--referer",
            at,
            "--data",
            urlencode(form | {"name": "Alice"}),
            "-p",
            "name",
        ),
        "a viewer's token": (f"{at}/me", "--cookie", kept.replace(cookies["__Host-viewer"], "guessed*")),
        "an application's code": (f"{at}/connect/token", "--data", "grant_type=authorization_code&client_id=a&code=b"),
        "a directory's filter": (
            f"{at}/scim/v2/Users?filter={filtered}",
            "--headers",
            f"Authorization: Bearer {token}",
        ),
    }
    said = {name: asked(tmp_path, *told) for name, told in tries.items()}
    open_ones = {name: text[-3000:] for name, text in said.items() if not NOTHING.search(text) or "Payload:" in text}
    assert open_ones == {}
    with careless(service) as address:
        opened = asked(tmp_path, address)
    assert "Parameter: page (GET)" in opened, opened[-3000:]
    assert "Payload:" in opened

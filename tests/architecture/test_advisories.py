"""`.ci/advisories`: a known hole of a library fails the build, no network does not, and neither is taken for the other."""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
HOLE = {
    "id": "PYSEC-0-1",
    "modified": "2026-11-29T00:00:00Z",
    "summary": "it lets everybody in",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "holey"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
        }
    ],
}
LOCK = """version = 1
requires-python = ">=3.13"

[[package]]
name = "house"
version = "1.0"
source = {{ virtual = "." }}
dependencies = [{{ name = "holey" }}]

[package.metadata]
requires-dist = [{{ name = "holey" }}]

[[package]]
name = "holey"
version = "1.0"
source = {{ registry = "{address}/simple" }}
sdist = {{ url = "{address}/holey-1.0.tar.gz", hash = "sha256:{digest}" }}
"""


class Advisories(BaseHTTPRequestHandler):
    """Answers as OSV does, and as an index of packages; what is known is the server's."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        known = [{"id": HOLE["id"], "modified": HOLE["modified"]}] if self.server.hole else []  # type: ignore[attr-defined]
        self.answer({"results": [{"vulns": known} if known else {} for _each in asked]})

    def do_GET(self) -> None:
        index = {"meta": {"api-version": "1.4"}, "name": "holey", "files": [], "versions": []}
        self.answer(
            HOLE if "/vulns/" in self.path else index, "vnd.pypi.simple.v1+json" if "/simple" in self.path else "json"
        )

    def answer(self, told: dict[str, Any], kind: str = "json") -> None:
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", f"application/{kind}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    made.hole = False  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def audited(server: ThreadingHTTPServer, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Return what the check says of a project with one library, and how it ends."""
    address = f"http://127.0.0.1:{server.server_port}"
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "house"\nversion = "1.0"\nrequires-python = ">=3.13"\ndependencies = ["holey"]\n'
    )
    (tmp_path / "uv.lock").write_text(LOCK.format(address=address, digest="0" * 64))
    quiet = os.environ | {"UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1"}

    def run(*more: str, service: str = address) -> tuple[int, str]:
        command: list[str | Path] = [
            PROJECT / ".ci" / "advisories",
            "--project",
            tmp_path,
            "--service-url",
            service,
            *more,
        ]
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False, timeout=120)
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_known_hole_fails_and_is_named(audited: Callable[..., tuple[int, str]], server: ThreadingHTTPServer) -> None:
    server.hole = True  # type: ignore[attr-defined]
    code, told = audited()
    assert code == 1, told
    assert "PYSEC-0-1: it lets everybody in" in told


def test_where_none_is_known_it_passes_and_says_so(audited: Callable[..., tuple[int, str]]) -> None:
    code, told = audited()
    assert code == 0, told
    assert "no known vulnerabilities" in told


def test_where_nobody_can_be_asked_it_says_that_instead(audited: Callable[..., tuple[int, str]]) -> None:
    code, told = audited(service="http://127.0.0.1:9")
    assert code == 0, told
    assert "nobody could be asked" in told
    assert "no known vulnerabilities" not in told


def test_a_check_that_cannot_run_is_none_that_passed(audited: Callable[..., tuple[int, str]]) -> None:
    code, told = audited("--no-such-option")
    assert code == 2, told
    assert "nobody could be asked" not in told

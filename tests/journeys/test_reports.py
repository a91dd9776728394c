"""A real browser reports by itself, from an application's pages and from the service's own, and the reports are counted."""

import base64
import json
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, BrowserContext

from tests.journeys.conftest import BROWSERS, FLAGS, Visitor
from tests.journeys.test_operator import faults
from tests.journeys.test_sent import MANIFEST, Registered, notes
from tests.serving import Serving

__all__ = ["notes"]
SECRET = "zq9secret"
PAGE = b"<!doctype html><title>Notes</title><p>Notes</p><script>let diary</script>"


class Pages(BaseHTTPRequestHandler):
    """An application's pages: each path has the headers that were set for it."""

    headed: dict[str, dict[str, str]]

    def do_GET(self) -> None:
        self.send_response(200)
        for name, value in self.headed.get(self.path.partition("?")[0], {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture(scope="module")
def reporting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, str]]:
    """A service whose own pages report under an application's key, as an operator sets it up; and the key."""
    folder = tmp_path_factory.mktemp("reports")
    serving = Serving(folder / "data").start()
    (folder / "notes.toml").write_text(MANIFEST, encoding="utf-8")
    application = serving.run("app", "register", str(folder / "notes.toml")).stdout.split()[1]
    key = serving.run("app", "add-key", application).stdout.split()[1]
    serving.stop()
    serving.told = {"TROTH_REPORTS": key}
    serving.start()
    yield serving, key
    serving.stop()


@pytest.fixture
def application(reporting: tuple[Serving, str]) -> Iterator[str]:
    """The address of an application whose pages name the endpoint."""
    service, key = reporting
    endpoint = f"{service.address}/intake/v1/reports/{key}"
    headed = {
        "/": {
            "Reporting-Endpoints": f'troth="{endpoint}"',
            "Content-Security-Policy": "script-src 'self'; report-to troth",
        },
        "/older": {"Content-Security-Policy": f"script-src 'none'; report-uri {endpoint}"},
        "/sentry": {
            "Content-Security-Policy-Report-Only": f"script-src 'none'; report-uri {service.address}/api/1/security/?sentry_key={key}"
        },
        "/nel": {
            "Report-To": f'{{"group": "nel", "max_age": 86400, "endpoints": [{{"url": "{endpoint}"}}]}}',
            "NEL": '{"report_to": "nel", "max_age": 86400, "success_fraction": 1.0}',
        },
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Headed", (Pages,), {"headed": headed}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(service.data / "tls" / "server.pem", service.data / "tls" / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def visitor(reporting: tuple[Serving, str], browser: Browser, tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser that trusts the service's certificate, and reports at once instead of after a minute.

    To one that was only told to go on in spite of a certificate, no report leads: it is trusted by its key.
    """
    known = x509.load_pem_x509_certificate((reporting[0].data / "tls" / "server.pem").read_bytes())
    public = known.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    trusted = base64.b64encode(sha256(public).digest()).decode()
    context = browser.browser_type.launch_persistent_context(
        str(tmp_path / "profile"),
        executable_path=next(filter(None, map(shutil.which, BROWSERS))),
        args=[*FLAGS, "--short-reporting-delay", f"--ignore-certificate-errors-spki-list={trusted}"],
    )
    context.grant_permissions(
        ["background-sync"]
    )  # without which a browser sends none, and a window has it from the start
    yield context
    context.close()


def counts(service: Serving) -> dict[tuple[str, str], int]:
    with service.connect("owner") as owner:
        asked = "SELECT kind, reason, sum(count)::int FROM troth.intake_count WHERE outcome = 'counted' GROUP BY 1, 2"
        return {(kind, reason): many for kind, reason, many in owner.execute(asked).fetchall()}


def arrived(service: Serving, kind: str, reason: str) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (kind, reason) in counts(service):
            return True
        time.sleep(0.2)
    raise AssertionError(counts(service))


def test_what_a_page_of_an_application_was_not_let_do_is_counted(
    reporting: tuple[Serving, str], application: str, visitor: BrowserContext
) -> None:
    """In both forms, and from another origin, which the browser asks about first."""
    page, service = visitor.pages[0], reporting[0]
    page.goto(f"{application}/?token={SECRET}")
    assert arrived(service, "csp-violation", "script-src-elem inline enforce")
    page.goto(f"{application}/sentry?token={SECRET}")
    assert arrived(service, "csp-violation", "script-src-elem inline report")
    before = counts(service)["csp-violation", "script-src-elem inline enforce"]
    page.goto(f"{application}/older?token={SECRET}")
    deadline = time.monotonic() + 30
    while counts(service)["csp-violation", "script-src-elem inline enforce"] == before:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert SECRET not in service.said


def test_how_requests_ended_is_counted(
    reporting: tuple[Serving, str], application: str, visitor: BrowserContext
) -> None:
    page, service = visitor.pages[0], reporting[0]
    page.goto(f"{application}/nel?token={SECRET}")
    page.goto(f"{application}/again?token={SECRET}")
    assert arrived(service, "network-error", "ok")


def test_what_a_page_of_the_service_was_not_let_do_is_counted(
    reporting: tuple[Serving, str], visitor: BrowserContext
) -> None:
    page, service = visitor.pages[0], reporting[0]
    page.goto(f"{service.address}/policy?token={SECRET}")
    page.evaluate("() => { const image = new Image(); image.src = 'data:image/gif,x'; document.body.append(image) }")
    assert arrived(service, "csp-violation", "img-src data enforce")
    assert SECRET not in service.said


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_operator_reads_the_counts_at_any_width(
    visit: Callable[..., Visitor], notes: Registered, service: Serving, operator: Any, width: int, scheme: str
) -> None:
    olga = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    olga.context.add_cookies(operator)
    longest = {"blockedURL": "trusted-types-policy", "effectiveDirective": "require-trusted-types-for"}
    sent = [{"type": "csp-violation", "body": longest}, {"type": "deprecation", "body": {}}]
    answer = olga.context.request.post(
        f"{service.address}/intake/v1/reports/{notes.key}",
        data=json.dumps(sent),
        headers={"content-type": "application/reports+json"},
    )
    assert answer.status == 204
    table = olga.go("/operator").locator("section", has=olga.page.locator("#reported"))
    said = table.inner_text()
    assert "require-trusted-types-for trusted-types-policy enforce" in said
    assert "uses of what browsers will give up" in said
    assert faults(olga) == []

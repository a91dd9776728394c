"""Clients for Node and for pages that others wrote, as their registry has them, tell of a person, who finds it among what was told."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.conftest import Visitor
from tests.journeys.test_clients import served
from tests.journeys.test_sent import Registered, notes, signed_in
from tests.serving import Serving, free_port

__all__ = ["notes"]
Visit = Callable[..., Visitor]
#: The clients, and what makes one file for a page of one's many.
LIBRARIES = (
    "@segment/analytics-node@3", "@sentry/node@11", "@sentry/browser@11", "@opentelemetry/exporter-logs-otlp-http@0.223.1",
    "@opentelemetry/sdk-logs@0.223.1", "@opentelemetry/resources@2", "@opentelemetry/api-logs@0.223.1", "esbuild@0.28",
)  # fmt: skip
TRACKING = """
const { Analytics } = require("@segment/analytics-node");
const [address, key, who] = process.argv.slice(1);
const analytics = new Analytics({ writeKey: key, host: address });
analytics.track({ userId: who, event: "Note Shared" });
analytics.page({ anonymousId: "somebody", name: "Nowhere" });
analytics.closeAndFlush().then(() => console.log("done"));
"""
CRASHING = """
const Sentry = require("@sentry/node");
const [dsn, who] = process.argv.slice(1);
Sentry.init({ dsn, release: "notes@1.4.2", environment: "production", tracesSampleRate: 1, enableLogs: true,
    includeLocalVariables: true, sendDefaultPii: true });
Sentry.setUser({ id: who, email: "mara@harbor.example", username: "hunter2" });
Sentry.addBreadcrumb({ message: "hunter2" });
const saved = path => { const password = "hunter2"; throw new TypeError(`no notes of mara@harbor.example at "${path}"`); };
const tell = async () => {
    Sentry.startSpan({ name: "first" }, () => undefined);
    Sentry.logger.info("hunter2");
    try { saved("/home/mara/notes"); } catch (error) { Sentry.captureException(error); }
    Sentry.captureMessage("hunter2");
    const flushed = await Sentry.flush(20000);
    const told = await Sentry.close(20000);
    console.log(JSON.stringify([flushed, told]));
};
tell();
"""
EXPORTING = """
const { LoggerProvider, BatchLogRecordProcessor } = require("@opentelemetry/sdk-logs");
const { OTLPLogExporter } = require("@opentelemetry/exporter-logs-otlp-http");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { SeverityNumber } = require("@opentelemetry/api-logs");
const { diag, DiagConsoleLogger, DiagLogLevel } = require("@opentelemetry/api");
const [address, key, who] = process.argv.slice(1);
diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
const exporter = new OTLPLogExporter({ url: `${address}/v1/logs`, headers: { authorization: `Bearer ${key}` }, compression: "gzip" });
const resource = resourceFromAttributes({ "service.version": "1.4.2", "host.name": "maras-laptop" });
const provider = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter })] });
const log = provider.getLogger("notes.sync");
const failed = (() => { try { null.save(); } catch (error) { return error; } })();
log.emit({ severityNumber: SeverityNumber.INFO, body: "synchronized the notes of mara@harbor.example", attributes: { "user.id": who } });
log.emit({ eventName: "notes.opened", attributes: { "user.id": who, "notes.title": "hunter2" } });
log.emit({ severityNumber: SeverityNumber.INFO, body: "whose it is nobody says" });
log.emit({ severityNumber: SeverityNumber.ERROR, attributes: {
    "user.id": who, "exception.type": failed.name, "exception.message": failed.message, "exception.stacktrace": failed.stack } });
provider.forceFlush().then(() => provider.shutdown()).then(() => console.log("done"));
"""
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Notes</title><script src="/sentry.js"></script>
<script src="/notes.js"></script><body>Notes</body></html>"""
SHOWN = """
Sentry.init({ dsn: "%(dsn)s", release: "notes@1.4.2", environment: "production", sendDefaultPii: true,
    integrations: [Sentry.browserTracingIntegration()], tracesSampleRate: 1 });
Sentry.setUser({ id: "%(who)s", email: "mara@harbor.example" });
const saveNote = () => { throw new RangeError("no room for mara@harbor.example"); };
setTimeout(saveNote);
"""


def installed(folder: Path) -> dict[str, str]:
    """Let npm lay down the libraries, none of whose scripts run; return the environment that it went by."""
    npm, node = shutil.which("npm"), shutil.which("node")
    assert npm, "the tests of Node's clients need npm (Debian: apt-get install npm)"
    assert node, "npm brings node"
    quiet = os.environ | {"npm_config_update_notifier": "false", "npm_config_fetch_retries": "1"}
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *LIBRARIES],
        cwd=folder, env=quiet, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"the registry does not give {', '.join(LIBRARIES)}: {done.stderr}"
    return quiet


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the libraries are."""
    folder = tmp_path_factory.mktemp("libraries")
    installed(folder)
    return folder


def run(service: Serving, libraries: Path, program: str, *words: str) -> str:
    """Run a program of Node's that trusts the service; return what it wrote."""
    trusting = os.environ | {"NODE_EXTRA_CA_CERTS": str(service.data / "tls" / "ca.pem")}
    command = ["node", "-e", program, *words]
    done = subprocess.run(
        command, cwd=libraries, env=trusting, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def dsn(service: Serving, notes: Registered) -> str:
    return f"{service.address.replace('://', f'://{notes.key}@')}/1"


def told(visitor: Visitor) -> str:
    """Return what a person reads of what was sent about them, of which nothing is more than is to be known."""
    page = visitor.go("/me/sent").locator("main").inner_text()
    for secret in ("hunter2", "mara@harbor.example", "laptop", "/home/mara"):
        assert secret not in page
    return page


def test_segments_client_sends_what_was_used(
    visit: Visit, notes: Registered, service: Serving, libraries: Path
) -> None:
    mara = visit()
    mara.join("mara-node@harbor.example", "Mara")
    said = run(service, libraries, TRACKING, service.address, notes.key, signed_in(mara, notes))
    page = told(mara)
    assert "Note Shared" in page, said
    assert "Nowhere" not in page


def test_sentrys_client_sends_a_crash_and_nothing_else_of_it(
    visit: Visit, notes: Registered, service: Serving, libraries: Path
) -> None:
    mara = visit()
    mara.join("mara-sentry-node@harbor.example", "Mara")
    said = run(service, libraries, CRASHING, dsn(service, notes), signed_in(mara, notes))
    assert json.loads(said.splitlines()[0]) == [True, True], said
    page = told(mara)
    assert "TypeError: no notes of [e-mail] at -" in page, said
    assert "notes@1.4.2" in page


def test_opentelemetrys_exporter_sends_crashes_and_activity_as_json(
    visit: Visit, notes: Registered, service: Serving, libraries: Path
) -> None:
    mara = visit()
    mara.join("mara-otel-node@harbor.example", "Mara")
    said = run(service, libraries, EXPORTING, service.address, notes.key, signed_in(mara, notes))
    page = told(mara)
    assert "notes.sync: synchronized the notes of [e-mail]" in page, said
    assert "notes.opened" in page
    assert "TypeError: Cannot read properties of null" in page
    assert "nobody says" not in page
    assert "1 names-nobody" in said, "the exporter is told what was not taken"


def test_sentrys_client_for_pages_sends_what_nobody_caught(
    visit: Visit, notes: Registered, service: Serving, libraries: Path, tmp_path: Path
) -> None:
    mara = visit()
    mara.join("mara-sentry-page@harbor.example", "Mara")
    who, port = signed_in(mara, notes), free_port()
    one = [
        "node_modules/.bin/esbuild",
        "--bundle",
        "--format=iife",
        "--global-name=Sentry",
        f"--outfile={tmp_path}/sentry.js",
    ]
    subprocess.run(
        [*one, "./node_modules/@sentry/browser"], cwd=libraries, capture_output=True, text=True, timeout=120, check=True
    )
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "notes.js").write_text(SHOWN % {"dsn": dsn(service, notes), "who": who}, encoding="utf-8")
    bodies = list[str]()
    mara.page.on("request", lambda asked: bodies.append(asked.post_data or "") if "/envelope/" in asked.url else None)
    with served(tmp_path, port=port):
        with mara.page.expect_response(lambda answer: "/envelope/" in answer.url and answer.ok):
            mara.page.goto(f"http://127.0.0.1:{port}/")
        assert mara.page.evaluate("Sentry.flush(20000)")
        assert mara.page.evaluate("Sentry.startSpan({ name: 'a later span' }, () => Sentry.flush(20000))")
        assert mara.page.evaluate("Sentry.flush(20000)")
    assert any("RangeError" in body for body in bodies)
    assert not any("a later span" in body for body in bodies), "the client is told what is never taken"
    said = told(mara)
    assert "RangeError: no room for [e-mail]" in said
    assert "notes@1.4.2" in said

"""Clients that others wrote, unmodified, tell of a person, who finds it among what applications told of them."""

import os
import subprocess
import sys
from collections.abc import Callable

from tests.journeys.conftest import Visitor
from tests.journeys.test_sent import Registered, notes, signed_in
from tests.serving import Serving

__all__ = ["notes"]
Visit = Callable[..., Visitor]
EXPORTING = """
import logging, sys
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
try:
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
except ImportError:
    from opentelemetry.sdk._logs import LoggingHandler
address, key, who = sys.argv[1:]
provider = LoggerProvider(Resource.create({"service.version": "1.4.2"}))
told = {"authorization": f"Bearer {key}"}
exporter = OTLPLogExporter(address + "/v1/logs", headers=told, compression=Compression.Gzip)
provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
log = logging.getLogger("notes.sync")
log.addHandler(LoggingHandler(logger_provider=provider))
log.setLevel("INFO")
log.info("synchronized the notes of mara@harbor.example", extra={"user.id": who})
log.info("whose it is nobody says")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it failed", extra={"user.id": who})
print(provider.force_flush())
provider.shutdown()
"""

TRACKING = """
import sys
import segment.analytics as segment
address, key, who = sys.argv[1:]
segment.write_key, segment.host, segment.gzip, segment.sync_mode = key, address, True, False
segment.track(who, "Notes Exported", {"email": "mara@harbor.example"})
segment.page(who, "Docs", "Home", {"url": "https://notes.example/secret"})
segment.identify(who, {"email": "mara@harbor.example"})
segment.alias("somebody", who)
segment.flush()
segment.shutdown()
"""
STACKING = """
import sys
import rudderstack.analytics as rudder
address, key, who = sys.argv[1:]
rudder.write_key, rudder.dataPlaneUrl = key, address
rudder.track(who, "Order Completed", {"revenue": 9.5})
rudder.flush()
rudder.shutdown()
"""


def run(service: Serving, program: str, *words: str) -> str:
    """Run a program of its own that trusts the service; return what it wrote."""
    trusting = os.environ | {"REQUESTS_CA_BUNDLE": str(service.data / "tls" / "ca.pem")}
    command = [sys.executable, "-c", program, service.address, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=trusting)
    return done.stdout + done.stderr


def test_opentelemetrys_exporter_sends_crashes_and_activity(visit: Visit, notes: Registered, service: Serving) -> None:
    mara = visit()
    mara.join("mara-otel@harbor.example", "Mara")
    said = run(service, EXPORTING, notes.key, signed_in(mara, notes))
    assert "Failed" not in said, said
    page = mara.go("/me/sent").locator("main").inner_text()
    assert "notes.sync: synchronized the notes of [e-mail]" in page, said
    assert "ZeroDivisionError: division by zero" in page
    assert "nobody says" not in page


def test_segments_and_rudderstacks_clients_send_what_was_used(
    visit: Visit, notes: Registered, service: Serving
) -> None:
    mara = visit()
    mara.join("mara-segment@harbor.example", "Mara")
    who = signed_in(mara, notes)
    said = [run(service, program, notes.key, who) for program in (TRACKING, STACKING)]
    page = mara.go("/me/sent").locator("main").inner_text()
    for feature in ("Notes Exported", "Home", "Order Completed"):
        assert feature in page, said

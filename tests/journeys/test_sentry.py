"""Sentry's own client, unmodified, tells of a crash; its person finds it among what applications told of them."""

import json
import subprocess
import sys
from collections.abc import Callable

from tests.journeys.conftest import Visitor
from tests.journeys.test_sent import Registered, notes, signed_in
from tests.serving import Serving

__all__ = ["notes"]
Visit = Callable[..., Visitor]
CRASHING = """
import json, sys, sentry_sdk
dsn, trusted, who = sys.argv[1:]
sentry_sdk.init(dsn=dsn, ca_certs=trusted, traces_sample_rate=1.0, release="notes@1.4.2", send_default_pii=True)
sentry_sdk.set_user({"id": who, "email": "mara@harbor.example"})
password = "hunter2"
with sentry_sdk.start_transaction(name="first"):
    pass
try:
    1 / 0
except ZeroDivisionError:
    sentry_sdk.capture_exception()
sentry_sdk.flush(20)
limits = sentry_sdk.get_client().transport._disabled_until
print(json.dumps(sorted(str(getattr(each, "value", each)) for each in limits)))
"""


def test_the_real_client_sends_a_crash_and_stops_what_is_never_taken(
    visit: Visit, notes: Registered, service: Serving
) -> None:
    mara = visit()
    mara.join("mara@harbor.example", "Mara")
    who = signed_in(mara, notes)
    dsn = f"{service.address.replace('://', f'://{notes.key}@')}/1"
    trusted = str(service.data / "tls" / "ca.pem")
    done = subprocess.run(
        [sys.executable, "-c", CRASHING, dsn, trusted, who], capture_output=True, text=True, timeout=120, check=True
    )
    assert {"transaction", "log_item", "session"} <= set(json.loads(done.stdout)), done.stderr
    assert "error" not in json.loads(done.stdout)
    said = mara.go("/me/sent").locator("main").inner_text()
    assert "ZeroDivisionError: division by zero" in said
    assert "notes@1.4.2" in said

"""What browsers reported stands before the operator; the service's own pages report only where the operator says so."""

import json
import os
import subprocess
import sys
from typing import Any

from psycopg import Connection

from tests.browsing import Browser
from tests.intake.sending import registered
from tests.intake.test_reports import address, post, report
from tests.web.second import hire

KEY = "0a" * 32
SETTINGS = "import json; from troth.config import settings; print(json.dumps(settings.SECURE_CSP))"


def test_the_operator_sees_reports_apart_from_what_was_refused(owner: Connection[Any], browser: Browser) -> None:
    post([report("csp-violation"), report("alice"), *[report("network-error")] * 3], registered(owner).key)
    hire(owner, browser, browser.sign_up(owner, "olga@harbor.example", "Olga"), "owner")
    page = browser.get("/operator").content.decode()
    refusals, reported = page.split('id="reported"')
    assert "of a kind that is not known" in refusals
    assert "script-src-elem" not in refusals
    assert reported.index("tcp.timed_out") < reported.index("script-src-elem https enforce")
    for secret in ("qz7secret", "tracker.example", "Harbor/7"):
        assert secret not in page


def test_own_pages_name_no_endpoint_unless_told_to(browser: Browser, settings: Any) -> None:
    quiet = browser.get("/policy")
    assert "report" not in quiet.headers["Content-Security-Policy"]
    assert "Reporting-Endpoints" not in quiet.headers
    settings.REPORTED_TO = address(KEY)
    assert browser.get("/policy").headers["Reporting-Endpoints"] == f'csp="{address(KEY)}"'


def configured(key: str) -> subprocess.CompletedProcess[str]:
    told = os.environ | {"TROTH_REPORTS": key}
    return subprocess.run([sys.executable, "-c", SETTINGS], env=told, capture_output=True, text=True, check=False)


def test_the_setting_is_a_key_and_leads_to_the_service_itself_alone() -> None:
    policy = json.loads(configured(KEY).stdout)
    assert (policy["report-to"], policy["report-uri"]) == (["csp"], [address(KEY)])
    for wrong in ("https://elsewhere.example/", "a; script-src *", 'a"', "a\n"):
        refused = configured(wrong)
        assert refused.returncode != 0
        assert "`TROTH_REPORTS` is no key" in refused.stderr

"""The policy in force is served as standards have it, to anybody, byte for byte what the command exports."""

import pytest

from tests.browsing import Browser
from troth.policy.standards import dpv, labels

SERVED = {
    "/policy.jsonld": ("application/ld+json", dpv.json_ld),
    "/policy.ttl": ("text/turtle; charset=utf-8", dpv.turtle),
    "/policy/labels.json": ("application/json", labels.as_json),
}


@pytest.mark.parametrize("path", SERVED)
def test_the_policy_in_force_is_served_with_the_standards_own_type(browser: Browser, path: str) -> None:
    from troth.database import published

    kind, written = SERVED[path]
    answer = browser.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
    assert answer.content == written(published.current().policy).encode()


@pytest.mark.parametrize("path", SERVED)
def test_they_are_only_read(browser: Browser, path: str) -> None:
    assert browser.head(path).status_code == 200
    assert browser.post(path).status_code == 405

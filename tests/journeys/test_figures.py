"""The operator's figures in a browser: on a phone and on a desk, light and dark, and as they follow what happens."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.journeys.conftest import Visitor
from tests.serving import Serving
from troth.web.figures import MOST

Visit = Callable[..., Visitor]
ADD = (
    "INSERT INTO troth.rollup (hour, kind, application, dimension, value, count, people)"
    " SELECT date_trunc('hour', now()) - make_interval(hours => %s), 'visit', '', %s, %s, %s, 31 ON CONFLICT DO NOTHING"
)
#: Another process that stores, as it is for as long as the test looks.
NODE = (
    "INSERT INTO troth.intake_node (node, started, seen, latest, commits, figures) VALUES ('5c0ffee0-0000-4000-8000-000000000001',"
    " now() - interval '9 days', now() + interval '1 hour', now() - interval '4 seconds', 81234, '{3,0,0,1204,0,0,0}')"
    " ON CONFLICT DO NOTHING"
)
#: As many as may speak, with long numbers; and what was refused without a clause.
NODES = (
    "INSERT INTO troth.intake_node (node, started, seen, latest, commits, figures)"
    " SELECT ('200c0ffe-0000-4000-8000-' || lpad(nth::text, 12, '0'))::uuid, now() - interval '9 days', now() + interval '1 hour',"
    " now(), 81234, ARRAY[18000 + nth, 19000, 0, 120400, 0, 0, 0] FROM generate_series(1, 200) AS nth"
)
REFUSED = (
    "INSERT INTO troth.intake_count VALUES (now(), 'refused', 'key-ended', 4120, 'crash', '') ON CONFLICT DO NOTHING"
)
WORDS = {
    "page": {"/": 90, "/policy": 55, "/policy/promises": 20, "/sign-in": 40, "/me": 35},
    "place": {"ES": 70, "FR": 25, "DE": 40, "US": 15, "BR": 10, "JP": 5},
    "browser": {"Firefox": 90, "Chrome Mobile": 60, "Safari": 30},
    "status": {"2xx": 150, "3xx": 30, "4xx": 15},
}


def faults(someone: Visitor) -> list[str]:
    found = [violation["id"] for violation in Axe().run(someone.page).response["violations"]]
    if someone.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("too wide")
    return found


def filled(service: Serving) -> None:
    """Let a day have been busy, without anybody."""
    with service.connect("owner") as owner:
        for dimension, words in WORDS.items():
            for word, many in words.items():
                owner.execute(ADD, (1, dimension, word, many))
        for hours in range(24):
            owner.execute(ADD, (hours, "", "", 7 + hours * 5 % 60))
        owner.execute(NODE)


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (390, "light"), (1280, "light"), (1280, "dark")])
def test_figures_read_well(
    service: Serving, visit: Visit, operator: Any, width: int, scheme: str, tmp_path: Any
) -> None:
    filled(service)
    olga = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    olga.context.add_cookies(operator)
    olga.go("/operator/activity")
    assert olga.title() == "Activity"
    assert olga.page.get_by_role("table").count() >= 3, "and more where others used the service"
    assert faults(olga) == []
    olga.page.screenshot(path=tmp_path / f"activity-{width}-{scheme}.png", full_page=True)
    for summary in olga.page.locator("#figures summary").all():
        summary.click()
    assert olga.page.get_by_role("cell", name="Spain").is_visible()
    assert faults(olga) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_as_many_processes_as_speak_at_all_leave_the_page_readable_on_a_phone(
    service: Serving, visit: Visit, operator: Any, scheme: str, tmp_path: Any
) -> None:
    olga = visit(viewport={"width": 390, "height": 900}, color_scheme=scheme, bypass_csp=True)
    olga.context.add_cookies(operator)
    with service.connect("owner") as owner:
        owner.execute(NODES)
        owner.execute(REFUSED)
    try:
        olga.go("/operator/activity")
        health = olga.page.locator("section[aria-labelledby=health]")
        assert health.locator("tbody tr").count() == MOST
        assert health.get_by_text("others, for which less waits.").is_visible()
        assert olga.page.get_by_role("heading", name="Refused by no clause").is_visible()
        assert faults(olga) == []
        health.screenshot(path=tmp_path / f"processes-390-{scheme}.png")
    finally:
        with service.connect("owner") as owner:
            owner.execute("DELETE FROM troth.intake_node WHERE node::text LIKE '200c0ffe-%'")
            owner.execute("DELETE FROM troth.intake_count WHERE reason = 'key-ended'")


def test_what_happens_is_followed_under_the_pages_own_policy(service: Serving, visit: Visit, operator: Any) -> None:
    olga = visit(viewport={"width": 1280, "height": 800})
    olga.context.add_cookies(operator)
    olga.go("/operator/activity")
    olga.page.evaluate("document.querySelector('#figures .card').dataset.old = 'yes'")
    visit().go("/policy")
    olga.page.locator("#figures .card[data-old]").wait_for(state="detached", timeout=30_000)
    assert olga.page.locator("#traffic").is_visible()

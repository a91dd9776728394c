"""In a real browser: one proposes a version, another approves it, and it waits for its day."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.journeys.conftest import Visitor
from tests.journeys.test_coming import DAY, SAID, WIDER
from tests.journeys.test_support import confirmed, faults
from tests.serving import Serving

Visit = Callable[..., Visitor]
NEXT = re.sub(r"effective \S+", f"effective {DAY}", WIDER, count=1)


@pytest.fixture
def publisher(service: Serving, visit: Visit, width: int, scheme: str) -> Iterator[tuple[Visitor, list[str]]]:
    """Pat, who may publish beside Olga for as long as the test runs, and Pat's codes."""
    email = f"pat-publishing-{width}-{scheme}@harbor.example"
    pat = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    pat.join(email, "Pat Muñoz de la Vega y Castellanos")
    whose = "(SELECT subject FROM troth.people_account WHERE email = %s)"
    with service.connect("owner") as owner:
        owner.execute(f"INSERT INTO troth.staff (subject, role) VALUES ({whose}, 'publisher')".encode(), (email,))
    yield pat, pat.add_app()
    with service.connect("owner") as owner:
        owner.execute(f"DELETE FROM troth.staff WHERE subject = {whose}".encode(), (email,))


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_one_proposes_another_approves_and_it_waits_for_its_day(
    service: Serving, visit: Visit, operator: Any, operators_codes: list[str], publisher: Any, width: int, scheme: str
) -> None:
    pat, codes = publisher
    quinn = visit()
    quinn.join(f"quinn-publishing-{width}-{scheme}@harbor.example", "Quinn")
    olga = visit(viewport={"width": width, "height": 900}, color_scheme=scheme)
    olga.context.add_cookies(operator)
    confirmed(olga, "/operator/publishing", operators_codes)
    assert olga.title() == "Publishing"
    found = faults(olga)
    olga.page.get_by_label("Policy").fill(NEXT.replace("for understand", "for understandd", 1))
    olga.press("Propose")
    assert olga.page.locator("pre.wrong").first.is_visible(), "what is no policy says where"
    assert "understandd" in olga.page.locator("pre.wrong").first.inner_text()
    found += faults(olga)
    olga.page.get_by_label("Policy").fill(NEXT)
    olga.press("Propose")
    try:
        assert olga.title() == "Proposed: version 2"
        assert olga.page.get_by_text("it waits for the approval of another person").is_visible()
        assert olga.page.get_by_role("button", name="Approve").count() == 0, "nobody approves their own"
        assert int(counted(olga)) > 0
        assert "60 days" in olga.page.locator("main").inner_text(), "what it changes stands there"
        found += faults(olga)
        path = olga.page.url.removeprefix(service.address)
        confirmed(pat, path, codes)
        found += faults(pat)
        pat.press("Approve")
        waits = pat.page.get_by_text("Until then it can be withdrawn")
        deadline = time.monotonic() + 60
        while not waits.is_visible() and time.monotonic() < deadline:  # the keeper carries it out
            pat.page.wait_for_timeout(500)
            pat.page.reload()
        assert pat.page.get_by_text(f"It takes effect on {DAY} by itself").is_visible()
        found += faults(pat)
        quinn.go("/me")
        assert quinn.title() == f"Version 2 takes effect on {SAID}", "whoever comes meanwhile reads it first"
    finally:
        closed(service)
    olga.go(path)
    assert "withdrawn" in olga.page.locator("dl.facts").first.inner_text()
    olga.go("/operator/publishing")
    named(olga)
    found += faults(olga)
    assert found == []


def counted(someone: Visitor) -> str:
    """Return how many must agree again, once the keeper has counted; until then the page says that it counts."""
    again = someone.page.locator("dl.facts div", has_text="Must agree again").locator("dd")
    deadline = time.monotonic() + 60
    while not again.is_visible() and time.monotonic() < deadline:
        assert someone.page.get_by_text("The keeper is counting").is_visible()
        someone.page.wait_for_timeout(500)
        someone.page.reload()
    return again.inner_text()


def closed(service: Serving) -> None:
    """Leave nothing to the journeys that follow: neither what waits for its day nor what waits for an approval."""
    service.run("policy", "withdraw", "2", "--yes", check=False)
    with service.connect("owner") as owner:
        owner.execute(
            "UPDATE troth.policy_proposal SET outcome = 'withdrawn', closed_at = now() WHERE closed_at IS NULL"
        )


def named(someone: Visitor) -> None:
    """See that a proposal is named by its version, with what it changes, and its digest as a detail."""
    newest = someone.page.locator("#before + .timeline li").first
    said = newest.inner_text()
    assert said.startswith("Version 2"), said
    assert all(each in said for each in ("withdrawn", "Proposed by", "Reaches further: ", "must agree again"))
    assert not newest.locator("code").is_visible()
    newest.get_by_text("Digest").click()
    assert len(newest.locator("code").inner_text()) == 64

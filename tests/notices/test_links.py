"""No link in a mail does anything when it is opened: scanners open every one of them (P37, P38, P39)."""

import html
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.conftest import TERMS, Person
from tests.notices.mailing import SENDER
from tests.notices.test_announcing import BOTH
from tests.web.second import hire
from tests.web.test_coming import WIDER
from troth.consent import announcing, coming, publishing
from troth.database import connect, published
from troth.notices import delivery, tokens
from troth.notices.delivery import written
from troth.notices.letters import LINK, compose, plain
from troth.people import correcting
from troth.people.organizing import invitation
from troth.policy.compare import Verdict
from troth.web.mailing import spoken

BASE = "https://localhost"
#: What agreeing, consenting and permitting leave behind.
KEPT = (
    "agreement",
    "agreement_ahead",
    "choice",
    "permitted",
    "person_grant",
    "agreed_permission",
    "membership",
    "support_access",
    "staff",
)


@pytest.fixture(autouse=True)
def writing(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from django.test import override_settings

    for writers in (coming.WRITERS, announcing.WRITERS, correcting.WRITERS, {"invitation": invitation}):
        for name, writer in writers.items():
            monkeypatch.setitem(delivery.WRITERS, name, writer)
    with override_settings(BASE_URL=BASE, RETURNS="/somewhere", DEFAULT_FROM_EMAIL=SENDER):
        yield
    published.forget()


def kept(owner: Connection[Any]) -> dict[str, Any]:
    return {t: owner.execute(f"SELECT * FROM troth.{t} ORDER BY 1, 2".encode()).fetchall() for t in KEPT}


def mails(owner: Connection[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the template of everything that waits, and what is written of it."""
    rows = owner.execute("SELECT template, facts, subject FROM troth.notice ORDER BY notice").fetchall()
    for template, facts, whose in rows:
        yield template, dict(written(template, facts | {"to": str(whose)}))


def filled(owner: Connection[Any], browser: Browser) -> None:
    """Let everything happen that mails of each kind follow from, to Alice, who is asked and has answered nothing."""
    alice = browser.sign_up(owner, "alice@harbor.example")
    olga = Browser()
    whose = olga.sign_up(owner, "olga@harbor.example", "Olga")
    hire(owner, olga, whose, "owner", "publisher", "support")
    assert browser.post("/me/purposes/announce", {"kind": "consent"}).status_code == 302
    publishing.publish(owner, publishing.asked(WIDER, TERMS, Verdict.EDITORIAL, key=True))
    coming.follow(owner)
    announcing.by_key(owner, {"texts": BOTH})
    announcing.follow(owner)
    browser.post("/password/forgotten", {"email": "alice@harbor.example"})
    browser.post("/sign-in/code", {"email": "alice@harbor.example"})
    club = browser.post("/organizations", {"name": "Club"}).headers["Location"].rsplit("/", 1)[-1]
    told = {"action": "invite", "address": "alice@harbor.example", "role": "member"}
    browser.post(f"/organizations/{club}/joining", told)
    facts = {"language": "es", "organization": club, "name": "Club", "field": "title", "made": False, "version": 3}
    with connect.acting("door") as door:
        from psycopg.types.json import Jsonb

        for template in (*correcting.WRITERS, "withdrawn"):
            door.execute("SELECT troth.post(%s, 'alice@harbor.example', %s, %s)", (alice, template, Jsonb(facts)))
        for template in ("support/asked", "staff/invited", "organizations/permission", "directory_offer"):
            context = {"link": f"{BASE}/operator/staff/none", "name": "Olga", "organization": "Club"}
            for mail in spoken(template, context).values():
                door.execute("SELECT troth.post(%s, 'alice@harbor.example', 'mail', %s)", (alice, Jsonb(mail)))


def links(mail: dict[str, Any]) -> set[str]:
    """Return every address of the web in a mail, of its text, its HTML and its headers."""
    message = compose("alice@harbor.example", mail, SENDER)
    body = message.get_body(("html",))
    assert body is not None, "text and HTML both"
    written_out = body.get_content()
    found = set(LINK.findall(plain(message))) | {
        html.unescape(each) for each in re.findall(r'href="([^"]+)"', written_out)
    }
    return found | set(re.findall(r"<(https[^>]+)>", str(message.get("List-Unsubscribe", ""))))


def test_opening_every_link_of_every_mail_agrees_to_nothing_signed_in_or_not(
    browser: Browser, owner: Connection[Any]
) -> None:
    filled(owner, browser)
    told = list(mails(owner))
    assert {template for template, _ in told} == {
        "mail", "version", "withdrawn", "announcement", "invitation", "correction-asked", "correction-answered",
    }  # fmt: skip
    assert {template for template, _ in told} == set(delivery.WRITERS), "of every template there is"
    found = {link for _, mail in told for link in links(mail)}
    assert any("/coming" in each for each in found)
    assert any(announcing.STOP in each for each in found)
    before, opened = kept(owner), 0
    for link in sorted(found):
        assert link.startswith(BASE), f"{link} leads elsewhere"
        parts = urlsplit(link)
        for visitor in (Browser(), browser):
            for ask in (visitor.get, visitor.head, visitor.options):
                assert ask(parts.path + (f"?{parts.query}" if parts.query else "")).status_code < 500
                opened += 1
    assert opened >= 6 * len(found) > 30
    assert kept(owner) == before


def test_a_link_that_did_something_would_be_noticed(browser: Browser, owner: Connection[Any]) -> None:
    """The check of the check: what a form does is seen in what is compared."""
    whose = browser.sign_up(owner, "alice@harbor.example")
    browser.post("/me/purposes/announce", {"kind": "consent"})
    before = kept(owner)
    Browser().post(announcing.STOP + tokens.made(tokens.Kind.STOP, whose))
    assert kept(owner) != before


def test_a_mail_says_one_and_many_right_in_each_language(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, "alice@harbor.example")
    publishing.publish(owner, publishing.asked(WIDER, TERMS, Verdict.EDITORIAL, key=True))
    facts = {"version": 2, "before": 1}
    said: Callable[[str], str] = lambda language: str(written("version", facts | {"language": language})["text"])  # noqa: E731
    lines = said("en").count("\n- ")
    assert ("One thing changes:" if lines == 1 else f"{lines} things change:") in said("en")
    assert ("Cambia una cosa:" if lines == 1 else f"Cambian {lines} cosas:") in said("es")


def test_what_was_written_as_text_is_the_same_in_html_and_nothing_in_it_is_code(cast: dict[str, Person]) -> None:
    text = 'You & <b>I</b>\n\n- one\n- https://localhost/a?b=1&c="2"\n\nSee https://localhost/x.\n'
    message = compose("alice@harbor.example", {"subject": "<i>", "text": text, "language": "es"}, SENDER)
    body = message.get_body(("html",))
    assert body is not None
    page = body.get_content()
    assert '<html lang="es">' in page
    assert "You &amp; &lt;b&gt;I&lt;/b&gt;" in page
    assert '<a href="https://localhost/x">https://localhost/x</a>.' in page
    assert page.count("<li") == 2
    for loaded in ("<img", "src=", "<script", "<link", "url("):
        assert loaded not in page, "it tells nobody that it was read"

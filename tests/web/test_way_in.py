"""P2: whoever has not agreed may do nothing, and declining leaves nothing behind."""

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from psycopg import Connection
from psycopg.types.json import Jsonb
from rich.console import Console

from tests.browsing import PASSWORD, Browser, mails, subject
from troth.cli.serve import DEFAULT_POLICY, First, Options, Service
from troth.database import apply, place, published

ALICE, ADDRESS = "alice@harbor.example", "https://localhost:8443"


def test_signing_up_agreeing_and_proving_the_address_leads_to_ones_own_page(
    browser: Browser, owner: Connection[Any]
) -> None:
    answer = browser.begin(ALICE)
    assert answer.headers["Location"] == "/agree"
    assert mails(owner, ALICE) == []  # not even a mail before the agreement
    assert browser.get("/sign-up/verify").status_code == 302
    assert browser.agree().headers["Location"] == "/sign-up/verify"
    assert browser.verify(owner, ALICE).headers["Location"] == "/me"
    page = browser.get("/me")
    assert page.status_code == 200
    assert "Alice Okafor" in page.content.decode()
    assert "__Host-viewer" in browser.cookies


def test_the_agreement_names_the_version_by_its_digests(browser: Browser, owner: Connection[Any]) -> None:
    alice = browser.sign_up(owner, ALICE)
    query = (
        "SELECT a.version = p.version AND a.policy_digest = p.digest AND a.terms_digest = p.terms_digest, a.how, a.language"
        " FROM troth.agreement a, troth.policy_version p WHERE a.subject = %s"
    )
    assert owner.execute(query, (alice,)).fetchall() == [(True, "page", "en")]
    assert owner.execute("SELECT count(*) FROM troth.ledger_entry WHERE action = 'agreed'").fetchone() == (1,)


def test_declining_leaves_nothing_behind(browser: Browser, owner: Connection[Any]) -> None:
    before = rows(owner)
    browser.begin(ALICE)
    answer = browser.agree("decline")
    assert answer.headers["Location"] == "/declined"
    assert "cookies" in answer.headers["Clear-Site-Data"]
    assert browser.get("/declined").status_code == 200
    assert rows(owner) == before
    assert browser.sign_in(ALICE).status_code == 200  # the form again: there is no such account


def rows(owner: Connection[Any]) -> dict[str, int]:
    """Return how many rows each table has, but for the ledger (opaque) and the signed-out browser's own session."""
    tables = owner.execute(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'troth' AND relkind = 'r'"
        " AND relname NOT IN ('ledger_entry', 'django_session')"
    ).fetchall()
    return {name: owner.execute(f'SELECT count(*) FROM troth."{name}"'.encode()).fetchone()[0] for (name,) in tables}  # type: ignore[index]


@pytest.mark.asvs("2.3.1")
def test_between_the_steps_every_page_sends_back(browser: Browser) -> None:
    browser.begin(ALICE)
    for path in ("/me", "/me/name", "/me/accesses", "/me/close", "/operator", "/password"):
        assert browser.get(path).status_code == 303, path


def test_an_agreement_to_a_page_that_was_overtaken_binds_nobody(browser: Browser, owner: Connection[Any]) -> None:
    browser.begin(ALICE)
    answer = browser.post("/agree", {"policy": "0" * 64, "terms": "0" * 64, "answer": "agree"})
    assert answer.status_code == 409
    assert owner.execute("SELECT count(*) FROM troth.agreement").fetchone() == (0,)


def test_when_a_version_asks_again_every_page_leads_to_the_agreement(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    again = {"version": 2, "floor": True, "digest": "2" * 64}
    query = "INSERT INTO troth.policy_version SELECT (jsonb_populate_record(v, %s)).* FROM troth.policy_version v"
    owner.execute(query, (Jsonb(again),))
    for path in ("/me", "/me/name", "/me/accesses"):
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/agree"), path
    published.forget()
    page = browser.get("/agree").content.decode()
    # Whether it asks for more nobody compared: the page says what is so.
    assert "You agreed to version 1. The policy has changed since; your agreement to version 2" in page
    assert 'href="/policy/compare/1..2"' in page


def test_accounts_nobody_agreed_to_are_forgotten_after_a_day(browser: Browser, owner: Connection[Any]) -> None:
    from troth.people.actions import forget_stale

    Browser().begin(ALICE)
    browser.sign_up(owner, "bob@harbor.example", "Bob")
    assert forget_stale() == 0
    owner.execute("UPDATE troth.people_account SET date_joined = date_joined - interval '25 hours', last_login = NULL")
    assert forget_stale() == 1
    assert owner.execute("SELECT email FROM troth.people_account").fetchall() == [("bob@harbor.example",)]
    assert owner.execute("SELECT name FROM troth.person").fetchall() == [("Bob",)]


@pytest.mark.asvs("6.2.4", "6.2.11", "6.2.12")
@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "at least 15"),
        ("password12345678", "leaked"),
        ("qwertyuiopqwertyuiop", "leaked"),
        ("harborharborharbor", "name that others know"),
        ("x" * 10 + "y" * 1100, "longer than 1,024"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(
    browser: Browser, owner: Connection[Any], password: str, reason: str
) -> None:
    answer = browser.begin(ALICE, password=password)
    assert answer.status_code == 200
    assert reason in answer.content.decode()
    assert owner.execute("SELECT count(*) FROM troth.people_account").fetchone() == (0,)


@pytest.mark.asvs("6.2.5", "6.2.8", "6.2.9", "11.4.2", "11.4.4")
def test_long_passwords_of_any_signs_are_welcome_and_kept_as_argon2id(browser: Browser, owner: Connection[Any]) -> None:
    assert browser.begin(ALICE, password="ünï çødé, spaces  and 🐦 " * 12).status_code == 302
    stored = owner.execute("SELECT password FROM troth.people_account").fetchone()
    assert stored is not None
    assert stored[0].startswith("argon2$argon2id$")


def test_the_form_has_what_the_policy_collects_each_with_its_sentence(browser: Browser) -> None:
    page = browser.get("/sign-up").content.decode()
    assert page.count('class="why"') == 3
    assert "{%" not in page
    assert "</p>}" not in page


@pytest.mark.asvs("6.3.2", "6.4.1")
def test_the_first_link_makes_one_operator_and_then_opens_nothing(browser: Browser, owner: Connection[Any]) -> None:
    from hashlib import sha256

    from troth.database import place

    place.replace_file(place.current().secrets / "first-link", sha256(b"word").hexdigest().encode(), 0o600)
    second = Browser()
    assert browser.get("/operator/first/wrong").status_code == 404
    assert browser.get("/operator/first/word").status_code == 302
    assert second.get("/operator/first/word").status_code == 302  # opened twice, used once
    for path in ("/sign-up", "/sign-up/passkey"):
        assert "owns the service" in browser.get(path).content.decode()
        assert "owns the service" not in Browser().get(path).content.decode()
    browser.sign_up(owner, "olga@harbor.example", "Olga")
    assert browser.get("/operator").status_code == 200
    assert Browser().get("/operator/first/word").status_code == 404
    second.sign_up(owner, "mallory@harbor.example", "Mallory")
    assert second.get("/operator").status_code == 404
    browser.post("/me/close", {"password": PASSWORD})
    assert Browser().get("/operator/first/word").status_code == 404


def test_each_start_prints_a_fresh_first_link_until_there_is_an_operator(
    browser: Browser, owner: Connection[Any]
) -> None:
    first, second = (started()._first_link() for _ in range(2))
    assert browser.get(f"/operator/first/{first}").status_code == 404
    assert browser.get(f"/operator/first/{second}").status_code == 302
    browser.sign_up(owner, "olga@harbor.example", "Olga")
    assert browser.get("/operator").status_code == 200
    assert started()._first_link() == ""
    browser.post("/me/close", {"password": PASSWORD})
    assert Browser().get(f"/operator/first/{started()._first_link()}").status_code == 302


def test_whoever_reads_that_it_is_ready_reads_the_first_link_with_it(browser: Browser) -> None:
    printed: list[str] = []
    service = started()
    service.out = Console(file=Written(printed), highlight=False, soft_wrap=True)
    service._banner(
        replace(place.current(), address=ADDRESS),
        apply.Outcome(1, fresh=True, changed=0, widened=(), held=0.0, tries=1),
        2.0,
    )
    (ready,) = [each for each in printed if "troth is ready after 2.0 s" in each]
    link = re.search(rf"{ADDRESS}/operator/first/(\S+)\n", ready)
    assert link
    assert browser.get(f"/operator/first/{link.group(1)}").status_code == 302
    assert ready.endswith("stop with Ctrl-C\n\n")


class Written(io.StringIO):
    """A terminal that tells what it was given at a time."""

    def __init__(self, told: list[str]) -> None:
        super().__init__()
        self.told = told

    def write(self, text: str) -> int:
        self.told.append(text)
        return len(text)


def started() -> Service:
    """Return the service of one start."""
    options = Options("localhost", 8443, DEFAULT_POLICY, "", None, None, dev=False, demo=False)
    return Service(options, place.current().data, First.read(DEFAULT_POLICY))


def test_whose_account_it_is_is_a_subject_of_its_own(browser: Browser, owner: Connection[Any]) -> None:
    alice = browser.sign_up(owner, ALICE)
    bob = Browser()
    bob.sign_up(owner, "bob@harbor.example", "Bob")
    assert alice != subject(owner, "bob@harbor.example")
    assert "Bob" not in browser.get("/me").content.decode()

"""Whoever's account was closed is told by mail, where the policy keeps their address for a while, and no longer than it does."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import PASSWORD, Browser, mails
from tests.database.test_bound import applied, ends_with_the_account
from tests.notices.mailing import SENDER, Sink, listening
from troth.database import connect, published
from troth.notices.delivery import Route, deliver
from troth.rights.queries import fates

ALICE = "alice@harbor.example"
SAID = {
    "en": "A mail to your address says that your account was closed.",
    "es": "Un correo a tu dirección dice que tu cuenta se ha cerrado.",
}


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as running:
        yield running


def closed(browser: Browser) -> None:
    assert browser.post("/me/close", {"password": PASSWORD}).headers["Location"] == "/closed"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            (
                "Your account was closed on",
                "Gone at once:\n\n- your password, your sign-ins",
                "\n\nStays for up to 30 days, then removes itself:\n\n- Your name and address: ",
                "\n\nStays for up to a year, then removes itself:\n\n- ",
                "\n\nIf that was not you, somebody knows your password or has a device of yours.",
                "write to privacy@harbor.example.",
            ),
        ),
        (
            "es",
            (
                "Tu cuenta se cerró el",
                "Se fue enseguida:\n\n- tu contraseña, tus sesiones",
                "\n\nSe queda hasta 30 días y después se borra solo:\n\n- Tu nombre y dirección: ",
                "\n\nSe queda hasta un año y después se borra solo:\n\n- ",
                "\n\nSi no fuiste tú, alguien conoce tu contraseña o tiene un dispositivo tuyo.",
                "escribe a privacy@harbor.example.",
            ),
        ),
    ],
)
def test_the_mail_says_what_went_what_stays_how_long_and_what_to_do(
    browser: Browser, owner: Connection[Any], language: str, words: tuple[str, ...]
) -> None:
    alice = browser.sign_up(owner, ALICE)
    browser.post("/language", {"language": language, "next": "/me"})
    assert SAID[language] in browser.get("/me/close").content.decode()
    closed(browser)
    found = "SELECT subject, address, template, facts ->> 'language', facts ->> 'text' FROM troth.notice"
    ((whose, address, template, spoken, text),) = owner.execute(found).fetchall()
    assert (whose, address, template, spoken) == (alice, ALICE, "mail", language)
    after = 0
    for each in words:
        assert each in text[after:], text
        after = text.index(each, after)
    said = {fate.table: fate.what for fate in fates(language)}
    assert said["person"] in text
    assert said["agreement"] in text
    assert said["crash"] not in text, "of which there was none"


def test_it_leaves_once_and_nothing_of_it_is_left(browser: Browser, owner: Connection[Any], sink: Sink) -> None:
    browser.sign_up(owner, ALICE)
    closed(browser)
    assert deliver(Route(sink.url, SENDER)) == 1
    ((to, message),) = sink.taken
    assert (to, message["Subject"]) == ([ALICE], "[Harbor Hosted Solutions] Your account is closed")
    assert "<li" in str(message.get_body("html"))
    assert mails(owner, ALICE) == []
    assert owner.execute("SELECT count(*) FROM troth.notice_outcome").fetchone() == (0,), "nobody is there to read it"
    assert deliver(Route(sink.url, SENDER)) == 0


def test_one_that_could_not_leave_goes_with_what_is_kept_of_its_person(
    browser: Browser, owner: Connection[Any]
) -> None:
    browser.sign_up(owner, ALICE)
    closed(browser)
    assert len(mails(owner, ALICE)) == 1
    for table in ("person", "agreement"):
        query = f"UPDATE troth.{table} SET at = at - interval '366 days', ended_at = ended_at - interval '366 days'"
        owner.execute(query.encode())
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
    assert mails(owner, ALICE) == []


def test_where_the_address_goes_with_the_account_nothing_is_said_and_nothing_written(
    browser: Browser, owner: Connection[Any]
) -> None:
    applied(owner, ends_with_the_account(2))
    try:
        browser.sign_up(owner, ALICE)
        assert SAID["en"] not in browser.get("/me/close").content.decode()
        closed(browser)
        assert owner.execute("SELECT count(*) FROM troth.notice").fetchone() == (0,)
    finally:
        published.forget()


def test_who_closes_nothing_is_told_nothing(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    before = len(mails(owner, ALICE))
    assert browser.post("/me/close", {"password": "not this one at all"}).status_code == 422
    assert len(mails(owner, ALICE)) == before

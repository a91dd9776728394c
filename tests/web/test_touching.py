"""Whoever is asked to agree sees what of theirs it touches: their records, and how each of their purposes stands."""

import re
from typing import Any

import pytest
from psycopg import Connection, errors

from tests.browsing import Browser, subject
from tests.conftest import Person, visit
from tests.consent.test_scheduling import later
from tests.web.test_coming import ALICE, BOB, FIRST, agree_ahead, alice, publish, take_effect, written
from troth.consent import scheduling
from troth.database import connect, simulate

__all__ = ["alice", "written"]
#: It widens what rests on interest and what rests on consent.
WIDER = later(
    FIRST.replace("for understand 30 days as network", "for understand 60 days as network").replace(
        "device.time on sign-in [P11]\n", "device.time on sign-in [P11]\n    for personalise while consented\n"
    )
)
#: And brings something new; announcing ends.
OTHER = re.sub(
    r"purpose announce .*?by consent", 'purpose teach "teach you how to row"\n    by consent', WIDER, flags=re.DOTALL
).replace("    for announce while consented\n", "    for teach while consented\n")


def stands(page: str) -> dict[str, str]:
    """Return how each purpose that a page names as touched stands."""
    return dict(re.findall(r'data-purpose="(\w+)" data-stands="(\w+)"', page))


def visits(owner: Connection[Any], email: str, many: int) -> None:
    whose = subject(owner, email)
    for _ in range(many):
        visit(Person(email, whose, email, ""))


def test_on_the_day_each_reader_sees_their_own_records_and_settings_and_can_decide_later(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = Browser()
    bob.sign_up(owner, BOB, "Bob")
    for email, many in ((ALICE, 3), (BOB, 5)):
        visits(owner, email, many)
    bob.choose("understand", "objection")
    alice.choose("personalise", "consent")
    publish(owner, OTHER)
    ahead = {"alice": stands(alice.get("/coming").content.decode()), "bob": stands(bob.get("/coming").content.decode())}
    assert ahead["alice"] == {"understand": "on", "personalise": "asked", "teach": "asked", "announce": "off"}
    assert ahead["bob"] == ahead["alice"] | {"understand": "objected"}
    scheduling.withdraw(owner, {"version": 2})
    publish(owner, WIDER.replace("version 2 effective", "version 3 effective"))
    take_effect(owner, monkeypatch)
    page = alice.get("/agree").content.decode()
    assert stands(page) == {"understand": "on", "personalise": "asked"}
    assert "3 records of yours" in page
    assert "5 records of yours" not in page
    assert "Sentence by sentence" not in page
    theirs = bob.get("/agree").content.decode()
    assert stands(theirs)["understand"] == "objected"
    assert "3 records of yours" not in theirs
    assert "5 records of yours" not in theirs, "what they objected to reads none of theirs, before and after"
    on_the_way = Browser()
    on_the_way.sign_in(ALICE)
    tokens = "SELECT count(*) FROM troth.request_token"
    before = owner.execute(tokens).fetchone()
    assert "3 records of yours" in on_the_way.get("/agree").content.decode(), "before they are signed in, too"
    assert owner.execute(tokens).fetchone() == before, "what it was counted with is closed"
    for reader in (alice, on_the_way):
        assert reader.post("/agree", {"answer": "later"}).headers["Location"] == "/declining"
        assert reader.get("/declining").status_code == 200
    assert owner.execute("SELECT count(*) FROM troth.agreement WHERE version = 3").fetchone() == (0,)


def test_deciding_later_keeps_what_was_agreed_to_ahead_and_declining_takes_it_back(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner)
    agree_ahead(alice)
    take_effect(owner, monkeypatch)
    many = "SELECT count(*) FROM troth.agreement_ahead"
    assert alice.post("/agree", {"answer": "later"}).status_code == 302
    assert owner.execute(many).fetchone() == (1,)
    assert alice.post("/agree", {"answer": "decline"}).status_code == 302
    assert owner.execute(many).fetchone() == (0,)


def test_nobody_who_is_new_decides_later(browser: Browser, owner: Connection[Any]) -> None:
    browser.begin(ALICE)
    assert 'value="later"' not in browser.get("/agree").content.decode()
    assert browser.post("/agree", {"answer": "later"}).status_code == 200
    assert owner.execute("SELECT count(*) FROM troth.people_account").fetchone() == (1,)


def test_what_cannot_be_counted_is_not_said_to_be_nothing(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner)

    def busy(*_: Any, **__: Any) -> None:
        raise errors.QueryCanceled

    monkeypatch.setattr(simulate, "personal", busy)
    page = alice.get("/coming").content.decode()
    assert "It could not be counted just now" in page
    assert "None of the records" not in page


def test_what_stays_for_less_time_is_not_said_to_be_untouched(alice: Browser, owner: Connection[Any]) -> None:
    crashes = "crash.metadata on crash [P9]\n    for provide 90 days"
    assert crashes in FIRST
    visits(owner, ALICE, 1)
    publish(owner, later(FIRST.replace(crashes, crashes.replace("90", "30"))))
    said = alice.get("/coming").content.decode()
    assert "None of the records that you see goes at once, is hidden or is used in another way." in said
    assert "keeps something for a longer or a shorter time, that holds for them, too" in said
    alice.cookies["__Host-language"] = "es"
    assert "se oculta o se usa de otra forma. Donde la versión guarda algo" in alice.get("/coming").content.decode()


def test_whoever_has_not_agreed_looks_at_their_own_and_changes_nothing(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    Browser().sign_up(owner, BOB, "Bob")
    alice.get("/me")
    token = alice.cookies["__Host-viewer"].value
    publish(owner)
    take_effect(owner, monkeypatch)
    with connect.acting("self", token=token) as connection:
        assert connection.execute("SELECT troth.viewer(), (SELECT count(*) FROM troth.person)").fetchone() == (None, 0)
    with connect.looking(token) as connection:
        assert connection.execute("SELECT email FROM troth.person").fetchall() == [(ALICE,)]
    for attempt in (
        "UPDATE troth.person SET name = 'Eve'",
        "SELECT set_config('transaction_read_only', 'off', true)",
    ):
        with pytest.raises(errors.Error, match=r"read-(only|write)"), connect.looking(token) as connection:
            connection.execute(attempt.encode())
    with connect.acting("reader", token=token) as connection:
        connection.execute("SET TRANSACTION READ ONLY")
        assert connection.execute("SELECT troth.viewer()").fetchone() == (None,), "nor at anybody else's"
    owner.execute("DELETE FROM troth.request_token")
    with connect.looking(token) as connection:
        assert connection.execute("SELECT count(*) FROM troth.person").fetchone() == (0,)

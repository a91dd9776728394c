"""P38: after a no to a wider version events are stored for what did not widen as before, and none for what did."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.conftest import POLICY, Person
from tests.database.test_bound import applied
from tests.intake.sending import CRASH, USE, Application, Sent, registered, sent
from troth.database import connect, published
from troth.intake import queries

FIRST = POLICY.read_text(encoding="utf-8")
KINDS = {
    "crash": CRASH,
    "feature_use": USE,
    "location": {"latitude": 41.388791, "longitude": 2.158992, "accuracy": 12.5, "source": "gps"},
}
#: A collection, and for how much longer a purpose then uses it.
PROVIDE = "crash.metadata on crash [P9]\n    for provide 90 days", "for provide 90", "for provide 180"
UNDERSTAND = "use.time on use of features [P16, P18]\n    for understand 30 days", "30 days", "60 days"
STORED = {"outcome": "stored"}
FEATURES = "collect-use-feature-on-use-of-features"


def widened(where: str, short: str, long: str) -> str:
    """Return the second version of the policy, under which one purpose uses one kind for longer, and erasing takes longer."""
    text = FIRST.replace("version 1 effective", "version 2 effective")
    text = re.sub(r"within \d+ days unless", "within 365 days unless", text)
    assert text.count(where) == 1
    return text.replace(where, where.replace(short, long))


class Declined:
    """Alice, who agreed to the first version and can decline the second, and the application that she uses."""

    def __init__(self, browser: Browser, owner: Connection[Any]) -> None:
        self.browser, self.owner, self.sends = browser, owner, 0
        whose = browser.sign_up(owner, "alice@harbor.example")
        browser.get("/me")
        token = browser.cookies["__Host-viewer"].value
        self.alice = Person("Alice", whose, "alice@harbor.example", token)
        self.notes: Application = registered(owner, events=list(KINDS))
        self.notes.knows(self.alice)

    def decline(self, version: str) -> None:
        """Put the version in force, and decline it."""
        applied(self.owner, version)
        assert self.browser.get("/me").headers["Location"] == "/agree"
        assert self.browser.agree("decline").headers["Location"] == "/declining"

    def tell(self, kind: str) -> Sent:
        """Let the application send an event of hers."""
        self.sends += 1
        body = {"key": f"event-{self.sends:04}", "kind": kind, "person": self.notes.names["Alice"], "data": KINDS[kind]}
        return sent(body, key=self.notes.key)

    def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM troth.{table} WHERE subject = %s ORDER BY id"
        return self.owner.execute(query.encode(), (self.alice.subject,)).fetchall()


@pytest.fixture
def declined(browser: Browser, owner: Connection[Any]) -> Any:
    yield Declined(browser, owner)
    published.forget()


def read(purpose: str, table: str) -> int:
    """Return how many rows a purpose reads."""
    with connect.acting(purpose) as reading:
        return len(reading.execute(f"SELECT FROM {purpose}.{table}".encode()).fetchall())


def refused_where_it_widened(her: Declined) -> None:
    """Nothing but understanding would use it: it is not stored; what the service is provided with is."""
    her.decline(widened(*UNDERSTAND))
    answer = her.tell("feature_use")
    assert (answer.status, answer.body) == (
        403, {"outcome": "refused", "reason": "person-declined", "clause": FEATURES},
    )  # fmt: skip
    assert her.rows("feature_use", "feature") == []
    assert (her.tell("crash").body, read("provide", "crash")) == (STORED, 1)


def stored_for_the_other(her: Declined) -> None:
    """She said yes to personalising, which uses it as before: it is stored, and not for understanding."""
    her.browser.choose("personalise", "consent")
    her.decline(widened(*UNDERSTAND))
    assert her.tell("feature_use").body == STORED
    assert (read("personalise", "feature_use"), read("understand", "feature_use")) == (1, 0)


def no_finer_than_for_the_other(her: Declined) -> None:
    """Of a place, understanding uses the region and the day; providing would use all, and widened."""
    her.decline(widened(*PROVIDE))
    assert her.tell("crash").body.get("reason") == "person-declined"
    assert her.tell("location").body == STORED
    columns = "latitude, longitude, accuracy, source, at = date_trunc('day', at, 'UTC')"
    assert her.rows("location", columns) == [(41.0, 2.0, None, None, True)]
    assert (read("understand", "location"), read("provide", "location")) == (1, 0)


CONTROLS = (refused_where_it_widened, stored_for_the_other, no_finer_than_for_the_other)


@pytest.mark.parametrize("control", CONTROLS)
def test_what_widened_takes_in_nothing_of_whoever_declined_it(
    declined: Declined, control: Callable[[Declined], None]
) -> None:
    control(declined)


@pytest.mark.parametrize("control", CONTROLS)
def test_mutation_were_they_in_what_widened_it_would(
    declined: Declined, control: Callable[[Declined], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    decline = Declined.decline

    def in_all_the_same(self: Declined, version: str) -> None:
        decline(self, version)
        self.owner.execute(
            "UPDATE troth.permitted SET uses = uses | (SELECT 1::bigint << max(bit) FROM troth.unit) WHERE subject = %s",
            (self.alice.subject,),
        )

    monkeypatch.setattr(Declined, "decline", in_all_the_same)
    with pytest.raises(AssertionError):
        control(declined)


def test_once_they_agree_it_takes_in_what_comes_then_and_says_what_it_refused(declined: Declined) -> None:
    refused_where_it_widened(declined)
    assert declined.browser.agree().headers["Location"] == "/me"
    assert (declined.tell("feature_use").body, read("understand", "feature_use")) == (STORED, 1)
    refusals = [(each.kind, each.reason, each.clause, each.count) for each in queries.refusals(declined.alice.token)]
    assert refusals == [("feature_use", "person-declined", FEATURES, 1)]

"""What became of each mail: its person sees it, nobody else does, a window ends it, and the operator sees counts."""

import uuid
from typing import Any

import pytest
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from tests.browsing import Browser
from tests.conftest import POLICY, TERMS, Person
from tests.notices.mailing import SENDER, Sink, due_now, post, tally
from troth.database import apply, connect, published
from troth.notices import queries
from troth.notices.delivery import TRIES, Route, deliver

GONE = "gone@harbor.example"
COLLECTED = "collect notice.delivery on notice [P37]\n    for provide 90 days\n"


def statuses(person: Person) -> list[tuple[str | None, str | None]]:
    return [(each.status, each.said) for each in queries.notices(person.token)]


def bounce(which: uuid.UUID) -> bool:
    with connect.acting("door") as door:
        row = door.execute("SELECT troth.bounce_notice(%s, '5.1.1')", (which,)).fetchone()
    assert row is not None
    return bool(row[0])


def test_a_person_sees_their_mails_wait_leave_and_come_back_and_nobody_elses(
    cast: dict[str, Person], owner: Connection[Any], sink: Sink
) -> None:
    alice, bob = cast["alice"], cast["bob"]
    route = Route(sink.url, SENDER)
    which = post(whose=alice.subject)
    assert statuses(alice) == [("queued", None)]
    sink.refusing = True
    deliver(route)
    assert statuses(alice) == [("deferred", None)]
    sink.refusing = False
    due_now(owner)
    deliver(route)
    assert statuses(alice) == [("sent", None)]
    assert bounce(which)
    assert not bounce(which), "once, however often it is said"
    assert statuses(alice) == [("bounced", "5.1.1")]
    sink.unknown.add(GONE)
    post(GONE, whose=bob.subject)
    deliver(route)
    assert statuses(bob) == [("failed", "550")]
    assert statuses(cast["charlie"]) == []
    assert tally(owner) == {"sent": 1, "bounced": 1, "failed": 1}


def test_a_mail_that_never_leaves_is_said_to_have_failed(cast: dict[str, Person], owner: Connection[Any]) -> None:
    post(whose=cast["alice"].subject)
    owner.execute("UPDATE troth.notice SET tries = %s", (TRIES - 1,))
    assert deliver(Route("smtp://127.0.0.1:1", SENDER)) == 0
    assert statuses(cast["alice"]) == [("failed", None)]


def test_a_bounce_of_what_nobody_was_sent_changes_nothing(cast: dict[str, Person], owner: Connection[Any]) -> None:
    assert not bounce(uuid.uuid4())
    assert not bounce(post(whose=cast["alice"].subject)), "not sent yet"
    assert tally(owner) == {}


def test_where_no_clause_collects_it_nothing_is_kept(
    cast: dict[str, Person], owner: Connection[Any], sink: Sink
) -> None:
    text = POLICY.read_text(encoding="utf-8").replace(" version 1 ", " version 2 ").replace(COLLECTED, "")
    apply.apply(owner, text, TERMS)
    published.forget()
    which = post(whose=cast["alice"].subject)
    assert statuses(cast["alice"]) == [("queued", None)], "what waits is there"
    assert deliver(Route(sink.url, SENDER)) == 1
    assert statuses(cast["alice"]) == []
    assert not bounce(which)
    assert owner.execute("SELECT count(*) FROM troth.notice_outcome").fetchone() == (0,)
    assert tally(owner) == {"sent": 1}, "a count is nobody's"
    assert queries.clause() is None
    published.forget()


def test_outcomes_go_when_their_window_ends(cast: dict[str, Person], owner: Connection[Any], sink: Sink) -> None:
    from troth.database import retention

    for person in ("alice", "bob"):
        post(whose=cast[person].subject)
    deliver(Route(sink.url, SENDER))
    owner.execute(
        "UPDATE troth.notice_outcome SET at = at - interval '91 days' WHERE subject = %s", (cast["alice"].subject,)
    )
    retention.run()
    assert [len(statuses(cast[each])) for each in ("alice", "bob")] == [0, 1]


@pytest.mark.parametrize("role", ["self", "announce", "understand", "staff", "administrator", "intake"])
def test_nobody_writes_down_an_outcome_but_whoever_delivers(
    role: str, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    attempts = (
        "SELECT troth.settle_notice(gen_random_uuid(), gen_random_uuid(), 'sent', NULL)",
        "SELECT troth.bounce_notice(gen_random_uuid(), '5.1.1')",
        "INSERT INTO troth.notice_outcome (subject, notice) VALUES (gen_random_uuid(), gen_random_uuid())",
        "UPDATE troth.notice_outcome SET outcome = 'sent'",
        "DELETE FROM troth.notice",
    )
    for attempt in attempts:
        with pytest.raises(InsufficientPrivilege), connect.acting(role) as connection:
            connection.execute("SET TRANSACTION READ WRITE")
            connection.execute(attempt.encode())


def test_the_pages_say_what_arrived(browser: Browser, owner: Connection[Any], sink: Sink) -> None:
    whose = browser.sign_up(owner, "alice@harbor.example")
    assert "Waits to be sent" in browser.get("/me/notices").content.decode()
    deliver(Route(sink.url, SENDER))
    page = browser.get("/me/notices").content.decode()
    assert "A code, or a message about your account" in page
    assert "Waits to be sent" not in page
    assert "came back" not in browser.get("/me").content.decode()
    ((which,),) = owner.execute("SELECT notice FROM troth.notice_outcome WHERE subject = %s", (whose,)).fetchall()
    bounce(which)
    assert "The last mail to you came back" in browser.get("/me").content.decode()
    assert "Volvió" in browser.get("/me/notices", headers={"accept-language": "es"}).content.decode()
    assert "Charlie" not in page

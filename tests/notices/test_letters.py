"""Where the policy tells people by letter: who is owed one, lists that are written down for whoever is on them, and what left."""

import csv
import io
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection, errors

from tests.browsing import Browser
from tests.conftest import POLICY, TERMS, Person, employ
from tests.consent.test_scheduling import later
from tests.notices.mailing import SENDER
from tests.people.test_fields import agree
from tests.web.second import hire
from troth.consent import coming, letters, publishing, scheduling
from troth.consent.errors import NothingToPublish
from troth.consent.letters import Letter
from troth.database import apply, connect, published
from troth.ledger import queries as ledger
from troth.notices import delivery, outbox, queries
from troth.notices.delivery import Route, deliver
from troth.people import fielding, profiles
from troth.policy.compare import Verdict

#: A policy that tells people by letter, and holds where they live.
LETTERS = (
    POLICY.read_text(encoding="utf-8")
    .replace(" version 1 ", " version 2 ")
    .replace("notify by e-mail", "notify by letter")
    .replace("person.phone", "person.address")
)
REDUCED = LETTERS.replace(" version 2 ", " version 3 ").replace(
    "understand 30 days as network", "understand 60 days as network"
)
FIELD = """
[address]
type = "long text"
category = "person.address"
label = { en = "Postal address", es = "Dirección postal" }
"""
ADDRESS = "7 Quay Street\nHarbor"


@pytest.fixture
def people(cast: dict[str, Person], owner: Connection[Any]) -> Iterator[dict[str, Person]]:
    """The cast under such a policy: Alice says where she lives, Dana publishes."""
    apply.apply(owner, LETTERS, TERMS)
    fielding.declare(owner, {"text": FIELD})
    published.forget()
    for each in cast.values():
        agree(owner, each)
    coming.follow(owner)
    owner.execute("DELETE FROM troth.notice")
    profiles.tell(token=cast["alice"].token, field=profiles.fields()[0], value=ADDRESS)
    employ(owner, cast["dana"], "publisher")
    yield cast
    published.forget()


def in_force(people: dict[str, Person], owner: Connection[Any]) -> UUID:
    """Put the version into force that is owed by letter, to which Dana then agrees; return what is told of it."""
    apply.apply(owner, REDUCED, TERMS)
    published.forget()
    telling = follow(owner, 3)
    agree(owner, people["dana"])
    return telling


def others(people: dict[str, Person]) -> set[UUID]:
    """Return everybody but Dana, who has agreed."""
    return {each.subject for each in people.values()} - {people["dana"].subject}


def follow(owner: Connection[Any], version: int) -> UUID:
    for _ in range(4):
        coming.follow(owner)
    return next(each.telling for each in coming.tellings() if each.version == version)


def waiting(owner: Connection[Any]) -> set[UUID]:
    return {row[0] for row in owner.execute("SELECT subject FROM troth.notice WHERE channel = 'letter'").fetchall()}


def test_everybody_is_owed_a_letter_and_no_mail_server_gets_it(
    people: dict[str, Person], owner: Connection[Any]
) -> None:
    telling = in_force(people, owner)
    assert waiting(owner) == {each.subject for each in people.values()}
    rows = owner.execute("SELECT DISTINCT channel, address, template FROM troth.notice WHERE batch = %s", (telling,))
    assert rows.fetchall() == [("letter", "", "letter")], "no address waits, and there is no mail"
    for many in (False, True):
        deliver(Route("", SENDER, keep=True), many=many)
    assert waiting(owner) == {each.subject for each in people.values()}
    with connect.acting("steward") as steward:
        assert outbox.has_room(steward), "letters that wait keep no mail back"
    assert queries.sends()[telling].waiting == len(people)


def test_a_list_says_who_and_where_as_a_purpose_may_know_it_and_is_written_down_for_each(
    people: dict[str, Person], owner: Connection[Any]
) -> None:
    telling, alice, dana = in_force(people, owner), people["alice"], people["dana"]
    found = {each.subject: each for each in letters.taken(viewer=dana.token, telling=telling)}
    assert found.keys() == others(people)
    told = found[alice.subject]
    assert (told.name, told.address, told.before, told.language) == ("Alice", (ADDRESS,), 2, "en")
    assert found[people["bob"].subject].address == (), "who said nothing has none"
    line = str(letters.told(told, 3))
    assert "@" not in line, "no address that they are mailed at"
    assert str(alice.subject) not in line, "nor their number"
    agree(owner, alice)
    with connect.acting("self", token=alice.token) as mine:
        entries = [each.facts for each in ledger.about(mine, alice.subject) if each.action == "letter-listed"]
    assert entries == [{"version": 3}]


def test_whom_no_purpose_by_agreement_may_know_has_a_number_alone(
    people: dict[str, Person], owner: Connection[Any]
) -> None:
    """The control: what stands on the envelope is read as a purpose, row by row."""
    telling, alice = in_force(people, owner), people["alice"]
    owner.execute("UPDATE troth.person SET uses = 0 WHERE subject = %s", (alice.subject,))
    owner.execute("UPDATE troth.profile SET uses = 0 WHERE subject = %s", (alice.subject,))
    found = {each.subject: each for each in letters.taken(viewer=people["dana"].token, telling=telling)}
    assert (found[alice.subject].name, found[alice.subject].address) == (None, ())
    assert found[people["bob"].subject].name == "Bob"


def test_sending_goes_on_where_it_stopped_and_each_person_sees_what_became_of_theirs(
    people: dict[str, Person], owner: Connection[Any]
) -> None:
    telling, dana = in_force(people, owner), people["dana"]

    def taken() -> list[Letter]:
        return letters.taken(viewer=dana.token, telling=telling, many=2)

    first = taken()
    assert [each.letter for each in taken()] == [each.letter for each in first], "until they left it is the same list"
    assert letters.settle(viewer=dana.token, telling=telling, letters=[first[0].letter], how="sent") == 1
    assert letters.settle(viewer=dana.token, telling=telling, letters=[first[0].letter], how="sent") == 0, "once"
    second = taken()
    assert second[0].letter == first[1].letter
    assert {each.subject for each in second} == waiting(owner) - {dana.subject}
    whose = {each.subject: each for each in people.values()}

    def status(letter: Letter) -> tuple[str | None, str | None]:
        (notice,) = queries.notices(whose[letter.subject].token)
        return notice.template, notice.status

    for each in others(people):
        agree(owner, whose[each])
    assert status(second[1]) == ("letter", "queued")
    assert letters.settle(viewer=dana.token, telling=telling, letters=None, how="failed") == 2
    assert taken() == []
    send = queries.sends()[telling]
    assert (send.sent, send.failed, send.withdrawn, send.waiting) == (1, 2, 1, 0)
    assert (status(first[0]), status(second[1])) == (("letter", "sent"), ("letter", "failed"))
    entries = owner.execute("SELECT facts FROM troth.ledger_entry WHERE action = 'letters-settled' ORDER BY index")
    assert [row[0] for row in entries] == [{"letters": 1, "outcome": "sent"}, {"letters": 2, "outcome": "failed"}]


def test_a_letter_on_no_list_has_not_left(people: dict[str, Person], owner: Connection[Any]) -> None:
    telling = in_force(people, owner)
    assert letters.settle(viewer=people["dana"].token, telling=telling, letters=None, how="sent") == 0


@pytest.mark.parametrize("role", ["support", "auditor", "analyst", None])
def test_nobody_else_takes_a_list(people: dict[str, Person], owner: Connection[Any], role: str | None) -> None:
    telling, bob = in_force(people, owner), people["bob"]
    if role:
        employ(owner, bob, role)
    with pytest.raises(NothingToPublish):
        letters.taken(viewer=bob.token, telling=telling)
    with pytest.raises(NothingToPublish):
        letters.settle(viewer=bob.token, telling=telling, letters=None, how="sent")
    assert owner.execute("SELECT count(*) FROM troth.ledger_entry WHERE action = 'letter-listed'").fetchone() == (0,)


def test_what_is_withdrawn_is_told_to_whom_a_letter_left_and_goes_from_the_others(
    people: dict[str, Person], owner: Connection[Any]
) -> None:
    publishing.publish(owner, publishing.asked(later(REDUCED), TERMS, Verdict.EDITORIAL, key=True))
    telling, dana = follow(owner, 3), people["dana"]
    (gone,) = letters.taken(viewer=dana.token, telling=telling, many=1)
    letters.settle(viewer=dana.token, telling=telling, letters=None, how="sent")
    scheduling.withdraw(owner, {"version": 3})
    follow(owner, 3)
    assert waiting(owner) == {gone.subject}
    back = next(each for each in coming.tellings() if each.kind == "withdrawn")
    (letter,) = letters.taken(viewer=dana.token, telling=back.telling)
    assert (letter.subject, letter.withdrawn) == (gone.subject, True)


def test_whoever_has_agreed_since_is_on_no_list_and_owed_nothing(
    people: dict[str, Person], owner: Connection[Any]
) -> None:
    telling, dana, alice, bob = in_force(people, owner), people["dana"], people["alice"], people["bob"]
    agree(owner, alice)
    listed = {each.subject for each in letters.taken(viewer=dana.token, telling=telling)}
    assert listed == waiting(owner) == others(people) - {alice.subject}
    assert queries.sends()[telling].withdrawn == 2
    agree(owner, bob)
    assert bob.subject not in {each.subject for each in letters.taken(viewer=dana.token, telling=telling)}
    assert letters.settle(viewer=dana.token, telling=telling, letters=None, how="sent") == len(listed), "his was on one"


def test_without_that_whoever_has_agreed_since_would_be_written_to(
    people: dict[str, Person], owner: Connection[Any]
) -> None:
    """The control taken away."""
    telling = in_force(people, owner)
    without(owner, "list_letters", "IF each.agreed THEN")
    found = letters.taken(viewer=people["dana"].token, telling=telling)
    assert {each.subject for each in found} == {each.subject for each in people.values()}


def test_a_letter_on_a_list_may_have_been_posted_and_its_person_is_told_of_the_withdrawal(
    people: dict[str, Person], owner: Connection[Any]
) -> None:
    publishing.publish(owner, publishing.asked(later(REDUCED), TERMS, Verdict.EDITORIAL, key=True))
    telling, dana = follow(owner, 3), people["dana"]
    (listed,) = letters.taken(viewer=dana.token, telling=telling, many=1)
    scheduling.withdraw(owner, {"version": 3})
    assert letters.taken(viewer=dana.token, telling=telling) == [], "nobody is told of it any more"
    follow(owner, 3)
    back = next(each for each in coming.tellings() if each.kind == "withdrawn")
    (letter,) = letters.taken(viewer=dana.token, telling=back.telling)
    assert (letter.subject, letter.withdrawn) == (listed.subject, True)
    assert letters.settle(viewer=dana.token, telling=telling, letters=[listed.letter], how="sent") == 1


def test_what_is_put_on_a_list_at_that_moment_is_told_too(people: dict[str, Person], owner: Connection[Any]) -> None:
    """Whoever tells of the withdrawal waits for a list that is being taken."""
    publishing.publish(owner, publishing.asked(later(REDUCED), TERMS, Verdict.EDITORIAL, key=True))
    telling, alice = follow(owner, 3), people["alice"].subject
    scheduling.withdraw(owner, {"version": 3})
    owner.execute(coming.SQL["begin_withdrawing"].encode())
    with ThreadPoolExecutor(1) as pool:
        with owner.transaction():
            owner.execute("UPDATE troth.notice SET tries = 1 WHERE subject = %s AND batch = %s", (alice, telling))
            told = pool.submit(tell)
            wait_for_it(owner, told)
        told.result(30)
    back = next(each for each in coming.tellings() if each.kind == "withdrawn")
    rows = owner.execute("SELECT subject FROM troth.notice WHERE batch = %s", (back.telling,)).fetchall()
    assert rows == [(alice,)]


def wait_for_it(owner: Connection[Any], told: Future[None]) -> None:
    """Wait until it waits for a row."""
    deadline = time.monotonic() + 30
    while not owner.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
        assert not told.done(), "it did not wait"
        assert time.monotonic() < deadline, "it neither waits nor ends"
        time.sleep(0.02)


def tell() -> None:
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.tell_some(100)")


@pytest.mark.parametrize("how", ["left", "", None])
def test_nothing_else_is_said_of_a_letter(people: dict[str, Person], owner: Connection[Any], how: str | None) -> None:
    telling, dana = in_force(people, owner), people["dana"]
    letters.taken(viewer=dana.token, telling=telling)
    said = "SELECT troth.settle_letters(%s, NULL, %s)"
    with pytest.raises(errors.InvalidParameterValue), connect.acting("staff", token=dana.token) as staff:
        staff.execute(said, (telling, how))
    assert waiting(owner) == others(people)
    without(owner, "settle_letters", "IF coalesce(how NOT IN ('sent', 'failed'), true) THEN")
    if how == "left":
        with pytest.raises(errors.CheckViolation), connect.acting("staff", token=dana.token) as staff:
            staff.execute(said, (telling, how))


def without(owner: Connection[Any], function: str, control: str) -> None:
    """Take a control away."""
    row = owner.execute("SELECT pg_get_functiondef(%s::regproc)", (f"troth.{function}",)).fetchone()
    assert row
    assert control in row[0]
    owner.execute(row[0].replace(control, "IF false THEN").encode())


def test_whoever_delivers_walks_past_no_letter(people: dict[str, Person], owner: Connection[Any]) -> None:
    owner.execute(
        "INSERT INTO troth.notice (subject, address, template, facts, batch, channel)"
        " SELECT gen_random_uuid(), '', 'letter', '{}', CASE WHEN n %% 2 = 0 THEN uuidv7() END, 'letter'"
        " FROM generate_series(1, 2000) AS n",
        (),
    )
    owner.execute("SET enable_seqscan = off")
    for name in ("due", "due_of_many"):
        plan = owner.execute(b"EXPLAIN (ANALYZE) " + delivery.SQL[name].encode()).fetchall()
        assert "Rows Removed" not in str(plan), plan
    owner.execute("RESET enable_seqscan")


def test_by_message_nobody_is_written_to_and_the_page_says_where_people_see_it(
    people: dict[str, Person], owner: Connection[Any]
) -> None:
    text = LETTERS.replace(" version 2 ", " version 3 ").replace("notify by letter", "notify by message")
    apply.apply(owner, text, TERMS)
    follow(owner, 3)
    owner.execute("DELETE FROM troth.notice")
    apply.apply(owner, REDUCED.replace(" version 3 ", " version 4 "), TERMS)
    published.forget()
    follow(owner, 4)
    assert owner.execute("SELECT count(*) FROM troth.notice").fetchone() == (0,)
    (told,) = (each for each in coming.tellings() if each.version == 4)
    assert (told.channel, told.told, told.done_at is not None) == ("message", 0, True)


@pytest.fixture
def olga(browser: Browser, people: dict[str, Person], owner: Connection[Any]) -> Browser:
    hire(owner, browser, browser.sign_up(owner, "olga@harbor.example", "Olga"), "publisher")
    return browser


def test_the_pages_count_hand_out_a_list_and_take_down_what_left(
    olga: Browser, people: dict[str, Person], owner: Connection[Any]
) -> None:
    telling = in_force(people, owner)
    assert olga.agree().status_code == 302
    page = olga.get("/operator/letters").content.decode()
    assert f"<dt>Owed and not sent</dt><dd>{len(people) + 1}</dd>" in page
    assert "They left" not in page, "none is on a list"
    answer = olga.post("/operator/letters", {"telling": telling, "do": "list"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="letters-3.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert len(rows) == len(others(people))
    assert list(rows[0]) == ["letter", "name", "address", "language", "version", "before", "what"]
    assert not [each for each in people.values() if str(each.subject) in answer.content.decode()]
    assert {"name": "Alice", "address": ADDRESS} in [{key: row[key] for key in ("name", "address")} for row in rows]
    told = {"telling": telling, "do": "sent", "letters": f"{rows[0]['letter']}\n{rows[1]['letter']}\n"}
    olga.post("/operator/letters", told)
    page = olga.get("/operator/letters").content.decode()
    assert "It is noted of 2 letters." in page
    assert "<dt>Sent</dt><dd>2</dd>" in page
    assert "All that are on a list, whoever took it" in page
    olga.post("/operator/letters", {"telling": telling, "do": "sent", "letters": "nothing"})
    assert "Write the numbers of letters" in olga.get("/operator/letters").content.decode()
    olga.post("/operator/letters", {"telling": telling, "do": "sent", "all": "1"})
    page = olga.get("/operator/letters").content.decode()
    assert "<dt>Owed and not sent</dt><dd>0</dd>" in page
    assert 'href="/operator/letters"' in olga.get("/operator/notices").content.decode()
    for nonsense in ({"telling": "x"}, {"telling": telling, "do": "x"}, {"telling": UUID(int=3), "do": "list"}):
        assert olga.post("/operator/letters", nonsense).status_code == 404


def test_a_name_that_a_spreadsheet_would_run_is_made_harmless(
    olga: Browser, people: dict[str, Person], owner: Connection[Any]
) -> None:
    owner.execute("UPDATE troth.person SET name = '=1+1' WHERE subject = %s", (people["bob"].subject,))
    telling = in_force(people, owner)
    olga.agree()
    text = olga.post("/operator/letters", {"telling": telling, "do": "list"}).content.decode()
    assert "'=1+1" in {row["name"] for row in csv.DictReader(io.StringIO(text))}


def test_the_page_of_a_version_says_how_people_are_told_of_it(
    olga: Browser, people: dict[str, Person], owner: Connection[Any]
) -> None:
    told = {"viewer": people["dana"].token, "source": later(REDUCED), "terms": TERMS}
    page = f"/operator/publishing/{publishing.propose(**told)}"  # type: ignore[arg-type] # a token, and texts
    assert "How people are told" not in olga.get(page).content.decode()
    owner.execute(
        "DELETE FROM troth.staff WHERE subject = %s", (people["dana"].subject,)
    )  # a second person is not needed
    publishing.publish(owner, publishing.asked(later(REDUCED), TERMS, Verdict.EDITORIAL, key=True))
    follow(owner, 3)
    said = olga.get(page).content.decode()
    assert "by letter" in said
    assert "0 sent, 5 owed and not sent" in said
    assert 'href="/operator/letters"' in said
    owner.execute("UPDATE troth.policy_telling SET channel = 'message' WHERE version = 3")
    assert "<code>/coming</code>" in olga.get(page).content.decode()

"""P19, P27: an anonymous identifier is tied to nothing sensitive and to nobody, whoever writes the statement."""

import hashlib
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import Connection, errors, sql

from tests.conftest import POLICY, TERMS, Person
from tests.consent.lending import NAME, offer
from tests.intake.test_apart import SENSITIVE
from tests.records.conftest import SIGNED_IN, write
from troth.consent import permissions
from troth.consent.errors import ConsentRefusal
from troth.database import apply, connect, published
from troth.database.catalog import load
from troth.database.drift import drift
from troth.policy import parse, subjects
from troth.policy.apart import PEOPLE
from troth.policy.meaning import Whose
from troth.policy.plan import plan
from troth.policy.roles import LOGINS

FIRST = POLICY.read_text(encoding="utf-8")
COOKIE = "what the cookie holds"
RULED_OUT = FIRST.replace(
    "correlate access.url with person.name [P27]", "never correlate access.url with person.name [P27]"
)


@pytest.fixture
def known(cast: dict[str, Person], owner: Connection[Any]) -> uuid.UUID:
    """A browser that is known, by the doors that the pages use."""
    return make_known(owner)


def make_known(owner: Connection[Any], cookie: str = COOKIE) -> uuid.UUID:
    whose = subjects.identifier()
    newest = owner.execute(
        "SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1"
    ).fetchone()
    assert newest is not None
    digest = hashlib.sha256(cookie.encode()).digest()
    with connect.acting("door") as door:
        door.execute("SELECT troth.claim(%s)", (whose,))
        door.execute("INSERT INTO troth.subject (subject, kind) VALUES (%s, 'anonymous')", (whose,))
        door.execute("SELECT troth.agree(%s, %s, %s, %s, 'browser', 'I agree.', 'en')", (whose, *newest))
        door.execute("SELECT troth.consent_of_identifier(%s, '{personalise}')", (whose,))
        door.execute(
            "INSERT INTO troth.identifier (subject, digest, until) VALUES (%s, %s, now() + interval '1 day')",
            (whose, digest),
        )
        door.execute("SELECT troth.open_token(%s, %s, now() + interval '1 day')", (whose, digest))
    return whose


def left(whose: uuid.UUID, **more: Any) -> None:
    """Store an access of somebody's as the intake does."""
    row = {"subject": whose, "url": "/left", **more}
    statement = sql.SQL(
        "INSERT INTO troth.access (at, id, {columns}) VALUES (statement_timestamp(), uuidv7(), {values})"
    )
    with connect.acting("intake") as intake:
        intake.execute(
            statement.format(
                columns=sql.SQL(", ").join(map(sql.Identifier, row)),
                values=sql.SQL(", ").join(map(sql.Literal, row.values())),
            )
        )


@given(st.integers(0, 2**128 - 1), st.sampled_from((1, 3, 4, 5, 6, 7)))
@example(2**128 - 1, 4)
@example(2**128 - 1, 7)
def test_no_persons_number_is_an_identifiers(bits: int, version: int) -> None:
    number = uuid.UUID(int=bits & ~(0xF << 76) & ~(0x3 << 62) | version << 76 | 0x2 << 62)
    assert subjects.whose(number) is Whose.PERSON


def test_an_identifiers_number_is_no_persons() -> None:
    for _ in range(1000):
        made = subjects.identifier()
        assert (subjects.whose(made), made.version, made.variant) == (Whose.IDENTIFIER, 8, uuid.RFC_4122)


def test_nobody_is_told_to_be_what_they_are_not(known: uuid.UUID, owner: Connection[Any]) -> None:
    for number, kind in ((uuid.uuid4(), "anonymous"), (subjects.identifier(), "person")):
        with pytest.raises(errors.CheckViolation):
            owner.execute("INSERT INTO troth.subject (subject, kind) VALUES (%s, %s)", (number, kind))


def test_only_tables_that_say_so_take_rows_of_identifiers_whoever_writes_them(
    known: uuid.UUID, owner: Connection[Any]
) -> None:
    """Walks the catalog: a table that holds rows of subjects and is not in the list must refuse even its owner."""
    refused = set()
    for table in load():
        if not (table.bound and table.by_subject):
            continue
        held = owner.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s",
            (f"troth.{table.name}", PEOPLE),
        ).fetchone()
        assert (held is None) is table.unknown, table.name
        if held:
            refused.add(table.name)
    assert refused >= {"person", "profile", "membership", "person_grant", "crash", "device", "session", "staff"}
    with pytest.raises(errors.CheckViolation, match=PEOPLE):
        owner.execute("INSERT INTO troth.person (subject, name) VALUES (%s, 'Somebody')", (known,))
    with pytest.raises(errors.CheckViolation, match=PEOPLE):
        owner.execute("INSERT INTO troth.staff (subject, role) VALUES (%s, 'owner')", (known,))


def test_a_check_that_is_taken_away_is_drift_and_comes_back(known: uuid.UUID, owner: Connection[Any]) -> None:
    owner.execute("ALTER TABLE troth.person DROP CONSTRAINT people_alone")
    assert f"person.{PEOPLE}" in str(drift(owner))
    apply.apply(owner, FIRST, TERMS)
    assert not drift(owner)


@pytest.fixture
def sensitive(known: uuid.UUID, owner: Connection[Any]) -> Iterator[uuid.UUID]:
    """What a browser left, and a version by which where somebody came from is sensitive."""
    with connect.acting("intake") as intake:
        intake.execute(
            "INSERT INTO troth.access (subject, at, id, url) VALUES (%s, statement_timestamp(), uuidv7(), '/left')",
            (known,),
        )
    # Under an earlier version it was none, and stood there.
    owner.execute("UPDATE troth.access SET referrer = 'https://clinic.example/' WHERE subject = %s", (known,))
    apply.apply(owner, SENSITIVE, TERMS)
    published.forget()
    yield known
    connect.close()


def test_what_becomes_sensitive_leaves_identifiers_at_once_and_never_comes_back(
    sensitive: uuid.UUID, owner: Connection[Any]
) -> None:
    assert owner.execute("SELECT referrer FROM troth.access WHERE subject = %s", (sensitive,)).fetchall() == [(None,)]
    with pytest.raises(errors.CheckViolation, match="apart_referrer"):
        owner.execute("UPDATE troth.access SET referrer = 'x' WHERE subject = %s", (sensitive,))
    with pytest.raises(errors.CheckViolation, match="apart_referrer"):
        owner.execute(
            "INSERT INTO troth.access (subject, at, id, referrer)"
            " VALUES ('00000000-0000-0000-0000-000000000000', now(), uuidv7(), 'x')"
        )
    # Stamps are still mended: nothing stumbles over what stood there.
    folded = owner.execute("SELECT troth.fold(%s)", (sensitive,)).fetchone()
    assert owner.execute("SELECT uses FROM troth.access WHERE subject = %s", (sensitive,)).fetchone() == folded


def test_nobody_ties_where_something_sensitive_is_collected(
    sensitive: uuid.UUID, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """Through the account an identifier would be tied to that."""
    again(owner, cast["alice"])
    with pytest.raises(psycopg.Error) as told, connect.acting("self", token=cast["alice"].token) as alice:
        alice.execute("SELECT troth.tie_identifier(%s)", (COOKIE,))
    assert told.value.sqlstate == "TR081"


def again(owner: Connection[Any], person: Person) -> None:
    """Let somebody agree to what is in force."""
    newest = owner.execute(
        "SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1"
    ).fetchone()
    assert newest is not None
    with connect.acting("door") as door:
        door.execute("SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", (person.subject, *newest))


def test_a_version_that_rules_it_out_unties_what_was_tied(
    known: uuid.UUID, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    with connect.acting("self", token=alice.token) as mine:
        mine.execute("SELECT troth.tie_identifier(%s)", (COOKIE,))
        assert mine.execute("SELECT identifier FROM troth.tied_identifiers()").fetchall() == [(known,)]
    apply.apply(owner, RULED_OUT.replace("version 1 effective", "version 2 effective"), TERMS)
    again(owner, alice)
    with connect.acting("self", token=alice.token) as mine:
        assert mine.execute("SELECT identifier FROM troth.tied_identifiers()").fetchall() == []
        with pytest.raises(psycopg.Error) as told:
            mine.execute("SELECT troth.look_at_tied(%s, sha256('x'))", (known,))
    assert told.value.sqlstate == "TR080"
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.end_identifiers()")
    assert owner.execute("SELECT count(*) FROM troth.tied").fetchone() == (0,)
    assert owner.execute("SELECT tied_at FROM troth.identifier").fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("source", "clause"),
    [
        (FIRST, "correlate-access-url-with-person-name"),
        (RULED_OUT, ""),
        (FIRST.replace("correlate access.url with person.name [P27]\n", ""), ""),
        (FIRST.replace("correlate access.url with person.name", "correlate crash.report with person.name"), ""),
        (FIRST.replace("correlate access.url with person.name", "correlate access.url with crash.report"), ""),
    ],
)
def test_the_policy_says_whether_anything_may_be_tied(source: str, clause: str) -> None:
    assert plan(parse.read(source, "test.troth"), load()).tying == clause


def test_no_purpose_and_no_audience_reads_who_tied_what(known: uuid.UUID, cast: dict[str, Person]) -> None:
    """Nothing leads from a person to an identifier but what its person asks."""
    with connect.acting("self", token=cast["alice"].token) as mine:
        mine.execute("SELECT troth.tie_identifier(%s)", (COOKIE,))
    purposes = [unit.purpose for unit in published.current().plan.units]
    for role in (*purposes, *LOGINS):
        with pytest.raises(errors.InsufficientPrivilege), connect.acting(role) as other:
            other.execute("SELECT subject FROM troth.tied")


def test_the_intake_stores_of_an_identifier_what_is_collected_of_one_and_no_more(known: uuid.UUID) -> None:
    left(known, ip="192.0.2.0/24")
    for more in ({"ip": "192.0.2.7"}, {"referrer": "https://from.example/"}, {"system": "Linux"}):
        with pytest.raises(errors.InsufficientPrivilege):
            left(known, **more)
    with pytest.raises(errors.InsufficientPrivilege), connect.acting("intake") as intake:
        intake.execute(
            "INSERT INTO troth.crash (subject, at, id, application) VALUES (%s, statement_timestamp(), uuidv7(), 'notes')",
            (known,),
        )


def test_a_purpose_sees_of_identifiers_what_they_said_yes_to(known: uuid.UUID) -> None:
    left(known)
    question = "SELECT count(*) FROM access WHERE url = '/left'"
    with connect.acting("personalise") as reader:
        assert reader.execute(question).fetchone() == (1,)
    with connect.acting("self", token=COOKIE) as mine:
        mine.execute("SELECT troth.choose('personalise', 'withdrawal')")
    with connect.acting("personalise") as reader:
        assert reader.execute(question).fetchone() == (0,)


def test_nobody_consents_for_another_or_for_a_person(known: uuid.UUID, cast: dict[str, Person]) -> None:
    for whose in (known, cast["alice"].subject):
        with pytest.raises(psycopg.Error) as told, connect.acting("door") as door:
            door.execute("SELECT troth.consent_of_identifier(%s, '{announce}')", (whose,))
        assert told.value.sqlstate == "TR080"


def test_an_identifier_ties_itself_to_nothing_and_ends_nobody_else(
    known: uuid.UUID, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    for statement, code in (
        ("SELECT troth.tie_identifier(%s)", "TR003"),
        ("SELECT troth.found_organization(%s)", "42501"),
    ):
        with pytest.raises(psycopg.Error) as told, connect.acting("self", token=COOKIE) as mine:
            mine.execute(statement, (COOKIE,))
        assert told.value.sqlstate == code
    with pytest.raises(psycopg.Error) as told, connect.acting("self", token=cast["alice"].token) as alice:
        alice.execute("SELECT troth.end_identifier()")
    assert told.value.sqlstate == "TR080"


def test_one_that_is_past_its_time_ends_by_itself(known: uuid.UUID, owner: Connection[Any]) -> None:
    def end() -> None:
        with connect.acting("steward") as steward:
            while (steward.execute("SELECT troth.end_identifiers()").fetchone() or (0,))[0]:
                pass

    end()
    assert owner.execute("SELECT ended_at FROM troth.subject WHERE subject = %s", (known,)).fetchone() == (None,)
    owner.execute("UPDATE troth.identifier SET until = now()")
    end()
    assert owner.execute("SELECT ended_at IS NOT NULL FROM troth.subject WHERE subject = %s", (known,)).fetchone() == (
        True,
    )


def test_one_whose_consent_is_withdrawn_ends_too(known: uuid.UUID, owner: Connection[Any]) -> None:
    with connect.acting("self", token=COOKIE) as mine:
        mine.execute("SELECT troth.choose('personalise', 'withdrawal')")
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
        steward.execute("SELECT troth.end_identifiers()")
    assert owner.execute("SELECT ended_at IS NOT NULL FROM troth.subject WHERE subject = %s", (known,)).fetchone() == (
        True,
    )


def test_one_that_no_browser_can_show_any_more_ends(known: uuid.UUID, owner: Connection[Any]) -> None:
    """No backup holds what lets somebody in: restored, what was left would be nobody's to end."""
    owner.execute("DELETE FROM troth.request_token WHERE subject = %s", (known,))
    with connect.acting("steward") as steward:
        assert steward.execute("SELECT troth.end_identifiers()").fetchone() == (1,)


def test_whoever_is_known_by_a_browser_alone_is_not_signed_in(known: uuid.UUID, cast: dict[str, Person]) -> None:
    """What people let be seen, or post, is for people: an identifier joined to it would be joined to who they are."""
    alice = cast["alice"]
    link = offer(alice, NAME)
    write(alice, "to everyone signed in", SIGNED_IN)
    assert permissions.offered(COOKIE, link) is None
    for accepts in (True, False):
        with pytest.raises(ConsentRefusal):
            permissions.answer(token=COOKIE, link=link, accepts=accepts)
    for question in ("SELECT text FROM troth.post", "SELECT name FROM troth.person"):
        with connect.acting("reader", token=cast["bob"].token) as reader:
            assert len(reader.execute(question.encode()).fetchall()) == 1
        with connect.acting("reader", token=COOKIE) as reader:
            assert reader.execute(question.encode()).fetchall() == []


def test_answers_are_peoples(known: uuid.UUID, cast: dict[str, Person], owner: Connection[Any]) -> None:
    """What is asked of everybody is counted of people: each of them once, and of none who has no account."""
    for name in ("alice", "bob", "charlie", "dana"):
        with connect.acting("self", token=cast[name].token) as mine:
            mine.execute("SELECT troth.choose('personalise', 'consent')")
    asked = "SELECT yes FROM troth.answers('personalise', '-infinity', 'infinity')"
    assert owner.execute(asked).fetchone() == (None,)


def test_what_ends_while_it_is_tied_is_tied_to_nobody_and_keeps_no_account_open(
    known: uuid.UUID, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    outcomes: list[str] = []

    def end() -> None:
        with connect.acting("self", token=COOKIE) as mine:
            mine.execute("SELECT troth.end_identifier()")
        outcomes.append("ended")

    with connect.acting("self", token=alice.token) as mine:
        mine.execute("SELECT troth.tie_identifier(%s)", (COOKIE,))
        ending = threading.Thread(target=end)
        ending.start()
        waiting(owner)
    ending.join(30)
    assert outcomes == ["ended"]
    assert owner.execute("SELECT count(*) FROM troth.tied").fetchone() == (0,)
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (alice.subject,))


def test_what_is_tied_while_it_ends_is_tied_to_nobody(
    known: uuid.UUID, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    outcomes: list[str | None] = []

    def tie() -> None:
        try:
            with connect.acting("self", token=cast["alice"].token) as mine:
                mine.execute("SELECT troth.tie_identifier(%s)", (COOKIE,))
        except psycopg.Error as error:
            outcomes.append(error.sqlstate)

    with connect.acting("self", token=COOKIE) as mine:
        mine.execute("SELECT troth.end_identifier()")
        tying = threading.Thread(target=tie)
        tying.start()
        waiting(owner)
    tying.join(30)
    assert outcomes == ["TR080"]
    assert owner.execute("SELECT count(*) FROM troth.tied").fetchone() == (0,)


def waiting(owner: Connection[Any]) -> None:
    """Return when somebody waits for a lock that another holds."""
    deadline = time.monotonic() + 30
    while owner.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone() == (0,):
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.02)


def test_what_is_tied_ends_with_its_account_in_the_order_in_which_rows_come_in(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """Whoever stores rows takes their subjects' buckets from the least on: who took them otherwise would meet them."""

    def bucket(subject: uuid.UUID) -> int:
        row = owner.execute("SELECT uuid_hash(%s) & 1023", (subject,)).fetchone()
        assert row is not None
        return int(row[0])

    person = min(cast.values(), key=lambda each: bucket(each.subject))
    numbers = iter(range(100))
    while bucket(make_known(owner, cookie := f"cookie {next(numbers)}")) <= bucket(person.subject):
        pass
    with connect.acting("self", token=person.token) as mine:
        mine.execute("SELECT troth.tie_identifier(%s)", (cookie,))

    def close() -> None:
        with connect.acting("door") as door:
            door.execute("SELECT troth.end_subject(%s, 'asked')", (person.subject,))

    with owner.transaction():
        owner.execute("SELECT pg_advisory_xact_lock_shared(7276, %s)", (bucket(person.subject),))
        closing = threading.Thread(target=close)
        closing.start()
        waiting(owner)
        held = owner.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7276 AND mode = 'ExclusiveLock' AND granted"
        ).fetchone()
    closing.join(30)
    assert held == (0,)
    assert owner.execute("SELECT count(*) FROM troth.tied").fetchone() == (0,)

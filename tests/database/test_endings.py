"""What ends: accounts, purposes and visits, while people and the intake go on, and nothing is left behind or stuck."""

import threading
import time
import uuid
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person, count, make
from troth.database import apply, connect, place
from troth.database.drift import drift
from troth.database.keeper import Keeper

FIRST = POLICY.read_text(encoding="utf-8")
NOBODY = uuid.UUID(int=0)
INSERT = (
    "INSERT INTO troth.access (subject, at, id, url, uses) SELECT s, statement_timestamp(), uuidv7(), '/', u"
    " FROM unnest(%s::uuid[], %s::bigint[]) AS t (s, u)"
)


def with_extra(number: int) -> str:
    """A version with a purpose more: everybody has to agree again."""
    text = as_before(number).replace(
        "# What is collected", 'purpose extra "try something" by consent [P3]\n\n# What is collected'
    )
    here = "    for personalise while consented\ncollect device.model"
    assert here in text
    return text.replace(here, here.replace("\ncollect", "\n    for extra while consented\ncollect"))


def as_before(number: int) -> str:
    """Without it: nobody has to agree again, and its bit retires."""
    return FIRST.replace("version 1 effective", f"version {number} effective")


def wider(number: int, days: int) -> str:
    return as_before(number).replace("for understand 30 days as network", f"for understand {days} days as network")


def choose(person: Person, purpose: str, kind: str) -> None:
    with connect.acting("self", token=person.token) as mine:
        mine.execute("SELECT troth.choose(%s, %s)", (purpose, kind))


def end(person: Person) -> None:
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (person.subject,))


def sweep() -> None:
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")


def agree(person: Person, owner: Connection[Any]) -> None:
    newest = apply.newest(owner)
    assert newest is not None
    with connect.acting("door") as door:
        door.execute(
            "SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')",
            (person.subject, newest.version, newest.digest, newest.terms_digest),
        )


def test_a_sweep_and_a_correction_do_not_wait_for_each_other_forever(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    """Stepped: the sweep meets a person in the middle of an action that records last, as every action does."""
    alice, bob = cast["alice"], cast["bob"]
    apply.apply(owner, with_extra(2), TERMS)
    agree(alice, owner)
    choose(alice, "extra", "consent")
    apply.apply(owner, as_before(3), TERMS)
    end(bob)
    for table in ("access", "device", "agreement", "choice", "person"):
        owner.execute(f"DELETE FROM troth.{table} WHERE subject = %s".encode(), (bob.subject,))
    failed: list[BaseException] = []

    def swept() -> None:
        try:
            sweep()
        except psycopg.Error as error:
            failed.append(error)

    with psycopg.connect(**connect.parameters("self", database)) as mine:
        mine.execute("SELECT set_config('troth.token', %s, true)", (alice.token,))
        mine.execute("UPDATE troth.person SET name = 'Alicia'")
        thread = threading.Thread(target=swept)
        thread.start()
        time.sleep(0.5)
        mine.execute("SELECT troth.record('name-corrected', troth.viewer(), troth.viewer(), '{}')")
    thread.join(20)
    assert failed == []
    sweep()
    assert drift(owner).lines() == []
    assert owner.execute("SELECT count(*) FROM troth.subject WHERE subject = %s", (bob.subject,)).fetchone() == (0,)


def test_two_last_owners_who_leave_in_the_same_moment_leave_their_organization_an_owner(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    """Stepped: Bob's account ends while the end of Alice's is not committed, and neither counts on the other."""
    club = uuid.uuid4()
    owner.execute("INSERT INTO troth.organization (organization, name) VALUES (%s, 'Club')", (club,))
    owner.execute(
        "INSERT INTO troth.organization_role (organization, role, may) VALUES (%(org)s, 'owner', '{}'), (%(org)s, 'administrator', '{}')",
        {"org": club},
    )
    for name, role in (("alice", "owner"), ("bob", "owner"), ("charlie", "administrator")):
        owner.execute(
            "INSERT INTO troth.membership (subject, organization, role) VALUES (%s, %s, %s)",
            (cast[name].subject, club, role),
        )
    with psycopg.connect(**connect.parameters("door", database)) as hers:
        hers.execute("SELECT troth.end_subject(%s, 'asked')", (cast["alice"].subject,))
        thread = threading.Thread(target=end, args=(cast["bob"],))
        thread.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%end_subject%'"
        deadline = time.monotonic() + 20
        while owner.execute(waiting.encode()).fetchone() != (1,) and time.monotonic() < deadline:
            time.sleep(0.02)
    thread.join(20)
    found = owner.execute(
        "SELECT subject FROM troth.membership WHERE organization = %s AND role = 'owner' AND ended_at IS NULL", (club,)
    ).fetchall()
    assert found == [(cast["charlie"].subject,)]


class Load:
    """Statements of roles, repeated until told to stop; `done` counts them by kind."""

    def __init__(self, where: place.Place) -> None:
        self.where, self.stop = where, threading.Event()
        self.done, self.failed = [0, 0, 0], list[tuple[str, psycopg.Error]]()

    def repeat(self, which: int, role: str, statement: str, values: Any, tokens: tuple[str, ...] = ("",)) -> None:
        try:
            with psycopg.connect(**connect.parameters(role, self.where)) as connection:
                while not self.stop.is_set():
                    for token in tokens:
                        self.once(connection, statement, values, token)
                        self.done[which] += 1
        except psycopg.Error as error:
            self.failed.append((role, error))

    def once(self, connection: Connection[Any], statement: str, values: Any, token: str) -> None:
        connection.execute("SELECT set_config('troth.token', %s, true)", (token,))
        try:
            connection.execute(statement.encode(), values)
        except psycopg.DatabaseError as error:
            if error.sqlstate != "TR003":  # who has not agreed anew yet is no viewer
                raise
            connection.rollback()
        connection.commit()


def test_sweeping_a_retired_purpose_under_load_fails_nobody(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place
) -> None:
    people = [*cast.values(), *(make(owner, f"Many{number}") for number in range(20))]
    apply.apply(owner, with_extra(2), TERMS)
    for person in people:
        agree(person, owner)
        choose(person, "extra", "consent")
    load = Load(database)

    rows = ([person.subject for person in people[::-1]], [0] * len(people))
    mind = "SELECT troth.choose('understand', (ARRAY['objection', 'permission'])[1 + (random() * 1.98)::int % 2])"
    work: list[tuple[Any, ...]] = [(0, "intake", INSERT, rows), (0, "intake", INSERT, rows)]
    work += [(1, "self", mind, None, tuple(p.token for p in people)), (2, "steward", "SELECT troth.sweep()", None)]
    threads = [threading.Thread(target=load.repeat, args=each) for each in work]
    for thread in threads:
        thread.start()
    for number in (3, 5):
        apply.apply(owner, as_before(number), TERMS)
        time.sleep(1)
        apply.apply(owner, with_extra(number + 1), TERMS)
        for person in people:
            agree(person, owner)
            choose(person, "extra", "consent")
    load.stop.set()
    for thread in threads:
        thread.join(60)
    print(f"{load.done[0]} batches, {load.done[1]} choices, {load.done[2]} sweeps")
    assert load.failed == []
    assert min(load.done) > 3
    assert drift(owner).lines() == []


def test_rows_that_arrive_after_an_account_ended_end_with_it(cast: dict[str, Person], owner: Connection[Any]) -> None:
    """The intake's queue may hold a closed account's device: it must not stay for ever for want of an end."""
    alice = cast["alice"]
    end(alice)
    with connect.acting("intake") as intake:
        intake.execute("INSERT INTO troth.device (subject, device) VALUES (%s, %s)", (alice.subject, uuid.uuid4()))
        intake.execute(INSERT, ([alice.subject], [0]))
    sweep()
    endless = "SELECT (SELECT count(*) FROM troth.device WHERE subject = %(s)s AND ended_at IS NULL)"
    endless += " + (SELECT count(*) FROM troth.access WHERE subject = %(s)s AND ended_at IS NULL)"
    assert owner.execute(endless.encode(), {"s": alice.subject}).fetchone() == (0,)


#: What waits for whoever ends the account, and then finds it ended.
WAITING = {
    "a choice": "SELECT troth.choose('announce', 'consent')",
    "a code that links accounts": "SELECT troth.offer_link(sha256('code'))",
}


@pytest.mark.parametrize("what", WAITING)
def test_nobody_agrees_or_chooses_after_the_end(
    cast: dict[str, Person], owner: Connection[Any], database: place.Place, what: str
) -> None:
    alice, bob = cast["alice"], cast["bob"]
    end(alice)
    with pytest.raises(psycopg.Error) as refused:
        agree(alice, owner)
    assert refused.value.sqlstate == "TR006"
    # Stepped: it has begun before the end is committed, and finds it.
    failed: list[str | None] = []

    def late() -> None:
        try:
            with connect.acting("self", token=bob.token) as mine:
                mine.execute(WAITING[what].encode())
        except psycopg.Error as error:
            failed.append(error.sqlstate)

    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename LIKE %s"
    with psycopg.connect(**connect.parameters("door", database)) as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (bob.subject,))
        thread = threading.Thread(target=late)
        thread.start()
        until = time.monotonic() + 30
        while owner.execute(waiting, ("%_self",)).fetchone() == (0,) and time.monotonic() < until:
            time.sleep(0.02)
        door.commit()
    thread.join(10)
    assert failed == ["TR003"]
    given = "SELECT (SELECT count(*) FROM troth.choice WHERE subject = %(s)s AND kind = 'consent')"
    given += " + (SELECT count(*) FROM troth.link_offer WHERE subject = %(s)s)"
    assert owner.execute(given.encode(), {"s": bob.subject}).fetchone() == (0,)


def test_declining_never_takes_an_agreement_that_was_just_given(owner: Connection[Any], database: place.Place) -> None:
    """Stepped: an agreement is on its way when the same account is declined elsewhere."""
    newcomer = make(owner, "Newcomer", agreed=False)
    newest = apply.newest(owner)
    assert newest is not None
    failed: list[str | None] = []

    def decline() -> None:
        try:
            with connect.acting("door") as door:
                door.execute("SELECT troth.forget_unagreed(%s)", (newcomer.subject,))
        except psycopg.Error as error:
            failed.append(error.sqlstate)

    with psycopg.connect(**connect.parameters("door", database)) as door:
        door.execute(
            "SELECT troth.agree(%s, 1, %s, %s, 'test', 'I agree.', 'en')",
            (newcomer.subject, newest.digest, newest.terms_digest),
        )
        thread = threading.Thread(target=decline)
        thread.start()
        time.sleep(0.5)
        door.commit()
    thread.join(10)
    assert failed == ["TR007"]
    agreements = owner.execute("SELECT count(*) FROM troth.agreement WHERE subject = %s", (newcomer.subject,))
    assert agreements.fetchone() == (1,)


def test_visits_of_before_do_not_hold_a_retired_bit(cast: dict[str, Person], owner: Connection[Any]) -> None:
    """Otherwise a purpose that widens twice while a visit lasts could never widen a third time."""
    for number, days in enumerate((40, 50, 60, 70), start=2):
        with connect.acting("intake") as intake:
            intake.execute(INSERT, ([NOBODY], [0]))
        apply.apply(owner, wider(number, days), TERMS)
        sweep()
        sweep()
    assert drift(owner).lines() == []
    # A widened purpose still does not see the visits of before.
    assert count("understand", f"SELECT count(*) FROM access WHERE subject = '{NOBODY}'") == 0


def test_one_round_of_the_keeper_frees_a_bit_however_many_hold_it(
    database: place.Place, owner: Connection[Any]
) -> None:
    """A sweep takes some hundred people at a time; a purpose that waits for it could not widen for hours."""
    owner.execute(
        "WITH many AS (SELECT uuidv7() AS subject FROM generate_series(1, 1200)), here AS ("
        " INSERT INTO troth.subject (subject, kind) SELECT subject, 'person' FROM many RETURNING subject)"
        " INSERT INTO troth.permitted (subject, uses)"
        " SELECT subject, (SELECT bit_or(1::bigint << bit) FROM troth.unit) FROM many"
    )
    unswept = "SELECT count(*) FROM troth.unit WHERE retired_at IS NOT NULL AND swept_at IS NULL"
    apply.apply(owner, wider(2, 40), TERMS)
    sweep()
    assert owner.execute(unswept).fetchone() == (1,)
    Keeper(database).turn()
    assert owner.execute(unswept).fetchone() == (0,)


def test_a_consent_does_not_outlive_the_edition_it_was_given_to(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    apply.apply(owner, with_extra(2), TERMS)
    agree(alice, owner)
    choose(alice, "extra", "consent")
    assert count("extra", "SELECT count(*) FROM device") == 1
    apply.apply(owner, as_before(3), TERMS)
    connect.close()  # its role is another one now
    apply.apply(owner, with_extra(4), TERMS)
    agree(alice, owner)
    assert count("extra", "SELECT count(*) FROM device") == 0

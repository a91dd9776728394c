"""Support access (P25): only the person opens it, nothing is seen that is not recorded, and its end bites at once."""

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection, Error, errors

from tests.conftest import Person, again, employ, make, visit
from tests.planting import account
from troth.consent import support
from troth.consent.errors import NothingToSee, TooManyQuestions
from troth.database import connect

pytestmark = pytest.mark.usefixtures("django")
MAIL = {"en": {"subject": "Asked", "text": "in English"}, "es": {"subject": "Pedido", "text": "en español"}}
ALL = ["accesses", "profile"]


@pytest.fixture
def alice(owner: Connection[Any]) -> Person:
    alice = make(owner, "Alice")
    account(owner, alice.subject, alice.email)
    visit(alice)
    visit(alice, "/files/secret-plan.pdf")
    return alice


@pytest.fixture
def sue(owner: Connection[Any]) -> Person:
    return helping(owner, "Sue")


def helping(owner: Connection[Any], name: str) -> Person:
    return employ(owner, make(owner, name), "support")


def ask(sue: Person, email: str = "alice@harbor.example", areas: tuple[str, ...] = ("profile", "access")) -> uuid.UUID:
    return support.ask(
        viewer=sue.token, email=email, reason="a bill is wrong", ticket="T-1", areas=areas, hours=4, mail=MAIL
    )


def opened(sue: Person, alice: Person, areas: tuple[str, ...] = ("profile",)) -> uuid.UUID:
    access = ask(sue)
    support.allow(viewer=alice.token, access=access, areas=areas, hours=1)
    return access


def look(sue: Person, access: uuid.UUID, area: str = "profile") -> dict[str, list[dict[str, Any]]]:
    found = support.look(viewer=sue.token, access=access, area=area)
    return {each.table: [dict(zip(each.columns, row, strict=True)) for row in each.rows] for each in found}


def reads(owner: Connection[Any]) -> int:
    row = owner.execute("SELECT count(*) FROM troth.ledger_entry WHERE action = 'access-read'").fetchone()
    return int(row[0]) if row else 0


# The course


def test_the_whole_course(owner: Connection[Any], alice: Person, sue: Person) -> None:
    access = ask(sue)
    assert [(each.state, each.ticket) for each in support.asked(sue.token)] == [("asked", "T-1")]
    (mine,) = support.of_me(alice.token)
    assert (mine.name, mine.reason, mine.state) == ("Sue", "a bill is wrong", "asked")
    assert support.attention(alice.subject) == (1, None)
    with pytest.raises(NothingToSee):
        look(sue, access)

    support.allow(viewer=alice.token, access=access, areas=["profile"], hours=1)
    (mine,) = support.of_me(alice.token)
    assert mine.state == "open"
    assert mine.until is not None
    assert mine.allowed_at is not None
    assert mine.until - mine.allowed_at < timedelta(hours=1, seconds=5)
    assert support.attention(alice.subject) == (0, mine.until)

    seen = look(sue, access)
    assert [(row["name"], row["email"]) for row in seen["person"]] == [("Alice", "alice@harbor.example")]
    assert [(each.area, each.rows) for each in support.looks(alice.token)] == [("profile", 1)]
    assert reads(owner) == 1
    with pytest.raises(NothingToSee):  # she allowed no accesses
        look(sue, access, "access")

    support.end(viewer=alice.token, access=access)
    with pytest.raises(NothingToSee):
        look(sue, access)
    assert support.attention(alice.subject) == (0, None)
    assert [each.state for each in support.asked(sue.token)] == ["ended"]
    assert reads(owner) == 1


def test_only_the_persons_rows_are_seen_and_counted(owner: Connection[Any], alice: Person, sue: Person) -> None:
    bob = make(owner, "Bob")
    visit(bob)
    access = opened(sue, alice, ("profile", "access"))
    assert {row["url"] for row in look(sue, access, "access")["access"]} == {"/me", "/files/secret-plan.pdf"}
    assert support.looks(alice.token)[0].rows == 2
    assert support.looks(bob.token) == []


def test_a_decline_and_a_question_that_lapsed_open_nothing(owner: Connection[Any], alice: Person, sue: Person) -> None:
    access = ask(sue)
    support.decline(viewer=alice.token, access=access)
    assert support.asked(sue.token)[0].state == "declined"
    with pytest.raises(NothingToSee):
        support.allow(viewer=alice.token, access=access, areas=["profile"], hours=1)
    late = ask(sue)
    owner.execute("UPDATE troth.support_access SET at = now() - interval '8 days' WHERE access = %s", (late,))
    with pytest.raises(NothingToSee):
        support.allow(viewer=alice.token, access=late, areas=["profile"], hours=1)
    assert support.asked(sue.token)[0].state == "lapsed"


def test_nobody_allows_more_than_was_asked_nor_for_another(owner: Connection[Any], alice: Person, sue: Person) -> None:
    access = ask(sue, areas=("profile",))
    for areas, hours in ((["access"], 1), (["profile"], 5), (["profile"], 0)):
        with pytest.raises(NothingToSee):
            support.allow(viewer=alice.token, access=access, areas=areas, hours=hours)
    bob = make(owner, "Bob")
    for someone in (bob, sue):
        with pytest.raises(NothingToSee):
            support.allow(viewer=someone.token, access=access, areas=["profile"], hours=1)
    with pytest.raises(NothingToSee):
        look(sue, access)


# Narrowing


def entries(owner: Connection[Any]) -> list[Any]:
    told = owner.execute("SELECT facts FROM troth.ledger_entry WHERE action = 'access-narrowed' ORDER BY index")
    return [facts for (facts,) in told.fetchall()]


def test_what_is_open_is_narrowed_and_never_widened(owner: Connection[Any], alice: Person, sue: Person) -> None:
    access = ask(sue, areas=("profile", "access", "device"))
    support.allow(viewer=alice.token, access=access, areas=["profile", "access"], hours=4)
    (before,) = support.of_me(alice.token)
    assert before.until
    assert look(sue, access, "access")["access"]
    support.narrow(viewer=alice.token, access=access, areas=["profile"], hours=None)
    with pytest.raises(NothingToSee):
        look(sue, access, "access")
    assert [row["name"] for row in look(sue, access)["person"]] == ["Alice"]
    (mine,) = support.of_me(alice.token)
    assert (mine.areas, mine.asked_areas, mine.until) == (["profile"], ["profile", "access", "device"], before.until)
    support.narrow(viewer=alice.token, access=access, areas=["profile"], hours=1)
    (mine,) = support.of_me(alice.token)
    assert mine.until
    assert mine.until < before.until - timedelta(hours=2)
    assert support.attention(alice.subject) == (0, mine.until)
    assert [each.areas for each in support.asked(sue.token)] == [["profile"]]
    assert entries(owner) == [
        {"areas": 1, "hours": 4, "area_profile": True},
        {"areas": 1, "hours": 1, "area_profile": True},
    ]
    for areas, hours in ((["profile", "access"], None), (["device"], 1), (["profile"], 2), (["profile"], 0), ([], 1)):
        with pytest.raises(NothingToSee):
            support.narrow(viewer=alice.token, access=access, areas=areas, hours=hours)
    assert support.of_me(alice.token) == [mine]
    assert len(entries(owner)) == 2


def test_only_the_person_narrows_and_only_what_is_open(owner: Connection[Any], alice: Person, sue: Person) -> None:
    asked, bob = ask(sue), make(owner, "Bob")
    with pytest.raises(NothingToSee):
        support.narrow(viewer=alice.token, access=asked, areas=["profile"], hours=None)
    access = opened(sue, alice)
    for someone in (bob, sue):
        with pytest.raises(NothingToSee):
            support.narrow(viewer=someone.token, access=access, areas=["profile"], hours=None)
    support.end(viewer=alice.token, access=access)
    with pytest.raises(NothingToSee):
        support.narrow(viewer=alice.token, access=access, areas=["profile"], hours=None)
    assert entries(owner) == []


def test_an_area_that_is_taken_out_is_gone_at_the_next_statement(
    owner: Connection[Any], alice: Person, sue: Person
) -> None:
    access = opened(sue, alice, ("profile", "access"))
    raw, word = stolen(sue, access)
    with raw:
        assert carried(raw, sue.token, word) == [("Alice",)]
        support.narrow(viewer=alice.token, access=access, areas=["access"], hours=None)
        assert raw.execute("SELECT name FROM troth.person").fetchall() == []


def test_nothing_known_is_nothing_kept(owner: Connection[Any], alice: Person, sue: Person) -> None:
    access = opened(sue, alice)
    narrow = "SELECT troth.narrow_access(%s, %s, NULL)"
    for kept in (None, [], [None]):
        with pytest.raises(errors.DatabaseError) as refused, connect.acting("self", token=alice.token) as connection:
            connection.execute(narrow, (access, kept))
        assert refused.value.sqlstate == "TR050"
    (mine,) = support.of_me(alice.token)
    assert mine.areas == ["profile"]


def test_without_the_comparison_narrowing_would_widen(owner: Connection[Any], alice: Person, sue: Person) -> None:
    """The control taken away."""
    access = opened(sue, alice)
    row = owner.execute("SELECT pg_get_functiondef('troth.narrow_access'::regproc)").fetchone()
    assert row
    control = "OR NOT kept <@ held.areas "
    assert control in row[0]
    owner.execute(row[0].replace(control, "").encode())
    support.narrow(viewer=alice.token, access=access, areas=["access"], hours=None)
    assert look(sue, access, "access")["access"]


# Nobody learns whether an address is somebody's


def test_an_address_of_nobody_is_answered_alike(owner: Connection[Any], alice: Person, sue: Person) -> None:
    ask(sue)
    ask(sue, "nobody@harbor.example")
    unknown, somebody = support.asked(sue.token)
    assert [unknown.state, somebody.state] == ["asked", "asked"]
    entries = owner.execute(
        "SELECT subject IS NOT NULL, facts FROM troth.ledger_entry WHERE action = 'access-asked' ORDER BY index"
    ).fetchall()
    assert entries[0] == entries[1]
    assert owner.execute("SELECT address FROM troth.notice").fetchall() == [("alice@harbor.example",)]
    columns = {name for (name,) in owner.execute("SELECT proargnames[i] FROM pg_proc, generate_subscripts(proargnames, 1) i"
                                                  " WHERE proname = 'accesses_asked'")}  # fmt: skip
    assert not columns & {"subject", "email", "name"}


def test_the_mail_is_in_the_language_that_the_person_agreed_in(
    owner: Connection[Any], alice: Person, sue: Person
) -> None:
    owner.execute("UPDATE troth.agreement SET language = 'es' WHERE subject = %s", (alice.subject,))
    ask(sue)
    assert owner.execute("SELECT facts ->> 'subject' FROM troth.notice").fetchall() == [("Pedido",)]


def test_questions_have_a_limit(owner: Connection[Any], alice: Person, sue: Person) -> None:
    for _ in range(30):
        ask(sue, "nobody@harbor.example")
    with pytest.raises(TooManyQuestions):
        ask(sue)


# Attacks: hardening 1, 2, 3, 9 for the role `staff`


def stolen(sue: Person, access: uuid.UUID, area: str = "profile") -> tuple[Connection[Any], str]:
    """Return a session of the role in which a look was just committed, and what it returned."""
    raw = Connection.connect(**connect.parameters("staff"))
    raw.execute("SELECT set_config('troth.token', %s, false)", (sue.token,))
    row = raw.execute("SELECT troth.look(%s, %s)", (access, area)).fetchone()
    raw.commit()
    assert row
    return raw, str(row[0])


def carried(raw: Connection[Any], token: str, word: str) -> list[Any]:
    raw.execute("SELECT set_config('troth.token', %s, true), set_config('troth.look', %s, true)", (token, word))
    return raw.execute("SELECT name FROM troth.person").fetchall()


def test_a_look_opens_the_next_transaction_and_no_other(owner: Connection[Any], alice: Person, sue: Person) -> None:
    access = opened(sue, alice)
    raw, word = stolen(sue, access)
    with raw:
        assert carried(raw, sue.token, word) == [("Alice",)]
        raw.rollback()
        assert reads(owner) == 1  # though what saw the rows was rolled back
        assert carried(raw, sue.token, word) == []
    other, word = stolen(sue, access)
    raw = Connection.connect(**connect.parameters("staff"))
    with other, raw:
        assert carried(raw, sue.token, word) == []


def test_a_look_that_is_not_committed_opens_nothing(owner: Connection[Any], alice: Person, sue: Person) -> None:
    access = opened(sue, alice)
    with Connection.connect(**connect.parameters("staff")) as raw:
        for savepoint in (False, True):
            raw.execute("SELECT set_config('troth.token', %s, true)", (sue.token,))
            if savepoint:
                raw.execute("SAVEPOINT inside")
            row = raw.execute("SELECT troth.look(%s, 'profile')", (access,)).fetchone()
            if savepoint:
                raw.execute("RELEASE inside")
            assert row
            assert carried(raw, sue.token, row[0]) == []
            raw.rollback()
    assert reads(owner) == 0


def test_another_of_the_staff_opens_nothing_with_it(owner: Connection[Any], alice: Person, sue: Person) -> None:
    access, eve = opened(sue, alice), helping(owner, "Eve")
    raw, word = stolen(sue, access)
    with raw:
        assert carried(raw, eve.token, word) == []
    with pytest.raises(NothingToSee):
        look(eve, access)
    assert support.asked(eve.token) == []


@pytest.mark.parametrize(
    "taken",
    [
        "UPDATE troth.support_access SET ended_at = now()",
        "UPDATE troth.support_access SET until = now()",
        "UPDATE troth.staff SET until = now() WHERE role = 'support'",
        "DELETE FROM troth.request_token WHERE subject <> '{alice}'",
        "UPDATE troth.support_look SET area = 'device'",
        "UPDATE troth.support_access SET areas = '{{}}'",
    ],
)
def test_what_ends_an_access_ends_it_at_the_next_statement(
    owner: Connection[Any], alice: Person, sue: Person, taken: str
) -> None:
    access = opened(sue, alice)
    raw, word = stolen(sue, access)
    with raw:
        assert carried(raw, sue.token, word) == [("Alice",)]
        owner.execute(taken.format(alice=alice.subject).encode())
        assert raw.execute("SELECT name FROM troth.person").fetchall() == []


def test_an_old_snapshot_sees_nothing(owner: Connection[Any], alice: Person, sue: Person) -> None:
    access = opened(sue, alice)
    for level in ("REPEATABLE READ", "SERIALIZABLE"):
        raw, word = stolen(sue, access)
        with raw:
            raw.execute(f"SET TRANSACTION ISOLATION LEVEL {level}".encode())
            assert carried(raw, sue.token, word) == []


WORDS = ("", "a word", "%", "' OR true --", "0" * 64)
INJECTED = (
    "SELECT name FROM troth.person WHERE subject = '{alice}'",
    "SELECT p.name FROM (SELECT set_config('troth.look', encode(sha256('x'), 'hex'), true)) f, LATERAL"
    " (SELECT name FROM troth.person WHERE subject = '{alice}') p",
    "WITH forged AS MATERIALIZED (SELECT set_config('troth.viewer', '{alice}', true)) SELECT name FROM troth.person, forged",
    "SELECT url FROM troth.access UNION ALL SELECT name FROM troth.person",
    "SELECT version::text FROM troth.agreement",
    "SELECT kind FROM troth.choice",
    "SELECT browser FROM troth.device",
)


@pytest.mark.parametrize("attempt", INJECTED)
def test_injected_statements_see_nobody(alice: Person, sue: Person, attempt: str) -> None:
    opened(sue, alice)
    for word in WORDS:
        with connect.acting("staff", token=sue.token) as connection:
            connection.execute("SELECT set_config('troth.look', %s, true)", (word,))
            assert connection.execute(attempt.format(alice=alice.subject).encode()).fetchall() == []


REFUSED = (
    "SELECT digest FROM troth.support_look",
    "SELECT subject FROM troth.support_access",
    "SELECT email FROM troth.people_account",
    "SELECT subject FROM troth.staff",
    "INSERT INTO troth.support_look (subject) VALUES (gen_random_uuid())",
    "UPDATE troth.person SET name = 'Mallory'",
    "DELETE FROM troth.person",
    "SELECT troth.access_is_open(gen_random_uuid(), 'profile')",
    "SELECT troth.rows_in_area(gen_random_uuid(), 'profile')",
    "SELECT troth.staff_roles(gen_random_uuid())",
    "SELECT troth.answer_access(gen_random_uuid(), '{profile}', 1)",
    "SELECT troth.narrow_access(gen_random_uuid(), '{profile}', 1)",
    "SELECT troth.record('access-read', NULL, NULL, '{}')",
    "SELECT troth.post(gen_random_uuid(), 'x', 'mail', '{}')",
    "SELECT set_config('role', 'troth_self', false)",
    "SET ROLE troth_warden",
    "SET SESSION AUTHORIZATION troth_door",
)


@pytest.mark.parametrize("attempt", REFUSED)
def test_the_role_reaches_nothing_else(alice: Person, sue: Person, attempt: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege), connect.acting("staff", token=sue.token) as connection:
        connection.execute(attempt.encode())


def test_a_returned_connection_carries_no_look(alice: Person, sue: Person) -> None:
    access = opened(sue, alice)
    with connect.acting("staff", token=sue.token) as connection:
        row = connection.execute("SELECT troth.look(%s, 'profile')", (access,)).fetchone()
        assert row
        connection.execute("SELECT set_config('troth.look', %s, false)", (row[0],))
        pid = connection.info.backend_pid
    with again("staff", pid, token=sue.token) as connection:
        assert connection.execute("SELECT coalesce(current_setting('troth.look', true), '')").fetchone() == ("",)
        assert connection.execute("SELECT name FROM troth.person").fetchall() == []


@pytest.mark.parametrize("role", ["owner", "publisher", "analyst", "auditor", None])
def test_no_other_role_asks_or_looks(owner: Connection[Any], alice: Person, sue: Person, role: str | None) -> None:
    access = opened(sue, alice)
    bob = make(owner, "Bob")
    if role:
        employ(owner, bob, role)
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: ask(bob),
        lambda: support.asked(bob.token),
        lambda: look(bob, access),
        lambda: support.leave(viewer=bob.token, access=access),
    )
    for attempt in attempts:
        with pytest.raises(NothingToSee):
            attempt()


# The race


def test_while_looks_run_an_end_lets_no_later_one_see(owner: Connection[Any], alice: Person, sue: Person) -> None:
    """Looks go on as fast as they can; none that begins after the end was acknowledged sees a row."""
    access, ended, late = opened(sue, alice), threading.Event(), []
    counted: list[int] = []

    def go_on() -> None:
        for _ in range(200):
            after = ended.is_set()
            try:
                rows = look(sue, access)["person"]
            except NothingToSee:
                rows = []
            counted.append(len(rows))
            if after:
                late.append(len(rows))
                break

    thread = threading.Thread(target=go_on)
    thread.start()
    while sum(counted) < 3:
        pass
    support.end(viewer=alice.token, access=access)
    ended.set()
    thread.join(30)
    assert sum(counted) >= 3
    assert late == [0]
    assert reads(owner) == len(support.looks(alice.token)) >= sum(counted)


# Controls taken away


@pytest.mark.parametrize(
    ("control", "left"),
    [
        ("AND this.turn = here.slot || '/' || here.turn", "AND true"),
        ("AND current_setting('transaction_isolation') = 'read committed'", ""),
        ("AND this.session = pg_catalog.pg_backend_pid()", ""),
    ],
)
def test_without_a_control_its_attack_succeeds(
    owner: Connection[Any], alice: Person, sue: Person, control: str, left: str
) -> None:
    access = opened(sue, alice)
    row = owner.execute("SELECT pg_get_functiondef('troth.looking(text)'::regprocedure)").fetchone()
    assert row
    assert control in row[0]
    text = row[0].replace(control, left)
    if "session" in control:  # the number of the turn names the session as well
        text = text.replace("AND this.turn = here.slot || '/' || here.turn", "")
    owner.execute(text.encode())
    raw, word = stolen(sue, access)
    other = Connection.connect(**connect.parameters("staff"))
    with raw, other:
        if "isolation" in control:
            raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        elif "session" in control:
            raw, other = other, raw
        else:
            raw.rollback()
            raw.execute("SELECT 1")
            raw.rollback()
        assert carried(raw, sue.token, word) == [("Alice",)]


def test_without_the_row_rule_everybody_would_be_seen(owner: Connection[Any], alice: Person, sue: Person) -> None:
    """The control taken away."""
    owner.execute("ALTER POLICY staff_select ON troth.person USING (true)")
    with connect.acting("staff", token=sue.token) as connection:
        assert ("Alice",) in connection.execute("SELECT name FROM troth.person").fetchall()


def test_what_was_asked_goes_with_the_person(owner: Connection[Any], alice: Person, sue: Person) -> None:
    access = opened(sue, alice)
    look(sue, access)
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'test')", (alice.subject,))
    with pytest.raises(NothingToSee):
        look(sue, access)
    for table in ("support_access", "support_look"):
        assert owner.execute(f"SELECT count(*) FROM troth.{table}".encode()).fetchone() == (0,)


def test_a_statement_without_a_viewer_is_refused(database: Any) -> None:
    for statement in (
        "SELECT troth.ask_access('x', 'y', 'z', '{profile}', 1, '{}')",
        "SELECT troth.look(gen_random_uuid(), 'profile')",
    ):
        with pytest.raises(Error) as refused, connect.acting("staff") as connection:
            connection.execute(statement.encode())
        assert refused.value.sqlstate == "TR040"

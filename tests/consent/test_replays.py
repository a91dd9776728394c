"""Agreements and choices that come late, twice or in another order: whoever sends them again changes nothing (threat 13)."""

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from psycopg import Connection

from tests.browsing import Browser
from tests.conftest import Person, make
from troth.consent import queries
from troth.consent.actions import choose
from troth.consent.errors import ConsentRefusal, OutdatedChoice
from troth.database import connect

#: purpose -> what its form can say
FORMS = {
    "announce": ("consent", "withdrawal", "refusal"),
    "personalise": ("consent", "withdrawal"),
    "understand": ("objection", "permission"),
}
ON = {"announce": "consent", "personalise": "consent"}

type Form = tuple[str, str, uuid.UUID]


def last(person: Person) -> dict[str, uuid.UUID]:
    """Return the newest choice about each purpose, as the person's page knows it."""
    with connect.acting("self", token=person.token) as connection:
        return dict(connection.execute("SELECT purpose, choice FROM troth.last_choices()").fetchall())


def kinds(person: Person) -> list[tuple[str, str]]:
    """Return all that is written down, in order."""
    return [(str(each.purpose), str(each.kind)) for each in reversed(queries.choices(person.token))]


def inside(owner: Connection[Any], person: Person) -> dict[str, bool]:
    """Return whether each purpose has the person's bit, as every statement of every role asks."""
    query = (
        "SELECT u.purpose, (p.uses >> u.bit) & 1 = 1 FROM troth.unit AS u, troth.permitted AS p"
        " WHERE u.retired_at IS NULL AND u.purpose = ANY (%s) AND p.subject = %s"
    )
    return dict(owner.execute(query, (list(FORMS), person.subject)).fetchall())


def send(person: Person, form: Form) -> bool:
    """Let a form arrive; return whether it was refused as late."""
    purpose, kind, seen = form
    try:
        choose(token=person.token, purpose=purpose, kind=kind, seen=seen)
    except OutdatedChoice:
        return True
    return False


class Arriving(RuleBasedStateMachine):
    """Somebody opens pages; what they press arrives whenever it does, and as often as it likes.

    The model is a list: a form that answers to the newest choice is written down, and every other changes nothing.
    """

    owner: Connection[Any]
    forms = Bundle("forms")

    def __init__(self) -> None:
        super().__init__()
        self.person = make(self.owner, f"Replay {uuid.uuid4()}")
        self.model: list[tuple[str, str]] = []
        self.newest: dict[str, uuid.UUID] = {}

    @rule(target=forms, purpose=st.sampled_from(sorted(FORMS)), which=st.integers(0, 2))
    def press(self, purpose: str, which: int) -> Form:
        """Press a button of the page as it stands now; nothing arrives yet."""
        kind = FORMS[purpose][which % len(FORMS[purpose])]
        return purpose, kind, self.newest.get(purpose, queries.NONE)

    @rule(form=forms)
    def arrive(self, form: Form) -> None:
        """Let one of all that were pressed arrive: the first or the tenth, for the first or the tenth time."""
        purpose, kind, seen = form
        late = seen != self.newest.get(purpose, queries.NONE)
        standing = next((k for p, k in reversed(self.model) if p == purpose), None)
        assert send(self.person, form) is (late and standing != kind)
        if not late:
            self.model.append((purpose, kind))
            self.newest = last(self.person)

    @rule()
    def agree_again(self) -> None:
        """Let the agreement arrive once more."""
        newest = self.owner.execute("SELECT version, digest, terms_digest FROM troth.policy_version").fetchone()
        assert newest
        with connect.acting("door") as door:
            told = (self.person.subject, *newest)
            door.execute("SELECT troth.agree(%s, %s, %s, %s, 'again', 'I agree.', 'en')", told)

    @invariant()
    def nothing_else_is_written_down(self) -> None:
        assert kinds(self.person) == self.model
        bound = "SELECT how FROM troth.agreement WHERE subject = %s"
        assert self.owner.execute(bound, (self.person.subject,)).fetchall() == [("test",)]

    def teardown(self) -> None:
        """Whoever sends the same that counted, once and in order, ends in the same state."""
        other = make(self.owner, f"Once {uuid.uuid4()}")
        for purpose, kind in self.model:
            assert not send(other, (purpose, kind, last(other).get(purpose, queries.NONE)))
        assert inside(self.owner, self.person) == inside(self.owner, other)
        expected = {p: next((k for q, k in reversed(self.model) if q == p), None) for p in FORMS}
        assert inside(self.owner, other) == {
            p: k == "consent" if p in ON else k != "objection" for p, k in expected.items()
        }


FEW = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_whatever_arrives_late_twice_or_in_another_order_ends_in_the_same_state(owner: Connection[Any]) -> None:
    Arriving.owner = owner
    run_state_machine_as_test(Arriving, settings=FEW)


@pytest.mark.parametrize(
    ("function", "guard"),
    [
        ("choose", "IF seen <> coalesce(newest.choice, '00000000-0000-0000-0000-000000000000') THEN"),
        ("choose", "IF newest.kind = what THEN"),
        ("agree", "IF EXISTS (\n        SELECT FROM troth.agreement"),
    ],
)
def test_without_its_guard_something_that_came_again_would_count(
    owner: Connection[Any], function: str, guard: str
) -> None:
    """The controls taken away, one by one."""
    body = owner.execute("SELECT pg_get_functiondef(%s::regproc)", (f"troth.{function}",)).fetchone()
    assert body is not None
    assert guard in body[0]
    owner.execute(body[0].replace(guard, guard.replace("IF ", "IF false AND ", 1)).encode())
    Arriving.owner = owner
    with pytest.raises((AssertionError, ConsentRefusal, ExceptionGroup)):
        run_state_machine_as_test(Arriving, settings=FEW)


# The same, as it reaches the pages


def test_a_yes_that_is_sent_again_after_a_no_answers_409_and_says_the_way_out(
    browser: Browser, owner: Connection[Any]
) -> None:
    browser.sign_up(owner, "alice@harbor.example")
    yes = browser.pressed("announce", "consent")
    assert browser.post("/me/purposes/announce", yes).status_code == 302
    assert browser.post("/me/purposes/announce", yes).status_code == 302, "twice is once"
    assert browser.choose("announce", "withdrawal").status_code == 302
    late = browser.post("/me/purposes/announce", yes)
    assert late.status_code == 409
    assert "choice-outdated" in late.content.decode()
    assert 'href="/me"' in late.content.decode()
    written = "SELECT kind FROM troth.choice ORDER BY choice"
    assert owner.execute(written).fetchall() == [("consent",), ("withdrawal",)]
    assert browser.post("/me/purposes/announce", {"kind": "consent"}).status_code == 409, "it names nothing it knew"
    assert browser.post("/me/purposes/announce", yes | {"seen": "x"}).status_code == 409


def test_an_answer_to_a_question_that_comes_late_changes_nothing(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, "alice@harbor.example")
    question = {"answer": "yes", "seen": str(queries.NONE)}
    assert browser.post("/asking/announce", question).status_code == 302
    browser.choose("announce", "withdrawal")
    browser.post("/asking/announce", question)
    written = "SELECT kind FROM troth.choice ORDER BY choice"
    assert owner.execute(written).fetchall() == [("consent",), ("withdrawal",)]

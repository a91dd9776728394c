"""What the gate remembers of people makes it quicker and changes nothing: no yes outlives its end, no no its beginning."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from psycopg import Connection

from tests.conftest import Person
from tests.intake.sending import CRASH, Application, Sent, event, finished, post, registered
from troth.api.app import Lean
from troth.database import connect
from troth.intake import batches, bridging, queries
from troth.intake.event import NOBODY
from troth.intake.sent import Known
from troth.people import registering

type Step = Callable[[], object] | dict[str, Any] | list[dict[str, Any]]


@pytest.fixture
def notes(owner: Connection[Any], cast: dict[str, Person]) -> Application:
    """Harbor Notes, which Alice uses."""
    made = registered(owner)
    made.knows(cast["alice"])
    return made


def steps(notes: Application, *every: Step) -> list[Sent]:
    """Send each event to one service, and do between them what is to be done; return the answers."""

    async def whole() -> list[Sent]:
        lean, answers = Lean(), []
        await lean.start()
        try:
            for step in every:
                if callable(step):
                    step()
                else:
                    answers.append(await post(lean, step, key=notes.key))
        finally:
            await lean.stop()
        return answers

    return finished(whole())


def chosen(person: Person, kind: str) -> Callable[[], None]:
    def choose() -> None:
        with connect.acting("self", token=person.token) as viewer:
            viewer.execute("SELECT troth.choose('understand', %s)", (kind,))

    return choose


def test_a_yes_that_is_remembered_does_not_outlive_its_end(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    use = [event("feature_use", notes.names["Alice"], f"remembered-{nth}") for nth in range(3)]
    answers = steps(notes, use[0], chosen(alice, "objection"), use[1], chosen(alice, "permission"), use[2])
    assert [each.status for each in answers] == [201, 403, 201]
    assert answers[1].body["reason"] == "person-declined"
    assert [(each.reason, each.count) for each in queries.refusals(alice.token)] == [("person-declined", 1)]
    assert owner.execute("SELECT count(*) FROM troth.feature_use").fetchone() == (2,)


def test_a_no_that_is_remembered_is_asked_again(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    crash = [event("crash", "somebody-new", f"remembered-{nth}") for nth in range(2)]
    answers = steps(notes, crash[0], lambda: notes.knows(cast["bob"], "somebody-new"), crash[1])
    assert [each.status for each in answers] == [403, 201]


def test_a_key_an_account_and_a_use_that_ended_take_nothing_from_the_very_next_request(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    alice, crash = cast["alice"], [event("crash", notes.names["Alice"], f"remembered-{nth}") for nth in range(7)]

    def changed(statement: str, *told: object) -> Callable[[], object]:
        return lambda: owner.execute(statement.encode(), told)

    ended = "UPDATE troth.subject SET ended_at = {} WHERE subject = %s"
    answers = steps(
        notes,
        crash[0],
        changed(ended.format("now()"), alice.subject),
        crash[1],
        changed(ended.format("NULL"), alice.subject),
        crash[2],
        changed("UPDATE troth.application_grant SET until = now() WHERE subject = %s", alice.subject),
        crash[3],
        changed(
            "UPDATE troth.application_grant SET until = NULL, expires_at = now() WHERE subject = %s", alice.subject
        ),
        crash[4],
        changed("UPDATE troth.application_grant SET expires_at = NULL WHERE subject = %s", alice.subject),
        crash[5],
        lambda: registering.end_keys(owner, {"application": notes.application}),
        crash[6],
    )
    assert [each.status for each in answers] == [201, 403, 201, 403, 403, 201, 403]
    assert [answers[nth].body.get("reason") for nth in (1, 3, 4)] == ["unknown-person"] * 3
    assert answers[6].body["reason"] == "key-ended"


def test_what_came_before_is_told_from_what_is_new_beside_it_and_all_is_counted_once(
    notes: Application, owner: Connection[Any]
) -> None:
    """All that is new is stored in one statement, which stores nothing when some of it came before."""
    crash = [event("crash", notes.names["Alice"], f"remembered-{nth}") for nth in range(4)]
    other = crash[1] | {"data": CRASH | {"kind": "KeyError"}}
    _, new, mixed = steps(notes, crash[0], crash[1:3], [crash[1], other, crash[3], crash[3]])
    assert [each["outcome"] for each in new.body["events"]] == ["stored"] * 2
    assert [each["outcome"] for each in mixed.body["events"]] == ["repeated", "conflict", "stored", "repeated"]
    told = (
        "SELECT count(*) FROM troth.crash",
        "SELECT sum(count)::bigint FROM troth.rollup WHERE kind = 'crash' AND dimension = ''",
        "SELECT sum(count)::bigint FROM troth.intake_count WHERE outcome = 'reduced' AND reason = 'e-mail'",
    )
    assert [owner.execute(each.encode()).fetchone() for each in told] == [(4,)] * 3


def test_without_the_triggers_judgement_a_remembered_yes_would_outlive_its_end(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    """The control taken away."""
    owner.execute("ALTER TABLE troth.feature_use DISABLE TRIGGER stamp")
    use = [event("feature_use", notes.names["Alice"], f"remembered-{nth}") for nth in range(2)]
    answers = steps(notes, use[0], chosen(cast["alice"], "objection"), use[1])
    assert [each.status for each in answers] == [201, 201]


def test_people_are_asked_about_once_in_a_while_and_not_for_each_event(
    notes: Application, cast: dict[str, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = batches.known

    async def counted(connection: Any, about: Any) -> Any:
        asked.extend(name for _, name in about if name)
        return await real(connection, about)

    monkeypatch.setattr(batches, "known", counted)
    answers = steps(notes, *(event("crash", notes.names["Alice"], f"remembered-{nth}") for nth in range(5)))
    assert {each.status for each in answers} == {201}
    assert asked == [notes.names["Alice"]]


def test_what_was_said_of_people_is_forgotten_once_the_lease_is_over() -> None:
    bridge, said = bridging.Bridge(b""), Known("notes", ["crash"], NOBODY, 1)
    early, late = (b"d", "early"), (b"d", "late")
    decisions = cast("Any", None)
    bridge.learn({early: said}, [early], decisions, 1_000.0)
    bridge.learn({late: said}, [late], decisions, 1_000.0 + bridging.LEASE / 2)
    assert list(bridge.known) == [early, late]
    bridge.learn({}, [], decisions, 1_001.0 + bridging.LEASE)
    assert list(bridge.known) == [late]


def test_no_more_people_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridging, "REMEMBERED", 3)
    bridge, said = bridging.Bridge(b""), Known("notes", ["crash"], NOBODY, 1)
    for nth in range(5):
        bridge.learn({(b"d", str(nth)): said}, [(b"d", str(nth))], cast("Any", None), 1_000.0)
    assert [name for _, name in bridge.known] == ["2", "3", "4"]

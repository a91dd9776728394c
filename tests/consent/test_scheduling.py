"""A version whose day has not come waits for it, signed; it takes effect by the keeper's own turn, or is withdrawn before."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection, Error

from tests.conftest import POLICY, TERMS, Person, employ, make
from tests.consent.test_publishing import PLAIN, WIDER, outcome, turn
from troth.consent import publishing, scheduling
from troth.consent.errors import ProposalClosed
from troth.database import apply, connect, place, requests, signatures, simulate
from troth.database.drift import drift
from troth.database.keeper import Keeper
from troth.policy.compare import Verdict

pytestmark = pytest.mark.usefixtures("django")
DAY = datetime.now(UTC).date() + timedelta(days=40)


def later(source: str) -> str:
    return re.sub(r"effective \S+", f"effective {DAY}", source, count=1)


@pytest.fixture
def olga(owner: Connection[Any]) -> Person:
    return employ(owner, make(owner, "Olga"), "owner")


@pytest.fixture
def bob(owner: Connection[Any], olga: Person) -> Person:
    return employ(owner, make(owner, "Bob"), "publisher")


def comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The day is there."""
    monkeypatch.setattr(apply, "not_yet", lambda day: day > DAY)


def actions(owner: Connection[Any]) -> list[str]:
    wanted = ["policy-scheduled", "policy-published", "version-withdrawn", "version-refused", "proposal-withdrawn"]
    query = "SELECT action FROM troth.ledger_entry WHERE action = ANY(%s) ORDER BY index"
    return [action for (action,) in owner.execute(query, (wanted,)).fetchall()]


def test_a_version_waits_for_its_day_and_takes_effect_then(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    assert turn(keeper, owner) == turn(keeper, owner) == 1
    (found,) = publishing.proposals(olga.token)
    assert (found.outcome, found.waits_until) == (None, DAY)
    assert found.counts is not None
    assert found.counts["agreed"] == 1
    assert drift(owner).lines() == []
    comes(monkeypatch)
    assert turn(keeper, owner) == 2
    assert scheduling.waiting(owner) is None
    assert outcome(olga, made)[0] == "published"
    assert actions(owner) == ["policy-scheduled", "policy-published"]
    assert turn(keeper, owner) == 2
    assert actions(owner) == ["policy-scheduled", "policy-published"]


def test_what_people_must_agree_to_again_waits_for_a_second_person_before_its_day(
    keeper: Keeper, owner: Connection[Any], olga: Person, bob: Person
) -> None:
    made = publishing.propose(viewer=bob.token, source=later(WIDER), terms=TERMS)
    assert turn(keeper, owner) == 1
    assert scheduling.waiting(owner) is None
    publishing.approve(viewer=olga.token, proposal=made)
    assert turn(keeper, owner) == 1
    found = scheduling.waiting(owner)
    assert found is not None
    assert Verdict(found.verdict) is Verdict.ASK
    requests.leave("policy.publish", publishing.asked(later(WIDER), TERMS, Verdict.EDITORIAL, key=True))
    assert turn(keeper, owner) == 1  # it waits already


def test_it_can_be_withdrawn_until_its_day(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    assert turn(keeper, owner) == 1
    publishing.withdraw(viewer=olga.token, proposal=made)
    assert scheduling.waiting(owner) is None
    comes(monkeypatch)
    assert turn(keeper, owner) == 1
    with pytest.raises(ProposalClosed):
        publishing.withdraw(viewer=olga.token, proposal=made)
    assert actions(owner) == ["policy-scheduled", "proposal-withdrawn"]


@pytest.mark.parametrize("when", ["later", "at once"])
def test_one_withdrawn_while_it_is_counted_neither_waits_nor_takes_effect(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    made = publishing.propose(viewer=olga.token, source=later(PLAIN) if when == "later" else PLAIN, terms=TERMS)
    counts = simulate.simulate

    def meanwhile(connection: Connection[Any], source: str) -> simulate.Simulation:
        publishing.withdraw(viewer=olga.token, proposal=made)
        return counts(connection, source)

    monkeypatch.setattr(simulate, "simulate", meanwhile)
    assert turn(keeper, owner) == 1
    assert scheduling.waiting(owner) is None
    assert outcome(olga, made) == ("withdrawn", "")
    assert actions(owner) == ["proposal-withdrawn"]
    query = "SELECT granted, answer->>'sentence' FROM troth.keeper_request"
    assert owner.execute(query).fetchall() == [(False, "it was withdrawn meanwhile")]


def test_without_holding_what_is_proposed_it_would_wait_though_it_was_withdrawn(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    monkeypatch.setattr(publishing, "_hold", lambda *_: None)
    with pytest.raises(AssertionError):
        test_one_withdrawn_while_it_is_counted_neither_waits_nor_takes_effect(keeper, owner, olga, monkeypatch, "later")


def test_one_withdrawn_in_the_moment_before_it_waits_is_withdrawn_with_it(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    began, held = [], publishing._hold

    def meanwhile(words: Any, connection: Connection[Any]) -> None:
        held(words, connection)
        began.append(ThreadPoolExecutor(1).submit(publishing.withdraw, viewer=olga.token, proposal=made))
        waits = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%withdraw_proposal%'"
        )
        with connect.owning(place.current()) as looking:
            while looking.execute(waits.encode()).fetchone() != (1,):
                time.sleep(0.01)

    monkeypatch.setattr(publishing, "_hold", meanwhile)
    turn(keeper, owner)
    began[0].result(30)
    assert turn(keeper, owner) == 1
    assert scheduling.waiting(owner) is None
    assert outcome(olga, made) == ("withdrawn", "")
    assert actions(owner) == ["policy-scheduled", "proposal-withdrawn"]


def test_one_withdrawn_while_it_takes_effect_leaves_nothing_of_itself(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    turn(keeper, owner)
    there = scheduling.waiting(owner)
    publishing.withdraw(viewer=olga.token, proposal=made)
    comes(monkeypatch)
    monkeypatch.setattr(scheduling, "waiting", lambda _: there)  # what the keeper read a moment before
    scheduling.take_effect(owner)
    assert apply.newest(owner).version == 1  # type: ignore[union-attr]
    assert drift(owner).lines() == []


def test_tables_that_stay_locked_end_no_wait(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    turn(keeper, owner)
    comes(monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr(apply, "TRIES", 1)
        with connect.owning(place.current()) as other, other.transaction():
            other.execute("SELECT pg_advisory_xact_lock(7275)")
            owner.execute("SET lock_timeout = '50ms'")
            scheduling.take_effect(owner)
            assert scheduling.waiting(owner) is not None
            assert apply.newest(owner).version == 1  # type: ignore[union-attr]
    owner.execute("RESET lock_timeout")
    scheduling.take_effect(owner)
    assert scheduling.waiting(owner) is None
    assert apply.newest(owner).version == 2  # type: ignore[union-attr]


def test_only_one_waits_and_nothing_is_published_past_it(keeper: Keeper, owner: Connection[Any], olga: Person) -> None:
    publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    turn(keeper, owner)
    other = publishing.propose(viewer=olga.token, source=PLAIN + "\n# at once\n", terms=TERMS)
    assert turn(keeper, owner) == 1
    assert "waits for" in outcome(olga, other)[1]
    assert answer(keeper, owner, "policy.apply", {"source": WIDER, "terms": TERMS})[0] is False
    assert answer(keeper, owner, "policy.withdraw", {"version": 3})[0] is False
    assert answer(keeper, owner, "policy.withdraw", {"version": 2})[0] is True
    assert scheduling.waiting(owner) is None
    assert actions(owner)[-1] == "version-withdrawn"


@pytest.mark.parametrize("how", ["proposed", "by the key", "other terms"])
def test_a_number_that_was_announced_and_withdrawn_is_no_other_versions(
    keeper: Keeper, owner: Connection[Any], olga: Person, how: str
) -> None:
    """People were told of those words by that number, and may have agreed to them ahead."""
    publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    turn(keeper, owner)
    assert answer(keeper, owner, "policy.withdraw", {"version": 2})[0] is True
    source, terms = (later(PLAIN), "Other terms.") if how == "other terms" else (WIDER, TERMS)
    if how == "by the key":
        done, told = answer(keeper, owner, "policy.apply", {"source": source, "terms": terms})
        assert (done, "with other words" in str(told)) == (False, True)
    else:
        made = publishing.propose(viewer=olga.token, source=source, terms=terms)
        assert turn(keeper, owner) == 1
        assert "with other words" in outcome(olga, made)[1]
    assert newest(owner) == 1
    again = publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)  # word for word
    turn(keeper, owner)
    assert outcome(olga, again)[0] is None
    assert scheduling.waiting(owner) is not None


def test_what_waits_is_not_replaced_on_its_day_by_the_same_words_under_other_terms(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    turn(keeper, owner)
    comes(monkeypatch)
    done, told = answer(keeper, owner, "policy.apply", {"source": later(PLAIN), "terms": "Other terms."})
    assert (done, "waits for" in str(told)) == (False, True)
    now = apply.newest(owner)
    assert now is not None
    assert (now.version, now.terms_digest) == (2, scheduling.digest(TERMS))


def newest(owner: Connection[Any]) -> int:
    now = apply.newest(owner)
    assert now is not None
    return now.version


def answer(keeper: Keeper, owner: Connection[Any], kind: str, told: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    request = requests.leave(kind, told)
    turn(keeper, owner)
    query = "SELECT granted, answer FROM troth.keeper_request WHERE request = %s"
    ((granted, said),) = owner.execute(query, (request,)).fetchall()
    return bool(granted), dict(said)


def test_the_verdict_is_raised_and_never_lowered(keeper: Keeper, owner: Connection[Any], olga: Person) -> None:
    publishing.propose(viewer=olga.token, source=PLAIN, terms=TERMS, raised=Verdict.AGREE_AGAIN)
    assert turn(keeper, owner) == 2
    assert owner.execute("SELECT floor FROM troth.policy_version WHERE version = 2").fetchone() == (True,)
    ((told,),) = owner.execute("SELECT facts FROM troth.ledger_entry WHERE action = 'policy-published'").fetchall()
    assert told["significant"] is True
    lower = apply.apply(owner, WIDER.replace("version 2", "version 3"), TERMS, raised=Verdict.NOTIFY)
    assert lower.verdict is Verdict.ASK


def test_a_raised_verdict_needs_two_and_another_proposal_of_the_same_words_does_not_stand_for_it(
    keeper: Keeper, owner: Connection[Any], olga: Person, bob: Person
) -> None:
    plain = publishing.propose(viewer=bob.token, source=later(PLAIN), terms=TERMS)
    publishing.approve(viewer=olga.token, proposal=plain)
    assert publishing.standing(later(PLAIN), TERMS, Verdict.EDITORIAL).approvals == 1
    assert publishing.standing(later(PLAIN), TERMS, Verdict.AGREE_AGAIN).proposal is None


def reopened(owner: Connection[Any]) -> None:
    """Whoever has the database lets a version wait again that was withdrawn; its signature is in order."""
    owner.execute("UPDATE troth.policy_scheduled SET closed_at = NULL, outcome = NULL")


@pytest.mark.parametrize("by", ["key", "person"])
def test_one_that_was_withdrawn_cannot_be_made_to_wait_again(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    made = publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    turn(keeper, owner)
    if by == "key":
        assert answer(keeper, owner, "policy.withdraw", {"version": 2})[0] is True
    else:
        publishing.withdraw(viewer=olga.token, proposal=made)
        turn(keeper, owner)
    reopened(owner)
    turn(keeper, owner)
    assert scheduling.waiting(owner) is None
    comes(monkeypatch)
    reopened(owner)
    assert turn(keeper, owner) == 1
    query = "SELECT outcome, sentence FROM troth.policy_scheduled"
    assert owner.execute(query).fetchall() == [
        ("refused", "what waits is not what was left to wait here; publish it again")
    ]


def test_without_the_memory_of_what_may_wait_it_would_take_effect(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    made = publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    turn(keeper, owner)
    publishing.withdraw(viewer=olga.token, proposal=made)
    turn(keeper, owner)
    reopened(owner)
    monkeypatch.setattr(signatures, "expected", lambda: None)
    comes(monkeypatch)
    assert turn(keeper, owner) == 2


def test_what_waited_before_it_was_remembered_waits_on(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    turn(keeper, owner)
    (place.current().data / signatures.FILE).unlink()
    turn(keeper, owner)
    there = scheduling.waiting(owner)
    assert there is not None
    assert signatures.expected() == there.mark
    comes(monkeypatch)
    assert turn(keeper, owner) == 2
    turn(keeper, owner)
    assert signatures.expected() == ""


def test_by_a_memory_that_cannot_be_read_nothing_takes_effect_and_nothing_is_refused(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    turn(keeper, owner)
    memory = place.current().data / signatures.FILE
    said = memory.read_text("utf-8")
    memory.write_text("{")
    comes(monkeypatch)
    assert turn(keeper, owner) == 1
    assert scheduling.waiting(owner) is not None
    memory.write_text(said)
    assert turn(keeper, owner) == 2


@pytest.mark.parametrize("column", ["source", "terms", "raised", "verdict"])
def test_what_was_altered_while_it_waited_is_refused(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    made = publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS, raised=Verdict.NOTIFY)
    turn(keeper, owner)
    change = {"source": "source || ' '", "terms": "terms || ' '", "raised": "0", "verdict": "0"}[column]
    owner.execute(f"UPDATE troth.policy_scheduled SET {column} = {change}".encode())
    comes(monkeypatch)
    assert turn(keeper, owner) == 1
    assert outcome(olga, made) == ("refused", "what waits is not what was left to wait here; publish it again")


@pytest.mark.parametrize("column", ["source", "terms"])
def test_nothing_follows_a_version_in_force_that_was_altered(owner: Connection[Any], column: str) -> None:
    first = POLICY.read_text(encoding="utf-8")
    owner.execute(f"UPDATE troth.policy_version SET {column} = {column} || ' '".encode())
    for source in (first, PLAIN):
        with pytest.raises(signatures.AlteredVersion, match="not what this operator's key signed"):
            apply.apply(owner, source, TERMS)


def test_without_the_signatures_an_altered_version_would_be_followed(
    owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control taken away."""
    owner.execute("UPDATE troth.policy_version SET terms = terms || ' '")
    monkeypatch.setattr(signatures, "check", lambda _: None)
    assert apply.apply(owner, PLAIN, TERMS).version == 2


def test_who_wrote_into_the_list_without_the_key_gets_nothing_into_force(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    turn(keeper, owner)
    owner.execute("UPDATE troth.policy_scheduled SET signature = decode(repeat('00', 64), 'hex')")
    comes(monkeypatch)
    assert turn(keeper, owner) == 1
    for role in ("door", "self", "staff", "steward"):
        with pytest.raises(Error) as refused, connect.acting(role, token=olga.token) as connection:
            connection.execute("UPDATE troth.policy_scheduled SET signature = signature")
        assert refused.value.sqlstate == "42501"


def test_what_waits_and_is_proposed_again_can_still_be_withdrawn(
    keeper: Keeper, owner: Connection[Any], olga: Person
) -> None:
    first = publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    turn(keeper, owner)
    second = publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
    turn(keeper, owner)
    assert outcome(olga, first)[0] is None
    publishing.withdraw(viewer=olga.token, proposal=first)
    assert scheduling.waiting(owner) is None
    assert (outcome(olga, first)[0], outcome(olga, second)[0]) == ("withdrawn", "withdrawn")

"""What the operator's key asked for is carried out once: whoever has the database cannot ask for it again (decision 34)."""

from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import TERMS, Person, employ, make
from tests.consent.test_publishing import PLAIN, turn
from tests.consent.test_scheduling import answer, comes, later
from troth.consent import publishing, scheduling
from troth.database import answered, place, requests
from troth.database.keeper import Keeper
from troth.policy.compare import Verdict

pytestmark = pytest.mark.usefixtures("django")
OPENED = (
    "UPDATE troth.keeper_request SET answered_at = NULL, granted = NULL, answer = NULL, put_off_at = NULL"
    " WHERE kind = 'policy.publish'"
)
COPIED = (
    "WITH gone AS (DELETE FROM troth.keeper_request WHERE kind = 'policy.publish' RETURNING *)"
    " INSERT INTO troth.keeper_request (kind, payload, signature) SELECT kind, payload, signature FROM gone"
)
PROPOSED = "UPDATE troth.policy_proposal SET closed_at = NULL, outcome = NULL"


@pytest.fixture
def olga(owner: Connection[Any]) -> Person:
    return employ(owner, make(owner, "Olga"), "owner")


def withdrawn(keeper: Keeper, owner: Connection[Any], olga: Person, by: str) -> None:
    """Publish a version that waits, and withdraw it."""
    if by == "key":
        assert answer(
            keeper, owner, "policy.publish", publishing.asked(later(PLAIN), TERMS, Verdict.EDITORIAL, key=True)
        )[0]
        assert answer(keeper, owner, "policy.withdraw", {"version": 2})[0]
    else:
        made = publishing.propose(viewer=olga.token, source=later(PLAIN), terms=TERMS)
        turn(keeper, owner)
        publishing.withdraw(viewer=olga.token, proposal=made)
        turn(keeper, owner)
    assert scheduling.waiting(owner) is None


@pytest.mark.parametrize("asked", [OPENED, COPIED], ids=["opened", "copied"])
@pytest.mark.parametrize("by", ["key", "person"])
def test_a_version_that_was_withdrawn_does_not_wait_again_by_its_own_request(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch, by: str, asked: str
) -> None:
    withdrawn(keeper, owner, olga, by)
    owner.execute(PROPOSED.encode())
    owner.execute(asked.encode())
    turn(keeper, owner)
    assert scheduling.waiting(owner) is None
    query = "SELECT granted, answer->>'sentence' FROM troth.keeper_request WHERE kind = 'policy.publish'"
    assert owner.execute(query).fetchall() == [(False, "this request was answered before")]
    comes(monkeypatch)
    assert turn(keeper, owner) == 1


@pytest.mark.parametrize("by", ["key", "person"])
def test_without_the_memory_of_what_was_answered_it_would(
    keeper: Keeper, owner: Connection[Any], olga: Person, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """The control taken away."""
    withdrawn(keeper, owner, olga, by)
    owner.execute(PROPOSED.encode())
    owner.execute(COPIED.encode())
    (place.current().data / answered.FILE).unlink()
    comes(monkeypatch)
    assert turn(keeper, owner) == 2


def test_a_data_folder_without_a_memory_believes_the_database_once(
    keeper: Keeper, owner: Connection[Any], olga: Person
) -> None:
    """As after a backup was restored, or an earlier troth."""
    withdrawn(keeper, owner, olga, "key")
    (place.current().data / answered.FILE).unlink()
    answered.begin(owner, keeper.where)
    owner.execute(COPIED.encode())
    turn(keeper, owner)
    assert scheduling.waiting(owner) is None


@pytest.mark.parametrize("said", ["", "{", "[]", '{"requests": 3}'])
def test_by_a_memory_that_cannot_be_read_nothing_is_carried_out(
    keeper: Keeper, owner: Connection[Any], olga: Person, said: str
) -> None:
    (keeper.where.data / answered.FILE).write_text(said)
    granted, told = answer(
        keeper, owner, "policy.publish", publishing.asked(later(PLAIN), TERMS, Verdict.EDITORIAL, key=True)
    )
    assert not granted
    assert "does not say which requests were answered" in told["sentence"]
    assert scheduling.waiting(owner) is None


def test_what_waits_for_a_second_person_was_not_answered_yet(
    keeper: Keeper, owner: Connection[Any], olga: Person
) -> None:
    bob = employ(owner, make(owner, "Bob"), "publisher")
    made = publishing.propose(viewer=bob.token, source=PLAIN, terms=TERMS, raised=Verdict.AGREE_AGAIN)
    assert turn(keeper, owner) == turn(keeper, owner) == 1
    publishing.approve(viewer=olga.token, proposal=made)
    assert turn(keeper, owner) == 2


def test_what_no_key_of_ours_signed_is_not_remembered(keeper: Keeper, owner: Connection[Any]) -> None:
    request = requests.leave("policy.withdraw", {"version": 2})
    owner.execute("UPDATE troth.keeper_request SET payload = payload || ' ' WHERE request = %s", (request,))
    answered.begin(owner, keeper.where)
    before = (keeper.where.data / answered.FILE).read_text("utf-8")
    turn(keeper, owner)
    assert (keeper.where.data / answered.FILE).read_text("utf-8") == before

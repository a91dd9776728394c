"""Two persons for what people must agree to again: the keeper waits for the second, whoever asks and however."""

from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection, Error

from tests.conftest import POLICY, TERMS, Person, employ, make
from troth.consent import publishing
from troth.consent.errors import NothingToPublish, ProposalClosed, SamePerson
from troth.consent.scheduling import digest
from troth.database import apply, connect, requests
from troth.database.keeper import Keeper

pytestmark = pytest.mark.usefixtures("django")
FIRST = POLICY.read_text(encoding="utf-8")
SECOND = FIRST.replace("version 1 effective", "version 2 effective")
#: Another purpose: people are asked.
WIDER = SECOND.replace(
    "# What is collected,", 'purpose lend "lend things" by consent [P3]\n\n# What is collected,', 1
).replace("    for provide 90 days\n", "    for provide 90 days\n    for lend 90 days\n", 1)
#: Nothing that anybody must agree to.
PLAIN = SECOND.replace("privacy@harbor.example", "people@harbor.example")


@pytest.fixture
def staff(owner: Connection[Any]) -> dict[str, Person]:
    people = {name.lower(): make(owner, name) for name in ("Olga", "Bob", "Charlie")}
    employ(owner, people["olga"], "owner")
    return people


def turn(keeper: Keeper, owner: Connection[Any]) -> int:
    """Let the keeper look again, also at what it put off; return the version in force."""
    owner.execute("UPDATE troth.keeper_request SET put_off_at = NULL WHERE answered_at IS NULL")
    keeper.turn()
    now = apply.newest(owner)
    assert now is not None
    return now.version


def outcome(viewer: Person, proposal: UUID) -> tuple[str | None, str]:
    found = next(each for each in publishing.proposals(viewer.token) if each.proposal == proposal)
    return found.outcome, found.sentence


def test_a_significant_version_waits_for_a_second_person(
    keeper: Keeper, owner: Connection[Any], staff: dict[str, Person]
) -> None:
    olga, bob = staff["olga"], staff["bob"]
    employ(owner, bob, "publisher")
    made = publishing.propose(viewer=olga.token, source=WIDER, terms=TERMS)
    assert turn(keeper, owner) == 1
    assert turn(keeper, owner) == 1
    with pytest.raises(SamePerson):
        publishing.approve(viewer=olga.token, proposal=made)
    assert turn(keeper, owner) == 1
    publishing.approve(viewer=bob.token, proposal=made)
    assert turn(keeper, owner) == 2
    # Whoever published must agree to it themselves before they see anything again.
    assert owner.execute("SELECT outcome, sentence FROM troth.policy_proposal").fetchall() == [("published", "")]
    ((told,),) = owner.execute("SELECT facts FROM troth.ledger_entry WHERE action = 'policy-published'").fetchall()
    assert told["significant"] is True
    assert (told["version"], told["approvals"]) == (2, 1)


def test_what_nobody_must_agree_to_needs_no_second_person(
    keeper: Keeper, owner: Connection[Any], staff: dict[str, Person]
) -> None:
    employ(owner, staff["bob"], "publisher")
    made = publishing.propose(viewer=staff["bob"].token, source=PLAIN, terms=TERMS)
    assert turn(keeper, owner) == 2
    assert outcome(staff["bob"], made)[0] == "published"


def test_one_person_alone_cannot_be_asked_for_a_second(
    keeper: Keeper, owner: Connection[Any], staff: dict[str, Person]
) -> None:
    publishing.propose(viewer=staff["olga"].token, source=WIDER, terms=TERMS)
    assert turn(keeper, owner) == 2


def test_who_ends_the_other_role_is_not_alone_for_a_day(
    keeper: Keeper, owner: Connection[Any], staff: dict[str, Person]
) -> None:
    employ(owner, staff["bob"], "publisher")
    owner.execute("UPDATE troth.staff SET until = now() WHERE role = 'publisher'")
    publishing.propose(viewer=staff["olga"].token, source=WIDER, terms=TERMS)
    assert turn(keeper, owner) == 1
    owner.execute("UPDATE troth.staff SET until = now() - interval '25 hours' WHERE role = 'publisher'")
    assert turn(keeper, owner) == 2


def test_an_approval_counts_only_while_its_person_may_publish(
    keeper: Keeper, owner: Connection[Any], staff: dict[str, Person]
) -> None:
    employ(owner, staff["bob"], "publisher")
    employ(owner, staff["charlie"], "publisher")
    made = publishing.propose(viewer=staff["bob"].token, source=WIDER, terms=TERMS)
    publishing.approve(viewer=staff["charlie"].token, proposal=made)
    owner.execute("UPDATE troth.staff SET until = now() WHERE subject = %s", (staff["charlie"].subject,))
    assert turn(keeper, owner) == 1
    owner.execute("UPDATE troth.staff SET until = now() WHERE subject = %s", (staff["bob"].subject,))
    assert turn(keeper, owner) == 1
    assert outcome(staff["olga"], made)[0] == "refused"


def test_other_words_are_not_what_was_approved(
    keeper: Keeper, owner: Connection[Any], staff: dict[str, Person]
) -> None:
    employ(owner, staff["bob"], "publisher")
    made = publishing.propose(viewer=staff["bob"].token, source=WIDER, terms=TERMS)
    publishing.approve(viewer=staff["olga"].token, proposal=made)
    owner.execute("DELETE FROM troth.keeper_request")
    other = WIDER.replace("lend things", "sell things")
    requests.leave("policy.publish", {"policy": digest(WIDER), "terms": digest(TERMS),
                                      "source": other, "terms_text": TERMS})  # fmt: skip
    assert turn(keeper, owner) == 1
    requests.leave("policy.apply", {"source": other, "terms": TERMS})
    assert turn(keeper, owner) == 1


def test_the_operators_key_alone_is_refused_as_soon_as_two_may_publish(
    keeper: Keeper, owner: Connection[Any], staff: dict[str, Person]
) -> None:
    employ(owner, staff["bob"], "publisher")
    request = requests.leave("policy.apply", {"source": WIDER, "terms": TERMS})
    assert turn(keeper, owner) == 1
    ((granted, answer),) = owner.execute(
        "SELECT granted, answer FROM troth.keeper_request WHERE request = %s", (request,)
    ).fetchall()
    assert granted is False
    assert "2 persons may publish" in answer["sentence"]
    assert "/operator/publishing" in answer["advice"]
    # Once two persons want the same words, the key may carry them out.
    made = publishing.propose(viewer=staff["bob"].token, source=WIDER, terms=TERMS)
    owner.execute("DELETE FROM troth.keeper_request")
    publishing.approve(viewer=staff["olga"].token, proposal=made)
    requests.leave("policy.apply", {"source": WIDER, "terms": TERMS})
    assert turn(keeper, owner) == 2


def test_a_keeper_that_asks_nobody_would_apply_it(
    keeper: Keeper, owner: Connection[Any], staff: dict[str, Person]
) -> None:
    """The control taken away."""
    keeper.judges = ()
    employ(owner, staff["bob"], "publisher")
    requests.leave("policy.apply", {"source": WIDER, "terms": TERMS})
    assert turn(keeper, owner) == 2


def test_a_withdrawn_proposal_is_never_applied(
    keeper: Keeper, owner: Connection[Any], staff: dict[str, Person]
) -> None:
    employ(owner, staff["bob"], "publisher")
    employ(owner, staff["charlie"], "publisher")
    made = publishing.propose(viewer=staff["bob"].token, source=WIDER, terms=TERMS)
    with pytest.raises(ProposalClosed):  # neither theirs nor are they an owner
        publishing.withdraw(viewer=staff["charlie"].token, proposal=made)
    publishing.withdraw(viewer=staff["olga"].token, proposal=made)
    assert turn(keeper, owner) == 1
    with pytest.raises(ProposalClosed):
        publishing.approve(viewer=staff["charlie"].token, proposal=made)


@pytest.mark.parametrize("role", ["support", "analyst", "auditor", None])
def test_only_who_may_publish_sees_or_does_anything(
    owner: Connection[Any], staff: dict[str, Person], role: str | None
) -> None:
    made = publishing.propose(viewer=staff["olga"].token, source=WIDER, terms=TERMS)
    if role:
        employ(owner, staff["bob"], role)
    for act in (publishing.approve, publishing.withdraw):
        with pytest.raises(NothingToPublish):
            act(viewer=staff["bob"].token, proposal=made)
    with pytest.raises(NothingToPublish):
        publishing.propose(viewer=staff["bob"].token, source=PLAIN, terms=TERMS)
    with pytest.raises(NothingToPublish):
        publishing.proposals(staff["bob"].token)


def test_requests_that_wait_hold_up_no_other(keeper: Keeper, owner: Connection[Any], staff: dict[str, Person]) -> None:
    employ(owner, staff["bob"], "publisher")
    for number in range(12):
        words = WIDER.replace("lend things", f"lend {number} things")
        publishing.propose(viewer=staff["bob"].token, source=words, terms=TERMS)
    requests.leave("policy.apply", {"source": PLAIN, "terms": TERMS})
    for _ in range(2):
        keeper.turn()
    now = apply.newest(owner)
    assert now is not None
    assert now.version == 2


def test_what_the_tables_cannot_hold_to_is_shown_at_its_place(keeper: Keeper, owner: Connection[Any]) -> None:
    source = PLAIN + "coarsen access.time to day after 3 days\n"
    said = f":{source.count(chr(10))}:1: P-T06: `access.at` cannot become a day in place\n"
    from troth.web.views.publishing import Propose

    form = Propose({"source": source, "terms": TERMS})
    assert said in form.errors["source"][0]
    request = requests.leave("policy.apply", {"source": source, "terms": TERMS})
    assert turn(keeper, owner) == 1
    ((answer,),) = owner.execute("SELECT answer FROM troth.keeper_request WHERE request = %s", (request,)).fetchall()
    assert said in answer["sentence"]


def test_no_proposal_is_written_past_its_functions(staff: dict[str, Person]) -> None:
    for role in ("self", "staff", "steward", "door"):
        for table in ("policy_proposal", "policy_approval"):
            with pytest.raises(Error) as refused, connect.acting(role, token=staff["olga"].token) as connection:
                connection.execute(f"INSERT INTO troth.{table} (subject) VALUES (gen_random_uuid())".encode())
            assert refused.value.sqlstate == "42501"


def test_what_the_key_puts_into_force_at_once_stands_in_the_ledger(keeper: Keeper, owner: Connection[Any]) -> None:
    for _ in range(2):  # the same version again repairs drift, and publishes nothing
        requests.leave("policy.apply", {"source": PLAIN, "terms": TERMS})
        assert turn(keeper, owner) == 2
    found = owner.execute("SELECT facts FROM troth.ledger_entry WHERE action = 'policy-published'").fetchall()
    assert found == [({"version": 2, "policy": digest(PLAIN), "applied": True},)]

"""A member asks their organization to correct what it holds of them: asked, answered, withdrawn, and told both ways."""

import uuid
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import mails
from tests.organizations.conftest import Harbor, tried
from tests.rights.asking import erased, exported, part
from troth.people import correcting, holding
from troth.people.errors import CorrectionRefusal, NobodyThere, NoSuchOrganization, NotAllowed, PeopleRefusal
from troth.people.fields import Field

ASK = "SELECT troth.ask_correction(%(org)s, %(field)s, %(value)s, %(why)s)"


def number(value: int | None = 4711) -> dict[str, Any]:
    return {"field": FIELD, "value": value}


FIELD = Field("employee_number", "whole number", "person.organization", {"en": "Employee number"}, "organization")  # type: ignore[arg-type]


def asks(held: Harbor, who: str = "bob", *, value: int | None = 12, reason: str = "It is my old one.") -> uuid.UUID:
    return correcting.ask(token=held.people[who].token, organization=held.organization, reason=reason, **number(value))


def fill(held: Harbor, value: int | None, who: str = "dana") -> None:
    told = {"organization": held.organization, "subject": held.bob.subject} | number(value)
    correcting.hold(token=held.people[who].token, **told)


def answers(held: Harbor, correction: uuid.UUID, who: str = "dana", *, accepted: bool = True, words: str = "") -> None:
    told = {"organization": held.organization, "subject": held.bob.subject, "correction": correction}
    correcting.answer(token=held.people[who].token, accepted=accepted, words=words, **told)


def value(held: Harbor) -> Any:
    (found,) = holding.of_me(held.bob.token)[held.organization]
    return found.value


def entries(owner: Connection[Any]) -> list[str]:
    rows = owner.execute(
        "SELECT action FROM troth.ledger_entry WHERE facts = %s ORDER BY index", ('{"field": "employee_number"}',)
    )
    return [action for (action,) in rows]


@pytest.mark.usefixtures("browser")
def test_what_is_asked_is_made_so_and_both_sides_are_told_without_the_value(
    owner: Connection[Any], held: Harbor
) -> None:
    fill(held, 4711)
    asked = asks(held)
    (mine,) = holding.corrections_of_me(held.bob.token)
    assert (mine.state, mine.wanted, mine.reason) == ("asked", 12, "It is my old one.")
    for name in ("alice", "dana"):
        ((theirs, who),) = holding.corrections(held.people[name].token, held.organization)
        assert (theirs.correction, theirs.subject, theirs.wanted, who) == (asked, held.bob.subject, 12, "Bob")
        (facts,) = mails(owner, held.people[name].email)
        told = correcting.asked_mail(facts)
        assert "Harbor Rowing" in told["subject"]
        assert "Employee number" in told["text"]
        assert not {"12", "4711", "Bob"} & set((told["subject"] + told["text"]).replace(",", " ").split())
    assert mails(owner, held.charlie.email) == [] == mails(owner, held.olga.email)
    assert value(held) == 4711, "nothing changes until it is answered"
    answers(held, asked)
    assert value(held) == 12
    (mine,) = holding.corrections_of_me(held.bob.token)
    assert mine.state == "corrected"
    (facts,) = mails(owner, held.bob.email)
    assert "It did." in correcting.answered_mail(facts)["text"]
    assert entries(owner) == ["held-field-changed", "correction-asked", "correction-made"]


@pytest.mark.usefixtures("browser")
def test_a_refusal_says_why_and_the_person_reads_it(owner: Connection[Any], held: Harbor) -> None:
    fill(held, 4711)
    asked = asks(held, value=None)
    for blank in ("", "  \n"):
        with pytest.raises(CorrectionRefusal, match="a refusal says why"):
            answers(held, asked, accepted=False, words=blank)
    answers(held, asked, accepted=False, words="It is on your contract.\n\x07Look there.")
    (mine,) = holding.corrections_of_me(held.bob.token)
    assert (mine.state, mine.answer, mine.wanted) == ("declined", "It is on your contract.\nLook there.", None)
    assert value(held) == 4711
    (facts,) = mails(owner, held.bob.email)
    assert "contract" not in str(facts) + str(correcting.answered_mail(facts))
    with pytest.raises(CorrectionRefusal, match="not asked any more"):
        answers(held, asked)
    again = asks(held, value=None)
    answers(held, again)
    assert value(held) is None
    assert holding.of_me(held.bob.token)[held.organization][0].since is None


def test_since_when_a_value_is_held_is_told_and_changes_with_it_alone(held: Harbor) -> None:
    fill(held, 4711)
    first = holding.of_me(held.bob.token)[held.organization][0].since
    fill(held, 4711)
    assert first == holding.of_me(held.bob.token)[held.organization][0].since
    fill(held, 4712)
    later = holding.of_me(held.bob.token)[held.organization][0].since
    assert first
    assert later
    assert later > first


def test_who_asks_who_answers_and_with_which_code_everybody_else_is_refused(held: Harbor) -> None:
    told = {"org": held.organization, "field": "employee_number", "value": "7", "why": "so"}
    asking = {name: tried("self", held.people[name].token, ASK, told) for name in held.people}
    assert asking == {"alice": "", "dana": "", "bob": "", "charlie": "TR040", "olga": "TR040"}
    for wrong, code in (({"field": "role"}, "TR061"), ({"field": "about"}, "TR061"), ({"value": "x"}, "22P02"),
                        ({"value": "9999999999999999"}, "23514"), ({"org": held.elsewhere}, "TR040"),
                        ({"why": "a" * 1001}, "23514")):  # fmt: skip
        assert tried("self", held.bob.token, ASK, told | wrong) == code, wrong
    assert tried("self", "of nobody", ASK, told) == "TR003"
    for role in ("administrator", "member", "door", "provide"):
        assert tried(role, held.bob.token, ASK, told) in ("42501", "25006")

    asked = asks(held)
    with pytest.raises(CorrectionRefusal, match="asked that already"):
        asks(held)
    for name, refusal in (("bob", NotAllowed), ("charlie", NoSuchOrganization), ("olga", NoSuchOrganization)):
        with pytest.raises(refusal):
            answers(held, asked, name)
        assert holding.corrections(held.people[name].token, held.organization) == []
    with pytest.raises(NobodyThere):
        correcting.answer(token="of nobody", organization=held.organization, subject=held.bob.subject, correction=asked,
                          accepted=True, words="")  # fmt: skip
    with pytest.raises(CorrectionRefusal):
        correcting.withdraw(token=held.charlie.token, correction=asked)
    assert [each.state for each in holding.corrections_of_me(held.bob.token)] == ["asked"]
    # An administrator answers no owner, who may do more.
    owners = asks(held, "alice")
    with pytest.raises(NotAllowed):
        correcting.answer(token=held.dana.token, organization=held.organization, subject=held.alice.subject,
                          correction=owners, accepted=True, words="")  # fmt: skip


def test_nobody_writes_a_request_past_its_functions(held: Harbor) -> None:
    asks(held)
    for role, name in (
        ("self", "bob"),
        ("administrator", "dana"),
        ("member", "bob"),
        ("mirror", "bob"),
        ("directory", "bob"),
    ):
        for statement in (
            "UPDATE troth.correction SET outcome = 'corrected'",
            "UPDATE troth.correction SET employee_number = 1",
            "DELETE FROM troth.correction",
            "INSERT INTO troth.correction (subject, organization, field) SELECT subject, organization, 'x' FROM troth.membership",
            "SELECT troth.write_held(NULL, NULL, 'employee_number', '1')",
            "SELECT troth.wanted_in(NULL, NULL, 'employee_number')",
            "SELECT troth.write_to(NULL, 'mail', '{}')",
        ):
            assert tried(role, held.people[name].token, statement, {}) == "42501", (role, statement)


def test_a_request_is_withdrawn_and_five_a_day_are_enough(owner: Connection[Any], held: Harbor) -> None:
    for _ in range(5):
        correcting.withdraw(token=held.bob.token, correction=asks(held))
    assert [each.state for each in holding.corrections_of_me(held.bob.token)] == ["withdrawn"] * 5
    assert holding.corrections(held.dana.token, held.organization) == []
    with pytest.raises(CorrectionRefusal, match="five times today"):
        asks(held)
    assert entries(owner) == ["correction-asked", "correction-withdrawn"] * 5


def test_what_was_asked_is_exported_goes_with_the_membership_and_is_erased(
    owner: Connection[Any], held: Harbor
) -> None:
    answers(held, asks(held), accepted=False, words="canary-answer")
    (row,) = part(exported(owner, held.bob), "correction").rows
    assert (row.values["employee_number"], row.values["answer"]) == (12, "canary-answer")
    erased(owner, held.bob)
    assert holding.corrections(held.dana.token, held.organization) == []
    asks(held, "dana")
    count = "SELECT count(*) FROM troth.correction WHERE subject = %s"
    assert owner.execute(count, (held.dana.subject,)).fetchone() == (1,)
    assert (
        tried(
            "self", held.dana.token, "SELECT troth.leave_organization(%(org)s)", {"org": held.organization}, keep=True
        )
        == ""
    )
    assert owner.execute(count, (held.dana.subject,)).fetchone() == (0,)


def test_each_control_is_missed_when_it_is_taken_away(owner: Connection[Any], held: Harbor) -> None:
    """The rule of rows, the question of who may, the one open request: each taken away alone."""
    asks(held)
    assert holding.corrections(held.charlie.token, held.organization) == []
    owner.execute("ALTER POLICY administrator_select ON troth.correction USING (true)")
    assert len(holding.corrections(held.charlie.token, held.organization)) == 1
    owner.execute("ALTER POLICY self_select ON troth.correction USING (true)")
    assert len(holding.corrections_of_me(held.charlie.token)) == 1
    owner.execute(
        "CREATE OR REPLACE FUNCTION troth.acting_in(org uuid, power text) RETURNS uuid LANGUAGE sql SECURITY DEFINER"
        " SET search_path = '' AS 'SELECT troth.viewer()'"
    )
    owner.execute(
        "CREATE OR REPLACE FUNCTION troth.reached_member(org uuid, whose uuid, who uuid) RETURNS void LANGUAGE sql"
        " SECURITY DEFINER SET search_path = '' AS ''"
    )
    fill(held, 1, "charlie")
    assert value(held) == 1


def test_a_refusal_has_its_code() -> None:
    codes = {refusal.code for refusal, _, _ in correcting.REFUSALS.values()}
    assert codes == {"sign-in-needed", "no-such-organization", "role-does-not-allow", "correction"}
    assert all(issubclass(refusal, PeopleRefusal) for refusal, _, _ in correcting.REFUSALS.values())

"""P23: the operator asks, the person answers in words that are kept, and it ends as it says; no other way permits anything."""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import POLICY, TERMS, Person, make
from tests.consent.lending import BROWSER, EMAIL, NAME, looks, prove
from troth.consent import agreed, permissions
from troth.consent import queries as consents
from troth.consent.agreed import Agreed, Proposal
from troth.consent.errors import ConsentRefusal
from troth.database import apply, connect, published

Cast = dict[str, Person]
ALICE = "alice@harbor.example"
WORDS = {"en": "May we announce?", "es": "¿Podemos anunciar?"}
MAIL = {"subject": "s", "text": "t"}


@pytest.fixture
def olga(cast: Cast, owner: Connection[Any]) -> Person:
    """The operator, beside a cast that has proven its addresses."""
    olga = make(owner, "Olga")
    for person in cast.values():
        prove(owner, person)
    prove(owner, olga, operator=True)
    return olga


def ask(olga: Person, **told: Any) -> uuid.UUID:
    """Propose; by default the purpose `announce`, for ten days."""
    plain: dict[str, Any] = {
        "address": ALICE,
        "purpose": "announce",
        "categories": None,
        "reason": "For news.",
        "terms": "",
    }
    plain |= {"days": 10, "ends": "at once", "notice": 0}
    return agreed.propose(token=olga.token, proposal=Proposal(**(plain | told)), words=WORDS, mail=MAIL)


def answer(
    who: Person, which: uuid.UUID, *, accepts: bool = True, language: str = "en", words: str | None = None
) -> None:
    digest = agreed.digest(WORDS[language] if words is None else words)
    agreed.answer(token=who.token, agreed=which, accepts=accepts, language=language, digest=digest)


def refused(code: str, action: Callable[..., object], *values: Any, **told: Any) -> None:
    with pytest.raises(ConsentRefusal) as caught:
        action(*values, **told)
    assert (caught.value.code, bool(caught.value.advice)) == (code, True)


def announced(who: Person) -> int:
    with connect.acting("announce") as reading:
        row = reading.execute("SELECT count(*) FROM person WHERE subject = %s", (who.subject,)).fetchone()
    return int(row[0]) if row else -1


def told(who: Person, which: uuid.UUID) -> Agreed:
    return next(each for each in agreed.mine(who.token) if each.agreed == which)


def test_a_yes_lets_the_purpose_in_and_both_sides_have_the_words(
    cast: Cast, olga: Person, owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    which = ask(olga)
    assert announced(alice) == 0, "silence is no"
    assert owner.execute("SELECT address FROM troth.notice").fetchall() == [(ALICE,)]
    answer(alice, which, language="es")
    assert announced(alice) == 1
    for each in (told(alice, which), agreed.proposed(olga.token)[0]):
        assert (each.answer, each.language, each.wording, each.version) == ("accepted", "es", WORDS["es"], 1)
        assert each.answered_at
        assert each.until
    assert agreed.mine(cast["bob"].token) == agreed.proposed(cast["bob"].token) == []


def test_a_no_is_kept_and_permits_nothing(cast: Cast, olga: Person) -> None:
    which = ask(olga)
    answer(cast["alice"], which, accepts=False)
    assert announced(cast["alice"]) == 0
    assert told(cast["alice"], which).answer == "declined"
    refused("permission-not-as-proposed", answer, cast["alice"], which)


def test_a_forged_answer_is_refused(cast: Cast, olga: Person, owner: Connection[Any]) -> None:
    alice, which = cast["alice"], ask(olga)
    for other in (cast["charlie"], olga):
        refused("permission-not-as-proposed", answer, other, which)
    for language, words in (("en", "May we do anything?"), ("en", WORDS["es"]), ("fr", WORDS["en"])):
        digest = agreed.digest(words)
        refused(
            "permission-not-as-proposed", agreed.answer,
            token=alice.token, agreed=which, accepts=True, language=language, digest=digest,
        )  # fmt: skip
    refused("sign-in-needed", agreed.answer, token="guessed", agreed=which, accepts=True, language="en", digest="")
    owner.execute("UPDATE troth.agreed_permission SET at = at - interval '15 days'")
    refused("permission-not-as-proposed", answer, alice, which)
    owner.execute("UPDATE troth.agreed_permission SET at = at + interval '15 days'")
    assert announced(alice) == 0
    answer(alice, which)
    refused("permission-not-as-proposed", answer, alice, which)


def test_what_was_proposed_under_another_version_is_asked_anew(
    cast: Cast, olga: Person, owner: Connection[Any]
) -> None:
    which = ask(olga)
    text = POLICY.read_text(encoding="utf-8").replace(" version 1 ", " version 2 ")
    apply.apply(owner, text, TERMS)
    published.forget()
    refused("permission-not-as-proposed", answer, cast["alice"], which)


def test_only_the_operator_asks_and_only_for_what_the_policy_permits(cast: Cast, olga: Person) -> None:
    for other in cast.values():
        refused("permission-not-operator", ask, other)
    wrong: tuple[dict[str, Any], ...] = (
        {"purpose": "provide"}, {"purpose": "understand"}, {"purpose": "nonsense"},
        {"purpose": None, "categories": ["device.identifier"]}, {"purpose": None, "categories": [NAME, "access.ip"]},
    )  # fmt: skip
    for each in wrong:
        refused("permission-not-permissible", ask, olga, **each)
    for each in ({"days": 0}, {"days": 400}, {"ends": "never"}, {"ends": "with notice"}, {"categories": [NAME]}):
        refused("permission-not-in-policy", ask, olga, **each)


def test_nobody_learns_whether_an_address_is_known(olga: Person, owner: Connection[Any]) -> None:
    ask(olga)
    ask(olga, address="nobody@elsewhere.example")
    seen = [(e.answer, e.until, e.over_at, e.reason) for e in agreed.proposed(olga.token)]
    assert seen[0] == seen[1]
    assert owner.execute("SELECT address FROM troth.notice").fetchall() == [(ALICE,)]


@pytest.mark.parametrize("ender", ["alice", "olga"])
def test_either_ends_it_and_the_purpose_is_out_at_the_next_statement(cast: Cast, olga: Person, ender: str) -> None:
    alice, which = cast["alice"], ask(olga)
    answer(alice, which)
    with connect.acting("announce") as reading:
        query, whose = "SELECT count(*) FROM person WHERE subject = %s", (alice.subject,)
        assert reading.execute(query, whose).fetchone() == (1,)
        refused("permission-unknown", agreed.end, token=cast["charlie"].token, agreed=which)
        agreed.end(token=(cast | {"olga": olga})[ender].token, agreed=which)
        assert reading.execute(query, whose).fetchone() == (0,)
    assert told(alice, which).over_by == {"alice": "person", "olga": "operator"}[ender]
    refused("permission-unknown", agreed.end, token=alice.token, agreed=which)


def test_the_switch_takes_the_yes_back_as_well(cast: Cast, olga: Person) -> None:
    from troth.consent import actions

    alice, which = cast["alice"], ask(olga)
    answer(alice, which)
    actions.choose(token=alice.token, purpose="announce", kind="withdrawal")
    assert announced(alice) == 0
    assert told(alice, which).over_by == "person"


def test_what_a_person_chose_themselves_outlives_the_agreement(cast: Cast, olga: Person) -> None:
    from troth.consent import actions

    alice = cast["alice"]
    actions.choose(token=alice.token, purpose="announce", kind="consent")
    which = ask(olga)
    answer(alice, which)
    agreed.end(token=olga.token, agreed=which)
    assert announced(alice) == 1
    assert len(consents.choices(alice.token)) == 1


def test_it_ends_by_itself(cast: Cast, olga: Person, owner: Connection[Any]) -> None:
    alice, which = cast["alice"], ask(olga)
    answer(alice, which)
    with connect.acting("steward") as steward:
        assert steward.execute("SELECT troth.lapse_permissions()").fetchone() == (0,)
    owner.execute("UPDATE troth.agreed_permission SET until = now()")
    with connect.acting("steward") as steward:
        steward.execute("SELECT troth.sweep()")
    assert announced(alice) == 0
    assert told(alice, which).over_by == "time"


def test_categories_are_shown_to_whoever_asked_alone_and_end_with_notice(
    cast: Cast, olga: Person, owner: Connection[Any]
) -> None:
    alice = cast["alice"]
    which = ask(olga, purpose=None, categories=[EMAIL], ends="with notice", notice=2)
    assert looks(olga, alice) == set()
    answer(alice, which)
    assert looks(olga, alice) == {EMAIL}
    assert looks(cast["bob"], alice) == looks(olga, cast["bob"]) == set()
    given = permissions.grants(alice.token)[0].given
    refused("permission-unknown", permissions.end, token=olga.token, given=given)
    agreed.end(token=alice.token, agreed=which)
    assert looks(olga, alice) == {EMAIL}, "two days of notice"
    assert agreed.endable(told(alice, which)) is False
    owner.execute("UPDATE troth.person_grant SET over_at = now()")
    assert looks(olga, alice) == set()


def test_one_that_only_ends_by_itself_is_ended_by_neither(cast: Cast, olga: Person) -> None:
    alice = cast["alice"]
    which = ask(olga, purpose=None, categories=[BROWSER], ends="at its end")
    answer(alice, which)
    for who in (alice, olga):
        refused("permission-unknown", agreed.end, token=who.token, agreed=which)
    assert looks(olga, alice) == {BROWSER}


def test_no_role_of_the_operator_or_of_a_purpose_can_write_a_permission(cast: Cast, olga: Person) -> None:
    """P24: the operator has no part in them. What the operator's pages and commands run as can neither make nor change one."""
    ask(olga)
    tables = ("person_grant", "person_grant_use", "agreed_permission", "application_grant")
    roles = ("door", "self", "steward", "intake", "chosen", *(p.name for p in published.current().policy.purposes))
    for role in roles:
        for table in tables:
            for statement in (
                "DELETE FROM troth.{}",
                "UPDATE troth.{} SET subject = subject",
                "INSERT INTO troth.{} DEFAULT VALUES",
            ):
                with (
                    pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)),
                    connect.acting(role, token=olga.token) as acting,
                ):
                    acting.execute(statement.format(table).encode())
        if role != "self":
            for call in (
                "answer_permission(gen_random_uuid(), true, 'en', '')",
                "end_grant(gen_random_uuid())",
                "answer_grant('', true)",
            ):
                with (
                    pytest.raises(psycopg.errors.InsufficientPrivilege),
                    connect.acting(role, token=olga.token) as acting,
                ):
                    acting.execute(f"SELECT troth.{call}".encode())

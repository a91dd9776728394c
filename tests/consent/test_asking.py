"""P39: everybody is asked once, plainly; answers are kept and counted, and a purpose reads only those who said yes."""

from typing import Any

import pytest
from psycopg import Connection, errors

from tests.browsing import Browser
from tests.conftest import POLICY, TERMS, Person, count, employ, make
from tests.consent.test_receipts import again
from tests.web.second import hire
from troth.consent import actions, asking, queries, receipts
from troth.consent.errors import NoSuchChoice, NothingToPublish, Unsecured
from troth.database import apply, connect, published

pytestmark = pytest.mark.usefixtures("django")
FIRST = POLICY.read_text(encoding="utf-8")
DEVICES = "collect device.identifier, device.browser, device.system, device.kind on sign-in [P10, P11]\n"
REFUSED = (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)
PEOPLE = "SELECT count(*) FROM person"


@pytest.fixture
def olga(owner: Connection[Any]) -> Person:
    return employ(owner, make(owner, "Olga"), "publisher")


def state(person: Person, purpose: str = "announce") -> tuple[bool, bool, str | None] | None:
    """Return whether the operator asks, whether the person may be asked, and their last answer; None for who is in."""
    found = next((each for each in asking.asked(person.token) if each.purpose == purpose), None)
    return (found.open, found.may, found.kind) if found else None


def put_into_force(owner: Connection[Any], number: int, *changes: tuple[str, str]) -> None:
    source = FIRST.replace("version 1 effective", f"version {number} effective")
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    apply.apply(owner, source, TERMS)
    published.forget()


def days_later(owner: Connection[Any], days: int) -> None:
    owner.execute("UPDATE troth.choice SET at = at - make_interval(days => %s)", (days,))


def test_a_purpose_reads_only_those_who_said_yes_and_nobody_is_asked_twice(
    owner: Connection[Any], cast: dict[str, Person], olga: Person
) -> None:
    assert state(cast["alice"]) == (False, True, None)
    asking.ask(viewer=olga.token, purpose="announce")
    assert state(cast["alice"]) == (True, True, None)
    assert count("announce", PEOPLE) == 0
    actions.choose(token=cast["alice"].token, purpose="announce", kind="consent")
    actions.choose(token=cast["bob"].token, purpose="announce", kind="refusal")
    assert count("announce", PEOPLE) == 1, "whoever said nothing is not in either"
    assert state(cast["alice"]) is None
    assert state(cast["bob"]) == (True, False, "refusal")
    days_later(owner, 3650)
    assert state(cast["bob"]) == (True, False, "refusal"), "the policy asks once"
    # To take it back is the same one step as to give it.
    actions.choose(token=cast["alice"].token, purpose="announce", kind="withdrawal")
    assert count("announce", PEOPLE) == 0
    assert state(cast["alice"]) == (True, False, "withdrawal")


def test_whoever_said_no_is_asked_again_when_the_policy_says_so_and_not_before(
    owner: Connection[Any], cast: dict[str, Person], olga: Person
) -> None:
    put_into_force(
        owner, 2, ("ask before any new purpose [P39]", "ask before any new purpose, again after 90 days [P39]")
    )
    for name, kind in (("alice", "refusal"), ("bob", "consent")):
        made = owner.execute(
            "SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1"
        )
        owner.execute(
            "SELECT troth.agree(%s, %s, %s, %s, 'page', 'I agree.', 'en')",
            (cast[name].subject, *(made.fetchone() or ())),
        )
        actions.choose(token=cast[name].token, purpose="announce", kind=kind)
    days_later(owner, 89)
    assert state(cast["alice"]) == (False, False, "refusal")
    days_later(owner, 1)
    assert state(cast["alice"]) == (False, True, "refusal")
    assert state(cast["bob"]) is None, "whoever said yes is in, however long ago"


def test_a_purpose_that_grew_asks_those_again_who_said_yes_to_less(
    owner: Connection[Any], cast: dict[str, Person]
) -> None:
    actions.choose(token=cast["alice"].token, purpose="announce", kind="consent")
    assert count("announce", PEOPLE) == 1
    put_into_force(owner, 2, (DEVICES, f"{DEVICES}    for announce while consented\n"))
    assert count("announce", PEOPLE) == 0
    made = owner.execute("SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1")
    owner.execute(
        "SELECT troth.agree(%s, %s, %s, %s, 'page', 'I agree.', 'en')",
        (cast["alice"].subject, *(made.fetchone() or ())),
    )
    assert count("announce", PEOPLE) == 0, "to agree to the policy is no yes to a purpose that needs one"
    assert state(cast["alice"]) == (False, True, "consent")


def test_answers_are_counted_and_no_count_tells_of_few(
    owner: Connection[Any], cast: dict[str, Person], olga: Person
) -> None:
    asking.ask(viewer=olga.token, purpose="announce")
    asking.ask(viewer=olga.token, purpose="announce")
    crowd = [make(owner, f"Person{n}") for n in range(6)]
    for person in crowd[:4]:
        actions.choose(token=person.token, purpose="announce", kind="consent")
    actions.choose(token=cast["bob"].token, purpose="announce", kind="refusal")
    (found,) = asking.questions(olga.token)
    assert (found.purpose, found.yes, found.no, found.closed_at) == ("announce", None, None, None)
    actions.choose(token=crowd[4].token, purpose="announce", kind="consent")
    actions.choose(token=crowd[4].token, purpose="announce", kind="consent")
    (found,) = asking.questions(olga.token)
    assert (found.yes, found.no) == (5, None)
    asking.close(viewer=olga.token, purpose="announce")
    actions.choose(token=crowd[5].token, purpose="announce", kind="consent")
    (found,) = asking.questions(olga.token)
    assert (found.yes, found.closed_at is None) == (5, False), "what came after its end is no answer to it"
    assert state(cast["charlie"]) == (False, True, None)
    acts = owner.execute(
        "SELECT action FROM troth.ledger_entry WHERE action LIKE 'question-%' ORDER BY index"
    ).fetchall()
    assert acts == [("question-opened",), ("question-closed",)]


def test_only_who_publishes_asks_and_only_for_what_needs_a_yes(
    owner: Connection[Any], cast: dict[str, Person], olga: Person
) -> None:
    sam = employ(owner, make(owner, "Sam"), "support", "analyst", "auditor")
    for whose in (cast["alice"].token, sam.token, "forged", ""):
        for act in (asking.ask, asking.close):
            with pytest.raises(NothingToPublish):
                act(viewer=whose, purpose="announce")
        with pytest.raises(NothingToPublish):
            asking.questions(whose)
    for purpose in ("provide", "understand", "nothing", "'; DROP TABLE troth.question; --"):
        with pytest.raises(NoSuchChoice):
            asking.ask(viewer=olga.token, purpose=purpose)
    owner.execute("UPDATE troth.request_token SET level = 1 WHERE subject = %s", (olga.subject,))
    with pytest.raises(Unsecured):
        asking.ask(viewer=olga.token, purpose="announce")
    assert owner.execute("SELECT count(*) FROM troth.question").fetchone() == (0,)


@pytest.mark.parametrize("role", ["self", "staff", "provide", "announce", "door", "intake", "steward"])
def test_no_role_asks_behind_the_functions(owner: Connection[Any], olga: Person, role: str) -> None:
    asking.ask(viewer=olga.token, purpose="announce")
    for statement in (
        "INSERT INTO troth.question (purpose) VALUES ('personalise')",
        "UPDATE troth.question SET closed_at = NULL",
        "INSERT INTO troth.choice (subject, purpose, kind, version) SELECT gen_random_uuid(), 'announce', 'consent', 1",
        "UPDATE troth.choice SET kind = 'consent'",
    ):
        with pytest.raises(REFUSED), connect.acting(role, token=olga.token) as connection:
            connection.execute(statement.encode())


def test_nobody_without_a_token_is_asked(cast: dict[str, Person], olga: Person) -> None:
    asking.ask(viewer=olga.token, purpose="announce")
    assert list(asking.asked("forged")) == list(asking.asked("")) == []


def test_a_no_has_a_receipt_that_holds(cast: dict[str, Person]) -> None:
    actions.choose(token=cast["alice"].token, purpose="announce", kind="refusal")
    (made,) = queries.choices(cast["alice"].token)
    receipt = receipts.choice(token=cast["alice"].token, which=made.choice, address="https://harbor.example")
    assert receipts.verified(receipt.content, receipts.key()).facts.kind == "refusal"
    assert b"dpv:ConsentRefused" in receipt.content
    assert b"dpv:ConsentGiven" not in receipt.content
    assert again(receipt, cast["alice"]).facts == receipt.facts
    with pytest.raises(NoSuchChoice):
        actions.choose(token=cast["alice"].token, purpose="understand", kind="refusal")


def test_the_page_asks_once_with_equal_buttons_and_changes_nothing_by_a_look(
    browser: Browser, owner: Connection[Any], olga: Person
) -> None:
    browser.sign_up(owner, "alice@harbor.example")
    question = "May we use what is yours for"
    assert question not in browser.get("/me").content.decode(), "nobody asks"
    asking.ask(viewer=olga.token, purpose="announce")
    page = browser.get("/me").content.decode()
    assert page.count(question) == 1
    buttons = page[page.index('class="pair"') :].partition("</div>")[0]
    assert buttons.count('class="quiet"') == 2 == buttons.count("<button"), "neither answer looks better than the other"
    assert browser.get("/asking/announce").status_code == 200
    for other in ("provide", "nothing"):
        assert browser.get(f"/asking/{other}").status_code == 404
    assert owner.execute("SELECT count(*) FROM troth.choice").fetchone() == (0,)
    browser.post("/asking/announce", {"answer": "maybe"})
    assert owner.execute("SELECT count(*) FROM troth.choice").fetchone() == (0,)
    answer = browser.post("/asking/announce", {"answer": "no", "back": "me"})
    assert answer.headers["Location"] == "/me"
    assert question not in browser.get("/me").content.decode()
    assert "You said no on" in browser.get("/asking/announce").content.decode()
    browser.post("/asking/announce", {"answer": "yes"})
    kinds = owner.execute("SELECT kind FROM troth.choice ORDER BY choice").fetchall()
    assert kinds == [("refusal",)], "a no is not argued with: it is changed where it stands"


def test_the_operators_page_begins_and_ends(browser: Browser, owner: Connection[Any]) -> None:
    hire(owner, browser, browser.sign_up(owner, "olga@harbor.example", "Olga"), "publisher")
    assert "Nobody was asked yet." in browser.get("/operator/asking").content.decode()
    browser.post("/operator/asking", {"do": "ask", "purpose": "announce"})
    assert "fewer than 5" in browser.get("/operator/asking").content.decode()
    browser.post("/operator/asking", {"do": "ask", "purpose": "provide"})
    assert owner.execute("SELECT purpose, closed_at IS NULL FROM troth.question").fetchall() == [("announce", True)]
    browser.post("/operator/asking", {"do": "end", "purpose": "announce"})
    assert owner.execute("SELECT closed_at IS NULL FROM troth.question").fetchall() == [(False,)]

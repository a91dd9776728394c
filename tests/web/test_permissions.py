"""The page of every permission: what stands for whom, narrowed and ended there, and what was before."""

import re
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser, mails, subject
from tests.web.second import hire
from tests.web.world import world

PAGE, ALICE, BOB = "/me/permissions", "alice@harbor.example", "bob@harbor.example"


@pytest.fixture
def both(browser: Browser, owner: Connection[Any]) -> tuple[Browser, Browser]:
    bob = Browser()
    browser.sign_up(owner, ALICE)
    bob.sign_up(owner, BOB, "بوب الطويل جدًا")
    return browser, bob


def told(browser: Browser, path: str = PAGE, **headers: str) -> str:
    return str(browser.get(path, headers=headers).content.decode())


def given(owner: Connection[Any], alice: Browser, **more: Any) -> str:
    """Let Alice offer something to Bob's address; return the path of the link in his mail."""
    form = {"categories": ["person.name", "device.browser"], "reason": "It is Alice. For the audit.", "address": BOB}
    form |= {"until": re.search(r'name="until" value="([\d-]+)"', told(alice, f"{PAGE}/give"))[1]} | more  # type: ignore[index]
    answer = alice.post(f"{PAGE}/give", form)
    assert answer.status_code == 200, answer.content.decode()
    found = re.search(r"https://[^/]+(/me/permissions/offer\?token=\S+)", mails(owner, BOB)[0]["text"])
    assert found
    return found.group(1)


def test_without_any_permission_each_kind_says_so(browser: Browser, owner: Connection[Any]) -> None:
    browser.sign_up(owner, ALICE)
    page = told(browser)
    for words in (
        "You sign in to no application",
        "You let nobody see anything",
        "Nobody has asked you for a permission",
        "yes to no purpose",
    ):
        assert words in page
    assert "Most permissions are yours to give and to end" in page
    assert page.count('href="/policy#') >= 2, "each sentence leads to its clause"
    only = told(browser, f"{PAGE}?kind=people")
    assert "You let nobody see anything" in only
    assert "You sign in to no application" not in only
    assert "Tus permisos" in told(browser, **{"Accept-Language": "es"})


def test_a_permission_is_given_answered_seen_narrowed_and_ended(
    both: tuple[Browser, Browser], owner: Connection[Any]
) -> None:
    alice, bob = both
    link = given(owner, alice)
    assert "waits for an answer" in told(alice)
    page = told(bob, link)
    assert "offers to let you see something of theirs" in page
    assert "It is Alice. For the audit." in page
    where = bob.post(link, {"answer": "accept"}).headers["Location"]
    assert "Alice Okafor" in told(bob, where)
    assert "Their name" in told(bob, where), "what is somebody else's is not called one's own"
    steering = told(alice, where)
    assert "بوب الطويل جدًا" in steering
    until = re.search(r'name="until" value="([\d-]+)"', steering)
    assert until
    changed = alice.post(where, {"do": "change", "categories": ["device.browser"], "until": until.group(1)})
    where = changed.headers["Location"]
    assert "Their name" not in told(bob, where)
    assert bob.post(where, {"do": "change", "categories": ["person.name"], "until": until.group(1)}).status_code == 200
    assert alice.post(where, {"do": "end"}).headers["Location"] == PAGE
    assert bob.get(where).status_code == 404
    assert "Before" in told(bob)
    assert bob.get(link).status_code == 404


def test_the_form_ticks_nothing_and_refuses_what_says_nothing(both: tuple[Browser, Browser]) -> None:
    alice, _bob = both
    assert "checked" not in told(alice, f"{PAGE}/give")
    for form in (
        {},
        {"categories": ["person.name"]},
        {"categories": ["access.ip"], "reason": "r", "until": "2026-01-01"},
    ):
        assert alice.post(f"{PAGE}/give", form).status_code == 422


def test_single_records_are_given_narrowed_and_seen_alone(
    both: tuple[Browser, Browser], owner: Connection[Any]
) -> None:
    alice, bob = both
    whose = subject(owner, ALICE)
    owner.execute(
        "INSERT INTO troth.access (subject, id, at, method, url, status) SELECT %s, gen_random_uuid(), now() - i * interval '1 h', 'GET',"
        " '/files/plan-' || i, 200 FROM generate_series(1, 3) AS i",
        (whose,),
    )
    rows = dict(owner.execute("SELECT url, id::text FROM troth.access WHERE subject = %s", (whose,)).fetchall())
    assert f"{PAGE}/give/access" in told(alice, f"{PAGE}/give")
    assert f"{PAGE}/give/access" in told(alice, "/me/accesses")
    page = told(alice, f"{PAGE}/give/access")
    assert "/files/plan-2" in page
    assert "checked" not in page
    assert alice.get(f"{PAGE}/give/person").status_code == alice.get(f"{PAGE}/give/nonsense").status_code == 404
    until = re.search(r'name="until" value="([\d-]+)"', page)
    assert until
    form = {"categories": ["access.url"], "reason": "For the audit.", "address": BOB, "until": until.group(1)}
    theirs = {"records": [rows["/files/plan-1"], rows["/files/plan-2"]]}
    for wrong in (form, form | theirs | {"categories": ["person.name"]}, form | {"records": [str(whose)]}):
        assert alice.post(f"{PAGE}/give/access", wrong).status_code == 422
    assert bob.post(f"{PAGE}/give/access", form | theirs).status_code in (200, 422)
    assert not mails(owner, BOB)[0]["text"].count("/me/permissions/offer"), "nobody offers what is another's"
    assert alice.post(f"{PAGE}/give/access", form | theirs).status_code == 200
    link = re.search(r"https://[^/]+(/me/permissions/offer\?token=\S+)", mails(owner, BOB)[0]["text"])
    assert link
    assert "Of these, 2 records alone." in told(bob, link.group(1))
    where = bob.post(link.group(1), {"answer": "accept"}).headers["Location"]
    seen = told(bob, where)
    assert "/files/plan-1" in seen
    assert "/files/plan-2" in seen
    assert "/files/plan-3" not in seen
    assert "It is about 2 records alone." in seen
    change = {"do": "change", "categories": ["access.url"], "until": until.group(1)}
    assert alice.post(where, change).status_code == 422
    assert alice.post(where, change | {"records": [rows["/files/plan-3"]]}).status_code == 422
    where = alice.post(where, change | {"records": [rows["/files/plan-2"]]}).headers["Location"]
    seen = told(bob, where)
    assert "/files/plan-2" in seen
    assert "/files/plan-1" not in seen
    alice.post(where, {"do": "end"})
    assert bob.get(where).status_code == 404


def test_only_who_has_proven_the_address_sees_the_offer(both: tuple[Browser, Browser], owner: Connection[Any]) -> None:
    alice, _bob = both
    link = given(owner, alice)
    charlie = Browser()
    charlie.sign_up(owner, "charlie@harbor.example", "Charlie")
    assert charlie.get(link).status_code == alice.get(link).status_code == 404
    assert charlie.post(link, {"answer": "accept"}).status_code == 404


def test_the_operator_asks_and_the_person_answers_with_receipts_for_both(
    both: tuple[Browser, Browser], owner: Connection[Any]
) -> None:
    alice, olga = both
    hire(owner, olga, subject(owner, BOB), "owner")
    form = {
        "address": ALICE,
        "what": "announce",
        "reason": "We have news.",
        "terms": "",
        "days": "30",
        "ends": "at once",
    }
    assert olga.post("/operator/permissions", form).status_code == 302
    assert "no answer" in told(olga, "/operator/permissions")
    assert "asks you for a permission" in mails(owner, ALICE)[0]["text"]
    where = re.search(r'href="(/me/permissions/agreed/[^"]+)"', told(alice))
    assert where
    page = told(alice, where.group(1), **{"Accept-Language": "es"})
    assert "Se te pide que permitas esto" in page
    assert page.count('class="quiet">') == 2
    fields = dict(re.findall(r'name="(language|digest)" value="([^"]+)"', page))
    assert alice.post(where.group(1), {"answer": "accept", "language": "es", "digest": "0" * 64}).status_code == 302
    assert "announce" not in told(alice, f"{PAGE}?kind=purposes").partition("Before")[0].lower()
    alice.post(where.group(1), fields | {"answer": "accept"})
    receipt = told(alice, where.group(1))
    assert "Receipt of a permission" in receipt
    assert "Se te pide que permitas esto" in receipt, "in the words that were shown"
    theirs = re.search(r'href="(/operator/permissions/[^"]+)"', told(olga, "/operator/permissions"))
    assert theirs
    assert "Se te pide que permitas esto" in told(olga, theirs.group(1))
    assert "Announce" in told(alice, f"{PAGE}?kind=purposes")
    alice.post(where.group(1), {"do": "end"})
    assert "You have said yes to no purpose" in told(alice, f"{PAGE}?kind=purposes")
    assert "is over" in told(olga, "/operator/permissions")


def test_a_proposal_that_could_not_be_taken_back_is_refused(
    both: tuple[Browser, Browser], owner: Connection[Any]
) -> None:
    _alice, olga = both
    hire(owner, olga, subject(owner, BOB), "owner")
    form = {"address": ALICE, "what": "announce", "reason": "We have news.", "days": "30", "ends": "at its end"}
    assert "can be taken back at any time" in olga.post("/operator/permissions", form).content.decode()
    assert "Tick what you would see" in olga.post("/operator/permissions", form | {"what": ""}).content.decode()


def test_organizations_and_support_stand_there_and_end_there(browser: Browser, owner: Connection[Any]) -> None:
    made = world(owner)
    bobs, alices = (made.ask(who, PAGE).content.decode() for who in ("bob", "alice"))
    assert "Harbor Rowing" in bobs
    assert "What your administrator sees of you" in bobs
    card = bobs.partition('aria-labelledby="organizations-')[2].partition("</article>")[0]
    assert "Its administrators may see of you" in card
    assert "Your name" in card
    assert "Nothing: the policy shows them nothing of each other." in card, "members see nothing by being members"
    assert 'href="/policy#show-person-name-to-administrators' in card
    assert "Owner, Administrator" in card, "whoever sees members"
    assert f'href="/organizations/{made.named["organization"]}"' in card, "the view itself"
    assert "You are in no organization" in made.ask("charlie", PAGE).content.decode()
    assert "Nobody of the operator" in bobs
    assert f"/me/support/{made.named['access']}/end" in alices
    made.ask("bob", f"/organizations/{made.named['organization']}", {"action": "leave"})
    assert "You are in no organization" in made.ask("bob", PAGE).content.decode()
    made.ask("alice", f"/me/support/{made.named['access']}/end", {})
    assert "Nobody of the operator" in made.ask("alice", PAGE).content.decode()


def test_memberships_that_are_over_are_listed_with_who_ended_them(browser: Browser, owner: Connection[Any]) -> None:
    made = world(owner)
    where = f"/organizations/{made.named['organization']}"
    only = f"{PAGE}?kind=organizations"

    def before(who: str) -> str:
        return str(made.ask(who, only).content.decode()).partition('id="before"')[2]

    assert [before(who) for who in ("alice", "bob", "dana", "charlie")] == [""] * 4
    made.ask("bob", where, {"action": "leave"})
    assert "You left it" in before("bob")
    assert re.search(r"\d{4}, \d\d:\d\d to .* UTC", before("bob"))
    assert "An organization that you are in no longer" in before("bob"), "whose members are no business of theirs now"
    made.ask("alice", f"{where}/members", {"action": "remove", "subject": made.named["dana"]})
    assert "Somebody who administers it removed you" in before("dana")
    assert before("alice") == "", "whom she removed is no membership of hers"
    assert before("charlie") == ""
    spanish = told(made.browsers["dana"], only, **{"Accept-Language": "es"})
    assert "Te quitó alguien que la administra" in spanish


def test_a_membership_that_ended_with_its_organization_says_what_is_not_kept(
    browser: Browser, owner: Connection[Any]
) -> None:
    made = world(owner)
    owner.execute("SELECT troth.end_organization(%s)", (made.named["organization"],))
    page = made.ask("bob", f"{PAGE}?kind=organizations").content.decode()
    assert "You are in no organization" in page
    assert "when is not kept" in page.partition('id="before"')[2]

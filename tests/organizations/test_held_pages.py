"""The pages about what an organization holds: filled in, seen, questioned, answered; to everybody else they are not there."""

import re
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser, mails
from tests.conftest import POLICY, TERMS
from tests.organizations.conftest import CHANGES, NUMBER
from troth.database import apply, published
from troth.people import fielding

BEHIND = re.compile(r'href="(/organizations/[0-9a-f-]+/members/[0-9a-f-]+)"')
HIDDEN = re.compile(r'name="(subject|correction)" value="([0-9a-f-]+)"')
HOME = re.compile(r"/organizations/[0-9a-f-]+")


@pytest.fixture
def held(owner: Connection[Any], browser: Browser) -> Browser:
    """A browser in front of a service whose policy lets organizations hold a number."""
    source = POLICY.read_text(encoding="utf-8")
    for old, new in CHANGES:
        source = source.replace(old, new)
    apply.apply(owner, source, TERMS)
    fielding.declare(owner, {"text": NUMBER})
    published.forget()
    return browser


def page(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return str(answer.content.decode())


def test_the_whole_way_from_filling_in_to_the_answer(held: Browser, owner: Connection[Any]) -> None:
    alice, bob, charlie = held, Browser(), Browser()
    alice.sign_up(owner, "alice@harbor.example")
    home = str(alice.post("/organizations", {"name": "Harbor Rowing"}).headers["Location"])
    alice.post(f"{home}/joining", {"action": "link", "role": "member", "joins": "1", "days": "3"})
    link = re.search(r"(/join/[\w-]+)", page(alice, f"{home}/joining"))
    assert link
    whose = bob.sign_up(owner, "bob@harbor.example", "أحمد Okonkwo")
    bob.post(link.group(1))
    charlie.sign_up(owner, "charlie@harbor.example", "Charlie")

    member = f"{home}/members/{whose}"
    assert member in BEHIND.findall(page(alice, f"{home}/members"))
    assert "Nothing is held." in page(alice, member)
    assert "/policy#" in page(alice, f"{member}/employee_number")
    wrong = alice.post(f"{member}/employee_number", {"told_employee_number": "x", "action": "save"})
    assert wrong.status_code == 422
    assert (
        alice.post(f"{member}/employee_number", {"told_employee_number": "4711", "action": "save"}).status_code == 302
    )
    assert "4711" in page(alice, member)
    assert "4711" in page(bob, "/me/profile")
    assert "4711" in page(bob, home), "what an administrator sees is what the member sees"
    assert "Since " in page(bob, "/me/profile")

    asking = f"/me/profile/held/{HOME.findall(home)[0].rpartition('/')[2]}/employee_number"
    assert asking in page(bob, "/me/profile")
    assert bob.post(asking, {"told_employee_number": "12", "reason": ""}).status_code == 422
    assert bob.post(asking, {"told_employee_number": "12", "reason": "Mine is <b>12</b>."}).status_code == 302
    told = page(bob, "/me/profile")
    assert "Waits for an answer" in told
    assert asking not in told, "one at a time"
    assert "asked that already" in bob.post(asking, {"told_employee_number": "13", "reason": "so"}).content.decode()
    assert mails(owner, "alice@harbor.example")[0]["field"] == "employee_number"

    asked = page(alice, f"{home}/corrections")
    assert "Mine is &lt;b&gt;12&lt;/b&gt;." in asked
    answer = dict(HIDDEN.findall(asked))
    alice.post(f"{home}/corrections", answer | {"action": "decline", "words": ""})
    assert "a refusal says why" in page(alice, f"{home}/corrections")
    alice.post(f"{home}/corrections", answer | {"action": "decline", "words": "It is on your contract."})
    told = page(bob, "/me/profile")
    assert "It is on your contract." in told
    assert "Declined" in told
    assert "Declined" in page(alice, f"{home}/corrections")
    bob.post(asking, {"told_employee_number": "", "reason": "Hold none."})
    asked = page(alice, f"{home}/corrections")
    assert "it is to be emptied" in asked
    alice.post(f"{home}/corrections", dict(HIDDEN.findall(asked)) | {"action": "correct"})
    assert "Nothing is held." in page(bob, "/me/profile")

    for path in (member, f"{member}/employee_number", f"{home}/corrections"):
        assert [each.get(path).status_code for each in (bob, charlie)] == [404, 404]
    assert charlie.get(asking).status_code == 404
    assert alice.get(f"{home}/members/{home.rpartition('/')[2]}").status_code == 404
    assert alice.get(f"{member}/about").status_code == 404
    assert alice.post(f"{home}/corrections", {"subject": "x"}).status_code == 404


def test_a_request_is_withdrawn_on_the_page_and_a_value_emptied(held: Browser, owner: Connection[Any]) -> None:
    whose = held.sign_up(owner, "alice@harbor.example")
    home = str(held.post("/organizations", {"name": "Harbor Rowing"}).headers["Location"])
    field = f"{home}/members/{whose}/employee_number"
    held.post(field, {"told_employee_number": "4711", "action": "save"})
    asking = f"/me/profile/held/{home.rpartition('/')[2]}/employee_number"
    held.post(asking, {"told_employee_number": "12", "reason": "so"})
    form = re.search(r'action="(/me/profile/corrections/[0-9a-f-]+/withdraw)"', page(held, "/me/profile"))
    assert form
    assert held.get(form.group(1)).status_code == 405
    held.post(form.group(1))
    assert "Withdrawn" in page(held, "/me/profile")
    held.post(form.group(1))
    assert "not asked any more" in page(held, "/me/profile")
    assert "Hold nothing" in page(held, field)
    held.post(field, {"action": "empty"})
    assert "Nothing is held." in page(held, f"{home}/members/{whose}")
    assert "Nobody asks for a correction." in page(held, f"{home}/corrections")
    held.cookies["__Host-language"] = "es"
    assert "Nadie pide una corrección." in page(held, f"{home}/corrections")

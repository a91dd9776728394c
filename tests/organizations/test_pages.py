"""The organization's home: made, joined by mail and by link, looked at, left; nobody else finds it."""

import re
from typing import Any

from psycopg import Connection

from tests.browsing import Browser

LINK = re.compile(r"https?://[^\s<]+(/join/[\w-]+)")


def made(owner: Connection[Any], browser: Browser) -> str:
    browser.sign_up(owner, "alice@harbor.example")
    answer = browser.post("/organizations", {"name": "Harbor Rowing"})
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def test_the_whole_way_from_making_one_to_leaving_it(browser: Browser, owner: Connection[Any]) -> None:
    from troth.people.organizing import invitation

    home = made(owner, browser)
    assert "Harbor Rowing" in browser.get(home).content.decode()
    told = {"action": "invite", "address": "Bob@harbor.example", "role": "member"}
    assert browser.post(f"{home}/joining", told).status_code == 302
    page = browser.get(f"{home}/joining").content.decode()
    assert "harbor.example" in page
    assert "bob@" not in page.lower()
    facts = owner.execute("SELECT facts FROM troth.notice WHERE template = 'invitation'").fetchone()
    assert facts is not None
    mail = invitation(facts[0])
    assert "Harbor Rowing" in mail["subject"]
    assert "yes or no" not in mail["text"], "the page has one button, which joins"
    assert "you are a member only if you choose to join there" in mail["text"]
    assert "solo te unes si allí lo eliges" in invitation(facts[0] | {"language": "es"})["text"]
    way = LINK.search(mail["text"])
    assert way is not None
    bob = Browser()
    bob.sign_up(owner, "bob@harbor.example", "محمد بن عبد الرحمن")
    # Whoever only opens the link, as scanners of mail do, has accepted nothing.
    assert "Harbor Rowing" in bob.get(way.group(1)).content.decode()
    assert owner.execute("SELECT count(*) FROM troth.membership").fetchone() == (1,)
    assert bob.post(way.group(1)).headers["Location"] == home
    for again in (bob.get(way.group(1)), bob.post(way.group(1))):
        page = again.content.decode()
        assert "This invitation was used already" in page
        assert f'href="{home}"' in page
    for other in (browser, Browser()):
        assert other.get(way.group(1)).status_code == other.get("/join/nothing").status_code
    assert browser.get(way.group(1)).status_code == 404
    assert "محمد بن عبد الرحمن" in bob.get(home).content.decode()
    assert "محمد بن عبد الرحمن" in browser.get(f"{home}/members").content.decode()
    assert "محمد" not in browser.get(f"{home}/members?name=alice").content.decode()
    for path in ("/members", "/joining"):
        assert bob.get(home + path).status_code == 404
    assert bob.post(home, {"action": "leave"}).headers["Location"] == "/organizations"
    assert bob.get(home).status_code == 404
    assert bob.get(way.group(1)).status_code == 404, "it went with the membership"
    assert browser.post(home, {"action": "leave"}).status_code == 302
    assert "keeps an owner" in browser.get(home).content.decode()


def test_a_link_lets_as_many_in_as_it_says_and_asking_waits_for_an_answer(
    browser: Browser, owner: Connection[Any]
) -> None:
    home = made(owner, browser)
    browser.post(f"{home}/joining", {"action": "link", "role": "member", "joins": "1", "days": "3"})
    shown = LINK.search(browser.get(f"{home}/joining").content.decode())
    assert shown is not None
    assert LINK.search(browser.get(f"{home}/joining").content.decode()) is None
    bob, charlie = Browser(), Browser()
    bob.sign_up(owner, "bob@harbor.example", "Bob")
    charlie.sign_up(owner, "charlie@harbor.example", "Charlie")
    assert bob.post(shown.group(1)).status_code == 302
    assert charlie.post(shown.group(1)).status_code == 404
    assert charlie.get(f"{home}/ask").status_code == 404
    browser.post(home, {"action": "change", "name": "Harbor Rowing", "asking": "on"})
    assert charlie.post(f"{home}/ask", {"action": "ask"}).status_code == 302
    page = browser.get(f"{home}/joining").content.decode()
    who = re.search(r'name="subject" value="([0-9a-f-]{36})"', page)
    assert "Charlie" in page
    assert who is not None
    browser.post(f"{home}/joining", {"action": "admit", "subject": who.group(1), "role": "member"})
    assert charlie.get(home).status_code == 200
    assert charlie.get("/organizations").content.decode().count("Harbor Rowing") == 1

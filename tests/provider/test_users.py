"""An application's list of its users: those who permit it now, each told as the userinfo page tells, and nobody to another."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser, subject
from tests.provider.asking import MANIFEST, Notes
from tests.provider.test_lasting import NAME, TOMORROW, pass_by
from tests.provider.test_permitted import ANNOUNCING, version

ALICE, BOB, PAGE = "alice@harbor.example", "bob@harbor.example", "/me/permissions?kind=applications"
PUBLIC = MANIFEST.replace('name = "Harbor Notes"\n', 'name = "Harbor Notes"\nkind = "public"\n')


@pytest.fixture
def alice(browser: Browser, owner: Connection[Any]) -> Browser:
    browser.sign_up(owner, ALICE)
    return browser


@pytest.fixture
def bob(browser: Browser, owner: Connection[Any]) -> Browser:
    bob = Browser()
    bob.sign_up(owner, BOB, "Bob")
    return bob


def asked(notes: Notes, **told: str) -> Any:
    return notes.ask("/connect/users", told)


def listed(notes: Notes, **told: str) -> list[dict[str, Any]]:
    answer = asked(notes, **told)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["users"]
    return found


def named(notes: Notes) -> set[str]:
    return {str(each.get("name", "")) for each in listed(notes)}


def test_whoever_permits_it_is_listed_as_the_userinfo_page_tells_of_them(
    notes: Notes, alice: Browser, bob: Browser
) -> None:
    assert listed(notes) == []
    access = [notes.tokens(alice)["access_token"], notes.tokens(bob, claims=["name"])["access_token"]]
    assert listed(notes) == [notes.told(each).json() for each in access]
    assert listed(notes)[0] == {
        "sub": listed(notes)[0]["sub"], "name": "Alice Okafor", "email": ALICE, "email_verified": True,
    }  # fmt: skip
    assert set(listed(notes)[1]) == {"sub", "name"}, "what Bob did not tick is not told"
    address = notes.server.get("/.well-known/openid-configuration").json()["users_endpoint"]
    assert address == "https://localhost:8443/connect/users"


def test_each_request_is_answered_by_what_holds_at_that_moment(
    register: Callable[..., Notes], alice: Browser, bob: Browser, owner: Connection[Any]
) -> None:
    notes = register(ANNOUNCING)
    notes.tokens(alice)
    notes.tokens(bob)
    assert [set(each) for each in listed(notes)] == [{"sub", "name"}] * 2, "announcing needs a yes"
    alice.choose("announce", "consent")
    assert listed(notes)[0]["email"] == ALICE
    alice.choose("announce", "withdrawal")
    assert "email" not in listed(notes)[0]
    alice.post("/me/name", {"name": "Alice Adeyemi"})
    assert named(notes) == {"Alice Adeyemi", "Bob"}
    bob.post(f"/me/applications/{notes.id}/renew", {"claims": [], "until": TOMORROW})
    assert [set(each) for each in listed(notes)] == [{"sub", "name"}, {"sub"}]
    pass_by(owner)
    assert named(notes) == {"Alice Adeyemi"}, "Bob's last day is over"
    alice.post(f"/me/applications/{notes.id}/end")
    assert listed(notes) == []


def test_who_is_listed_sees_that_it_was_read(
    notes: Notes, alice: Browser, bob: Browser, owner: Connection[Any]
) -> None:
    for each in (alice, bob):
        notes.tokens(each)
    bob.post(f"/me/applications/{notes.id}/end")
    owner.execute("UPDATE troth.application_grant SET used_at = NULL")
    assert "<dd>never</dd>" in alice.get(PAGE).content.decode()
    listed(notes)
    assert "<dd>never</dd>" not in alice.get(PAGE).content.decode()
    assert "Last used or listed" in alice.get(PAGE).content.decode()
    used = "SELECT count(*) FROM troth.application_grant WHERE used_at IS NOT NULL"
    assert owner.execute(used).fetchone() == (1,), "of whoever ended it nothing was read"


def test_a_long_list_is_told_page_by_page_each_person_once(
    notes: Notes, alice: Browser, bob: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth.web.provider import listing

    monkeypatch.setattr(listing, "MOST", 2)
    charlie = Browser()
    charlie.sign_up(owner, "charlie@harbor.example", "Charlie")
    for each in (alice, bob, charlie):
        notes.tokens(each)
    first = asked(notes).json()
    second = asked(notes, after=first["next"]).json()
    assert [each["name"] for each in first["users"] + second["users"]] == ["Alice Okafor", "Bob", "Charlie"]
    assert "next" not in second
    assert str(subject(owner, BOB)) not in str(first), "no name of anybody's but the application's own"
    other = "X" if first["next"][0] != "X" else "Y"
    changed = other + first["next"][1:]
    for wrong in ("x", "0" * 40, "' OR true --", "\u00e9", changed, "00000000-0000-0000-0000-000000000000"):
        assert asked(notes, after=wrong).status_code == 400


# Attacks


def hide(owner: Connection[Any], *emails: str) -> None:
    """Let nothing be told of them any more, while their answers stand."""
    owner.execute("UPDATE troth.people_account SET is_active = false WHERE email = ANY (%s)", [list(emails)])


def test_nobody_finds_out_how_many_are_not_told_nor_when_they_answered(
    notes: Notes, register: Callable[..., Notes], alice: Browser, bob: Browser, owner: Connection[Any], monkeypatch: Any
) -> None:
    from troth.web.provider import listing

    monkeypatch.setattr(listing, "MOST", 2)
    others = [Browser(), Browser()]
    for person, name in zip(others, ("Charlie", "Dana"), strict=True):
        person.sign_up(owner, f"{name.lower()}@harbor.example", name)
    for each in (alice, bob, *others):
        notes.tokens(each)
    hide(owner, ALICE, BOB)
    first = asked(notes).json()
    assert [each["name"] for each in first["users"]] == ["Charlie", "Dana"], "a page is filled from behind the hidden"
    assert asked(register(), after=first["next"]).status_code == 400, "a place in another's list"
    place = base64.urlsafe_b64decode(first["next"] + "=")
    for (answer,) in owner.execute("SELECT answer FROM troth.application_grant").fetchall():
        assert answer.bytes not in place
        assert answer.bytes[:5] not in place, "the moment of an answer"
    monkeypatch.setattr(listing, "FURTHER", 1)
    short = asked(notes).json()
    assert short["users"] == []
    assert [each["name"] for each in asked(notes, after=short["next"]).json()["users"]] == ["Charlie", "Dana"]


def test_an_application_reads_so_many_pages_and_then_waits(
    notes: Notes, register: Callable[..., Notes], settings: Any
) -> None:
    assert set(settings.LIST_LIMITS) == {"users_listed"}
    other = register()
    settings.IDP_OIDC_RATE_LIMITS = {"users_listed": "3/d/key"}
    assert [asked(Notes(notes.id, "guessed")).status_code for _ in range(4)] == [401] * 4
    assert [asked(notes).status_code for _ in range(3)] == [200] * 3, "whoever guesses keeps nobody waiting"
    refused = asked(notes)
    assert (refused.status_code, refused.json(), refused["Retry-After"]) == (429, {"error": "slow_down"}, "60")
    assert asked(other).status_code == 200
    settings.IDP_OIDC_RATE_LIMITS = False
    assert asked(notes).status_code == 200, "the control taken away"


PATHS = ("token", "userinfo", "revoke", "introspect", "device", "users")


@pytest.mark.parametrize("path", PATHS)
def test_what_cannot_be_read_is_answered_as_that(notes: Notes, path: str) -> None:
    for query in ("%zz", "a=%zz&b=1"):
        for asker in (notes, Notes(notes.id, "guessed"), Notes("nobody")):
            answer = asker.ask(f"/connect/{path}?{query}", {})
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), query


def test_a_question_that_cannot_be_read_is_answered_with_a_page(notes: Notes, alice: Browser) -> None:
    for asker in (alice, Browser()):
        assert asker.get(notes.question() + "&a=%zz").status_code == 400
        assert asker.get("/connect/authorize?%zz").status_code == 400


def test_nobody_reads_the_list_without_its_secret(notes: Notes, register: Callable[..., Notes], alice: Browser) -> None:
    tokens = notes.tokens(alice)
    other, public = register(), register(PUBLIC)
    assert not public.secret
    public.tokens(alice)
    for thief in (Notes(notes.id, other.secret), Notes(notes.id), Notes(notes.id, "guessed"), public):
        answer = asked(thief)
        assert answer.status_code == 401
        assert "Alice" not in answer.content.decode()
        assert asked(thief, client_id=notes.id, client_secret="").status_code == 401
        assert asked(thief, grant_type="urn:ietf:params:oauth:grant-type:device_code").status_code == 401
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert notes.ask("/connect/users", {}, **bearer).status_code == 401, (
        "a person's token is no secret of the application"
    )
    assert notes.server.get("/connect/users").status_code == 405
    assert alice.post("/connect/users", {}).status_code == 401, "a session opens nothing there"
    assert named(notes) == {"Alice Okafor"}


def test_another_application_lists_its_own_users_alone(
    notes: Notes, register: Callable[..., Notes], alice: Browser, bob: Browser
) -> None:
    other = register()
    notes.tokens(alice)
    other.tokens(bob)
    assert (named(notes), named(other)) == ({"Alice Okafor"}, {"Bob"})
    notes.tokens(bob)
    subs = [{each["sub"] for each in listed(each)} for each in (notes, other)]
    assert not subs[0] & subs[1], "nobody finds out that it is the same person"
    assert named(other) == {"Bob"}
    assert listed(other, client_id=notes.id)[0]["name"] == "Bob"


def test_who_left_or_has_not_agreed_to_what_is_needed_is_not_listed(
    notes: Notes, alice: Browser, bob: Browser, owner: Connection[Any]
) -> None:
    for each in (alice, bob):
        notes.tokens(each)
    owner.execute("UPDATE troth.policy_version SET floor = true")
    version(owner, 2, ("for understand 30 days as network\ncollect", "for understand 60 days as network\ncollect"))
    owner.execute("UPDATE troth.policy_version SET floor = true WHERE version = 2")
    assert listed(notes) == []
    alice.agree()
    assert named(notes) == {"Alice Okafor"}
    alice.post("/me/close", {"password": "seven herons over a grey quay"})
    assert listed(notes) == []


def test_without_the_agreement_in_the_standing_it_would_list_them(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    """The control taken away."""
    notes.tokens(alice)
    owner.execute("UPDATE troth.policy_version SET floor = true")
    version(owner, 2)
    owner.execute("UPDATE troth.policy_version SET floor = true WHERE version = 2")
    assert listed(notes) == []
    body = owner.execute("SELECT pg_get_functiondef('troth.application_standing'::regproc)").fetchone()
    assert body is not None
    owner.execute(body[0].replace(" AND standing.agreed", "").encode())
    assert named(notes) == {"Alice Okafor"}


def test_without_the_application_in_the_list_another_would_read_it(
    notes: Notes, register: Callable[..., Notes], alice: Browser, owner: Connection[Any]
) -> None:
    """The control taken away: who it lists, the database says."""
    other = register()
    for each in (notes, other):
        each.tokens(alice, claims=[])
    bob = Browser()
    bob.sign_up(owner, BOB, "Bob")
    notes.tokens(bob)
    assert len(listed(other)) == 1
    body = owner.execute("SELECT pg_get_functiondef('troth.application_standing'::regproc)").fetchone()
    users = owner.execute("SELECT pg_get_functiondef('troth.application_users'::regproc)").fetchone()
    assert body
    assert users
    owner.execute(users[0].replace("given.application = which AND", "").encode())
    assert len(listed(other)) == 2, "Alice, twice: what she answered to another is counted"
    owner.execute(body[0].replace("AND given.application = which", "").encode())
    assert "Bob" in named(other)


def test_what_was_narrowed_is_not_told_again_after_a_last_day(
    notes: Notes, alice: Browser, owner: Connection[Any]
) -> None:
    notes.tokens(alice)
    path = f"/me/applications/{notes.id}/renew"
    alice.post(path, {"claims": [NAME], "until": TOMORROW})
    pass_by(owner)
    assert listed(notes) == []
    alice.post(path, {"claims": [NAME]})
    assert [set(each) for each in listed(notes)] == [{"sub", "name"}]

"""What members see of one another: what the policy shows them, of people in their organization, and nothing else."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection, errors

from tests.browsing import Browser
from tests.conftest import POLICY, TERMS, make
from tests.organizations.conftest import NUMBER, Harbor, call
from tests.organizations.test_seen_profile import BOTH, OTHERS, fill
from troth.database import apply, connect, published
from troth.database.drift import drift
from troth.people import fielding, holding, organizations, profiles

MEMBERS = "show person.name, person.profile to members of the same organization [P32]\n"
HELD = "show person.name, person.profile, person.organization to members of the same organization [P32]\n"
ABOUT = "SELECT about FROM troth.profile ORDER BY 1"
CARDS = re.compile(r'<section class="card".*?</section>', re.DOTALL)
ADMINISTRATORS = "show person.name, person.profile to administrators"


def publish(owner: Connection[Any], sentence: str, fields: str = OTHERS) -> None:
    """Put a policy in force that shows members something, and lets organizations hold a number."""
    source = POLICY.read_text(encoding="utf-8")
    for old, new in BOTH:
        source = source.replace(old, f"{sentence}{new}" if old.startswith(ADMINISTRATORS) else new)
    apply.apply(owner, source, TERMS)
    fielding.declare(owner, {"text": fields})
    published.forget()


@pytest.fixture
def shown(owner: Connection[Any], request: pytest.FixtureRequest) -> Iterator[Harbor]:
    """Bob and Charlie tell something of themselves; the organization holds a number of Bob. Eve is a member too."""
    publish(owner, getattr(request, "param", MEMBERS))
    harbor: Harbor = request.getfixturevalue("harbor")
    harbor.people["eve"] = make(owner, "Eve")
    call(
        "administrator",
        harbor.alice.token,
        "SELECT troth.invite(%s, 'eve', NULL, '', 'member', 1, 7)",
        harbor.organization,
    )
    call("self", harbor.eve.token, "SELECT troth.join_by_invitation('eve')")
    fill(harbor)
    yield harbor
    published.forget()


def read(token: str, statement: str = ABOUT) -> list[Any]:
    with connect.acting("member", token=token) as connection:
        return [row[0] for row in connection.execute(statement.encode())]


def seen(harbor: Harbor, who: str, whom: str = "bob") -> tuple[dict[str, Any], dict[str, Any]]:
    found = holding.seen(harbor.people[who].token, harbor.organization, harbor.people[whom].subject, role="member")
    return {each.field.name: each.value for each in found.told}, {each.field.name: each.value for each in found.held}


def names(harbor: Harbor, who: str) -> list[str | None]:
    found = organizations.members(harbor.people[who].token, harbor.organization, role="member")
    assert {each.role for each in found} <= {None}, "which role somebody has is shown to administrators alone"
    return [each.name for each in found]


def test_members_see_the_names_and_profiles_of_one_another(owner: Connection[Any], shown: Harbor) -> None:
    assert drift(owner).lines() == []
    for who in ("alice", "dana", "bob", "eve"):
        assert names(shown, who) == ["Alice", "Bob", "Dana", "Eve"]
        assert seen(shown, who) == ({"about": "Bob here"}, {})
        assert read(shown.people[who].token) == ["Bob here"]
    assert read(shown.charlie.token) == ["Charlie here"], "of his own organization"
    assert names(shown, "charlie") == names(shown, "olga") == []
    assert seen(shown, "charlie") == seen(shown, "olga") == ({"about": None}, {})
    assert read(shown.olga.token) == read("forged") == []


def test_members_see_nothing_that_is_not_shown_to_them(shown: Harbor) -> None:
    for table, column in (
        ("profile", "phone"),
        ("membership", "role"),
        ("membership", "since"),
        ("membership", "employee_number"),
        ("person", "email"),
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            read(shown.eve.token, f"SELECT {column} FROM troth.{table}")


@pytest.mark.parametrize("shown", [HELD], indirect=True)
def test_what_the_organization_holds_is_seen_where_the_policy_shows_it(shown: Harbor) -> None:
    assert seen(shown, "eve") == ({"about": "Bob here"}, {"employee_number": 4711})
    (held,) = holding.seen(shown.eve.token, shown.organization, shown.bob.subject, role="member").held
    assert held.since is None


def test_each_member_opens_exactly_the_view_that_the_others_have(owner: Connection[Any], shown: Harbor) -> None:
    def both() -> tuple[Any, ...]:
        where, bob = shown.organization, shown.bob.subject
        return tuple(
            (
                organizations.member(token, where, bob, role="member"),
                holding.seen(token, where, bob, role="member"),
            )
            for token in (shown.bob.token, shown.eve.token)
        )

    mine, theirs = both()
    assert mine == theirs
    owner.execute("GRANT SELECT (phone) ON troth.profile TO troth_member")  # whatever else a member is ever given
    assert both()[0] == both()[1]
    assert read(shown.bob.token, "SELECT phone FROM troth.profile") == read(
        shown.eve.token, "SELECT phone FROM troth.profile"
    )


def test_who_left_sees_and_is_seen_no_longer(shown: Harbor) -> None:
    call("self", shown.bob.token, "SELECT troth.leave_organization(%s)", shown.organization)
    assert read(shown.eve.token) == read(shown.bob.token) == []
    assert names(shown, "bob") == []
    assert names(shown, "eve") == ["Alice", "Dana", "Eve"]


def test_who_has_not_agreed_to_be_seen_so_is_not(owner: Connection[Any], harbor: Harbor) -> None:
    """A wider sight opens anew: nobody is in it until they agree."""
    publish(owner, MEMBERS)
    (about,) = (field for field in profiles.fields() if field.name == "about")
    assert names(harbor, "dana") == []
    newest = owner.execute(
        "SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1"
    )
    told = newest.fetchone() or ()
    for each in ("bob", "dana"):
        with connect.acting("door") as door:
            door.execute(
                "SELECT troth.agree(%s, %s, %s, %s, 'test', 'I agree.', 'en')", (harbor.people[each].subject, *told)
            )
    profiles.tell(token=harbor.bob.token, field=about, value="Bob here")
    assert names(harbor, "dana") == ["Bob", "Dana"]
    assert read(harbor.dana.token) == ["Bob here"]


def test_without_the_rule_members_would_see_everybody(owner: Connection[Any], shown: Harbor) -> None:
    """The control taken away: the row rule, and then the question that it asks."""
    owner.execute("ALTER POLICY member_select ON troth.profile USING (true)")
    assert read(shown.eve.token) == ["Bob here", "Charlie here"]


def test_without_the_question_members_would_see_everybody(owner: Connection[Any], shown: Harbor) -> None:
    owner.execute(
        "CREATE OR REPLACE FUNCTION troth.accompanies(whose uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER"
        " SET search_path = '' AS 'SELECT true'"
    )
    assert read(shown.eve.token) == ["Bob here", "Charlie here"]


def test_where_the_policy_shows_members_nothing_there_is_nothing(owner: Connection[Any], held: Harbor) -> None:
    assert not organizations.fellows_are_shown()
    for table in ("profile", "membership"):
        with pytest.raises(errors.InsufficientPrivilege):
            read(held.bob.token, f"SELECT subject FROM troth.{table}")


# The pages


def page(browser: Browser, path: str, status: int = 200) -> str:
    answer = browser.get(path)
    assert answer.status_code == status, (path, answer.status_code)
    return re.sub(r'csrfmiddlewaretoken" value="\w+"', "", str(answer.content.decode()))


def test_the_pages_show_members_that_and_nothing_else(browser: Browser, owner: Connection[Any]) -> None:
    publish(owner, MEMBERS, NUMBER)
    alice, bob, eve, charlie = browser, Browser(), Browser(), Browser()
    alice.sign_up(owner, "alice@harbor.example")
    home = str(alice.post("/organizations", {"name": "Harbor Rowing"}).headers["Location"])
    alice.post(f"{home}/joining", {"action": "link", "role": "member", "joins": "2", "days": "3"})
    link = re.search(r"(/join/[\w-]+)", page(alice, f"{home}/joining"))
    assert link
    whose = bob.sign_up(owner, "bob@harbor.example", "أحمد Okonkwo")
    eve.sign_up(owner, "eve@harbor.example", "Eve")
    for each in (bob, eve):
        each.post(link.group(1))
    charlie.sign_up(owner, "charlie@harbor.example", "Charlie")
    bob.post("/me/profile/about", {"told_about": "I row at <b>five</b>.", "action": "save"})
    member = f"{home}/members/{whose}"
    alice.post(f"{member}/employee_number", {"told_employee_number": "4711", "action": "save"})

    told = page(eve, f"{home}/members")
    assert member in told
    assert "أحمد Okonkwo" in told
    assert "Owner" not in told
    assert 'name="action"' not in told, "nobody is changed there"
    theirs = page(eve, member)
    assert "I row at &lt;b&gt;five&lt;/b&gt;." in theirs
    assert "4711" not in theirs
    assert "Role here" not in theirs
    assert CARDS.findall(page(bob, member)) == CARDS.findall(theirs) != []
    mine = page(bob, home)
    assert "What the other members see of you" in mine
    assert mine.count("I row at &lt;b&gt;five&lt;/b&gt;.") == 2, (
        "once as an administrator sees it, once as a member does"
    )
    assert mine.count("4711") == 1
    assert eve.post(f"{home}/members", {"action": "remove", "subject": str(whose)}).status_code == 404
    page(eve, f"{member}/employee_number", 404)
    page(charlie, f"{home}/members", 404)
    page(charlie, member, 404)
    assert "4711" in page(alice, member)

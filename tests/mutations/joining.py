"""Organizations: founded, joined, steered, left and ended, on the stage where nothing stays; nobody acts beyond their role."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

from tests.mutations.flows import agree_again, unagree
from tests.mutations.playing import played
from tests.mutations.scene import Play, Scene
from tests.mutations.world import World

FOUND = "SELECT troth.found_organization(%s)"
SET = "SELECT troth.set_organization(%s, %s, %s)"
ROLE, DROP = "SELECT troth.set_role(%s, %s, %s::text[])", "SELECT troth.drop_role(%s, %s)"
INVITE = "SELECT troth.invite(%s, %s, %s, 'en', %s, %s, 7)"
UNINVITE, INVITED = "SELECT troth.uninvite(%s, %s)", "SELECT organization, role FROM troth.invitation_of(%s)"
USED = "SELECT organization FROM troth.membership WHERE joined_by = sha256(convert_to(%s, 'UTF8')) AND ended_at IS NULL"
JOIN, ASK, ASKED = (
    f"SELECT {name}(%s)" for name in ("troth.join_by_invitation", "troth.ask_to_join", "troth.asked_organization")
)
WITHDRAW, ANSWER = "SELECT troth.withdraw_request(%s)", "SELECT troth.answer_request(%s, %s, %s)"
GIVE, REMOVE = "SELECT troth.give_role(%s, %s, %s)", "SELECT troth.remove_member(%s, %s)"
HAND, LEAVE, DELETE = (
    "SELECT troth.hand_over(%s, %s)", "SELECT troth.leave_organization(%s)", "SELECT troth.delete_organization(%s)",
)  # fmt: skip
CONFIRM = "SELECT troth.confirm_fates(%s, %s::jsonb)"
FATES = "SELECT organization, fate, heir, others FROM troth.organization_fates()"
LOOK = "SELECT troth.look_at_members(%s, %s, %s)"
YES = True
HELD = "SELECT role FROM troth.membership WHERE organization = %s AND subject = %s"
LAST = "SELECT action, coalesce(facts ->> 'organization', '') <> '' FROM troth.ledger_entry ORDER BY index DESC LIMIT 1"
MAILED = "SELECT count(*) FROM troth.notice WHERE address = 'fay@harbor.example'"
LEFT = "SELECT count(*) FROM troth.invitation WHERE organization = %s"
#: What only some roles may do, and with which values beside the organization.
STEERING: tuple[tuple[str, tuple[Any, ...]], ...] = (
    (SET, ("Club", True)), (ROLE, ("helper", [])), (DROP, ("helper",)), (INVITE, ("w", None, "member", 1)),
    (UNINVITE, (uuid.UUID(int=1),)), (ANSWER, (uuid.UUID(int=1), "member")), (GIVE, (uuid.UUID(int=1), "member")),
    (REMOVE, (uuid.UUID(int=1),)), (HAND, (uuid.UUID(int=1),)), (DELETE, ()),
)  # fmt: skip


class Club:
    """An organization of whoever holds the token `hers`, and what is done in it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        found = scene.does("self", FOUND, "Club", token="hers")
        self.org = found[0][0] if found else None

    def does(self, statement: str, *values: Any, by: str = "hers") -> list[tuple[Any, ...]]:
        """Let somebody who administers it act."""
        return self.scene.does("administrator", statement, self.org, *values, token=by)

    def refused(self, code: str, statement: str, *values: Any, by: str = "hers") -> None:
        """Let somebody try what they may not do there."""
        self.scene.refused(code, "administrator", statement, self.org, *values, token=by)

    def told(self, action: str) -> None:
        """Check what was written down last, with the organization's digest."""
        self.scene.must(f"written down {action}", self.scene.does("owner", LAST), [(action, True)])

    def role(self, whose: uuid.UUID, expected: str | None) -> None:
        """Check what somebody is in it; None is nothing."""
        found = self.scene.does("owner", HELD, self.org, whose)
        self.scene.must("their role", found, [(expected,)] if expected else [])

    def takes_in(self, word: str, role: str = "member") -> None:
        """Let somebody join by a link."""
        self.does(INVITE, f"link of {word}", None, role, 1)
        self.scene.does("self", JOIN, f"link of {word}", token=word)


def joining(world: World, play: Play) -> Iterator[str]:
    """Somebody founds an organization, others come and go; whoever is not let do something is refused."""
    yield from played(world, play)


def _founds(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    scene.refused("TR003", "self", FOUND, "Club")
    club = Club(scene)
    club.told("organization-founded")
    roles = "SELECT role FROM troth.organization_role WHERE organization = %s ORDER BY 1"
    scene.must("roles", scene.does("owner", roles, club.org), [("administrator",), ("member",), ("owner",)])
    club.role(whose, "owner")
    club.takes_in("theirs")
    club.told("organization-joined")
    club.role(other, "member")
    seen = (
        "SELECT troth.administered_organizations() = ARRAY[%s::uuid], cardinality(troth.administered_organizations())"
    )
    scene.must("seen", scene.does("administrator", seen, club.org, token="hers"), [(True, 1)])
    scene.must("seen by a member", scene.does("administrator", seen, club.org, token="theirs"), [(False, 0)])
    name = "SELECT name FROM troth.organization WHERE organization = %s"
    for role, word, many in (("member", "theirs", 1), ("member", "third", 0), ("administrator", "theirs", 0)):
        scene.must(f"the {role}'s organization", len(scene.does(role, name, club.org, token=word)), many)
    for statement, values in STEERING:
        scene.refused("TR003", "administrator", statement, club.org, *values)
        club.refused("TR041", statement, *values, by="theirs")
        club.refused("TR040", statement, *values, by="third")
    scene.does("owner", "UPDATE troth.membership SET ended_at = now() WHERE subject = %s", whose)
    club.refused("TR040", SET, "Club", YES)
    for role in ("administrator", "member"):
        scene.must("after the end", scene.does(role, name, club.org, token="hers"), [])
    scene.must("held", scene.does("owner", HELD, club.org, whose), [("owner",)])


def _looks(scene: Scene, _whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    """A look is written down for who administers, at all or at a member, and those who were looked at read of it."""
    club = Club(scene)
    club.takes_in("theirs")
    for word, whom, many in (
        ("hers", None, 1),
        ("hers", other, 2),
        ("hers", uuid.uuid4(), 2),
        ("theirs", None, 2),
        ("third", None, 2),
    ):
        scene.does("administrator", LOOK, club.org, whom, "member" if whom else "list", token=word)
        written = scene.does("owner", "SELECT count(*) FROM troth.organization_look WHERE organization = %s", club.org)
        scene.must(f"written down of {word}", written, [(many,)])
    club.told("members-read")
    told = "SELECT organization = %s, who, kind, alone FROM troth.looks_at_me(%s, 10)"
    late, early = "infinity", "2000-01-01"
    seen = scene.does("self", told, club.org, late, token="theirs")
    scene.must("told", [row[2:] for row in seen], [("member", True), ("list", False)])
    scene.must("whose", {row[0] for row in seen}, {True})
    for word, before in (("hers", late), ("third", late), ("", late), ("theirs", early)):
        scene.must(f"told {word}", scene.does("self", told, club.org, before, token=word), [])
    scene.does("owner", "UPDATE troth.membership SET at = now() + interval '1 day' WHERE subject = %s", other)
    seen = scene.does("self", told, club.org, late, token="theirs")
    scene.must("of before they came", [row[2:] for row in seen], [("member", True)])
    scene.does("owner", "UPDATE troth.organization_look SET at = now() - interval '366 days' WHERE whom IS NULL")
    scene.does("steward", "SELECT troth.forget_looks()")
    left = scene.does("owner", "SELECT kind FROM troth.organization_look WHERE organization = %s", club.org)
    scene.must("left after a year", left, [("member",)])


def _steers(scene: Scene, _whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    club = Club(scene)
    club.takes_in("theirs", "administrator")
    club.does(SET, "Other", YES)
    club.told("organization-changed")
    named = "SELECT name, asking FROM troth.organization WHERE organization = %s"
    scene.must("what it is called", scene.does("owner", named, club.org), [("Other", YES)])
    club.does(ROLE, "helper", ["invite"], by="theirs")
    club.told("role-set")
    for name, powers in (("member", ["see"]), ("boss", ["own"])):
        club.refused("TR041", ROLE, name, powers)
    club.does(ROLE, "guest", [])
    club.does(GIVE, other, "guest")
    club.does(ROLE, "guest", ["roles"])
    club.refused("TR041", ROLE, "more", ["invite"], by="theirs")
    club.refused("TR041", ROLE, "helper", ["roles"], by="theirs")
    club.refused("TR041", DROP, "helper", by="theirs")
    club.refused("TR045", DROP, "nothing")
    club.refused("TR046", DROP, "guest")
    club.refused("TR046", DROP, "member")
    club.does(DROP, "helper")
    club.told("role-removed")
    club.refused("TR045", DROP, "helper")


def _invites(scene: Scene, _whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    club = Club(scene)
    club.refused("TR045", INVITE, "x", None, "nothing", 1)
    club.does(INVITE, "by mail", "Fay@harbor.example", "member", 5)
    club.told("invited")
    scene.must("mail", scene.does("owner", MAILED), [(1,)])
    club.does(INVITE, "again", "fay@harbor.example", "member", 5)
    scene.must("one of an address", scene.does("owner", LEFT, club.org), [(1,)])
    scene.must("what for", scene.does("self", INVITED, "again", token="theirs"), [(club.org, "member")])
    for word, token in (("by mail", "theirs"), ("again", ""), ("again", "forged")):
        scene.must(f"{word} to {token}", scene.does("self", INVITED, word, token=token), [])
    scene.refused("TR003", "self", JOIN, "again")
    scene.refused("TR043", "self", JOIN, "by mail", token="theirs")
    scene.does("self", JOIN, "again", token="theirs")
    club.told("organization-joined")
    for token, used in (("theirs", [(club.org,)]), ("third", []), ("hers", [])):
        scene.must(f"used, to {token}", scene.does("self", USED, "again", token=token), used)
    scene.refused("TR043", "self", JOIN, "again", token="third")
    club.does(INVITE, "link", None, "member", 2)
    scene.refused("TR044", "self", JOIN, "link", token="theirs")
    scene.does("self", JOIN, "link", token="third")
    scene.must("one may still join", scene.does("owner", LEFT, club.org), [(1,)])
    club.does(REMOVE, third)
    scene.does("self", JOIN, "link", token="third")
    scene.must("nobody may any more", scene.does("owner", LEFT, club.org), [(0,)])
    made = club.does(INVITE, "gone", None, "member", 2)
    which = made[0][0] if made else None
    scene.refused("TR040", "administrator", UNINVITE, uuid.uuid4(), which, token="hers")
    club.does(UNINVITE, which)
    club.told("invitation-withdrawn")
    club.refused("TR043", UNINVITE, which)
    for word in ("old", "older"):
        club.does(INVITE, word, None, "member", 2)
        scene.does("owner", "UPDATE troth.invitation SET until = now() WHERE organization = %s", club.org)
    scene.must("one goes with the next", scene.does("owner", LEFT, club.org), [(1,)])
    scene.must("of what is over", scene.does("self", INVITED, "older", token="theirs"), [])
    scene.refused("TR043", "self", JOIN, "older", token="theirs")
    scene.does("steward", "SELECT troth.forget_invitations()")
    scene.must("left", scene.does("owner", LEFT, club.org), [(0,)])
    club.role(other, "member")


def _asks(scene: Scene, _whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    club = Club(scene)
    scene.refused("TR040", "self", ASK, club.org, token="theirs")
    scene.must("closed", scene.does("self", ASKED, club.org, token="theirs"), [])
    club.does(SET, "Club", YES)
    scene.must("open", scene.does("self", ASKED, club.org, token="theirs"), [("Club",)])
    scene.must("open to nobody", scene.does("self", ASKED, club.org), [])
    scene.refused("TR003", "self", ASK, club.org)
    scene.refused("TR044", "self", ASK, club.org, token="hers")
    scene.does("self", ASK, club.org, token="theirs")
    club.told("asked-to-join")
    scene.refused("TR044", "self", ASK, club.org, token="theirs")
    scene.refused("TR045", "self", WITHDRAW, club.org, token="third")
    unagree(scene, other)
    scene.does("self", WITHDRAW, club.org, token="theirs")
    club.told("request-withdrawn")
    agree_again(scene, other)
    club.refused("TR045", ANSWER, other, "member")
    for word in ("theirs", "third"):
        scene.does("self", ASK, club.org, token=word)
    asking = "SELECT subject FROM troth.join_request WHERE organization = %s"
    both = {each for (each,) in scene.does("owner", asking, club.org)}
    scene.must("who asks", both, {other, third})
    club.refused("TR045", ANSWER, other, "nothing")
    club.does(ANSWER, other, "member")
    club.told("admitted")
    club.role(other, "member")
    club.does(ANSWER, third, None)
    club.told("request-refused")
    club.role(third, None)
    scene.must("nobody asks", scene.does("owner", asking, club.org), [])
    scene.does("self", ASK, club.org, token="third")
    scene.does("owner", "UPDATE troth.join_request SET ended_at = now() WHERE subject = %s", third)
    club.refused("TR045", ANSWER, third, "member")
    club.takes_in("third")
    scene.must("who joined asks no more", scene.does("owner", asking, club.org), [])


def _gives(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    club = Club(scene)
    club.takes_in("theirs", "administrator")
    club.refused("TR045", GIVE, third, "member")
    club.refused("TR045", GIVE, other, "nothing")
    for name in ("owner", "administrator"):
        club.refused("TR041", GIVE, whose, name, by="theirs")
    club.refused("TR041", GIVE, other, "owner", by="theirs")
    club.refused("TR041", REMOVE, whose, by="theirs")
    club.refused("TR042", GIVE, whose, "member")
    club.refused("TR042", REMOVE, whose)
    club.does(GIVE, other, "owner")
    club.told("role-given")
    club.role(other, "owner")
    club.does(GIVE, whose, "administrator")
    club.refused("TR042", GIVE, other, "member", by="theirs")
    club.does(GIVE, other, "owner", by="theirs")
    club.takes_in("third")
    club.refused("TR045", REMOVE, uuid.uuid4(), by="theirs")
    club.does(REMOVE, third)
    club.told("member-removed")
    club.role(third, None)
    club.role(whose, "administrator")


def _hands_over(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    club = Club(scene)
    club.takes_in("theirs")
    club.refused("TR045", HAND, whose)
    club.refused("TR045", HAND, third)
    club.does(HAND, other)
    club.told("organization-handed-over")
    club.role(whose, "administrator")
    club.role(other, "owner")
    club.refused("TR041", DELETE)
    club.does(DELETE, by="theirs")
    club.told("organization-deleted")
    for table in ("organization", "membership", "organization_role"):
        left = scene.does("owner", f"SELECT count(*) FROM troth.{table} WHERE organization = %s", club.org)
        scene.must(f"{table} of what is deleted", left, [(0,)])


def _leaves(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    club = Club(scene)
    club.takes_in("theirs")
    for word in ("", "third"):
        scene.refused("TR040", "self", LEAVE, club.org, token=word)
    scene.refused("TR042", "self", LEAVE, club.org, token="hers")
    unagree(scene, other)
    scene.does("self", LEAVE, club.org, token="theirs")
    club.told("organization-left")
    club.role(other, None)
    club.role(whose, "owner")


def _ends(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    """Whoever leaves the service hands on what they own: to who has administered longest, or to nobody."""
    club, alone = Club(scene), Club(scene)
    shared = Club(scene)
    for each in (club, shared):
        each.takes_in("theirs", "administrator")
    club.takes_in("third", "administrator")
    alone.takes_in("third")
    scene.does("owner", "UPDATE troth.membership SET at = at - interval '1 day' WHERE subject = %s", third)
    shared.does(GIVE, other, "owner")
    alone.does(SET, "Alone", YES)
    scene.does("self", ASK, alone.org, token="theirs")
    for token, fates in (
        ("hers", {club.org: ("handed on", third, 0), shared.org: ("left", None, 0), alone.org: ("ends", None, 1)}),
        ("theirs", {club.org: ("left", None, 0), shared.org: ("left", None, 0)}),
        ("forged", {}),
    ):
        told = {org: tuple(fate) for org, *fate in scene.does("self", FATES, token=token)}
        scene.must(f"told {token}", told, fates)
    read = {str(org): list(fate) for org, *fate, _ in scene.does("self", FATES, token="hers")}
    said = {org: [fate, str(heir) if heir else None] for org, (fate, heir) in read.items()}
    for another in ({}, said | {str(alone.org): ["left", None]}, said | {str(uuid.UUID(int=1)): ["left", None]}):
        scene.refused("TR066", "door", CONFIRM, whose, json.dumps(another))
    scene.does("door", CONFIRM, whose, json.dumps(said))
    scene.does("door", "SELECT troth.end_subject(%s, 'left')", whose)
    club.role(third, "owner")
    club.role(other, "administrator")
    shared.role(other, "owner")
    for table in ("organization", "membership", "join_request"):
        left = scene.does("owner", f"SELECT count(*) FROM troth.{table} WHERE organization = %s", alone.org)
        scene.must(f"{table} that nobody administers", left, [(0,)])
    for table in ("organization", "membership"):
        left = scene.does("owner", f"SELECT count(*) > 0 FROM troth.{table} WHERE organization = %s", shared.org)
        scene.must(f"{table} that others have", left, [(True,)])


def _late(scene: Scene, _whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    """Whoever agreed before an audience had a bit is brought in."""
    club = Club(scene)
    club.takes_in("theirs")
    for table in ("permitted", "membership"):
        scene.does(
            "owner",
            f"UPDATE troth.{table} SET uses = uses & ~(SELECT 1::bigint << bit FROM troth.unit"
            " WHERE purpose = 'administrator' AND retired_at IS NULL) WHERE subject = %s", other,
        )  # fmt: skip
    seen = (
        "SELECT bool_or((held.uses >> unit.bit) & 1 = 1) FROM troth.membership AS held, troth.unit AS unit"
        " WHERE held.subject = %s AND unit.purpose = 'administrator' AND unit.retired_at IS NULL"
    )
    scene.must("before", scene.does("owner", seen, other), [(False,)])
    scene.must("late", scene.does("steward", "SELECT troth.fold_late() > 0"), [(True,)])
    scene.must("after", scene.does("owner", seen, other), [(True,)])
    scene.must("nobody is left", scene.does("steward", "SELECT troth.fold_late()"), [(0,)])


def _many(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    """There is an end to everything: roles, invitations, organizations, requests."""
    club = Club(scene)
    for what in (
        "INSERT INTO troth.organization_role SELECT %s, 'role ' || n, '{}' FROM generate_series(1, 27) AS n",
        "INSERT INTO troth.invitation (organization, digest, role, joins, until)"
        " SELECT %s, sha256(n::text::bytea), 'member', 1, now() + interval '1 day' FROM generate_series(1, 200) AS n",
    ):
        scene.does("owner", what, club.org)
    club.refused("TR047", ROLE, "one more", [])
    club.refused("TR047", INVITE, "one more", None, "member", 1)
    scene.does(
        "owner",
        "WITH made AS (INSERT INTO troth.organization (name, asking) SELECT 'Many', true FROM generate_series(1, 99)"
        " RETURNING organization), roles AS (INSERT INTO troth.organization_role SELECT organization, 'member', '{}' FROM made"
        " RETURNING organization) INSERT INTO troth.membership (subject, organization, role) SELECT %s, organization, 'member'"
        " FROM roles", whose,
    )  # fmt: skip
    scene.refused("TR047", "self", FOUND, "One more", token="hers")
    many = scene.does("owner", "SELECT organization FROM troth.organization WHERE name = 'Many' ORDER BY 1 LIMIT 21")
    for (org,) in many[:20]:
        scene.does("self", ASK, org, token="theirs")
    scene.refused("TR047", "self", ASK, many[20][0] if many else None, token="theirs")


PLAYS = (_founds, _looks, _steers, _invites, _asks, _gives, _hands_over, _leaves, _ends, _late, _many)

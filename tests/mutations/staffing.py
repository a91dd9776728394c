"""The operator's staff, what people let support see, and versions that two persons publish."""

import uuid
from collections.abc import Iterator
from typing import Any, Protocol

from tests.conftest import SECURE
from tests.mutations.flows import agree_again, unagree
from tests.mutations.playing import address, played
from tests.mutations.scene import Play, Scene
from tests.mutations.world import NOBODY, World

INVITE = 'SELECT troth.invite_staff(%s, %s::text[], sha256(%s::bytea), now() + %s::interval, \'{"subject": "s", "text": "t"}\')'
ACCEPT, INVITED = "SELECT troth.accept_invitation(%s)", "SELECT troth.invitation_roles(%s)"
GIVE, END = "SELECT troth.give_staff_role(%s, %s)", "SELECT troth.end_staff_role(%s, %s)"
INVITATIONS = "SELECT invitation FROM troth.staff_invitations()"
MEMBERS = "SELECT name, role FROM troth.staff_members() WHERE subject IN (%s, %s) AND until IS NULL ORDER BY role"
WITHDRAW = "SELECT troth.withdraw_invitation(%s)"
ROLES = "SELECT troth.staff_roles(%s)"
LAST = "SELECT action FROM troth.ledger_entry ORDER BY index DESC LIMIT 1"
MAILS = "SELECT count(*) FROM troth.notice WHERE address = %s"
PROPOSE, APPROVE, TAKE = (
    "SELECT troth.propose_policy(%s, 'terms', 0)", "SELECT troth.approve_policy(%s)", "SELECT troth.withdraw_proposal(%s)",
)  # fmt: skip
STANDING = (
    "SELECT proposal, publishers, proposer, approvals FROM troth.proposal_standing("
    "encode(sha256(%s::bytea), 'hex'), encode(sha256('terms'), 'hex'), 0)"
)
CLOSE = (
    "SELECT troth.close_proposal(encode(sha256(%s::bytea), 'hex'), encode(sha256('terms'), 'hex'), 'published', 'done')"
)
#: A version that waits for its day, and a second proposal of the same words.
SCHEDULED = """INSERT INTO troth.policy_scheduled (version, source, terms, digest, terms_digest, effective_on, verdict, raised, signature)
SELECT 9, '', '', encode(sha256(%s::bytea), 'hex'), encode(sha256('terms'), 'hex'), current_date + 9, 3, 0, decode(repeat('00', 64), 'hex')"""
DOUBLED = """INSERT INTO troth.policy_proposal (subject, source, terms, digest, terms_digest)
SELECT %s, '', 'terms', encode(sha256(%s::bytea), 'hex'), encode(sha256('terms'), 'hex')"""
PROPOSALS = "SELECT proposal, mine, approved_by, approved_by_me FROM troth.proposals() WHERE source = %s"
ASK = 'SELECT troth.ask_access(%s, \'A question.\', \'T-1\', %s::text[], 2, \'{"en": {"subject": "s", "text": "t"}}\')'
ANSWER, LEAVE, OVER = (
    "SELECT troth.answer_access(%s, %s::text[], %s)", "SELECT troth.leave_access(%s)", "SELECT troth.end_access(%s)",
)  # fmt: skip
NARROW = "SELECT troth.narrow_access(%s, %s::text[], %s)"
LOOK = "SELECT troth.look(%s, %s)"
MINE, ASKED = "SELECT access, name FROM troth.accesses_of_me()", "SELECT access FROM troth.accesses_asked()"
ATTENTION = "SELECT asked, until IS NOT NULL FROM troth.attention(%s)"

#: A session that showed no second factor; an account that has none any more.
WITHOUT = (
    "UPDATE troth.request_token SET level = 1",
    "UPDATE troth.mfa_authenticator SET type = 'recovery_codes' WHERE type = 'totp'",
)
#: What the default policy shows the staff of, by the area that a person opens.
AREAS = {"profile": ("person",), "access": ("access",), "device": ("device",), "agreements": ("agreement", "choice")}


def staffing(world: World, play: Play) -> Iterator[str]:
    """Owners make the staff, support asks and people answer, publishers propose and others approve."""
    yield from played(world, play)


def role(scene: Scene, whose: uuid.UUID, *roles: str) -> None:
    for role in roles:
        scene.does("owner", "INSERT INTO troth.staff (subject, role) VALUES (%s, %s)", whose, role)
    scene.does("owner", SECURE, whose)


def _told(scene: Scene, action: str) -> None:
    scene.must(f"written down {action}", scene.does("owner", LAST), [(action,)])


def _first(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    scene.must("an owner", scene.does("door", "SELECT troth.has_owner()"), [(False,)])
    role(scene, other, "support")
    scene.must("support owns nothing", scene.does("door", "SELECT troth.has_owner()"), [(False,)])
    scene.does("door", "SELECT troth.first_owner(%s)", whose)
    _told(scene, "staff-joined")
    scene.must("an owner", scene.does("door", "SELECT troth.has_owner()"), [(True,)])
    scene.must("their roles", scene.does("door", ROLES, whose), [(["owner"],)])
    scene.refused("TR041", "door", "SELECT troth.first_owner(%s)", other)
    scene.does("owner", "UPDATE troth.staff SET until = now() WHERE subject = %s", whose)
    scene.must("no owner any more", scene.does("door", "SELECT troth.has_owner()"), [(False,)])
    scene.must("no roles any more", scene.does("door", ROLES, whose), [([],)])


def _invites(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    role(scene, whose, "owner")
    role(scene, third, "support", "publisher")
    plain = (address(other).upper(), ["support"], b"word", "1 day")
    for word in ("third", "theirs", ""):
        scene.refused("TR040", "staff", INVITE, *plain, token=word)
        scene.refused("TR040", "staff", WITHDRAW, uuid.uuid4(), token=word)
    for roles in ([], ["king"]):
        scene.refused("TR043", "staff", INVITE, plain[0], roles, *plain[2:], token="hers")
    scene.does("staff", INVITE, *plain, token="hers")
    _told(scene, "staff-invited")
    scene.must("mail", scene.does("owner", MAILS, plain[0]), [(1,)])
    waiting = scene.does("staff", INVITATIONS, token="hers")
    scene.must("waiting", len(waiting), 1)
    scene.refused("TR040", "staff", INVITATIONS, token="third")
    scene.must("invited to", scene.does("self", INVITED, "word", token="theirs"), [(["support"],)])
    for word in ("hers", "third", ""):
        scene.must("others", scene.does("self", INVITED, "word", token=word), [(None,)])
        scene.refused("TR040", "self", ACCEPT, "word", token=word)
    scene.must("another word", scene.does("self", INVITED, "not", token="theirs"), [(None,)])
    scene.does("owner", "UPDATE troth.account_emailaddress SET verified = false WHERE email = %s", address(other))
    scene.must("not proven", scene.does("self", INVITED, "word", token="theirs"), [(None,)])
    scene.does("owner", "UPDATE troth.account_emailaddress SET verified = true WHERE email = %s", address(other))
    scene.does("self", ACCEPT, "word", token="theirs")
    _told(scene, "staff-joined")
    scene.must("their roles", scene.does("door", ROLES, other), [(["support"],)])
    scene.refused("TR040", "self", ACCEPT, "word", token="theirs")
    for secret in (b"one", b"two"):
        scene.does("staff", INVITE, plain[0], ["auditor"], secret, "1 day", token="hers")
    scene.must("one of an address", len(scene.does("staff", INVITATIONS, token="hers")), 1)
    scene.does("staff", INVITE, "gus@harbor.example", ["auditor"], b"gus", "1 day", token="hers")
    waiting = scene.does("staff", INVITATIONS, token="hers")
    scene.does("staff", WITHDRAW, waiting[0][0] if waiting else None, token="hers")
    _told(scene, "staff-uninvited")
    scene.must("another stays", len(scene.does("staff", INVITATIONS, token="hers")), 1)
    scene.does("owner", "UPDATE troth.staff_invitation SET expires_at = now()")
    scene.must("over", scene.does("staff", INVITATIONS, token="hers"), [])
    scene.must("over", scene.does("self", INVITED, "two", token="theirs"), [(None,)])
    scene.does("staff", INVITE, "gus@harbor.example", ["auditor"], b"gus", "1 day", token="hers")
    scene.must("what is over goes", scene.does("owner", "SELECT count(*) FROM troth.staff_invitation"), [(1,)])


def _gives(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    role(scene, whose, "owner")
    role(scene, other, "support")
    for word in ("theirs", "third", ""):
        scene.refused("TR040", "staff", GIVE, other, "owner", token=word)
        scene.refused("TR040", "staff", END, other, "support", token=word)
        scene.refused("TR040", "staff", MEMBERS, whose, other, token=word)
    names = scene.does("staff", MEMBERS, whose, other, token="hers")
    scene.must("the staff", names, [("Eve", "owner"), ("Eve", "support")])
    for without in WITHOUT:
        scene.does("owner", without)
        scene.refused("TR065", "staff", GIVE, other, "publisher", token="hers")
        for each in (whose, other):
            scene.does("owner", SECURE, each)
    scene.refused("TR043", "staff", GIVE, other, "king", token="hers")
    scene.refused("TR042", "staff", GIVE, third, "support", token="hers")
    scene.does("staff", GIVE, other, "publisher", token="hers")
    _told(scene, "staff-role-given")
    scene.must("their roles", scene.does("door", ROLES, other), [(["publisher", "support"],)])
    scene.refused("TR044", "staff", END, whose, "owner", token="hers")
    scene.refused("TR042", "staff", END, other, "auditor", token="hers")
    scene.does("staff", END, other, "publisher", token="hers")
    _told(scene, "staff-role-ended")
    scene.must("their roles", scene.does("door", ROLES, other), [(["support"],)])
    scene.refused("TR042", "staff", END, other, "publisher", token="hers")
    scene.does("staff", GIVE, other, "owner", token="hers")
    scene.does("staff", END, whose, "owner", token="theirs")
    scene.refused("TR040", "staff", END, other, "owner", token="hers")


def _proposes(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    role(scene, whose, "publisher")
    role(scene, other, "owner")
    role(scene, third, "support")
    for word in ("third", ""):
        for statement, value in (
            (PROPOSE, "words"),
            (APPROVE, uuid.uuid4()),
            (TAKE, uuid.uuid4()),
            (PROPOSALS, "words"),
        ):
            scene.refused("TR040", "staff", statement, value, token=word)
    made = scene.does("staff", PROPOSE, "words", token="hers")
    _told(scene, "policy-proposed")
    which = made[0][0] if made else None
    standing = scene.does("steward", STANDING, b"words")
    scene.must("standing", standing, [(which, 2, True, 0)])
    scene.must("of others", scene.does("steward", STANDING, b"other"), [(None, 2, False, 0)])
    scene.refused("TR045", "staff", APPROVE, which, token="hers")
    scene.refused("TR046", "staff", APPROVE, uuid.uuid4(), token="theirs")
    scene.does("staff", APPROVE, which, token="theirs")
    _told(scene, "policy-approved")
    scene.must("standing", scene.does("steward", STANDING, b"words"), [(which, 2, True, 1)])
    for word, mine, by_me in (("hers", True, False), ("theirs", False, True)):
        scene.must("shown", scene.does("staff", PROPOSALS, "words", token=word), [(which, mine, ["Eve"], by_me)])
    scene.does("owner", "UPDATE troth.staff SET until = now() WHERE subject = %s", other)
    scene.must("who publishes no more", scene.does("steward", STANDING, b"words"), [(which, 2, True, 0)])
    scene.does("owner", "UPDATE troth.staff SET until = now() - interval '2 days' WHERE subject = %s", other)
    scene.must("nor counts", scene.does("steward", STANDING, b"words"), [(which, 1, True, 0)])
    scene.does("owner", "UPDATE troth.staff SET until = now() WHERE subject = %s", whose)
    scene.must("whose proposer is gone", scene.does("steward", STANDING, b"words"), [(which, 1, False, 0)])
    scene.does("owner", "UPDATE troth.staff SET until = NULL WHERE subject IN (%s, %s)", whose, other)
    second = scene.does("staff", PROPOSE, "others", token="theirs")
    scene.refused("TR046", "staff", TAKE, second[0][0] if second else None, token="hers")
    scene.does("staff", TAKE, which, token="hers")
    _told(scene, "proposal-withdrawn")
    for statement in (TAKE, APPROVE):
        scene.refused("TR046", "staff", statement, which, token="theirs")
    scene.must("closed", scene.does("steward", STANDING, b"words"), [(None, 2, False, 0)])
    third_one = scene.does("staff", PROPOSE, "more", token="hers")
    scene.does("staff", TAKE, third_one[0][0] if third_one else None, token="theirs")
    scene.does("steward", CLOSE, b"others")
    outcome = "SELECT proposal, outcome, sentence FROM troth.policy_proposal WHERE subject = %s"
    scene.must("closed", scene.does("owner", outcome, other), [(second[0][0] if second else None, "published", "done")])
    withdrawn = "SELECT outcome, sentence FROM troth.policy_proposal WHERE subject = %s"
    scene.must("as it was", scene.does("owner", withdrawn, whose), [("withdrawn", "")] * 2)
    waits = scene.does("staff", PROPOSE, "waits", token="hers")
    scene.does("owner", SCHEDULED, b"waits")
    scene.does("owner", DOUBLED, other, b"waits")
    scene.does("staff", TAKE, waits[0][0] if waits else None, token="hers")
    scene.must("what waited", scene.does("owner", "SELECT outcome FROM troth.policy_scheduled"), [("withdrawn",)])
    open_ones = "SELECT count(*) FROM troth.policy_proposal WHERE closed_at IS NULL AND digest = encode(sha256(%s::bytea), 'hex')"
    scene.must("whoever proposed it", scene.does("owner", open_ones, b"waits"), [(0,)])


def _asked(scene: Scene, whose: uuid.UUID, *areas: str) -> Any:
    made = scene.does("staff", ASK, address(whose), list(areas or ("profile", "device")), token="third")
    return made[0][0] if made else None


def _asks(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    role(scene, third, "support")
    role(scene, other, "owner")
    for word in ("theirs", "hers", ""):
        scene.refused("TR040", "staff", ASK, address(whose), ["profile"], token=word)
        scene.refused("TR040", "staff", ASKED, token=word)
    which = _asked(scene, whose)
    _told(scene, "access-asked")
    scene.must("mail", scene.does("owner", MAILS, address(whose)), [(1,)])
    scene.must("asked of them", scene.does("self", MINE, token="hers"), [(which, "Eve")])
    for word in ("theirs", "third", ""):
        scene.must("asked of others", scene.does("self", MINE, token=word), [])
    scene.must("attention", scene.does("door", ATTENTION, whose), [(1, False)])
    scene.must("attention of others", scene.does("door", ATTENTION, other), [(0, False)])
    scene.must("asked by them", scene.does("staff", ASKED, token="third"), [(which,)])
    for to in (f"un{address(other)}", "nobody@elsewhere.example"):
        scene.does("staff", ASK, to, ["profile"], token="third")
        _told(scene, "access-asked")
        scene.must(f"no mail to {to}", scene.does("owner", MAILS, to), [(0,)])
    scene.does("owner", "UPDATE troth.people_account SET is_active = false WHERE subject = %s", other)
    scene.does("staff", ASK, address(other), ["profile"], token="third")
    scene.must("no mail", scene.does("owner", MAILS, address(other)), [(0,)])
    nobodys = "SELECT count(*) FROM troth.support_access WHERE subject = %s AND reason = 'A question.'"
    scene.must("of nobody", scene.does("owner", nobodys, NOBODY), [(3,)])
    scene.does("owner", "UPDATE troth.support_access SET at = at - interval '31 days' WHERE subject = %s", NOBODY)
    scene.must("a month later", scene.does("staff", ASKED, token="third"), [(which,)])
    for number in range(29):
        _asked(scene, whose, f"n{number}") if number else scene.does(
            "staff", ASK, "x@y.example", ["profile"], token="third"
        )
    scene.must("of nobody, later", scene.does("owner", nobodys, NOBODY), [(1,)])
    scene.refused("TR047", "staff", ASK, address(whose), ["profile"], token="third")


def _allows(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, third: uuid.UUID) -> None:
    role(scene, third, "support")
    which, no = _asked(scene, whose), _asked(scene, whose)
    scene.refused("TR003", "self", ANSWER, which, ["profile"], 1)
    for word in ("theirs", "third"):
        scene.refused("TR049", "self", ANSWER, which, ["profile"], 1, token=word)
    for areas, many in ((["access"], 1), (["profile"], 3), (["profile"], 0), (None, 1), (["profile"], None)):
        scene.refused("TR050", "self", ANSWER, which, areas, many, token="hers")
    for change, undo in (
        ("troth.support_access SET at = at - interval '8 days' WHERE subject = %s", "troth.support_access SET at = at + interval '8 days' WHERE subject = %s"),
        ("troth.staff SET until = now() WHERE subject <> %s", "troth.staff SET until = NULL WHERE subject <> %s AND role = 'support'"),
    ):  # fmt: skip
        scene.does("owner", f"UPDATE {change}", whose)
        scene.refused("TR049", "self", ANSWER, which, ["profile"], 1, token="hers")
        if "access" in change:
            scene.must("attention", scene.does("door", ATTENTION, whose), [(0, False)])
        scene.does("owner", f"UPDATE {undo}", whose)
    scene.refused("TR040", "staff", LOOK, which, "profile", token="third")
    unagree(scene, whose)
    scene.refused("TR003", "self", ANSWER, which, ["profile"], 1, token="hers")
    scene.does("self", ANSWER, no, [], 1, token="hers")
    _told(scene, "access-declined")
    agree_again(scene, whose)
    scene.refused("TR049", "self", ANSWER, no, ["profile"], 1, token="hers")
    scene.refused("TR049", "self", OVER, no, token="hers")
    scene.does("self", ANSWER, which, ["profile"], 1, token="hers")
    _told(scene, "access-allowed")
    scene.must("attention", scene.does("door", ATTENTION, whose), [(0, True)])
    scene.refused("TR049", "self", ANSWER, which, ["profile"], 1, token="hers")
    for area, word in (("device", "third"), ("profile", "theirs"), ("profile", "hers"), ("profile", "")):
        scene.refused("TR040", "staff", LOOK, which, area, token=word)
    scene.refused("TR040", "staff", LOOK, no, "profile", token="third")
    scene.does("staff", LOOK, which, "profile", token="third")
    _told(scene, "access-read")
    seen = "SELECT area, rows, access FROM troth.support_look WHERE subject = %s"
    scene.must("the look", scene.does("self", seen, whose, token="hers"), [("profile", 1, which)])
    for change, undo in (
        ("troth.support_access SET until = now() - interval '1 s' WHERE access = %s", "troth.support_access SET until = now() + interval '1 h' WHERE access = %s"),
        ("troth.support_access SET ended_at = now() WHERE access = %s", "troth.support_access SET ended_at = NULL WHERE access = %s"),
        ("troth.support_access SET allowed_at = NULL WHERE access = %s", "troth.support_access SET allowed_at = now() WHERE access = %s"),
    ):  # fmt: skip
        scene.does("owner", f"UPDATE {change}", which)
        scene.refused("TR040", "staff", LOOK, which, "profile", token="third")
        scene.refused("TR049", "self", OVER, which, token="hers")
        scene.refused("TR040", "staff", LEAVE, which, token="third")
        scene.does("owner", f"UPDATE {undo}", which)
    scene.does("owner", "UPDATE troth.staff SET role = 'auditor' WHERE subject = %s", third)
    scene.refused("TR040", "staff", LOOK, which, "profile", token="third")


def _narrows(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, third: uuid.UUID) -> None:
    role(scene, third, "support")
    which = _asked(scene, whose)
    scene.refused("TR049", "self", NARROW, which, ["profile"], None, token="hers")
    scene.does("self", ANSWER, which, ["profile", "device"], 2, token="hers")
    scene.refused("TR003", "self", NARROW, which, ["profile"], None)
    for word in ("theirs", "third"):
        scene.refused("TR049", "self", NARROW, which, ["profile"], None, token=word)
    for areas, many in ((["access"], 1), ([], 1), (None, 1), (["profile"], 3), (["profile"], 0)):
        scene.refused("TR050", "self", NARROW, which, areas, many, token="hers")
    unagree(scene, whose)
    scene.does("self", NARROW, which, ["profile"], None, token="hers")
    _told(scene, "access-narrowed")
    left = "SELECT areas, until > now() + interval '90 minutes' FROM troth.support_access WHERE access = %s"
    scene.must("fewer areas", scene.does("owner", left, which), [(["profile"], True)])
    scene.does("self", NARROW, which, ["profile"], 1, token="hers")
    scene.must("fewer hours", scene.does("owner", left, which), [(["profile"], False)])
    for change, undo in (
        ("troth.support_access SET until = now() - interval '1 s' WHERE access = %s", "troth.support_access SET until = now() + interval '1 h' WHERE access = %s"),
        ("troth.support_access SET ended_at = now() WHERE access = %s", "troth.support_access SET ended_at = NULL WHERE access = %s"),
        ("troth.support_access SET allowed_at = NULL WHERE access = %s", "troth.support_access SET allowed_at = now() WHERE access = %s"),
    ):  # fmt: skip
        scene.does("owner", f"UPDATE {change}", which)
        scene.refused("TR049", "self", NARROW, which, ["profile"], None, token="hers")
        scene.does("owner", f"UPDATE {undo}", which)


def _ends(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    role(scene, third, "support")
    role(scene, other, "support")
    which, second = _asked(scene, whose), _asked(scene, whose)
    for each in (which, second):
        scene.does("self", ANSWER, each, ["profile", "device"], 2, token="hers")
    scene.refused("TR003", "self", OVER, which)
    scene.refused("TR049", "self", OVER, which, token="theirs")
    unagree(scene, whose)
    scene.does("self", OVER, which, token="hers")
    _told(scene, "access-ended")
    scene.refused("TR040", "staff", LOOK, which, "profile", token="third")
    scene.refused("TR049", "self", OVER, which, token="hers")
    for word in ("theirs", "hers", ""):
        scene.refused("TR040", "staff", LEAVE, second, token=word)
    scene.does("staff", LEAVE, second, token="third")
    _told(scene, "access-left")
    scene.refused("TR040", "staff", LEAVE, second, token="third")
    scene.must("attention", scene.does("door", ATTENTION, whose), [(0, False)])


class Focused(Protocol):
    """What a mutation is about, as `behaviour` says it."""

    @property
    def table(self) -> str | None:
        """The table, None where it is about all."""


# Looks, each of which is a transaction of its own, and the next one's to use


def looking(world: World, focus: Focused) -> Iterator[str]:
    """Support, let in by Alice, sees her rows of the areas that she opened, in the next transaction alone, and no others."""
    alice, others = world.people["alice"], ~(1 << world.target.bits["staff"])
    for area, table in ((area, table) for area, tables in AREAS.items() for table in tables):
        if focus.table in (None, table):
            asked = f"SELECT subject FROM troth.{table}"
            found = {whose for (whose,) in _looked(world, area, asked)}
            if found != {alice}:
                yield f"support sees rows of {found} in {table} when it looks at `{area}`"
            hers = f"UPDATE troth.{table} SET {{}} WHERE subject = '{alice}'"
            other = next(each for each in AREAS if each != area)
            for what, told in {
                "a transaction later": _looked(world, area, asked, between=True),
                f"when it looks at `{other}`": _looked(world, other, asked),
                "when she is in nothing": _looked(world, area, asked, first=hers.format("uses = 0")),
                "when she is in all others": _looked(world, area, asked, first=hers.format(f"uses = {others}")),
                "when it has ended": _looked(world, area, asked, first=hers.format("ended_at = now()")),
                "without a second factor": _looked(world, area, asked, first=WITHOUT[0]),
                "without a look": world.ask("staff", asked, token="token of Greta"),
            }.items():
                if told:
                    yield f"support sees {table} {what}"
    if focus.table in (None, "access"):
        visits = f"UPDATE troth.access SET uses = -1 WHERE subject = '{NOBODY}'"
        if _looked(world, "access", "SELECT 1 FROM troth.access", first=visits, which=1):
            yield "support sees visits"
    early = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    if _looked(world, "profile", "SELECT subject FROM troth.person", first=early):
        yield "support sees with an old snapshot"


def _looked(
    world: World, area: str, asked: str, *, between: bool = False, first: str = "SELECT 1", which: int = 0
) -> list[tuple[Any, ...]]:
    """Let Greta, of support, look, and ask in the transaction after; return what she sees."""
    assert world.stage is not None
    stage = world.stage
    stage.execute("ROLLBACK; BEGIN")
    world.become("staff")
    stage.execute("SELECT set_config('troth.token', 'token of Greta', true)")
    row = stage.execute("SELECT troth.look(%s, %s)", (world.accesses[which], area)).fetchone()
    stage.execute("COMMIT")
    if between:
        stage.execute("BEGIN; SELECT 1; COMMIT")
    stage.execute(f"BEGIN; {first}".encode())
    world.become("staff")
    stage.execute("SELECT set_config('troth.token', 'token of Greta', true), set_config('troth.look', %s, true)", row)
    found = stage.execute(asked.encode()).fetchall()
    stage.execute("ROLLBACK")
    return found


PLAYS = (_first, _invites, _gives, _proposes, _asks, _allows, _narrows, _ends)

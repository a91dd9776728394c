"""What people let others see, and what operator and person agree on, on the stage where nothing stays."""

import uuid
from collections.abc import Iterator
from typing import Any

from tests.conftest import SECURE
from tests.mutations.flows import agree_again, unagree
from tests.mutations.playing import address, played
from tests.mutations.scene import Play, Scene
from tests.mutations.world import World
from tests.planting import everything

NAME, EMAIL, KIND = "person.name", "person.email", "device.kind"
OFFER = (
    "SELECT troth.offer_grant(%s::text[], %s::text[], 'For the audit.', now() - interval '1 h', now() + %s::interval,"
    ' sha256(%s::bytea), %s, \'{"subject": "s", "text": "t"}\')'
)
ANSWER = "SELECT troth.answer_grant(sha256(%s::bytea), %s)"
OFFERED = "SELECT giver, categories FROM troth.offered(sha256(%s::bytea))"
END = "SELECT troth.end_grant(%s)"
CHANGE = "SELECT troth.change_grant(%s, %s::text[], NULL, now() + interval '2 days')"
ALONE = "SELECT troth.change_grant(%s, %s::text[], %s::text[], now() + interval '2 days')"
NAMES, EMAILS = "SELECT subject, name FROM troth.chosen_person_name()", "SELECT email FROM troth.chosen_person_email()"
GRANT = "SELECT receiver, categories, over_by FROM troth.person_grant WHERE given = %s"
SIDES = "SELECT giver, receiver FROM troth.grant_sides()"
USES = "SELECT subject, receiver FROM troth.person_grant_use WHERE category = %s AND subject = %s ORDER BY at"
LAST = "SELECT action FROM troth.ledger_entry ORDER BY index DESC LIMIT 1"
PROPOSE = (
    "SELECT troth.propose_permission(%s, %s, %s::text[], 'For news.', '', 10, %s, %s, '{\"en\": \"May we?\"}',"
    ' \'{"subject": "s", "text": "t"}\')'
)
REPLY = "SELECT troth.answer_permission(%s, %s, 'en', encode(sha256(%s::bytea), 'hex'))"
STOP = "SELECT troth.end_agreed(%s)"
AGREED = "SELECT answer, over_by FROM troth.agreed_permission WHERE agreed = %s"
TOLD = "SELECT address, answer FROM troth.proposed_permissions() WHERE reason = 'For news.' ORDER BY at"
MAILS = "SELECT count(*) FROM troth.notice WHERE address = %s"
YES, NO = True, False
LAPSE = "SELECT troth.lapse_permissions()"


ACCESS = "INSERT INTO troth.access (subject, at, id, url, uses) VALUES (%s, statement_timestamp(), uuidv7(), '/', -1)"


def lending(world: World, play: Play) -> Iterator[str]:
    """Somebody lets another see something, or agrees with the operator; nobody does, sees or ends it for them."""
    yield from played(world, play, _prepare)


def _prepare(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, third: uuid.UUID) -> None:
    scene.does("owner", "INSERT INTO troth.staff (subject, role) VALUES (%s, 'owner')", third)
    scene.does("owner", SECURE, third)
    scene.does("intake", DEVICE, whose)


DEVICE = "INSERT INTO troth.device (subject, device, kind, uses) VALUES (%s, gen_random_uuid(), 'computer', 9223372036854775807)"


def _offer(scene: Scene, link: bytes, *categories: str, lasting: str = "1 day", **told: Any) -> Any:
    values = (list(categories), told.get("records"), lasting, link, told.get("to"))
    found = scene.does("self", OFFER, *values, token="hers")
    return found[0][0] if found else None


def _lend(scene: Scene, *categories: str, **told: Any) -> Any:
    given = _offer(scene, b"lent", *categories, **told)
    scene.does("self", ANSWER, b"lent", YES, token="theirs")
    return given


def _offers(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    plain = (None, "1 day", b"x", None)
    scene.refused("TR003", "self", OFFER, [NAME], *plain)
    scene.refused("TR070", "self", OFFER, [NAME, "access.ip"], *plain, token="hers")
    _offer(scene, b"to", NAME, to=address(other).upper())
    scene.must("mail", scene.does("owner", MAILS, address(other).upper()), [(1,)])
    scene.must("written down", scene.does("owner", LAST), [("permission-offered",)])
    for wrong in ("hers", "third", "forged"):
        scene.must(f"offered to {wrong}", scene.does("self", OFFERED, b"to", token=wrong), [])
    scene.must("offered", scene.does("self", OFFERED, b"to", token="theirs"), [("Eve", [NAME])])
    scene.must("another link", scene.does("self", OFFERED, b"not", token="theirs"), [])
    _offer(scene, b"anybody", NAME)
    scene.must("to oneself", scene.does("self", OFFERED, b"anybody", token="hers"), [])
    _offer(scene, b"unproven", NAME, to=f"un{address(other)}")
    scene.must("to an unproven address", scene.does("self", OFFERED, b"unproven", token="theirs"), [])
    _offer(scene, b"old", NAME)
    scene.must("waiting", scene.does("self", OFFERED, b"old", token="theirs"), [("Eve", [NAME])])
    for change in ("at = at - interval '15 days'", "until = now() - interval '1 minute'", "over_at = now()"):
        scene.does("owner", "SAVEPOINT before")
        scene.does("owner", f"UPDATE troth.person_grant SET {change} WHERE link = sha256('old')")
        scene.must(f"with {change}", scene.does("self", OFFERED, b"old", token="theirs"), [])
        scene.does("owner", f"UPDATE troth.person_grant SET {UNDONE[change]} WHERE link = sha256('old')")
    for number in range(16):
        _offer(scene, b"more %d" % number, NAME)
    scene.refused("TR071", "self", OFFER, [NAME], *plain, token="hers")
    _forgotten(scene, whose)


UNDONE = {
    "at = at - interval '15 days'": "at = at + interval '15 days'",
    "until = now() - interval '1 minute'": "until = now() + interval '1 day'",
    "over_at = now()": "over_at = NULL",
}


def _forgotten(scene: Scene, whose: uuid.UUID) -> None:
    scene.does("owner", "UPDATE troth.person_grant SET at = at - interval '15 days' WHERE subject = %s", whose)
    scene.does("steward", LAPSE)
    left = "SELECT count(*) FROM troth.person_grant WHERE subject = %s"
    scene.must("unanswered", scene.does("owner", left, whose), [(0,)])


def _answers(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    first = _offer(scene, b"no", NAME)
    scene.refused("TR003", "self", ANSWER, b"no", YES)
    scene.refused("TR072", "self", ANSWER, b"not", YES, token="theirs")
    scene.does("self", ANSWER, b"no", NO, token="theirs")
    scene.must("declined", scene.does("owner", GRANT, first), [(None, [NAME], "receiver")])
    scene.must("written down", scene.does("owner", LAST), [("permission-declined",)])
    scene.must("shown", scene.does("chosen", NAMES, token="theirs"), [])
    given = _lend(scene, NAME)
    scene.must("accepted", scene.does("owner", GRANT, given), [(other, [NAME], None)])
    scene.must("written down", scene.does("owner", LAST), [("permission-accepted",)])
    scene.refused("TR072", "self", ANSWER, b"lent", YES, token="third")
    scene.must("shown", scene.does("chosen", NAMES, token="theirs"), [(whose, "Eve")])
    scene.must("sides", scene.does("self", SIDES, token="theirs"), [("Eve", "Eve")])
    scene.must("sides of nobody's", scene.does("self", SIDES, token="third"), [])


def _shows(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    scene.does("steward", "SELECT troth.account_uses()")
    given = _lend(scene, NAME, KIND)
    scene.must("another category", scene.does("chosen", EMAILS, token="theirs"), [])
    for who in ("hers", "third", "forged"):
        scene.must(f"to {who}", scene.does("chosen", NAMES, token=who), [])
    scene.must("uses", scene.does("owner", USES, NAME, whose), [])
    scene.must("shown", scene.does("chosen", NAMES, token="theirs"), [(whose, "Eve")])
    scene.must("uses", scene.does("owner", USES, NAME, whose), [(whose, other)])
    may = "SELECT via FROM troth.may_see(%s, %s)"
    scene.must("asking about nobody", scene.does("self", may, uuid.uuid5(other, "none"), KIND, token="theirs"), [])
    scene.must("uses of nobody's", scene.does("owner", USES, KIND, whose), [])
    for who, whom, what, via in (
        ("theirs", whose, KIND, [("chosen",)]), ("theirs", whose, EMAIL, []), ("theirs", other, NAME, [("self",)]),
        ("third", whose, NAME, []), ("hers", other, NAME, []), ("theirs", uuid.uuid5(other, "none"), KIND, []),
    ):  # fmt: skip
        scene.must(f"{who} asks for {what}", scene.does("self", may, whom, what, token=who), via)
    scene.must("uses of another's", scene.does("owner", USES, KIND, whose), [(whose, other)])
    scene.must("moved", scene.does("steward", "SELECT troth.account_uses()"), [(2,)])
    used = "SELECT used_at IS NOT NULL FROM troth.person_grant WHERE given = %s"
    scene.must("last used", scene.does("owner", used, given), [(True,)])
    scene.must("written down", scene.does("owner", LAST), [("permission-used",)])
    for change in ("since = now() + interval '1 minute'", "until = now()", "over_at = now() - interval '1 minute'"):
        scene.does("owner", f"UPDATE troth.person_grant SET {change} WHERE given = %s", given)
        scene.must(f"with {change}", scene.does("chosen", NAMES, token="theirs"), [])
        if not change.startswith("since"):
            scene.must(f"sides with {change}", scene.does("self", SIDES, token="hers"), [])
        scene.does(
            "owner",
            "UPDATE troth.person_grant SET since = now() - interval '1 h', until = now() + interval '1 day', over_at = NULL"
            " WHERE given = %s", given,
        )  # fmt: skip
        scene.must(f"without {change}", scene.does("chosen", NAMES, token="theirs"), [(whose, "Eve")])


def _records(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    for _ in range(2):
        scene.does("intake", DEVICE, whose)
    known = [row[0] for row in scene.does("owner", "SELECT device::text FROM troth.device WHERE subject = %s", whose)]
    given = _lend(scene, KIND, records=known[:2])
    kinds = "SELECT count(*) FROM troth.chosen_device_kind()"
    scene.must("two records", scene.does("chosen", kinds, token="theirs"), [(2,)])
    scene.refused("TR073", "self", ALONE, given, [KIND], known, token="hers")
    for alone, many in ((None, 2), (known[:1], 1), ([], 0)):
        given = (scene.does("self", ALONE, given, [KIND], alone, token="hers") or [(None,)])[0][0]
        scene.must(f"{many} of them", scene.does("chosen", kinds, token="theirs"), [(many,)])


def _every(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    """Each category that can be granted is shown by the function of each table that has it, until the row has ended."""
    scene.world.become("owner")
    everything(scene.stage, whose)
    scene.does("intake", ACCESS, whose)
    grantable = scene.world.plan.grantable
    _lend(scene, *sorted({each.category for each in grantable}))
    for each in grantable:
        asked = f"SELECT subject FROM troth.{each.name}()"
        ended = f"UPDATE troth.{each.table} SET ended_at = {{}} WHERE subject = %s"
        for change, shown in (("NULL", True), ("now()", False), ("NULL", True)):
            scene.does("owner", ended.format(change), whose)
            found = scene.does("chosen", asked, token="theirs")
            scene.must(f"shown by {asked} with {change}", set(found), {(whose,)} if shown else set())


def _changes(scene: Scene, _whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    waiting = _offer(scene, b"waits", NAME)
    scene.refused("TR072", "self", CHANGE, waiting, [NAME], token="hers")
    given = _lend(scene, NAME, EMAIL)
    scene.refused("TR003", "self", CHANGE, given, [NAME])
    for who in ("theirs", "third"):
        scene.refused("TR072", "self", CHANGE, given, [NAME], token=who)
    scene.refused("TR073", "self", CHANGE, given, [NAME, KIND], token="hers")
    made = scene.does("self", CHANGE, given, [NAME], token="hers")
    scene.must("before", scene.does("owner", GRANT, given), [(other, [NAME, EMAIL], "changed")])
    scene.must("after", scene.does("owner", GRANT, made[0][0] if made else None), [(other, [NAME], None)])
    scene.must("narrower", scene.does("chosen", EMAILS, token="theirs"), [])
    scene.must("written down", scene.does("owner", LAST), [("permission-changed",)])
    scene.refused("TR072", "self", CHANGE, given, [NAME], token="hers")


def _ends(scene: Scene, _whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    given = _lend(scene, NAME)
    scene.refused("TR003", "self", END, given)
    scene.refused("TR072", "self", END, given, token="third")
    scene.does("owner", "UPDATE troth.person_grant SET agreed = given WHERE given = %s", given)
    for statement in ((END, given), (CHANGE, given, [NAME])):
        scene.refused("TR072", "self", *statement, token="hers")
    scene.does("owner", "UPDATE troth.person_grant SET agreed = NULL WHERE given = %s", given)
    unagree(scene, other)
    scene.does("self", END, given, token="theirs")
    agree_again(scene, other)
    scene.must("ended", scene.does("chosen", NAMES, token="theirs"), [])
    scene.must("written down", scene.does("owner", LAST), [("permission-ended",)])
    scene.refused("TR072", "self", END, given, token="hers")


def _proposes(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    plain = ("announce", None, "at once", 0)
    scene.refused("TR003", "self", PROPOSE, address(whose), *plain)
    scene.refused("TR074", "self", PROPOSE, address(whose), *plain, token="theirs")
    for purpose, categories in (("provide", None), ("nonsense", None), (None, ["access.ip"])):
        scene.refused("TR075", "self", PROPOSE, address(whose), purpose, categories, "at once", 0, token="third")
    for to in (address(whose), f"un{address(other)}", "nobody@elsewhere.example"):
        scene.does("self", PROPOSE, to, *plain, token="third")
    scene.must("mail", scene.does("owner", MAILS, address(whose)), [(1,)])
    scene.must("written down", scene.does("owner", LAST), [("permission-proposed",)])
    theirs = "SELECT address FROM troth.agreed_permission WHERE subject IN (%s, %s)"
    scene.must("whose", scene.does("owner", theirs, whose, other), [(address(whose),)])
    scene.must("told", len(scene.does("self", TOLD, token="third")), 3)
    scene.must("told to others", scene.does("self", TOLD, token="hers"), [])
    scene.does("owner", "UPDATE troth.request_token SET level = 1")
    scene.refused("TR074", "self", PROPOSE, address(whose), *plain, token="third")
    scene.does("owner", "UPDATE troth.request_token SET level = 2")
    scene.does("owner", "UPDATE troth.staff SET until = now()")
    scene.refused("TR074", "self", PROPOSE, address(whose), *plain, token="third")


def _ask(scene: Scene, whose: uuid.UUID, *told: Any) -> Any:
    found = scene.does("self", PROPOSE, address(whose), *(told or ("announce", None, "at once", 0)), token="third")
    return found[0][0] if found else None


def _agrees(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    no, which = _ask(scene, whose), _ask(scene, whose)
    scene.refused("TR003", "self", REPLY, which, YES, b"May we?")
    for who, words in (("theirs", b"May we?"), ("third", b"May we?"), ("hers", b"We may.")):
        scene.refused("TR076", "self", REPLY, which, YES, words, token=who)
    for change, undo in (
        ("at = at - interval '15 days'", "at = at + interval '15 days'"), ("version = 1", "version = 2"),
    ):  # fmt: skip
        scene.does("owner", f"UPDATE troth.agreed_permission SET {change} WHERE agreed = %s", which)
        scene.refused("TR076", "self", REPLY, which, YES, b"May we?", token="hers")
        scene.does("owner", f"UPDATE troth.agreed_permission SET {undo} WHERE agreed = %s", which)
    scene.does("self", REPLY, no, NO, b"May we?", token="hers")
    scene.must("declined", scene.does("owner", AGREED, no), [("declined", None)])
    scene.must("written down", scene.does("owner", LAST), [("permission-refused",)])
    scene.refused("TR076", "self", REPLY, no, YES, b"May we?", token="hers")
    scene.must("before", scene.sees("announce", "person", whose), 0)
    scene.does("self", REPLY, which, YES, b"May we?", token="hers")
    scene.must("agreed", scene.does("owner", AGREED, which), [("accepted", None)])
    scene.must("after", scene.sees("announce", "person", whose), 1)
    scene.must("written down", scene.does("owner", LAST), [("permission-agreed",)])
    scene.does("self", "SELECT troth.choose('announce', 'withdrawal')", token="hers")
    scene.must("taken back", scene.does("owner", AGREED, which), [("accepted", "person")])


def _agreed_ends(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    which = _ask(scene, whose)
    scene.does("self", REPLY, which, YES, b"May we?", token="hers")
    scene.refused("TR003", "self", STOP, which)
    scene.refused("TR072", "self", STOP, which, token="theirs")
    scene.does("self", STOP, which, token="third")
    scene.must("ended", scene.does("owner", AGREED, which), [("accepted", "operator")])
    scene.must("out", scene.sees("announce", "person", whose), 0)
    scene.must("written down", scene.does("owner", LAST), [("permission-ended",)])
    scene.refused("TR072", "self", STOP, which, token="hers")
    chosen = _ask(scene, whose)
    scene.does("self", REPLY, chosen, YES, b"May we?", token="hers")
    for kind in ("withdrawal", "consent"):
        scene.does("self", "SELECT troth.choose('announce', %s)", kind, token="hers")
    scene.does("owner", "UPDATE troth.agreed_permission SET over_at = NULL, over_by = NULL WHERE agreed = %s", chosen)
    scene.does("self", STOP, chosen, token="hers")
    scene.must("chosen since", scene.sees("announce", "person", whose), 1)
    lasting = _ask(scene, whose, None, [NAME], "at its end", 0)
    scene.does("self", REPLY, lasting, YES, b"May we?", token="hers")
    scene.must("shown", scene.does("chosen", NAMES, token="third"), [(whose, "Eve")])
    scene.refused("TR072", "self", STOP, lasting, token="hers")
    noticed = _ask(scene, whose, None, [EMAIL], "with notice", 2)
    scene.does("self", REPLY, noticed, YES, b"May we?", token="hers")
    unagree(scene, whose)
    scene.does("self", STOP, noticed, token="hers")
    over = "SELECT over_at > now() + interval '47 hours' FROM troth.person_grant WHERE agreed = %s"
    scene.must("two days of notice", scene.does("owner", over, noticed), [(True,)])


def _lapses(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    silent, which = _ask(scene, whose), _ask(scene, whose)
    scene.does("self", REPLY, which, YES, b"May we?", token="hers")
    scene.must("nothing is due", scene.does("steward", LAPSE), [(0,)])
    scene.does(
        "owner", "UPDATE troth.agreed_permission SET until = now() - interval '1 minute' WHERE agreed = %s", which
    )
    scene.does("owner", "UPDATE troth.agreed_permission SET at = at - interval '15 days' WHERE agreed = %s", silent)
    scene.must("due", scene.does("steward", LAPSE), [(1,)])
    scene.must("over", scene.does("owner", AGREED, which), [("accepted", "time")])
    scene.must("out", scene.sees("announce", "person", whose), 0)
    scene.must("silence", scene.does("owner", AGREED, silent), [])


IN_CLUB = (
    "SELECT troth.propose_in_organization(%s, %s, %s::text[], 'For the crews.', '', 10, 'at once', 0, '{\"en\": \"May we?\"}',"
    ' \'{"en": {"subject": "s", "text": "t"}}\')'
)
TO_MEMBER = "SELECT answer FROM troth.proposed_to_member(%s, %s)"
PLACE = "UPDATE troth.membership SET {} WHERE subject = %s"


def _in_club(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    """Who administers an organization asks a member of it, and sees while both are in their place."""
    found = scene.does("self", "SELECT troth.found_organization('Club')", token="theirs")
    club = found[0][0] if found else None
    scene.does("administrator", "SELECT troth.invite(%s, 'word', NULL, 'en', 'member', 1, 7)", club, token="theirs")
    scene.does("self", "SELECT troth.join_by_invitation('word')", token="hers")
    scene.refused("TR003", "self", IN_CLUB, club, whose, [NAME])
    for who, whom in (("hers", other), ("third", whose), ("theirs", third), ("theirs", other)):
        scene.refused("TR077", "self", IN_CLUB, club, whom, [NAME], token=who)
    scene.refused("TR075", "self", IN_CLUB, club, whose, [NAME, "access.ip"], token="theirs")
    which = _ask_in(scene, club, whose)
    scene.must("mail", scene.does("owner", MAILS, address(whose)), [(1,)])
    scene.must("written down", scene.does("owner", LAST), [("permission-proposed",)])
    scene.refused("TR078", "self", IN_CLUB, club, whose, [NAME], token="theirs")
    for who, told in (("theirs", [(None,)]), ("hers", []), ("third", [])):
        scene.must(f"told {who}", scene.does("self", TO_MEMBER, club, whose, token=who), told)
    scene.must("told to the operator", scene.does("self", TOLD, token="third"), [])
    scene.does("self", REPLY, which, YES, b"May we?", token="hers")
    _in_place(scene, whose, other)
    scene.refused("TR072", "self", STOP, which, token="third")
    scene.does("self", STOP, which, token="theirs")
    scene.must("ended", scene.does("owner", AGREED, which), [("accepted", "operator")])
    scene.must("shown after", scene.does("chosen", NAMES, token="theirs"), [])
    second = _ask_in(scene, club, whose)
    scene.does("self", REPLY, second, YES, b"May we?", token="hers")
    scene.does("owner", PLACE.format("role = 'member'"), other)
    scene.does("steward", LAPSE)
    scene.must("out of office", scene.does("owner", AGREED, second), [("accepted", "operator")])
    scene.does("owner", PLACE.format("role = 'owner'"), other)
    scene.must("does not come back", scene.does("chosen", NAMES, token="theirs"), [])
    late = _ask_in(scene, club, whose)
    scene.does("owner", PLACE.format("role = 'member'"), other)
    scene.refused("TR076", "self", REPLY, late, YES, b"May we?", token="hers")


def _ask_in(scene: Scene, club: Any, whose: uuid.UUID) -> Any:
    scene.does("owner", "UPDATE troth.agreed_permission SET at = at - interval '25 hours' WHERE subject = %s", whose)
    made = scene.does("self", IN_CLUB, club, whose, [NAME], token="theirs")
    return made[0][0] if made else None


def _in_place(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    shown = [(whose, "Eve")]
    scene.must("shown", scene.does("chosen", NAMES, token="theirs"), shown)
    for away, back, who in (
        ("role = 'member'", "role = 'owner'", other),
        ("ended_at = now()", "ended_at = NULL", whose),
        ("ended_at = now()", "ended_at = NULL", other),
    ):
        scene.does("owner", PLACE.format(away), who)
        scene.must(f"shown with {away}", scene.does("chosen", NAMES, token="theirs"), [])
        scene.does("owner", PLACE.format(back), who)
        scene.must(f"shown with {back}", scene.does("chosen", NAMES, token="theirs"), shown)


PLAYS = (
    _offers,
    _answers,
    _shows,
    _records,
    _every,
    _changes,
    _ends,
    _proposes,
    _agrees,
    _agreed_ends,
    _lapses,
    _in_club,
)

"""Names, links, sessions and devices: linked, renamed, unlinked, signed out, forgotten, on the stage where nothing stays."""

import uuid
from collections.abc import Iterator

from tests.mutations.flows import agree, agree_again, give_token, newcomer, unagree
from tests.mutations.scene import Play, Scene
from tests.mutations.world import NOBODY, World

OFFER = "SELECT troth.offer_link(sha256('code'))"
LINK = "SELECT troth.link_accounts(sha256(%s), %s::boolean)"
UNLINK = "SELECT troth.unlink_account(%s)"
NAMES = "SELECT name FROM troth.person WHERE subject IN (%s, %s) ORDER BY name"
LINKED = "SELECT address FROM troth.linked_accounts()"
SESSION = (
    "INSERT INTO troth.session (subject, session, family, device, ip, used_at)"
    " VALUES (%s, %s, %s, %s, '192.0.2.0/24', now())"
)
LEFT = "SELECT count(*) FROM troth.{} WHERE subject = %s"
LAST = "SELECT action FROM troth.ledger_entry ORDER BY index DESC LIMIT 1"


def naming(world: World, play: Play) -> Iterator[str]:
    """Somebody has two accounts and two browsers; nobody links, renames or signs out for another."""
    with Scene(world) as scene:
        whose, other = uuid.uuid5(NOBODY, play.__name__), uuid.uuid5(NOBODY, f"other {play.__name__}")
        for each, word, name in ((whose, "hers", "Eve"), (other, "theirs", "Fay")):
            agree(scene, each, newcomer(scene, each))
            scene.does("owner", "UPDATE troth.person SET name = %s WHERE subject = %s", name, each)
            give_token(scene, each, word)
        play(scene, whose, other)
    yield from scene.wrong


def _links(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    scene.does("self", OFFER, token="hers")
    offered = scene.does("self", "SELECT address, name FROM troth.offered_link(sha256('code'))", token="theirs")
    scene.must("who made the code", offered, [("e***@harbor.example", "Eve")])
    for word in ("hers", "nobody's"):
        found = scene.does("self", "SELECT 1 FROM troth.offered_link(sha256('code'))", token=word)
        scene.must("who made it, to others", found, [])
    scene.does("door", LINK, "code", "yes", token="theirs")
    scene.must("one name", scene.does("owner", NAMES, whose, other), [("Eve",), ("Eve",)])
    for word in ("hers", "theirs"):
        scene.must("the other one", scene.does("self", LINKED, token=word), [("e***@harbor.example",)])
    scene.must("what was written down", scene.does("owner", LAST), [("accounts-linked",)])
    scene.must("no second time", scene.does("owner", "SELECT 1 FROM troth.link_offer WHERE subject = %s", whose), [])
    scene.does("self", OFFER, token="hers")
    scene.refused("TR072", "door", LINK, "code", "yes", token="theirs")
    ties = scene.does("owner", "SELECT tie FROM troth.linked WHERE subject = %s", whose)
    scene.refused("TR073", "door", UNLINK, uuid.uuid4(), token="theirs")
    scene.refused("TR073", "door", UNLINK, ties[0][0] if ties else None, token="hers")
    scene.refused("TR003", "door", UNLINK, ties[0][0] if ties else None)
    scene.does("door", UNLINK, ties[0][0] if ties else None, token="theirs")
    scene.must("what was written down", scene.does("owner", LAST), [("accounts-unlinked",)])
    for each in (whose, other):
        scene.must("left of the link", scene.does("owner", LEFT.format("linked"), each), [(0,)])


def _without_a_proof(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    scene.refused("TR003", "self", OFFER)
    scene.does("self", OFFER, token="hers")
    scene.must("an offer is written down", scene.does("owner", LAST), [("link-offered",)])
    scene.does("self", "SELECT troth.offer_link(sha256('next'))", token="hers")
    scene.refused("TR071", "door", LINK, "code", "yes", token="theirs")
    scene.refused("TR071", "door", LINK, "next", "yes", token="hers")
    scene.refused("TR003", "door", LINK, "next", "yes")
    scene.does("owner", "UPDATE troth.link_offer SET expires_at = now() WHERE subject = %s", whose)
    scene.refused("TR071", "door", LINK, "next", "yes", token="theirs")
    scene.must(
        "no such code", scene.does("self", "SELECT 1 FROM troth.offered_link(sha256('next'))", token="theirs"), []
    )
    scene.must("no link", scene.does("owner", LEFT.format("linked"), other), [(0,)])


#: As if a clause collected the name that was replaced.
COLLECTED = (
    "GRANT INSERT (subject, name) ON troth.earlier_name TO troth_namer",
    "CREATE POLICY as_collected ON troth.earlier_name FOR INSERT TO troth_namer WITH CHECK (true)",
)


def _renames(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    scene.does("self", OFFER, token="hers")
    scene.does("door", LINK, "code", "no", token="theirs")
    scene.must("the other's name", scene.does("owner", NAMES, whose, other), [("Fay",), ("Fay",)])
    scene.refused("TR003", "self", "SELECT troth.hold_name()")
    scene.must("who is held", scene.does("self", "SELECT troth.hold_name()", token="hers"), [(whose,)])
    scene.does("self", "UPDATE troth.person SET name = 'Eva'", token="hers")
    scene.must("one name", scene.does("owner", NAMES, whose, other), [("Eva",), ("Eva",)])
    scene.must("no name of before", scene.does("owner", LEFT.format("earlier_name"), whose), [(0,)])
    for collected in COLLECTED:
        scene.does("owner", collected)
    scene.does("self", "UPDATE troth.person SET name = 'Eve'", token="hers")
    earlier = "SELECT name FROM troth.earlier_name WHERE subject = %s"
    scene.must("the name of before", scene.does("owner", earlier, whose), [("Eva",)])
    scene.does("door", "SELECT troth.end_subject(%s, 'left')", other)
    scene.must("who left is linked with nobody", scene.does("self", LINKED, token="hers"), [])


def _signed_in(scene: Scene, whose: uuid.UUID, word: str) -> tuple[uuid.UUID, uuid.UUID]:
    session, device = uuid.uuid5(whose, f"session {word}"), uuid.uuid5(whose, f"device {word}")
    family = scene.does(
        "door",
        "INSERT INTO troth.remembered (subject, digest, until) VALUES (%s, sha256(%s), now() + interval '1 d') RETURNING family",
        whose, word,
    )  # fmt: skip
    scene.does("door", SESSION, whose, session, family[0][0] if family else None, device)
    carried = "UPDATE troth.session SET viewer = sha256(convert_to(%s, 'UTF8')) WHERE subject = %s AND session = %s"
    scene.does("door", carried, word, whose, session)
    scene.does("intake", "INSERT INTO troth.device (subject, device, browser) VALUES (%s, %s, 'Lynx')", whose, device)
    return session, device


def _two(scene: Scene, whose: uuid.UUID) -> tuple[tuple[uuid.UUID, uuid.UUID], tuple[uuid.UUID, uuid.UUID]]:
    give_token(scene, whose, "there")
    return _signed_in(scene, whose, "hers"), _signed_in(scene, whose, "there")


def _open(scene: Scene, word: str) -> bool:
    return scene.does("self", "SELECT troth.viewer()", token=word) != [(None,)]


def _signs_out(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    (here, mine), (there, _) = _two(scene, whose)
    unagree(scene, whose)
    scene.must("this session", scene.does("self", "SELECT troth.this_session()", token="hers"), [(here,)])
    for role in ("self", "door"):
        scene.must("its device", scene.does(role, "SELECT troth.device_of('hers')"), [(mine,)])
    scene.refused("TR003", "self", "SELECT troth.end_session(%s)", there)
    scene.refused("TR074", "self", "SELECT troth.end_session(%s)", there, token="theirs")
    scene.does("self", "SELECT troth.end_session(%s)", there, token="hers")
    scene.must("what was written down", scene.does("owner", LAST), [("session-ended",)])
    agree_again(scene, whose)
    scene.must(
        "who is left", (_open(scene, "hers"), _open(scene, "there"), _open(scene, "theirs")), (True, False, True)
    )
    for table in ("session", "remembered"):
        scene.must(f"left of `{table}`", scene.does("owner", LEFT.format(table), whose), [(1,)])
    scene.does("self", "SELECT troth.end_session(%s)", here, token="hers")
    scene.must("nobody is left", _open(scene, "hers"), expected=False)


def _signs_all_out(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    _two(scene, whose)
    _signed_in(scene, other, "theirs")
    scene.refused("TR003", "self", "SELECT troth.end_other_sessions()")
    unagree(scene, whose)
    scene.does("self", "SELECT troth.end_other_sessions()", token="hers")
    scene.must("what was written down", scene.does("owner", LAST), [("other-sessions-ended",)])
    agree_again(scene, whose)
    scene.must(
        "who is left", (_open(scene, "hers"), _open(scene, "there"), _open(scene, "theirs")), (True, False, True)
    )
    for table in ("session", "remembered", "request_token"):
        for each in (whose, other):
            scene.must(f"left of `{table}`", scene.does("owner", LEFT.format(table), each), [(1,)])


def _forgets(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    _, (_there, device) = _two(scene, whose)
    scene.refused("TR003", "self", "SELECT troth.forget_device(%s)", device)
    scene.refused("TR075", "self", "SELECT troth.forget_device(%s)", device, token="theirs")
    named = scene.does("self", "UPDATE troth.device SET name = 'old' RETURNING device", token="hers")
    scene.must("how many have a name", len(named), 2)
    unagree(scene, whose)
    scene.does("self", "SELECT troth.forget_device(%s)", device, token="hers")
    scene.must("what was written down", scene.does("owner", LAST), [("device-forgotten",)])
    agree_again(scene, whose)
    scene.must("who is left", (_open(scene, "hers"), _open(scene, "there")), (True, False))
    for table in ("device", "session"):
        scene.must(f"left of `{table}`", scene.does("owner", LEFT.format(table), whose), [(1,)])


def _notes(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    (here, _), (there, guessed) = _two(scene, whose)
    known = uuid.uuid5(whose, "known")
    scene.does("door", "SELECT troth.identify_session(%s, %s, %s)", whose, there, known)
    scene.must("the device is known", scene.does("door", "SELECT troth.device_of('there')"), [(known,)])
    left = scene.does("owner", "SELECT 1 FROM troth.device WHERE device = %s", guessed)
    scene.must("what was guessed goes", left, [])
    scene.does("door", "UPDATE troth.session SET used_at = now() WHERE subject = %s", whose)
    scene.does("door", "UPDATE troth.device SET used_at = now() WHERE subject = %s", whose)
    scene.refused("42501", "door", SESSION.replace("0/24", "7"), whose, uuid.uuid4(), None, known)
    scene.does("door", "SELECT troth.close_sessions(%s, %s, false)", whose, there)
    scene.must("one is closed", (_open(scene, "hers"), _open(scene, "there")), (True, False))
    _signed_in(scene, other, "theirs")
    scene.does("door", "SELECT troth.close_sessions(%s, %s, true)", whose, here)
    scene.must("none but it is closed", (_open(scene, "hers"), _open(scene, "theirs")), (True, True))
    scene.does("owner", "UPDATE troth.session SET at = now() - interval '2 days' WHERE subject = %s", whose)
    scene.must("one is old", scene.does("door", "SELECT troth.forget_old_sessions('1 day') >= 1"), [(True,)])
    scene.must("the other is not", scene.does("owner", LEFT.format("session"), other), [(1,)])


PLAYS = (_links, _without_a_proof, _renames, _signs_out, _signs_all_out, _forgets, _notes)

"""What an organization holds of a member, and what they ask to be corrected, as if the operator had declared such a field.

The default policy declares none, so that the functions that know the fields are stood in for, and the corrections let in.
"""

import uuid
from collections.abc import Iterator

from tests.mutations.joining import Club
from tests.mutations.playing import played
from tests.mutations.scene import Play, Scene
from tests.mutations.world import World

HOLD = "SELECT troth.hold_field(%s, %s, %s, %s)"
ASK = "SELECT troth.ask_correction(%s, %s, %s, %s)"
ANSWER, WITHDRAW = (
    "SELECT troth.answer_correction(%s, %s, %s, %s::boolean, %s)",
    "SELECT troth.withdraw_correction(%s)",
)
LAST = "SELECT action, facts ->> 'field' FROM troth.ledger_entry ORDER BY index DESC LIMIT 1"
MAILS = "SELECT count(*) FROM troth.notice WHERE subject = %s AND template = %s"
NAMED = "SELECT name FROM troth.membership WHERE organization = %s AND subject = %s"
KEPT = "SELECT outcome, answer, answered_at IS NOT NULL FROM troth.correction WHERE correction = %s"
SEEN = "SELECT field FROM troth.correction WHERE organization = %s"
#: A look that opens this very transaction, which otherwise only the next would be.
LOOKED = (
    "WITH looked AS (INSERT INTO troth.organization_look (subject, organization, kind, digest, session, turn)"
    " SELECT %s, %s, 'corrections', sha256('seen'), pg_backend_pid(), here.slot || '/' || here.turn"
    " FROM troth.this_turn() AS here) SELECT set_config('troth.look', 'seen', true)"
)
YES, NO = True, False
#: What the compiled functions do with a field that is declared; here it marks the membership.
DECLARED = (
    "CREATE OR REPLACE FUNCTION troth.write_held(org uuid, whose uuid, what text, told text) RETURNS boolean"
    " LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$ BEGIN UPDATE troth.membership SET since = '{\"desk\": 1}'"
    " WHERE organization = org AND subject = whose AND told <> 'as it was'; RETURN FOUND; END $$",
    "CREATE OR REPLACE FUNCTION troth.want_held(org uuid, whose uuid, what text, told text, why text) RETURNS uuid"
    " LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$ INSERT INTO troth.correction (subject, organization, field)"
    " VALUES (whose, org, what) RETURNING correction $$",
    "CREATE OR REPLACE FUNCTION troth.wanted_in(whose uuid, which uuid, what text) RETURNS text"
    " LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$ SELECT 'wanted'::text $$",
    "CREATE POLICY as_declared ON troth.correction TO troth_registrar USING (true) WITH CHECK (true)",
    "GRANT UPDATE (answer) ON troth.correction TO troth_registrar",
)
WRITTEN = "SELECT since ? 'desk' FROM troth.membership WHERE organization = %s AND subject = %s"


def correcting(world: World, play: Play) -> Iterator[str]:
    """Who keeps members fills in what is held of them, and members ask for another value; nobody else does."""
    yield from played(world, play)


def _club(scene: Scene) -> Club:
    club = Club(scene)
    club.takes_in("theirs")
    for statement in DECLARED:
        scene.does("owner", statement)
    return club


def _told(scene: Scene, action: str) -> None:
    scene.must(f"written down {action}", scene.does("owner", LAST), [(action, "desk")])


def _undeclared(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    club = Club(scene)
    club.takes_in("theirs")
    club.refused("TR061", HOLD, other, "desk", "4")
    scene.refused("TR061", "self", ASK, club.org, "desk", "4", None, token="theirs")
    scene.must("no field", scene.does("owner", WRITTEN, club.org, whose), [(False,)])


def _holds(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    club = _club(scene)
    club.refused("TR045", HOLD, third, "desk", "4")
    club.refused("TR041", HOLD, other, "desk", "4", by="theirs")
    club.refused("TR040", HOLD, other, "desk", "4", by="third")
    club.refused("TR003", HOLD, other, "desk", "4", by="")
    club.takes_in("third", "administrator")
    club.refused("TR041", HOLD, whose, "desk", "4", by="third")
    before = scene.does("owner", LAST)
    club.does(HOLD, other, "desk", "as it was")
    scene.must("nothing changed", scene.does("owner", LAST), before)
    club.does(HOLD, other, "desk", "4")
    _told(scene, "held-field-changed")
    scene.must("written", scene.does("owner", WRITTEN, club.org, other), [(True,)])


def _asks(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    club = _club(scene)
    club.takes_in("third", "administrator")
    for code, word in (("TR003", ""), ("TR003", "forged")):
        scene.refused(code, "self", ASK, club.org, "desk", "4", None, token=word)
    scene.refused("TR040", "self", ASK, uuid.uuid4(), "desk", "4", None, token="theirs")
    made = scene.does("self", ASK, club.org, "desk", "4", None, token="theirs")
    _told(scene, "correction-asked")
    for each, many in ((whose, 1), (third, 1), (other, 0)):
        scene.must("who is written to", scene.does("owner", MAILS, each, "correction-asked"), [(many,)])
    may: tuple[tuple[str, uuid.UUID, list[tuple[str]]], ...] = (
        ("hers", whose, [("desk",)]),
        ("third", third, [("desk",)]),
        ("theirs", other, []),
    )
    for word, _, _ in may:
        scene.must(f"what {word} may answer without a look", club.does(SEEN, by=word), [])
    for word, each, seen in may:
        scene.does("owner", LOOKED, each, club.org)
        scene.must(f"what {word} may answer", club.does(SEEN, by=word), seen)
    scene.must("their own", scene.does("self", SEEN, club.org, token="theirs"), [("desk",)])
    scene.refused("TR062", "self", ASK, club.org, "desk", "4", None, token="theirs")
    which = made[0][0] if made else None
    for word in ("hers", ""):
        scene.refused("TR063", "self", WITHDRAW, which, token=word)
    scene.does("self", WITHDRAW, which, token="theirs")
    _told(scene, "correction-withdrawn")
    scene.must("withdrawn", scene.does("owner", KEPT, which), [("withdrawn", None, True)])
    scene.refused("TR063", "self", WITHDRAW, which, token="theirs")
    for number in range(4):
        scene.does("self", ASK, club.org, f"f{number}", "4", None, token="theirs")
    scene.refused("TR047", "self", ASK, club.org, "sixth", "4", None, token="theirs")


def _answers(scene: Scene, _whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    club = _club(scene)
    made = scene.does("self", ASK, club.org, "desk", "4", None, token="theirs")
    which = made[0][0] if made else None
    club.refused("TR064", ANSWER, other, which, NO, None)
    club.refused("TR041", ANSWER, other, which, YES, None, by="theirs")
    club.refused("TR045", ANSWER, third, which, YES, None)
    club.refused("TR063", ANSWER, other, uuid.uuid4(), YES, None)
    scene.does("owner", "UPDATE troth.correction SET ended_at = now() WHERE correction = %s", which)
    club.refused("TR063", ANSWER, other, which, YES, None)
    scene.does("owner", "UPDATE troth.correction SET ended_at = NULL WHERE correction = %s", which)
    club.does(ANSWER, other, which, YES, None)
    _told(scene, "correction-made")
    scene.must("made so", scene.does("owner", KEPT, which), [("corrected", None, True)])
    scene.must("written", scene.does("owner", WRITTEN, club.org, other), [(True,)])
    club.refused("TR063", ANSWER, other, which, YES, None)
    scene.does("owner", "UPDATE troth.membership SET since = '{}' WHERE subject = %s", other)
    made = scene.does("self", ASK, club.org, "desk", "5", None, token="theirs")
    club.does(ANSWER, other, made[0][0] if made else None, NO, "It is right.")
    _told(scene, "correction-declined")
    scene.must(
        "declined", scene.does("owner", KEPT, made[0][0] if made else None), [("declined", "It is right.", True)]
    )
    scene.must("left as it was", scene.does("owner", WRITTEN, club.org, other), [(False,)])
    scene.must("who is answered", scene.does("owner", MAILS, other, "correction-answered"), [(2,)])


def _carries(scene: Scene, _whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    """A membership and a request to join carry the name of whom they are about, and follow a correction of it."""
    club, second = Club(scene), Club(scene)
    club.takes_in("theirs")
    scene.does("owner", "UPDATE troth.organization SET asking = true WHERE organization = %s", second.org)
    scene.does("self", "SELECT troth.ask_to_join(%s)", second.org, token="theirs")
    asking = "SELECT name FROM troth.join_request WHERE subject = %s"
    for name in ("Eve", "Eva"):
        scene.must("the member's name", scene.does("owner", NAMED, club.org, other), [(name,)])
        scene.must("the asker's name", scene.does("owner", asking, other), [(name,)])
        scene.does("self", "UPDATE troth.person SET name = 'Eva'", token="theirs")


PLAYS = (_undeclared, _holds, _asks, _answers, _carries)

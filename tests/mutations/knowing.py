"""Browsers that are known by an anonymous identifier: who begins and ends one, and who ties it to an account."""

import uuid
from collections.abc import Iterator

from tests.mutations.flows import agree, give_token
from tests.mutations.playing import played
from tests.mutations.scene import Play, Scene
from tests.mutations.world import NOBODY, World
from troth.policy.subjects import LEAST

CONSENT = "SELECT troth.consent_of_identifier(%s, %s)"
CHOSEN = "SELECT purpose, kind FROM troth.choice WHERE subject = %s ORDER BY purpose"
OF = "SELECT subject, agreed, asked FROM troth.identifier_of(%s)"
TIE, UNTIE = "SELECT troth.tie_identifier(%s)", "SELECT troth.untie_identifier(%s)"
TIED = "SELECT identifier FROM troth.tied_identifiers()"
LOOK = "SELECT troth.look_at_tied(%s, sha256('look'))"
END, ENDS = "SELECT troth.end_identifier()", "SELECT troth.end_identifiers()"
HELD = (
    "SELECT (SELECT count(*) FROM troth.tied WHERE at >= transaction_timestamp()),"
    " (SELECT count(tied_at) FROM troth.identifier)"
)
ENDED = "SELECT ended_at IS NOT NULL FROM troth.subject WHERE subject = %s"
LAST = "SELECT action, facts, subject IS NULL, actor IS NULL FROM troth.ledger_entry ORDER BY index DESC LIMIT 1"
NOBODY_TIES = "CREATE OR REPLACE FUNCTION troth.may_tie() RETURNS boolean LANGUAGE sql AS 'SELECT false'"
CLOSE = "SELECT troth.end_subject(%s, 'asked')"


def knowing(world: World, play: Play) -> Iterator[str]:
    """A browser is known after a yes, until a no; tied only by whoever holds its cookie, and seen by them alone."""
    yield from played(world, play)


def _browser(scene: Scene, word: str, purposes: str = "{personalise}") -> uuid.UUID:
    """Let a browser be known whose cookie is a word."""
    whose = uuid.UUID(int=LEAST.int | uuid.uuid5(NOBODY, word).int & (1 << 62) - 1)
    scene.does("door", "SELECT troth.claim(%s)", whose)
    scene.does("door", "INSERT INTO troth.subject (subject, kind) VALUES (%s, 'anonymous')", whose)
    newest = scene.does(
        "door", "SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1"
    )
    agree(scene, whose, tuple(newest[0]))
    scene.does("door", CONSENT, whose, purposes)
    scene.does(
        "door",
        "INSERT INTO troth.identifier (subject, digest, until)"
        " VALUES (%s, sha256(convert_to(%s, 'UTF8')), statement_timestamp() + interval '1 day')",
        whose, word,
    )  # fmt: skip
    give_token(scene, whose, word)
    return whose


def _begins(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    known = _browser(scene, "browser")
    scene.must("its choice", scene.does("owner", CHOSEN, known), [("personalise", "consent")])
    scene.must("what it is for sees it", scene.sees("personalise", "identifier", known), 1)
    scene.must("found by its cookie", scene.does("door", OF, "browser"), [(known, True, False)])
    scene.must("not by another", scene.does("door", OF, "hers"), [])
    for role, viewer in (("self", known), ("reader", None)):
        scene.must(f"to {role}", scene.does(role, "SELECT troth.viewer()", token="browser"), [(viewer,)])
    scene.refused("TR080", "door", CONSENT, known, "{announce}")
    scene.refused("TR080", "door", CONSENT, whose, "{announce}")
    fresh = uuid.UUID(int=LEAST.int | 7)
    scene.does("door", "INSERT INTO troth.subject (subject, kind) VALUES (%s, 'anonymous')", fresh)
    for purpose in ("{understand}", "{nothing}"):
        scene.refused("TR004", "door", CONSENT, fresh, purpose)
    scene.does("owner", "UPDATE troth.subject SET ended_at = now() WHERE subject = %s", fresh)
    scene.refused("TR080", "door", CONSENT, fresh, "{announce}")
    for change, back in (
        ("expires_at = now() - interval '1 hour'", "expires_at = now() + interval '1 hour'"),
        ("hash = sha256('another')", "hash = sha256('browser')"),
    ):
        scene.does("owner", f"UPDATE troth.request_token SET {change} WHERE subject = %s", known)
        scene.must(f"token: {change}", scene.does("door", OF, "browser"), [])
        scene.does("owner", f"UPDATE troth.request_token SET {back} WHERE subject = %s", known)
    for change, back in (
        ("until = now() - interval '1 hour'", "until = now() + interval '1 hour'"),
        ("ended_at = now()", "ended_at = NULL"),
        ("tied_at = now()", "tied_at = NULL"),
        ("digest = sha256('another')", "digest = sha256('browser')"),
    ):
        scene.does("owner", f"UPDATE troth.identifier SET {change} WHERE subject = %s", known)
        scene.must(f"identifier: {change}", scene.does("door", OF, "browser"), [])
        scene.does("owner", f"UPDATE troth.identifier SET {back} WHERE subject = %s", known)
    scene.does("door", "UPDATE troth.identifier SET asked_at = now() WHERE subject = %s", known)
    scene.must("asked", scene.does("door", OF, "browser"), [(known, True, True)])


def _ties(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    known, second = _browser(scene, "browser"), _browser(scene, "second")
    for statement, told in ((TIE, "browser"), (UNTIE, known), (LOOK, known)):
        for word in ("forged", ""):
            scene.refused("TR003", "self", statement, told, token=word)
    scene.refused("TR080", "self", TIE, "nothing", token="hers")
    scene.refused("TR003", "self", TIE, "browser", token="browser")
    scene.refused("TR080", "self", UNTIE, known, token="hers")
    scene.refused("TR080", "self", LOOK, known, token="hers")
    scene.does("self", TIE, "browser", token="hers")
    scene.must("the entry", scene.does("owner", LAST), [("identifier-tied", {}, False, False)])
    scene.must("tied", scene.does("owner", HELD), [(1, 1)])
    scene.must("seen", scene.does("self", TIED, token="hers"), [(known,)])
    scene.must("seen by nobody else", scene.does("self", TIED, token="theirs"), [])
    scene.must("nobody's meanwhile", scene.does("door", OF, "browser"), [])
    scene.refused("TR080", "self", TIE, "browser", token="theirs")
    scene.does("self", TIE, "second", token="theirs")
    for statement in (UNTIE, LOOK):
        scene.refused("TR080", "self", statement, known, token="theirs")
        scene.refused("TR080", "self", statement, second, token="hers")
    scene.does("self", LOOK, known, token="hers")
    scene.must("looked at as its holder", scene.does("self", "SELECT troth.viewer()", token="look"), [(known,)])
    scene.must("for a minute", scene.does(
        "owner", "SELECT count(*) FROM troth.request_token WHERE hash = sha256('look')"
        " AND expires_at BETWEEN statement_timestamp() AND statement_timestamp() + interval '61 seconds'"
    ), [(1,)])  # fmt: skip
    scene.does("self", UNTIE, known, token="hers")
    scene.must("its end", scene.does("owner", LAST), [("identifier-untied", {}, False, False)])
    scene.must("the other's stays", scene.does("owner", HELD), [(1, 1)])
    scene.must("known again", scene.does("door", OF, "browser"), [(known, True, False)])
    scene.does("self", TIE, "browser", token="hers")
    scene.does("owner", NOBODY_TIES)
    scene.refused("TR081", "self", TIE, "second", token="hers")
    scene.must("not seen", scene.does("self", TIED, token="hers"), [])
    scene.refused("TR080", "self", LOOK, known, token="hers")
    scene.must("none ended", scene.does("steward", ENDS), [(0,)])
    scene.must("untied", scene.does("owner", HELD), [(0, 0)])


def _goes(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    known, second, third = (_browser(scene, word) for word in ("browser", "second", "other"))
    for word in ("hers", "forged", ""):
        scene.refused("TR080", "self", END, token=word)
    scene.must("lasting", scene.does("steward", ENDS), [(0,)])
    scene.does("self", TIE, "browser", token="hers")
    scene.does("self", LOOK, known, token="hers")
    scene.does("self", END, token="look")
    scene.must("the entry", scene.does("owner", LAST), [("identifier-ended", {"reason": "asked"}, False, True)])
    scene.must("ended", scene.does("owner", ENDED, known), [(True,)])
    scene.must("loose", scene.does("owner", HELD), [(0, 0)])
    scene.does("self", TIE, "second", token="hers")
    scene.does("owner", "UPDATE troth.identifier SET until = now() - interval '1 hour' WHERE subject = %s", second)
    scene.must("past its time", scene.does("steward", ENDS), [(1,)])
    scene.must("ended by time", scene.does("owner", ENDED, second), [(True,)])
    scene.must("loose again", scene.does("owner", HELD), [(0, 0)])
    scene.must("once", scene.does("steward", ENDS), [(0,)])
    scene.does("self", TIE, "other", token="theirs")
    scene.does("door", CLOSE, other)
    scene.must("goes with the account", scene.does("owner", ENDED, third), [(True,)])
    fourth = _browser(scene, "fourth")
    scene.does("owner", "UPDATE troth.identifier SET digest = NULL WHERE subject = %s", fourth)
    scene.must("without a cookie", scene.does("steward", ENDS), [(1,)])
    fifth = _browser(scene, "fifth")
    scene.does("owner", "DELETE FROM troth.identifier WHERE subject = %s", fifth)
    scene.must("without a row", scene.does("steward", ENDS), [(1,)])
    scene.must("people stay", scene.does("owner", ENDED, whose), [(False,)])


PLAYS = (_begins, _ties, _goes)

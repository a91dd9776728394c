"""Browsers that are known by an anonymous identifier: who begins and ends one, and who ties it to an account."""

import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256

from tests.mutations.flows import agree, agree_again, give_token, unagree
from tests.mutations.playing import played
from tests.mutations.scene import Play, Scene
from tests.mutations.world import NOBODY, World
from tests.planting import APPLICATION
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
ADDRESS, VERIFIER = "https://a.example/", "what its page keeps"
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
LET = "SELECT troth.let_application_know(%s, sha256(%s), %s, %s)"
TAKE = "SELECT troth.take_browser_code(%s, sha256(%s), %s, %s, sha256(%s)) IS NOT NULL"
END_ONE = "SELECT troth.end_application_browser(%s)"
KNOW = "SELECT application, name FROM troth.knowing_browser()"
KNOWN_AS = "SELECT application, subject, uses <> 0 FROM troth.sent_about(ARRAY[sha256(%s)], ARRAY[%s])"
SEEN = (
    "INSERT INTO troth.page_view (subject, at, id, application, {}, uses)"
    " VALUES (%s, statement_timestamp(), uuidv7(), %s, 'planted', ~(1::bigint << 63))"
)
BARE = SEEN.replace(", {}", "").replace(", 'planted'", "")
OTHER = "another-application"
#: What ends what an application knows, and what brings it back.
OVER = (
    ("troth.application SET removed_at = now()", "troth.application SET removed_at = NULL"),
    ("troth.identifier SET ended_at = now()", "troth.identifier SET ended_at = NULL"),
    ("troth.identifier SET tied_at = now()", "troth.identifier SET tied_at = NULL"),
    ("troth.identifier SET until = now()", "troth.identifier SET until = now() + interval '1 day'"),
)


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
    unagree(scene, known)
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


def _applications(scene: Scene) -> uuid.UUID:
    """Let a browser be known, and two applications send."""
    register = "INSERT INTO troth.application (application, name, manifest, purposes, claims, events) VALUES"
    scene.does("owner", register + " (%s, 'Other', '', '{provide}', '{}', '{page_view}')", OTHER)
    for word, application in (("key", APPLICATION), ("another", OTHER)):
        scene.does(
            "owner",
            "INSERT INTO troth.application_key (digest, application) VALUES (sha256(%s), %s)",
            word,
            application,
        )
    return _browser(scene, "browser")


def _lets(scene: Scene, _whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    known = _applications(scene)
    mine = (APPLICATION, "code", ADDRESS, CHALLENGE)
    for word in ("hers", "forged", ""):
        scene.refused("TR080", "self", LET, *mine, token=word)
    scene.refused("TR008", "self", LET, "nothing", *mine[1:], token="browser")
    quiet = ("troth.application SET events = '{}'", "troth.application SET events = '{page_view}'")
    for (over, back), code in ((OVER[0], "TR008"), (quiet, "TR008"), (OVER[1], "TR080"), (OVER[2], "TR080")):
        scene.does("owner", f"UPDATE {over}")
        scene.refused(code, "self", LET, *mine, token="browser")
        scene.does("owner", f"UPDATE {back}")
    scene.does("self", LET, *mine, token="browser")
    entry = ("application-permitted", {"application": APPLICATION, "claims": 0}, False, False)
    scene.must("the entry", scene.does("owner", LAST), [entry])
    within = "SELECT code_until BETWEEN now() AND now() + interval '61 seconds' FROM troth.application_browser"
    scene.must("for a minute", scene.does("owner", within), [(True,)])
    scene.refused("TR071", "intake", BARE, known, APPLICATION)
    right = (APPLICATION, "code", ADDRESS, VERIFIER, "token")
    for nth, wrong in enumerate((OTHER, "guessed", "https://b.example/", "guessed")):
        scene.must(f"wrong {nth}", scene.does("door", TAKE, *right[:nth], wrong, *right[nth + 1 :]), [(False,)])
    late = (
        "troth.application_browser SET code_until = now()",
        "troth.application_browser SET code_until = now() + interval '1 hour'",
    )
    for over, back in (*OVER, late):
        scene.does("owner", f"UPDATE {over}")
        scene.must(f"after {over}", scene.does("door", TAKE, *right), [(False,)])
        scene.does("owner", f"UPDATE {back}")
    scene.must("taken", scene.does("door", TAKE, *right), [(True,)])
    scene.must("known", scene.does("intake", KNOWN_AS, "key", "token"), [(APPLICATION, known, True)])
    scene.must("twice", scene.does("door", TAKE, *right), [(False,)])
    twice = ("token-brought-twice", {"application": APPLICATION}, False, True)
    scene.must("its entry", scene.does("owner", LAST), [twice])
    scene.must("ended", scene.does("intake", KNOWN_AS, "key", "token"), [(APPLICATION, None, None)])
    for word in ("code", "again"):
        scene.does("self", LET, APPLICATION, word, ADDRESS, CHALLENGE, token="browser")
        scene.must(f"taken by {word}", scene.does("door", TAKE, APPLICATION, word, *right[2:4], word), [(True,)])
    scene.must("the one before", scene.does("intake", KNOWN_AS, "key", "code"), [(APPLICATION, None, None)])


def _knows(scene: Scene, _whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    known, second = _applications(scene), _browser(scene, "second")
    for application, cookie, word in ((APPLICATION, "browser", "token"), (OTHER, "second", "its")):
        scene.does("self", LET, application, word, ADDRESS, CHALLENGE, token=cookie)
        scene.must("taken", scene.does("door", TAKE, application, word, ADDRESS, VERIFIER, word), [(True,)])
    scene.must("its own", scene.does("intake", KNOWN_AS, "key", "token"), [(APPLICATION, known, True)])
    scene.must("another's", scene.does("intake", KNOWN_AS, "another", "token"), [(OTHER, None, None)])
    scene.must("no token", scene.does("intake", KNOWN_AS, "key", "guessed"), [(APPLICATION, None, None)])
    for column in ("url", "browser", "kind"):
        scene.does("intake", SEEN.format(column), known, APPLICATION)
    for column in ("referrer", "system"):
        scene.refused("42501", "intake", SEEN.format(column), known, APPLICATION)
    scene.refused("42501", "intake", SEEN.format("feature").replace("page_view", "feature_use"), known, APPLICATION)
    for purpose in ("personalise", "protect", "understand"):
        scene.must(f"seen for {purpose}", scene.sees(purpose, "page_view", known), 3)
    scene.refused("TR071", "intake", BARE, known, OTHER)
    scene.refused("TR071", "intake", BARE, second, APPLICATION)
    scene.does("intake", BARE, second, OTHER)
    for over, back in OVER:
        scene.does("owner", f"UPDATE {over}")
        scene.refused("TR071", "intake", BARE, known, APPLICATION)
        told = [] if "removed" in over else [(APPLICATION, None, None)]
        scene.must(f"after {over}", scene.does("intake", KNOWN_AS, "key", "token"), told)
        scene.does("owner", f"UPDATE {back}")
    scene.does("owner", "UPDATE troth.application SET events = '{crash}'")
    scene.refused("TR071", "intake", BARE, known, APPLICATION)
    scene.does("owner", "UPDATE troth.application SET events = '{page_view}'")
    scene.does("owner", "UPDATE troth.agreement SET ended_at = now() WHERE subject = %s", known)
    scene.refused("TR071", "intake", BARE, known, APPLICATION)
    scene.must("without an agreement", scene.does("intake", KNOWN_AS, "key", "token"), [(APPLICATION, known, False)])
    scene.does("owner", "UPDATE troth.agreement SET ended_at = NULL WHERE subject = %s", known)
    for word in ("hers", "forged", ""):
        scene.refused("TR080", "self", END_ONE, APPLICATION, token=word)
    scene.refused("TR008", "self", END_ONE, APPLICATION, token="second")
    scene.does("self", LET, OTHER, "more", ADDRESS, CHALLENGE, token="browser")
    unagree(scene, known)
    scene.does("self", END_ONE, APPLICATION, token="browser")
    agree_again(scene, known)
    ended = ("application-ended", {"application": APPLICATION}, False, False)
    scene.must("the end's entry", scene.does("owner", LAST), [ended])
    left = scene.does("owner", "SELECT application FROM troth.application_browser WHERE subject = %s", known)
    scene.must("the other stays", left, [(OTHER,)])
    scene.must("seen once it is taken", scene.does("self", KNOW, token="browser"), [])
    scene.must("seen", scene.does("self", KNOW, token="second"), [(OTHER, "Other")])
    scene.must("not by others", scene.does("self", KNOW, token="hers"), [])
    scene.does("owner", f"UPDATE {OVER[0][0]}")
    scene.must("not when it was removed", scene.does("self", KNOW, token="second"), [])
    scene.does("owner", f"UPDATE {OVER[0][1]}")
    scene.refused("TR071", "intake", BARE, known, APPLICATION)
    scene.does("owner", "UPDATE troth.permitted SET uses = 0 WHERE subject = %s", second)
    scene.refused("TR070", "intake", BARE, second, OTHER)


PLAYS = (_begins, _ties, _goes, _lets, _knows)

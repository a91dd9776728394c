"""Applications that people sign in to: asked, answered, used, ended, on the stage where nothing stays."""

import uuid
from collections.abc import Iterator
from typing import Any

from tests.mutations.flows import agree, agree_again, give_token, newcomer, unagree
from tests.mutations.scene import Play, Scene
from tests.mutations.world import NOBODY, World
from tests.planting import APPLICATION, sign_in

NAME, EMAIL = "name:person.name:provide", "email:person.email:provide"
PERMIT = "SELECT troth.permit_application(%s, %s, %s)"
RENEW = "SELECT troth.renew_application(%s, %s, now() + make_interval(days => %s))"
END = "SELECT troth.end_application(%s)"
STANDING = "SELECT claims, purposes FROM troth.application_standing(%s, %s)"
KEPT = "SELECT until IS NULL, offered, claims FROM troth.application_grant WHERE subject = %s ORDER BY at"
#: The days of its answers go by.
LATER = "UPDATE troth.application_grant SET at = at - interval '3 days', expires_at = expires_at - interval '2 days' WHERE subject = %s"
LASTS = "SELECT claims, until IS NULL, expires_at > now() FROM troth.application_grant WHERE subject = %s ORDER BY at"
LAST = "SELECT action FROM troth.ledger_entry ORDER BY index DESC LIMIT 1"
TOKENS = (
    "SELECT account.subject FROM troth.allauth_idp_oidc_token AS token"
    " JOIN troth.people_account AS account ON account.id = token.user_id WHERE account.subject IN (%s, %s)"
)
CODE = (
    "INSERT INTO troth.application_code (code, subject, application, redirect_uri, scopes, challenge, family, expires_at)"
    " VALUES (sha256('c'), %s, %s, 'https://planted.example/', '{openid}', repeat('x', 43), gen_random_uuid(), now())"
)
SPENT = (
    "INSERT INTO troth.application_spent (digest, subject, application, family, expires_at)"
    " VALUES (repeat('a', 64), %s, %s, gen_random_uuid(), now())"
)
#: What ending it takes away, of the one who ends it alone.
GONE = ("application_code", "application_spent")


def permitting(world: World, play: Play) -> Iterator[str]:
    """Somebody lets an application see something, changes their mind, and nobody does it for another."""
    with Scene(world) as scene:
        whose, other = uuid.uuid5(NOBODY, play.__name__), uuid.uuid5(NOBODY, f"other {play.__name__}")
        for each, word in ((whose, "hers"), (other, "theirs")):
            agree(scene, each, newcomer(scene, each))
            give_token(scene, each, word)
        scene.does(
            "owner",
            "UPDATE troth.application SET claims = %s, purposes = '{provide,announce}' WHERE application = %s",
            [NAME, EMAIL], APPLICATION,
        )  # fmt: skip
        play(scene, whose, other)
    yield from scene.wrong


def _answers(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    scene.refused("TR003", "self", PERMIT, APPLICATION, [NAME], [NAME])
    scene.refused("TR008", "self", PERMIT, "no-such-thing", [NAME], [NAME], token="hers")
    scene.refused("TR009", "self", PERMIT, APPLICATION, [NAME], [NAME, EMAIL], token="hers")
    scene.refused("TR009", "self", PERMIT, APPLICATION, ["name:person.name:announce"], [], token="hers")
    scene.does("self", PERMIT, APPLICATION, [NAME], [NAME], token="hers")
    scene.must("what was answered", scene.does("owner", KEPT, whose), [(True, [NAME], [NAME])])
    scene.must("what was written down", scene.does("owner", LAST), [("application-permitted",)])
    scene.must("nobody answered for another", scene.does("owner", KEPT, other), [])
    scene.does("self", PERMIT, APPLICATION, [EMAIL], [], token="hers")
    found = scene.does("owner", KEPT, whose)
    scene.must("a new answer ends the one before", found, [(False, [NAME], [NAME]), (True, [EMAIL, NAME], [NAME])])
    scene.does("owner", "UPDATE troth.application SET removed_at = now() WHERE application = %s", APPLICATION)
    scene.refused("TR008", "self", PERMIT, APPLICATION, [NAME], [NAME], token="hers")


def _ends(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    accounts = {each: _account(scene, each) for each in (whose, other)}
    for each, account in accounts.items():
        sign_in(scene.stage, each, account)
    scene.refused("TR003", "self", END, APPLICATION)
    scene.refused("TR008", "self", END, "no-such-thing", token="hers")
    unagree(scene, whose)
    scene.does("self", END, APPLICATION, token="hers")
    scene.must("what was written down", scene.does("owner", LAST), [("application-ended",)])
    agree_again(scene, whose)
    scene.must("what may be seen", scene.does("door", STANDING, whose, APPLICATION), [])
    scene.refused("TR008", "self", END, APPLICATION, token="hers")
    _gone(scene, whose, other)
    scene.must("another's answer stays", scene.does("owner", KEPT, other)[:1], [(True, [NAME], [NAME])])
    # Made while it was ended: what is renewed then opens nothing of it.
    sign_in(scene.stage, whose, accounts[whose])
    scene.does("owner", "UPDATE troth.application_grant SET until = now() WHERE subject = %s AND until IS NULL", whose)
    scene.does("self", RENEW, APPLICATION, [NAME], 1, token="hers")
    _gone(scene, whose, other)


def _renews(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    scene.refused("TR003", "self", RENEW, APPLICATION, [], 1)
    scene.does("self", PERMIT, APPLICATION, [NAME, EMAIL], [NAME, EMAIL], token="theirs")
    scene.refused("TR008", "self", RENEW, APPLICATION, [], 1, token="hers")
    scene.does("self", PERMIT, APPLICATION, [NAME, EMAIL], [NAME, EMAIL], token="hers")
    scene.does("door", "SELECT troth.use_application(%s, %s, 'sub')", whose, APPLICATION)
    scene.refused("TR008", "self", RENEW, "no-such-thing", [], 1, token="hers")
    scene.refused("TR085", "self", RENEW, APPLICATION, [NAME], -1, token="hers")
    scene.does("self", RENEW, APPLICATION, [NAME], 1, token="hers")
    scene.must("what was written down", scene.does("owner", LAST), [("application-renewed",)])
    held = [([EMAIL, NAME], False, None), ([NAME], True, True)]
    scene.must("narrower, until a day", scene.does("owner", LASTS, whose), held)
    scene.must("nobody renewed for another", scene.does("owner", LASTS, other), [([EMAIL, NAME], True, None)])
    known = "SELECT known_as FROM troth.application_grant WHERE subject = %s AND until IS NULL"
    scene.must("what it is called", scene.does("owner", known, whose), [("sub",)])
    scene.refused("TR009", "self", RENEW, APPLICATION, [NAME, EMAIL], 1, token="hers")
    scene.does("self", PERMIT, APPLICATION, [], [], token="hers")
    scene.must("the day stays", scene.does("owner", LASTS, whose)[2:], [([NAME], True, True)])
    scene.does("owner", "UPDATE troth.application SET removed_at = now() WHERE application = %s", APPLICATION)
    scene.refused("TR008", "self", RENEW, APPLICATION, [NAME], 1, token="hers")


def _over(scene: Scene, whose: uuid.UUID, other: uuid.UUID, *again: Any) -> None:
    """Its day goes by: nothing of it is carried on by what is answered then, nor what was issued by it."""
    for each in (whose, other):
        sign_in(scene.stage, each, _account(scene, each))
    scene.does("self", RENEW, APPLICATION, [NAME], 1, token="hers")
    scene.does("owner", LATER, whose)
    scene.must("what may be seen", scene.does("door", STANDING, whose, APPLICATION), [])
    scene.does("door", "SELECT troth.use_application(%s, %s, 'late')", whose, APPLICATION)
    late = "SELECT 1 FROM troth.application_grant WHERE subject = %s AND known_as = 'late'"
    scene.must("whoever asks late", scene.does("owner", late, whose), [])
    scene.does("self", *again, token="hers")
    scene.must("nothing is carried on", scene.does("owner", LASTS, whose)[-1:], [([], True, None)])
    ended = "SELECT until = expires_at FROM troth.application_grant WHERE subject = %s AND until < now() - interval '12 hours'"
    scene.must("it ended when it said", scene.does("owner", ended, whose), [(True,)])
    _gone(scene, whose, other)


def _over_and_anew(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    _over(scene, whose, other, "SELECT troth.renew_application(%s, '{}', NULL)", APPLICATION)


def _over_and_asked(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    _over(scene, whose, other, PERMIT, APPLICATION, [], [])


def _gone(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    """Nothing is left of what was issued about the one, and everything about the other."""
    scene.must("live tokens", scene.does("owner", TOKENS, whose, other), [(other,)])
    for table in GONE:
        left = f"SELECT subject FROM troth.{table} WHERE subject IN (%s, %s)"
        scene.must(f"left of `{table}`", scene.does("owner", left, whose, other), [(other,)])


def _account(scene: Scene, whose: uuid.UUID) -> int | None:
    account = scene.does(
        "owner",
        "INSERT INTO troth.people_account (subject, email, password, is_active, date_joined)"
        " VALUES (%s, %s, '', true, now()) RETURNING id",
        whose, f"{whose}@harbor.example",
    )  # fmt: skip
    return account[0][0] if account else None


def _stands(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    scene.must("before an answer", scene.does("door", STANDING, whose, APPLICATION), [])
    scene.does("self", PERMIT, APPLICATION, [NAME, EMAIL], [NAME], token="hers")
    scene.must("what may be seen", scene.does("door", STANDING, whose, APPLICATION), [([NAME], ["provide"])])
    scene.must("of another", scene.does("door", STANDING, other, APPLICATION), [])
    scene.does("self", "SELECT troth.choose('announce', 'consent')", token="hers")
    both = [([NAME], ["announce", "provide"])]
    scene.must("with a yes", scene.does("door", STANDING, whose, APPLICATION), both)
    scene.does("door", "SELECT troth.use_application(%s, %s, 'sub')", whose, APPLICATION)
    used = "SELECT used_at IS NOT NULL, known_as FROM troth.application_grant WHERE subject = %s"
    scene.must("used", scene.does("owner", used, whose), [(True, "sub")])
    scene.does("owner", "UPDATE troth.application SET claims = '{}' WHERE application = %s", APPLICATION)
    scene.must("no longer asked", scene.does("door", STANDING, whose, APPLICATION), [([], ["announce", "provide"])])
    scene.does("owner", "UPDATE troth.policy_version SET floor = true")
    scene.does("owner", "UPDATE troth.agreement SET version = 1 WHERE subject = %s", whose)
    scene.must("without the agreement", scene.does("door", STANDING, whose, APPLICATION), [])


def _stands_no_more(scene: Scene, whose: uuid.UUID, _other: uuid.UUID) -> None:
    changes: tuple[tuple[str, object], ...] = (
        ("UPDATE troth.application SET removed_at = {} WHERE application = %s", APPLICATION),
        ("UPDATE troth.application_grant SET until = {} WHERE subject = %s", whose),
        ("UPDATE troth.application_grant SET expires_at = {} WHERE subject = %s", whose),
        ("UPDATE troth.subject SET ended_at = {} WHERE subject = %s", whose),
    )
    scene.does("self", PERMIT, APPLICATION, [NAME], [NAME], token="hers")
    for change, which in changes:
        scene.does("owner", change.format("now()"), which)
        scene.must(f"after {change}", scene.does("door", STANDING, whose, APPLICATION), [])
        scene.does("owner", change.format("NULL"), which)
        scene.must(f"without {change}", scene.does("door", STANDING, whose, APPLICATION), [([NAME], ["provide"])])


def _listed(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    listed = "SELECT whose FROM troth.application_users(%s, %s, %s)"
    nil = uuid.UUID(int=0)
    copied = "INSERT INTO troth.application (application, name, manifest, purposes, claims) SELECT %s, name, '', purposes, claims"
    for which in ("a-copy", "b-copy"):
        scene.does("owner", f"{copied} FROM troth.application WHERE application = %s", which, APPLICATION)
    for word, which in (("hers", "a-copy"), ("theirs", "a-copy"), ("theirs", "b-copy")):
        scene.does("self", PERMIT, which, [NAME], [NAME], token=word)
    scene.must("both", scene.does("door", listed, "a-copy", nil, 9), [(whose,), (other,)])
    scene.must("of another application", scene.does("door", listed, "b-copy", nil, 9), [(other,)])
    scene.must("a page", scene.does("door", listed, "a-copy", nil, 1), [(whose,)])
    first = scene.does("owner", "SELECT answer FROM troth.application_grant WHERE subject = %s", whose)
    behind = scene.does("door", listed, "a-copy", first[0][0] if first else None, 9)
    scene.must("the page behind it", behind, [(other,)])
    for change in ("until", "expires_at"):
        scene.does("owner", f"UPDATE troth.application_grant SET {change} = now() WHERE subject = %s", whose)
        scene.must(f"after {change}", scene.does("door", listed, "a-copy", nil, 9), [(other,)])
        scene.does("owner", f"UPDATE troth.application_grant SET {change} = NULL WHERE subject = %s", whose)


def _leaves(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    scene.world.become("owner")
    for each in (whose, other):
        sign_in(scene.stage, each)
    scene.does("door", CODE, whose, APPLICATION)
    scene.does("door", SPENT, whose, APPLICATION)
    scene.does("door", "SELECT troth.end_subject(%s, 'left')", whose)
    for table in ("application_grant", *GONE):
        left = f"SELECT subject FROM troth.{table} WHERE subject IN (%s, %s)"
        scene.must(f"left of `{table}`", scene.does("owner", left, whose, other), [(other,)])


def _forgotten(scene: Scene, whose: uuid.UUID, _other: uuid.UUID) -> None:
    third = uuid.uuid5(whose, "third")
    newcomer(scene, third)
    scene.world.become("owner")
    sign_in(scene.stage, third)
    scene.does("door", "SELECT troth.forget_unagreed(%s)", third)
    scene.must("forgotten", scene.does("owner", "SELECT 1 FROM troth.subject WHERE subject = %s", third), [])


PLAYS = (
    _answers,
    _renews,
    _over_and_anew,
    _over_and_asked,
    _ends,
    _stands,
    _stands_no_more,
    _listed,
    _leaves,
    _forgotten,
)

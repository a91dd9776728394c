"""What applications send: by whose key, about whom, once, and refused where its person permits nothing that may use it."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

from tests.mutations.flows import agree, give_token, newcomer
from tests.mutations.scene import Play, Scene
from tests.mutations.world import NOBODY, World
from tests.planting import APPLICATION
from troth.policy.subjects import LEAST

CRASH = (
    "INSERT INTO troth.crash (subject, at, id, application, kind, uses)"
    " VALUES (%s, statement_timestamp(), uuidv7(), %s, 'planted', ~(1::bigint << 63))"
)
#: What says nothing but that it happened.
BARE = CRASH.replace(", kind", "").replace(", 'planted'", "")
#: The same from a browser whose signal objects.
MARKED = "~(1::bigint << 63)", "-1"
USE = (
    "INSERT INTO troth.feature_use (subject, at, id, application, feature, uses)"
    " VALUES (%s, statement_timestamp(), uuidv7(), %s, 'planted', ~(1::bigint << 63))"
)
DOES = CRASH.replace("troth.crash", "troth.activity").replace(", kind", ", event")
SEES = CRASH.replace("troth.crash", "troth.page_view").replace(", kind", ", url")
BUYS = CRASH.replace("troth.crash", "troth.transaction").replace(", kind", ", item")
IS = CRASH.replace("troth.crash", "troth.location").replace(", kind", ", source")
SENDER = "SELECT troth.sender(sha256(%s))"
DECLARED = "SELECT nth, manifest FROM troth.manifests_of(ARRAY[sha256(%s), sha256('guessed')])"
ABOUT = "SELECT application, events, subject FROM troth.sent_about(ARRAY[sha256(%s)], ARRAY[%s])"
TAKE = "SELECT nth, fresh, same FROM troth.take_keys(ARRAY[md5('k'), md5('l')]::uuid[], ARRAY[md5(%s), md5('b')]::uuid[]) ORDER BY 1"
NEW = "SELECT troth.take_new(ARRAY[md5(%s), md5(%s)]::uuid[], ARRAY[md5('a'), md5('b')]::uuid[])"
NOTE = "SELECT troth.note_refusals(ARRAY[%s]::uuid[], '{crash}', '{mutant}', '{c}', '{2}')"
NOTED = "SELECT count FROM troth.refused_event WHERE subject = %s AND reason = 'mutant'"
OTHER = "another-application"
ASKED = "INSERT INTO troth.access (subject, at, id, url{}) VALUES (%s, statement_timestamp(), uuidv7(), '/'{})"
KNOWN_BY = "INSERT INTO troth.device (subject, device{}) VALUES (%s, gen_random_uuid(){})"
NOW = "SELECT subject, uses FROM troth.uses_now(ARRAY[%s])"


def sending(world: World, play: Play) -> Iterator[str]:
    """An application sends with its key, about people who use it, as far as they permit, each event once."""
    with Scene(world) as scene:
        whose, other = uuid.uuid5(NOBODY, play.__name__), uuid.uuid5(NOBODY, f"other {play.__name__}")
        for each, word in ((whose, "hers"), (other, "theirs")):
            agree(scene, each, newcomer(scene, each))
            give_token(scene, each, word)
        known = "INSERT INTO troth.application (application, name, manifest, purposes, claims, events) VALUES"
        scene.does("owner", known + " (%s, 'Other', '', '{provide}', '{}', '{crash}')", OTHER)
        for word, application in (("key", APPLICATION), ("another", OTHER)):
            key = "INSERT INTO troth.application_key (digest, application) VALUES (sha256(%s), %s)"
            scene.does("owner", key, word, application)
        for token, application in (("hers", APPLICATION), ("theirs", OTHER)):
            scene.does("self", "SELECT troth.permit_application(%s, '{}', '{}')", application, token=token)
        scene.does("door", "SELECT troth.use_application(%s, %s, 'she')", whose, APPLICATION)
        scene.does("door", "SELECT troth.use_application(%s, %s, 'they')", other, OTHER)
        play(scene, whose, other)
    yield from scene.wrong


def _keys(scene: Scene, _whose: uuid.UUID, _other: uuid.UUID) -> None:
    scene.must("whose key", scene.does("intake", SENDER, "key"), [(APPLICATION,)])
    scene.must("whose other key", scene.does("intake", SENDER, "another"), [(OTHER,)])
    scene.must("no key", scene.does("intake", SENDER, "guessed"), [(None,)])
    scene.must("its manifest", scene.does("intake", DECLARED, "key"), [(1, "")])
    for change, which in (
        ("UPDATE troth.application SET removed_at = {} WHERE application = %s", APPLICATION),
        ("UPDATE troth.application_key SET ended_at = {} WHERE application = %s", APPLICATION),
    ):
        scene.does("owner", change.format("now()"), which)
        scene.must(f"after {change}", scene.does("intake", SENDER, "key"), [(None,)])
        scene.must(f"its manifest after {change}", scene.does("intake", DECLARED, "key"), [])
        scene.must(f"about somebody after {change}", scene.does("intake", ABOUT, "key", "she"), [])
        scene.does("owner", change.format("NULL"), which)


def _about(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    every = ["crash", "activity", "feature_use", "page_view", "transaction", "location"]
    scene.must("about her", scene.does("intake", ABOUT, "key", "she"), [(APPLICATION, every, whose)])
    scene.must("about them", scene.does("intake", ABOUT, "another", "they"), [(OTHER, ["crash"], other)])
    for name in ("they", "nobody"):
        scene.must(f"about {name}", scene.does("intake", ABOUT, "key", name), [(APPLICATION, every, None)])
    for change, which in (
        ("UPDATE troth.application_grant SET until = {} WHERE subject = %s", whose),
        ("UPDATE troth.application_grant SET expires_at = {} WHERE subject = %s", whose),
        ("UPDATE troth.subject SET ended_at = {} WHERE subject = %s", whose),
    ):
        scene.does("owner", change.format("now()"), which)
        scene.must(f"after {change}", scene.does("intake", ABOUT, "key", "she"), [(APPLICATION, every, None)])
        scene.does("owner", change.format("NULL"), which)


def _judged(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    for statement in (CRASH, DOES, USE, SEES, BUYS, IS):
        scene.does("intake", statement, whose, APPLICATION)
        scene.refused("TR071", "intake", statement, whose, OTHER)
    scene.does("intake", CRASH, other, OTHER)
    stamps = {int(many) for _, many in scene.does("steward", "SELECT * FROM troth.misstamped()")}
    scene.must("misstamped", stamps, {0})
    for statement in (DOES, USE, SEES, BUYS, IS):
        scene.refused("TR071", "intake", statement, other, OTHER)
    scene.refused("TR071", "intake", CRASH, other, APPLICATION)
    for statement in (CRASH, DOES, USE, SEES, BUYS, IS):
        scene.refused("42501", "intake", statement, NOBODY, APPLICATION)
    for change, which in (
        ("UPDATE troth.application SET removed_at = {} WHERE application = %s", APPLICATION),
        ("UPDATE troth.application_grant SET until = {} WHERE subject = %s", whose),
        ("UPDATE troth.application_grant SET expires_at = {} WHERE subject = %s", whose),
        ("UPDATE troth.subject SET ended_at = {} WHERE subject = %s", whose),
    ):
        scene.does("owner", change.format("now()"), which)
        for statement in (CRASH, DOES):
            scene.refused("TR071", "intake", statement, whose, APPLICATION)
        scene.does("owner", change.format("NULL"), which)
    scene.does("intake", CRASH.replace(*MARKED), whose, APPLICATION)
    scene.refused("TR070", "intake", USE.replace(*MARKED), whose, APPLICATION)
    scene.does("intake", SEES.replace(*MARKED), whose, APPLICATION)
    scene.must("unmarked, seen for `understand`", scene.sees("understand", "page_view", whose), 1)
    scene.does("owner", "UPDATE troth.application SET events = '{feature_use}' WHERE application = %s", APPLICATION)
    scene.refused("TR071", "intake", CRASH, whose, APPLICATION)
    scene.does("self", "SELECT troth.choose('understand', 'objection')", token="hers")
    scene.refused("TR070", "intake", USE, whose, APPLICATION)
    scene.does("self", "SELECT troth.choose('personalise', 'consent')", token="hers")
    scene.does("intake", USE, whose, APPLICATION)
    scene.does("intake", USE.replace(*MARKED), whose, APPLICATION)
    scene.must("seen for `understand`", scene.sees("understand", "feature_use", whose), 0)
    scene.must("seen for `personalise`", scene.sees("personalise", "feature_use", whose), 3)
    scene.does("owner", "UPDATE troth.permitted SET uses = 0 WHERE subject = %s", other)
    scene.refused("TR070", "intake", CRASH, other, OTHER)
    scene.refused("TR070", "intake", BARE, other, OTHER)
    scene.does(
        "owner", "UPDATE troth.application SET events = '{crash,activity,page_view,transaction,location}' WHERE application = %s",
        OTHER,
    )  # fmt: skip
    bare = [
        BARE.replace("troth.crash", f"troth.{table}") for table in ("activity", "page_view", "transaction", "location")
    ]
    for statement in (DOES, SEES, BUYS, IS, *bare):
        scene.refused("TR070", "intake", statement, other, OTHER)


def _once(scene: Scene, _whose: uuid.UUID, _other: uuid.UUID) -> None:
    scene.must("new keys", scene.does("intake", TAKE, "a"), [(1, True, True), (2, True, True)])
    scene.must("keys again", scene.does("intake", TAKE, "a"), [(1, False, True), (2, False, True)])
    scene.must("another body", scene.does("intake", TAKE, "c"), [(1, False, False), (2, False, True)])
    mixed = TAKE.replace("md5('l')", "md5('m')")
    scene.must("one new, one not", scene.does("intake", mixed, "a"), [(1, False, True), (2, True, True)])
    scene.must("all new", scene.does("intake", NEW, "n", "o"), [(True,)])
    for which in (("n", "p"), ("p", "n")):
        scene.refused("TR087", "intake", NEW, *which)


def _noted(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    for _ in range(2):
        scene.does("intake", NOTE, whose)
    scene.must("counts add up", scene.does("self", NOTED, whose, token="hers"), [(4,)])
    scene.must("to nobody else", scene.does("self", NOTED, whose, token="theirs"), [])
    scene.does("owner", "UPDATE troth.subject SET ended_at = now() WHERE subject = %s", other)
    scene.does("intake", NOTE, other)
    scene.must("of whose account ended", scene.does("owner", NOTED, other), [])


def _forgotten(scene: Scene, whose: uuid.UUID, _other: uuid.UUID) -> None:
    for name, days in (("k", 29.5), ("l", 30.5)):
        scene.does(
            "owner",
            "INSERT INTO troth.intake_taken (key, body, at) VALUES (md5(%s)::uuid, md5('b')::uuid, now() - make_interval(secs => %s))",
            name, days * 86400,
        )  # fmt: skip
    for days in (30, 31):
        scene.does(
            "owner",
            "INSERT INTO troth.refused_event (subject, day, kind, reason, clause, count)"
            " VALUES (%s, (now() AT TIME ZONE 'UTC')::date - %s, 'crash', 'mutant', %s, 1)",
            whose, days, str(days),
        )  # fmt: skip
    scene.does("steward", "SELECT troth.forget_intake()")
    for name, hours in (("k", 49), ("l", 47)):
        brought = (
            "INSERT INTO troth.imported (key, at) VALUES (sha256(%s), now() - make_interval(hours => %s::integer))"
        )
        scene.does("owner", brought, name, hours)
    scene.does("steward", "SELECT troth.forget_imported('48 hours')")
    lines = "SELECT key = sha256('l') FROM troth.imported WHERE key IN (sha256('k'), sha256('l'))"
    scene.must("keys of lines", scene.does("owner", lines), [(True,)])
    left = scene.does(
        "owner", "SELECT key = md5('k')::uuid FROM troth.intake_taken WHERE key IN (md5('k')::uuid, md5('l')::uuid)"
    )
    scene.must("keys", left, [(True,)])
    clauses = scene.does("owner", "SELECT clause FROM troth.refused_event WHERE subject = %s", whose)
    scene.must("refusals", clauses, [("30",)])


def _own(scene: Scene, whose: uuid.UUID, _other: uuid.UUID) -> None:
    for statement in (CRASH, CRASH, DOES, USE, IS):
        scene.does("intake", statement, whose, APPLICATION)
    scene.does("owner", "UPDATE troth.crash SET at = now() WHERE subject = %s", whose)  # both in one moment
    found = scene.does("owner", "SELECT at, id, uses FROM troth.crash WHERE subject = %s ORDER BY id", whose)
    (at, first, uses), (_, second, _) = found
    stamp = "SELECT uses FROM troth.uses_of_own(ARRAY['crash'], ARRAY[%s::timestamptz], ARRAY[%s::uuid])"
    scene.must("what is told of one's own", scene.does("self", stamp, at, first, token="hers"), [(uses,)])
    scene.must("what is told of another's", scene.does("self", stamp, at, first, token="theirs"), [(None,)])
    scene.must("of another moment", scene.does("self", stamp, at - timedelta(days=1), first, token="hers"), [(None,)])
    remove = "SELECT troth.remove_own(%s, %s, %s)"
    scene.refused("TR003", "self", remove, "crash", at, first)
    scene.refused("TR060", "self", remove, "access", at, first, token="hers")
    scene.must("another's", scene.does("self", remove, "crash", at, first, token="theirs"), [(False,)])
    scene.must(
        "of another moment",
        scene.does("self", remove, "crash", at - timedelta(days=1), first, token="hers"),
        [(False,)],
    )
    scene.must("one's own", scene.does("self", remove, "crash", at, first, token="hers"), [(True,)])
    left = scene.does("owner", "SELECT id FROM troth.crash WHERE subject = %s", whose)
    scene.must("the other one stays", left, [(second,)])
    for table in ("activity", "feature_use", "location"):
        held = scene.does("owner", f"SELECT at, id, uses FROM troth.{table} WHERE subject = %s", whose)
        if len(held) != 1:  # what was refused is noted already
            continue
        ((at, which, uses),) = held
        told = scene.does("self", stamp.replace("crash", table), at, which, token="hers")
        scene.must(f"what is told of {table}", told, [(uses,)])
        scene.must(f"one's own {table}", scene.does("self", remove, table, at, which, token="hers"), [(True,)])
        scene.must(
            f"{table} is gone", scene.does("owner", f"SELECT id FROM troth.{table} WHERE subject = %s", whose), []
        )
    entries = "SELECT count(*) FROM troth.ledger_entry WHERE action = 'record-deleted'"
    scene.must("entries", scene.does("owner", entries), [(4,)])
    scene.does("owner", "UPDATE troth.permitted SET uses = 0 WHERE subject = %s", whose)
    for statement, said in ((CRASH, "kind"), (DOES, "event"), (USE, "feature")):
        bare = statement.replace(f", {said}", "").replace(", 'planted'", "")  # says nothing but that it happened
        scene.refused("TR070", "intake", bare, whose, APPLICATION)


def _accessed(scene: Scene, whose: uuid.UUID, other: uuid.UUID) -> None:
    """What was captured of somebody's accesses is stored as far as they permit it by then; no hint is believed."""
    bare, marked, referred = ASKED.format("", ""), ASKED.format(", uses", ", -1"), ASKED.format(", referrer", ", '/'")
    for statement in (bare, marked, referred):
        scene.does("intake", statement, whose)
    scene.does("self", "SELECT troth.choose('protect', 'objection')", token="hers")
    scene.does("intake", bare, whose)
    for statement in (marked, referred):
        scene.refused("TR070", "intake", statement, whose)
    permitted = scene.does("owner", "SELECT subject, uses FROM troth.permitted WHERE subject = %s", whose)
    scene.must("what is permitted now", scene.does("intake", NOW, whose), permitted)
    scene.does("owner", "UPDATE troth.subject SET ended_at = now() WHERE subject = %s", whose)
    scene.must("nothing of whoever has ended", scene.does("intake", NOW, whose), [])
    scene.does("owner", "UPDATE troth.subject SET ended_at = NULL WHERE subject = %s", whose)
    scene.does("owner", "UPDATE troth.permitted SET uses = 0 WHERE subject = %s", other)
    silent = bare.replace(", url", "").replace(", '/'", "")  # says nothing but that it happened
    for statement in (bare, silent, KNOWN_BY.format("", "")):
        scene.refused("TR070", "intake", statement, other)
    personalise = "(SELECT 1::bigint << bit FROM troth.unit WHERE purpose = 'personalise')"
    scene.does("owner", f"UPDATE troth.permitted SET uses = {personalise} WHERE subject = %s", other)
    scene.does("intake", KNOWN_BY.format(", kind", ", 'computer'"), other)
    scene.refused("TR070", "intake", KNOWN_BY.format(", model", ", 'Pixel 9'"), other)
    scene.does("owner", "INSERT INTO troth.subject (subject, kind) VALUES (%s, 'anonymous')", LEAST)
    scene.does("owner", "INSERT INTO troth.permitted (subject, uses) VALUES (%s, 0)", LEAST)
    scene.refused("TR070", "intake", bare, LEAST)
    scene.does("owner", f"UPDATE troth.permitted SET uses = {personalise} WHERE subject = %s", LEAST)
    scene.does("intake", bare, LEAST)
    scene.refused("TR070", "intake", ASKED.format(", status", ", 200"), LEAST)


PLAYS = (_own, _keys, _about, _judged, _once, _noted, _forgotten, _accessed)

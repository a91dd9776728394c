"""What is mailed: settled once, noted for its person, counted; what is announced, and the way out of it."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

from tests.conftest import SECURE
from tests.mutations.playing import address, played
from tests.mutations.scene import Play, Scene
from tests.mutations.world import NOBODY, World

POST = "SELECT troth.post(%s, 'a@harbor.example', 'mail', %s::jsonb)"
SETTLE, BOUNCE = "SELECT troth.settle_notice(%s, %s, %s, %s)", "SELECT troth.bounce_notice(%s, '5.1.1')"
OUTCOMES = "SELECT outcome, said FROM troth.notice_outcome WHERE subject = %s AND notice = %s"
TALLY = "SELECT outcome, many FROM troth.notice_tally WHERE batch = %s ORDER BY 1"
WAITS = "SELECT count(*) FROM troth.notice WHERE subject = %s"
ANNOUNCE, HALT = "SELECT troth.announce('{\"en\": {}}')", "SELECT troth.stop_announcement(%s)"
QUEUE = "SELECT troth.queue_announcement(%s, %s, %s::pg_catalog.uuid[], %s::boolean)"
STOP, CHOOSE = "SELECT troth.stop_purpose(%s, %s)", "SELECT troth.choose('announce', 'consent')"
LIST = "SELECT letter, subject, before, language, withdrawn FROM troth.list_letters(%s, %s)"
LEFT = "SELECT troth.settle_letters(%s, %s::pg_catalog.uuid[], %s)"
TELLING = "INSERT INTO troth.policy_telling (telling, version, since, channel) VALUES (%s, 9000, '-infinity', %s)"
WITHDRAWN = (
    "INSERT INTO troth.policy_scheduled (version, source, terms, digest, terms_digest, effective_on, verdict, raised, signature, closed_at, outcome)"
    " VALUES (9000, 'x', 'x', repeat('a', 64), repeat('a', 64), current_date, 0, 0, decode(repeat('00', 64), 'hex'), now(), 'withdrawn')"
    " RETURNING scheduled"
)
ENDED = "UPDATE troth.agreement SET ended_at ="
WAITING = "UPDATE troth.policy_telling SET scheduled = %s WHERE telling = %s"
BACK = (
    "INSERT INTO troth.policy_telling (telling, version, withdraws, since, channel)"
    " SELECT %s, version, telling, since, channel FROM troth.policy_telling WHERE telling = %s"
)
CHOICES = "SELECT kind FROM troth.choice WHERE subject = %s ORDER BY at, choice"
ENTRIES = "SELECT action FROM troth.ledger_entry ORDER BY index DESC LIMIT %s"


def mailing(world: World, play: Play) -> Iterator[str]:
    """A mail leaves and comes back, news are told, and somebody wants none."""
    yield from played(world, play)


def _posted(scene: Scene, whose: uuid.UUID, **facts: str) -> Any:
    found = scene.does("door", POST, whose, json.dumps(facts))
    return found[0][0] if found else None


def _settles(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    batch = uuid.uuid5(whose, "batch")
    sent, kept, third = (_posted(scene, each, batch=str(batch)) for each in (whose, other, whose))
    scene.does("door", SETTLE, whose, sent, "sent", None)
    scene.must("others wait on", scene.does("owner", WAITS, other), [(1,)])
    scene.does("door", SETTLE, whose, sent, "sent", None)
    scene.must("noted", scene.does("owner", OUTCOMES, whose, sent), [("sent", None)])
    scene.must("counted once", scene.does("owner", TALLY, batch), [("sent", 1)])
    scene.must("not sent yet", scene.does("door", BOUNCE, kept), [(False,)])
    for once in (True, False):
        scene.must("it came back", scene.does("door", BOUNCE, sent), [(once,)])
    scene.must("noted as that", scene.does("owner", OUTCOMES, whose, sent), [("bounced", "5.1.1")])
    scene.does("door", SETTLE, whose, third, "withdrawn", None)
    scene.must("of what was not sent nothing is noted", scene.does("owner", OUTCOMES, whose, third), [])
    wanted = [("bounced", 1), ("sent", 1), ("withdrawn", 1)]
    scene.must("each is counted", scene.does("owner", TALLY, batch), wanted)
    scene.must("none is left", scene.does("owner", WAITS, whose), [(0,)])
    nobodys = _posted(scene, NOBODY)
    before = dict(scene.does("owner", TALLY, NOBODY)).get("sent", 0)
    scene.does("door", SETTLE, NOBODY, nobodys, "sent", None)
    scene.must("what is nobody's is counted too", dict(scene.does("owner", TALLY, NOBODY)).get("sent"), before + 1)
    scene.must("and noted of nobody", scene.does("owner", OUTCOMES, NOBODY, nobodys), [])


def _announces(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    scene.refused("TR040", "staff", ANNOUNCE, token="hers")
    scene.does("owner", "INSERT INTO troth.staff (subject, role) VALUES (%s, 'publisher')", whose)
    scene.does("owner", SECURE, whose)
    found = scene.does("staff", ANNOUNCE, token="hers")
    which = found[0][0] if found else None
    scene.must("written down", scene.does("owner", ENTRIES, 1), [("announced",)])
    scene.does("owner", "DELETE FROM troth.notice WHERE batch IS NOT NULL")
    returned = _posted(scene, third)
    scene.does("door", SETTLE, third, returned, "sent", None)
    scene.does("door", BOUNCE, returned)
    people = sorted((whose, other, third))
    told = "{" + ",".join(str(each) for each in people) + "}"
    scene.must("whose mails come back gets none", scene.does("steward", QUEUE, which, NOBODY, told, "false"), [(2,)])
    scene.must("told again it does nothing", scene.does("steward", QUEUE, which, NOBODY, told, "false"), [(0,)])
    facts = "SELECT subject, address, facts ->> 'language' FROM troth.notice WHERE batch = %s ORDER BY 1"
    wanted = [(each, "", "en") for each in people if each != third]
    scene.must("no address waits", scene.does("owner", facts, which), wanted)
    how = "SELECT after, queued, done_at IS NOT NULL FROM troth.announcement WHERE announcement = %s"
    scene.must("it goes on after them", scene.does("owner", how, which), [(people[-1], 2, False)])
    scene.does("steward", QUEUE, which, people[-1], "{}", "true")
    scene.must("and ends", scene.does("owner", how, which), [(people[-1], 2, True)])
    scene.refused("TR040", "staff", HALT, which, token="theirs")
    for _ in range(2):
        scene.does("staff", HALT, which, token="hers")
    scene.must("stopped, and said once", scene.does("owner", ENTRIES, 2), [("announcement-stopped",), ("announced",)])
    stopped = "SELECT stopped_at IS NOT NULL FROM troth.announcement WHERE announcement = %s"
    scene.must("stopped", scene.does("owner", stopped, which), [(True,)])


def _stops(scene: Scene, whose: uuid.UUID, other: uuid.UUID, _third: uuid.UUID) -> None:
    for token in ("hers", "theirs"):
        scene.does("self", CHOOSE, token=token)
    scene.must("none of their purposes", scene.does("door", STOP, whose, "nonsense"), [(False,)])
    scene.must("no choice by its basis", scene.does("door", STOP, whose, "provide"), [(False,)])
    for once in (True, False):
        scene.must("it ends", scene.does("door", STOP, whose, "announce"), [(once,)])
    scene.must("written down", scene.does("owner", CHOICES, whose), [("consent",), ("withdrawal",)])
    scene.must("recorded", scene.does("owner", ENTRIES, 1), [("withdrawal",)])
    scene.must("the purpose sees it", scene.sees("announce", "person", whose), 0)
    scene.must("and others as before", scene.sees("announce", "person", other), 1)
    scene.must("an interest is objected to", scene.does("door", STOP, whose, "understand"), [(True,)])
    scene.must("so", scene.does("owner", CHOICES, whose)[-1:], [("objection",)])
    scene.must(
        "nobody's is nobody's", scene.does("door", STOP, uuid.uuid5(whose, address(whose)), "announce"), [(False,)]
    )
    scene.does("door", "SELECT troth.end_subject(%s, 'left')", other)
    scene.must("nor is theirs who left", scene.does("door", STOP, other, "announce"), [(False,)])


def _begins(scene: Scene, telling: uuid.UUID, channel: str) -> None:
    """Let a version be told of by a channel, and nothing else."""
    scene.does("owner", "UPDATE troth.policy_telling SET done_at = statement_timestamp() WHERE done_at IS NULL")
    scene.does("owner", "DELETE FROM troth.notice WHERE batch IS NOT NULL")
    scene.does("owner", TELLING, telling, channel)


def _tells(scene: Scene, whose: uuid.UUID, _other: uuid.UUID, _third: uuid.UUID) -> None:
    telling, back = uuid.uuid5(whose, "mails"), uuid.uuid5(whose, "mails back")
    _begins(scene, telling, "e-mail")
    scene.must("one is looked at", scene.does("steward", "SELECT troth.tell_some(1)"), [(1,)])
    how = "SELECT told, done_at IS NOT NULL FROM troth.policy_telling WHERE telling = %s"
    scene.must("and others are left", scene.does("owner", how, telling), [(1, False)])
    scene.does("steward", "SELECT troth.tell_some(1000)")
    mailed = "SELECT channel, template FROM troth.notice WHERE subject = %s AND batch = %s"
    scene.must("a mail", scene.does("owner", mailed, whose, telling), [("e-mail", "version")])
    scene.does("owner", BACK, back, telling)
    scene.does("steward", "SELECT troth.tell_some(1000)")
    scene.must("that it was withdrawn", scene.does("owner", mailed, whose, back), [("e-mail", "withdrawn")])


def _letters(scene: Scene, whose: uuid.UUID, other: uuid.UUID, third: uuid.UUID) -> None:
    telling = uuid.uuid5(whose, "letters")
    _begins(scene, telling, "letter")
    scene.does("steward", "SELECT troth.tell_some(1000)")
    owed = (
        "SELECT subject, address, template, facts - 'batch' FROM troth.notice WHERE channel = 'letter' AND batch = %s"
    )
    agreed = "SELECT max(version) FROM troth.agreement WHERE subject = %s AND ended_at IS NULL"
    before = (scene.does("owner", agreed, whose) or [(None,)])[0][0]
    facts = {"before": before, "channel": "letter", "language": "en", "version": 9000}
    rows = scene.does("owner", owed, telling) or []
    scene.must("a letter", {row[0]: row[1:] for row in rows}.get(whose), ("", "letter", facts))
    how = "SELECT told, done_at IS NOT NULL FROM troth.policy_telling WHERE telling = %s"
    scene.must("told", scene.does("owner", how, telling), [(len(rows), True)])
    for statement, arguments in ((LIST, (telling, 1)), (LEFT, (telling, None, "sent"))):
        scene.refused("TR040", "staff", statement, *arguments, token="theirs")
    scene.does(
        "owner", "INSERT INTO troth.staff (subject, role) VALUES (%s, 'publisher') ON CONFLICT DO NOTHING", other
    )
    scene.does("owner", SECURE, other)
    scene.must("none was on a list", scene.does("staff", LEFT, telling, None, "sent", token="theirs"), [(0,)])
    scene.must("nor of another", scene.does("staff", LIST, uuid.uuid5(telling, ""), 9, token="theirs"), [])
    first = scene.does("staff", LIST, telling, 2, token="theirs") or []
    scene.must("the first two", len(first), 2)
    scene.must("written down for each", scene.does("owner", ENTRIES, 2), [("letter-listed",), ("letter-listed",)])
    known = {row[0]: row[3] for row in rows}
    said = [(known[row[1]]["before"], "en", False) for row in first if row[1] in known]
    scene.must("what it is", [tuple(row[2:]) for row in first], said)
    scene.must("the same until they left", scene.does("staff", LIST, telling, 2, token="theirs"), first)
    told = "{" + str(first[0][0]) + "}" if first else "{}"
    for many in (1, 0):
        scene.must("it left once", scene.does("staff", LEFT, telling, told, "sent", token="theirs"), [(many,)])
    scene.must("written down", scene.does("owner", ENTRIES, 1), [("letters-settled",)])
    scene.must("counted", scene.does("owner", TALLY, telling), [("sent", 1)])
    scene.must("all on a list", scene.does("staff", LEFT, telling, None, "failed", token="theirs"), [(1,)])
    scene.must("so", scene.does("owner", TALLY, telling), [("failed", 1), ("sent", 1)])
    scene.must("others wait", len(scene.does("owner", owed, telling) or []), len(rows) - 2)
    scene.refused("22023", "staff", LEFT, telling, None, "x", token="theirs")
    listed = scene.does("staff", LIST, telling, 1, token="theirs") or []
    ((waited,),) = scene.does("owner", WITHDRAWN) or [(None,)]
    scene.does("owner", WAITING, waited, telling)
    scene.must("nobody is told any more", scene.does("staff", LIST, telling, 9, token="theirs"), [])
    scene.does("owner", WAITING, None, telling)
    back = uuid.uuid5(whose, "back")
    scene.does("owner", BACK, back, telling)
    scene.does("steward", "SELECT troth.tell_some(1000)")
    scene.must("who got one, or may have, is told", len(scene.does("owner", owed, back) or []), 2 + len(listed))
    scene.must("who did not gets none", len(scene.does("owner", owed, telling) or []), len(listed))
    _agrees_since(scene, back, owed)


def _agrees_since(scene: Scene, back: uuid.UUID, owed: str) -> None:
    again = scene.does("staff", LIST, back, 1, token="theirs") or []
    scene.must("of the withdrawal", {row[2:] for row in again}, {(None, "en", True)})
    scene.does("owner", "UPDATE troth.policy_telling SET version = 0 WHERE telling = %s", back)
    someone = again[0][1] if again else None
    scene.does("owner", f"{ENDED} statement_timestamp() WHERE subject = %s", someone)
    scene.must("who has not agreed", scene.does("staff", LIST, back, 9, token="theirs"), again)
    scene.must("others are owed none", [row[0] for row in scene.does("owner", owed, back) or []], [someone])
    scene.does("owner", f"{ENDED} NULL WHERE subject = %s", someone)
    scene.must("nobody", scene.does("staff", LIST, back, 9, token="theirs"), [])
    scene.must("what is on a list stays", len(scene.does("owner", owed, back) or []), 1)


PLAYS = (_settles, _announces, _stops, _tells, _letters)

"""What people do, from their first page to long after they left, played on a stage where nothing stays."""

import uuid
from collections.abc import Iterator
from typing import Any

from tests.mutations.scene import Play, Scene
from tests.mutations.world import CATALOG, NOBODY, World
from tests.planting import everything, known
from troth.ledger.entry import mark
from troth.ledger.queries import entries
from troth.ledger.verify import verify

ACCESS = (
    "INSERT INTO troth.access (subject, at, id, method, url, status, ip, browser, uses)"
    " VALUES (%s, statement_timestamp(), uuidv7(), 'GET', '/', 200, '192.0.2.77', 'Firefox 140', 9223372036854775807)"
)
DEVICE = "INSERT INTO troth.device (subject, device, browser, uses) VALUES (%s, gen_random_uuid(), 'Firefox 140', 9223372036854775807)"
LAST = (
    "SELECT actor, e.subject, salt FROM troth.ledger_entry AS e JOIN troth.ledger_salt AS s ON entry = index"
    " WHERE s.subject = %s ORDER BY index DESC LIMIT 1"
)
#: In these no person has a row.
UNKNOWN = ("identifier", "application_browser")
STAMPED = tuple(table.name for table in CATALOG.stamped if table.name not in UNKNOWN)
#: Tables whose rows name their subject, and are theirs alone to leave.
HELD = tuple(
    t.name for t in CATALOG if t.bound and t.name not in UNKNOWN and any(c.name == "subject" for c in t.columns)
)
#: What serves the account alone, and goes with it.
GONE = tuple(
    t.name for t in CATALOG if t.bound and t.personal and t.by_subject and not t.stamped and t.name not in UNKNOWN
)


def comings(world: World, play: Play) -> Iterator[str]:
    """Somebody comes, agrees, chooses, leaves and is forgotten; and nobody does it for another."""
    with Scene(world) as scene:
        play(scene, uuid.uuid5(NOBODY, play.__name__))
    yield from scene.wrong


def newcomer(scene: Scene, whose: uuid.UUID) -> tuple[Any, ...]:
    scene.does("door", "SELECT troth.claim(%s)", whose)
    scene.must("a newcomer's bucket is taken", scene.locks(whose), ["ExclusiveLock"])
    scene.does("door", "INSERT INTO troth.subject (subject, kind) VALUES (%s, 'person')", whose)
    scene.does("door", "INSERT INTO troth.person (subject, email, name) VALUES (%s, 'e@harbor.example', 'Eve')", whose)
    scene.does("door", "SELECT troth.record('signed-up', %s, %s, '{}')", whose, whose)
    newest = scene.does(
        "door", "SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY version DESC LIMIT 1"
    )
    return tuple(newest[0]) if newest else (0, "", "")


def agree(scene: Scene, whose: uuid.UUID, newest: tuple[Any, ...]) -> None:
    scene.does("door", "SELECT troth.agree(%s, %s, %s, %s, 'page', 'I agree.', 'en')", whose, *newest)


def give_token(scene: Scene, whose: uuid.UUID, word: str, until: str = "1 hour") -> None:
    scene.does(
        "door",
        "SELECT troth.open_token(%s, sha256(convert_to(%s, 'UTF8')), statement_timestamp() + %s::interval)",
        whose, word, until,
    )  # fmt: skip


def unagree(scene: Scene, whose: uuid.UUID) -> None:
    """Let a version be needed that somebody has not agreed to: they see what is theirs and end, and give nothing."""
    scene.does("owner", "UPDATE troth.request_token SET version = 0 WHERE subject = %s", whose)


def agree_again(scene: Scene, whose: uuid.UUID) -> None:
    """Let somebody have agreed to whatever is needed."""
    scene.does("owner", "UPDATE troth.request_token SET version = 99 WHERE subject = %s", whose)


def leave_all(scene: Scene, whose: uuid.UUID) -> None:
    """Let somebody have a row in every table that says whose its rows are."""
    for statement in (ACCESS, DEVICE):
        scene.does("intake", statement, whose)
    scene.world.become("owner")
    everything(scene.stage, whose)
    scene.does("owner", "INSERT INTO troth.profile (subject) VALUES (%s)", whose)


#: Of a table that keeps nothing beyond the account, nothing is left when it ended.
def _ended(scene: Scene, table: str) -> list[tuple[bool | None]]:
    kept = scene.world.plan.longest(table)
    return [(True if kept.days or kept.after_end else None,)]


def _sign_up(scene: Scene, whose: uuid.UUID) -> None:
    newest = newcomer(scene, whose)
    version, policy, terms = newest
    scene.must("folded without an agreement", scene.does("steward", "SELECT troth.fold(%s)", whose), [(0,)])
    kept = scene.does("owner", "SELECT uses FROM troth.permitted WHERE subject = %s", whose)
    scene.must("permitted without an agreement", kept, [(0,)])
    scene.must("before an agreement", scene.sees("provide", "person", whose), 0)
    scene.must(
        "standing", scene.does("door", "SELECT agreed, uses, version FROM troth.standing(%s)", whose), [(False, 0, 0)]
    )
    scene.refused(
        "TR001", "door", "SELECT troth.open_token(%s, sha256('x'), statement_timestamp() + interval '1 h')", whose
    )
    asked = "SELECT troth.agree(%s, %s, %s, %s, 'page', 'I agree.', 'en')"
    for wrong in ((version - 1, policy, terms), (version, terms, terms), (version, policy, policy)):
        scene.refused("TR002", "door", asked, whose, *wrong)
    older = scene.does("owner", "SELECT version, digest, terms_digest FROM troth.policy_version WHERE version = 1")
    for row in older:
        scene.refused("TR002", "door", asked, whose, *row)
    agree(scene, whose, newest)
    scene.must("the ledger's lock is held", len(scene.locks(None)) > 0, expected=True)
    for purpose, table, many in (
        ("provide", "person", 1), ("provide", "agreement", 1), ("announce", "person", 0),
    ):  # fmt: skip
        scene.must(f"{purpose} after agreeing", scene.sees(purpose, table, whose), many)
    stands = scene.does("door", "SELECT agreed, uses <> 0, version FROM troth.standing(%s)", whose)
    scene.must("standing after agreeing", stands, [(True, True, version)])
    scene.must("entries", _entries(scene, whose), ["agreed", "signed-up"])
    for emptied in (False, True):
        if emptied:
            scene.does("owner", "DELETE FROM troth.ledger_salt")
            scene.does("owner", "DELETE FROM troth.ledger_entry")
            scene.does("door", "SELECT troth.record('first', NULL, NULL, '{}')")
            scene.does("door", 'SELECT troth.record(\'second\', %s, %s, \'{"a": 1, "b": "word"}\')', whose, whose)
        scene.world.become("owner")
        scene.must("the ledger", verify(entries(scene.stage)).flaw, None)
        for actor, subject, salt in scene.does("owner", LAST, whose):
            scene.must("who and whom", (actor, subject), (mark(salt, whose), mark(salt, whose)))
    second = uuid.uuid5(NOBODY, "second")
    scene.does("door", "INSERT INTO troth.subject (subject, kind) VALUES (%s, 'person')", second)
    agree(scene, second, newest)
    scene.must("the bucket is taken for the flip", scene.locks(second), ["ExclusiveLock"])
    scene.does("door", "INSERT INTO troth.person (subject, email, name) VALUES (%s, 'f@harbor.example', 'Fay')", second)
    scene.must("the bucket is shared", scene.locks(second), ["ExclusiveLock", "ShareLock"])
    scene.must("a row made after the agreement", scene.sees("provide", "person", second), 1)


def _entries(scene: Scene, whose: uuid.UUID) -> list[str]:
    found = scene.does(
        "owner",
        "SELECT action FROM troth.ledger_entry JOIN troth.ledger_salt ON entry = index WHERE ledger_salt.subject = %s"
        " ORDER BY action", whose,
    )  # fmt: skip
    return [action for (action,) in found]


def _choices(scene: Scene, whose: uuid.UUID) -> None:
    agree(scene, whose, newcomer(scene, whose))
    give_token(scene, whose, "hers")
    for statement in (ACCESS, DEVICE):
        scene.does("intake", statement, whose)
    choose = "SELECT troth.choose(%s, %s)"
    scene.refused("TR003", "self", choose, "announce", "consent")
    scene.refused("TR004", "self", choose, "nonsense", "consent", token="hers")
    for purpose, kind in (("announce", "objection"), ("understand", "consent"), ("provide", "objection"), ("provide", "consent"),
                          ("understand", "withdrawal"), ("announce", "permission")):  # fmt: skip
        scene.refused("TR005", "self", choose, purpose, kind, token="hers")
    for purpose, table, on, off in (
        ("announce", "person", "consent", "withdrawal"),
        ("personalise", "access", "consent", "withdrawal"),
        ("personalise", "device", "consent", "withdrawal"),
        ("understand", "access", "permission", "objection"),
        ("protect", "access", "permission", "objection"),
        ("protect", "device", "permission", "objection"),
    ):
        for kind, many in ((off, 0), (on, 1), (off, 0), (on, 1)):
            scene.does("self", choose, purpose, kind, token="hers")
            scene.must(f"{purpose} after {kind}", scene.sees(purpose, table, whose), many)
    for table, many in (("agreement", 1), ("choice", 24), ("person", 1), ("device", 1)):
        scene.must(f"provide sees {table}", scene.sees("provide", table, whose), many)
    scene.must("a choice is recorded once", _entries(scene, whose).count("objection"), 6)
    _editions(scene, whose)
    leave_all(scene, whose)
    stamped = sum(n for _, n in scene.does("steward", "SELECT * FROM troth.misstamped()"))
    scene.must("wrong stamps of what came in", stamped, 0)
    for table in STAMPED:
        scene.does("owner", f"UPDATE troth.{table} SET uses = 0 WHERE subject = %s", whose)
        told = dict(scene.does("steward", "SELECT * FROM troth.misstamped()"))
        scene.must(f"a wrong stamp in {table} is told", told.get(table, 0) > 0, expected=True)
    scene.does("steward", "SELECT troth.fold(%s)", whose)
    scene.must("folded", sum(n for _, n in scene.does("steward", "SELECT * FROM troth.misstamped()")), 0)


def _editions(scene: Scene, whose: uuid.UUID) -> None:
    """A purpose that widened has a fresh bit, in which nobody is until they agree, or consent, again."""
    for purpose, table in (("provide", "person"), ("announce", "person"), ("understand", "access")):
        before = scene.does("owner", "SELECT bit FROM troth.unit WHERE purpose = %s", purpose)
        scene.does("owner", "SAVEPOINT widened")
        scene.does("owner", "UPDATE troth.unit SET since_version = 3 WHERE purpose = %s", purpose)
        scene.does("steward", "SELECT troth.fold(%s)", whose)
        scene.must(f"{purpose}, widened ({before})", scene.sees(purpose, table, whose), 0)
        scene.does("owner", "UPDATE troth.unit SET since_version = 1 WHERE purpose = %s", purpose)
        scene.does("steward", "SELECT troth.fold(%s)", whose)
        scene.must(f"{purpose}, as before", scene.sees(purpose, table, whose), 1)
    scene.does("owner", "UPDATE troth.unit SET since_version = 2 WHERE purpose = 'announce'")
    scene.does("owner", "UPDATE troth.choice SET version = 1 WHERE subject = %s", whose)
    scene.does("steward", "SELECT troth.fold(%s)", whose)
    scene.must("a consent of before", scene.sees("announce", "person", whose), 0)
    scene.does("owner", "UPDATE troth.unit SET since_version = 1 WHERE purpose = 'announce'")
    scene.does("steward", "SELECT troth.fold(%s)", whose)
    scene.does(
        "owner", "UPDATE troth.unit SET visits = NOT visits, visited = true WHERE purpose IN ('understand', 'announce')"
    )
    scene.must("visits fold", scene.does("steward", "SELECT troth.fold(%s) & (SELECT bit_or(1::bigint << bit) FROM troth.unit WHERE NOT visits)", NOBODY), [(0,)])  # fmt: skip
    scene.does(
        "owner", "UPDATE troth.unit SET visits = NOT visits, visited = true WHERE purpose IN ('understand', 'announce')"
    )
    scene.does("steward", "SELECT troth.fold(%s)", NOBODY)


def _tokens(scene: Scene, whose: uuid.UUID) -> None:
    agree(scene, whose, newcomer(scene, whose))
    for word in ("first", "second", "third"):
        give_token(scene, whose, word)
    give_token(scene, whose, "old", "-1 second")
    ask = "SELECT troth.viewer()"
    for word, who in (("first", whose), ("second", whose), ("old", None), ("forged", None), ("", None)):
        scene.must(f"the viewer of `{word}`", scene.does("self", ask, token=word), [(who,)])
        held = scene.does("door", "SELECT subject FROM troth.standing_of(%s)", word)
        scene.must(f"who holds `{word}`", held, [(who,)] if who else [])
    scene.does("self", "UPDATE troth.person SET name = 'Eva'", token="first")
    record = "SELECT troth.record('name-corrected', %s, %s, '{}')"
    bob = scene.world.people["bob"]
    scene.does("self", record, whose, whose, token="first")
    for who, whom in ((bob, bob), (whose, bob), (bob, whose), (None, None)):
        scene.refused("TR031", "self", record, who, whom, token="first")
    scene.refused("TR003", "self", record, whose, whose)
    for action, facts in (("No word", "{}"), ("word", "[]"), ("word", '{"a": "Eva"}'), ("word", '{"a": {}}'),
                          ("word", '{"A": 1}'), ("word", '{"a": 1.5}'),
                          ("word", '{"a": "abcdef01-0000-4000-8000-000000000000"}')):  # fmt: skip
        scene.refused("TR030", "door", "SELECT troth.record(%s, NULL, NULL, %s)", action, facts)
    for missing, told in ((None, "{}"), ("word", None)):
        scene.refused("TR030", "door", "SELECT troth.record(%s, NULL, NULL, %s)", missing, told)
    scene.does("door", "SELECT troth.close_token(sha256('second'))")
    scene.must("a closed token", scene.does("self", ask, token="second"), [(None,)])
    scene.must("another token", scene.does("self", ask, token="third"), [(whose,)])
    scene.does(
        "owner",
        "UPDATE troth.request_token SET version = 1 WHERE subject IN (%s, %s)",
        whose,
        scene.world.people["alice"],
    )
    scene.must("a token of before", scene.does("self", ask, token="first"), [(None,)])
    scene.refused("TR003", "self", record, whose, whose, token="first")
    _without(scene, whose)
    newest = scene.does(
        "owner", "SELECT version, digest, terms_digest FROM troth.policy_version ORDER BY 1 DESC LIMIT 1"
    )
    agree(scene, whose, tuple(newest[0]))
    others = scene.does(
        "owner", "SELECT version FROM troth.request_token WHERE subject = %s", scene.world.people["alice"]
    )
    scene.must("tokens of others", others, [(1,)])
    scene.must("after agreeing again", scene.does("self", ask, token="first"), [(whose,)])
    scene.does("door", "SELECT troth.close_tokens(%s)", whose)
    scene.must("all tokens closed", scene.does("self", ask, token="first"), [(None,)])
    mine = scene.does(
        "owner", "SELECT count(*) FROM troth.request_token WHERE subject = %s", scene.world.people["alice"]
    )
    scene.must("somebody else's tokens", mine, [(1,)])
    give_token(scene, whose, "old", "-1 second")
    give_token(scene, whose, "new")
    left = scene.does("owner", "SELECT count(*) FROM troth.request_token WHERE subject = %s", whose)
    scene.must("ended tokens go", left, [(1,)])


def _without(scene: Scene, whose: uuid.UUID) -> None:
    """Whoever has not agreed to what is needed looks at their own, says no, and takes a copy; nothing else."""
    look = "SELECT set_config('transaction_read_only', 'on', true), troth.viewer()"
    scene.must("looking at their own", scene.does("self", look, token="first"), [("on", whose)])
    scene.must("looking at others", scene.does("reader", look, token="first"), [("on", None)])
    choose, copy = "SELECT troth.choose(%s, %s)", "SELECT troth.note_export(3)"
    scene.refused("TR003", "self", choose, "announce", "consent", token="first")
    scene.refused("TR003", "self", "SELECT troth.held_viewer()", token="first")
    for word in ("old", "forged", ""):
        scene.refused("TR003", "self", choose, "understand", "objection", token=word)
        scene.refused("TR003", "self", copy, token=word)
    for purpose, kind in (("understand", "objection"), ("announce", "withdrawal"), ("personalise", "refusal")):
        scene.does("self", choose, purpose, kind, token="first")
        scene.must(f"recorded: {kind}", _entries(scene, whose).count(kind), 1)
    scene.does("self", copy, token="first")
    scene.must("a copy is recorded", _entries(scene, whose).count("exported-by-person"), 1)


def _leaving(scene: Scene, whose: uuid.UUID) -> None:
    newest = newcomer(scene, whose)
    agree(scene, whose, newest)
    give_token(scene, whose, "hers")
    scene.does("self", "SELECT troth.choose('announce', 'consent')", token="hers")
    scene.does("self", "SELECT troth.choose('understand', 'objection')", token="hers")
    scene.does("door", "SELECT troth.post(%s, 'e@harbor.example', 'code', '{}')", whose)
    scene.must(
        "in the outbox", scene.does("door", "SELECT count(*) FROM troth.notice WHERE subject = %s", whose), [(1,)]
    )
    scene.must("announced to", scene.sees("announce", "person", whose), 1)
    leave_all(scene, whose)
    scene.does("door", "SELECT troth.end_subject(%s, 'left')", whose)
    scene.refused("TR006", "door", "SELECT troth.end_subject(%s, 'left')", whose)
    scene.refused("TR006", "door", "SELECT troth.agree(%s, %s, %s, %s, 'page', 'x', 'en')", whose, *newest)
    scene.refused(
        "TR001", "door", "SELECT troth.open_token(%s, sha256('x'), statement_timestamp() + interval '1 h')", whose
    )
    scene.must("a token after the end", scene.does("self", "SELECT troth.viewer()", token="hers"), [(None,)])
    for table in GONE:
        left = scene.does("owner", f"SELECT count(*) FROM troth.{table} WHERE subject = %s", whose)
        scene.must(f"{table} after the end", left, [(0,)])
    for table in STAMPED:
        ended = scene.does(
            "owner", f"SELECT bool_and(ended_at IS NOT NULL) FROM troth.{table} WHERE subject = %s", whose
        )
        scene.must(f"{table} is marked with its end", ended, _ended(scene, table))
    scene.must("provide after the end", scene.sees("provide", "person", whose), 1)
    scene.must("understand after the end", scene.sees("understand", "access", whose), 0)
    scene.must("announce after the end", scene.sees("announce", "person", whose), 0)
    scene.must("bits by consent after the end", scene.does("owner", "SELECT uses & (SELECT bit_or(1::bigint << bit) FROM troth.unit WHERE basis = 'consent') FROM troth.permitted WHERE subject = %s", whose), [(0,)])  # fmt: skip
    scene.must("the end is recorded", "account-closed" in _entries(scene, whose), expected=True)
    scene.does("intake", ACCESS, whose)
    scene.world.become("owner")
    known(scene.stage, whose)
    scene.does("owner", "INSERT INTO troth.profile (subject) VALUES (%s) ON CONFLICT DO NOTHING", whose)
    for table in STAMPED:  # as if each had waited in some queue
        scene.does("owner", f"UPDATE troth.{table} SET ended_at = NULL WHERE subject = %s", whose)
    scene.does("steward", "SELECT troth.sweep()")
    for table in STAMPED:
        late = scene.does(
            "owner", f"SELECT bool_and(ended_at IS NOT NULL) FROM troth.{table} WHERE subject = %s", whose
        )
        scene.must(f"a row of {table} that came after the end", late, _ended(scene, table))
    for table in ("agreement", "choice"):  # what is kept for less long may be gone by then
        scene.does("owner", f"DELETE FROM troth.{table} WHERE subject = %s", whose)
    scene.does("steward", "SELECT troth.fold(%s)", whose)
    scene.must("provide long after the end", scene.sees("provide", "person", whose), 1)
    scene.must("understand long after the end", scene.sees("understand", "access", whose), 0)
    retired = scene.does(
        "owner", "UPDATE troth.unit SET retired_at = statement_timestamp() WHERE purpose = 'protect' RETURNING bit"
    )
    folded = scene.does("steward", "SELECT (troth.fold(%s) >> %s::integer) & 1", whose, *retired[0])
    scene.must("a retired bit of somebody who left", folded, [(0,)])


def _forgetting(scene: Scene, whose: uuid.UUID) -> None:
    newest = newcomer(scene, whose)
    scene.does("owner", "INSERT INTO troth.permitted (subject, uses) VALUES (%s, ~(1::bigint << 63))", whose)
    leave_all(scene, whose)
    for statement in (
        "UPDATE troth.permitted SET uses = 0 WHERE subject = %s",
        "INSERT INTO troth.request_token SELECT sha256('x'), %s, statement_timestamp(), 1",
        "INSERT INTO troth.choice (subject, purpose, kind, version) VALUES (%s, 'announce', 'consent', 1)",
    ):
        scene.does("owner", statement, whose)
    for many in (True, False):
        for table in (table for table in HELD if table != "agreement"):
            left = scene.does("owner", f"SELECT count(*) > 0 FROM troth.{table} WHERE subject = %s", whose)
            scene.must(f"{table} of somebody who declines", left, [(many,)])
        if many:
            scene.does("door", "SELECT troth.forget_unagreed(%s)", whose)
    last = scene.does("owner", "SELECT action FROM troth.ledger_entry ORDER BY index DESC LIMIT 1")
    scene.must("declining is recorded", last, [("declined",)])
    whose = uuid.uuid4()
    agree(scene, whose, newcomer(scene, whose) or newest)
    scene.refused("TR007", "door", "SELECT troth.forget_unagreed(%s)", whose)


AHEAD = "SELECT troth.agree_ahead(%s, %s, %s, 'I agree.', 'en')"
COMING = (
    "INSERT INTO troth.policy_scheduled (version, source, terms, digest, terms_digest, effective_on, verdict, raised, signature)"
    " VALUES (%s, '', '', %s, %s, current_date, 3, 0, decode(repeat('00', 64), 'hex'))"
)
COME = (
    "INSERT INTO troth.policy_version (version, name, digest, terms_digest, source, terms, effective_on, floor)"
    " SELECT version, 'come', digest, terms_digest, '', '', effective_on, true FROM troth.policy_scheduled WHERE version = %s"
)


def _ahead(scene: Scene, whose: uuid.UUID) -> None:
    """Somebody agrees to what comes, takes it back, agrees again, and is bound on its day."""
    version, *digests = newcomer(scene, whose)
    agree(scene, whose, (version, *digests))
    give_token(scene, whose, "hers")
    coming = (version + 1, "c" * 64, "d" * 64)
    scene.does("owner", COMING, *coming)
    scene.refused("TR003", "self", AHEAD, *coming)
    for wrong in ((version + 2, *coming[1:]), (coming[0], "d" * 64, "d" * 64), (*coming[:2], "c" * 64)):
        scene.refused("TR002", "self", AHEAD, *wrong, token="hers")
    scene.does("self", AHEAD, *coming, token="hers")
    scene.must("not bound before its day", scene.does("door", "SELECT troth.bind_one(%s)", whose), [(False,)])
    scene.does("self", "SELECT troth.unagree_ahead()", token="hers")
    scene.does("self", AHEAD, *coming, token="hers")
    told = ["agreed-ahead", "agreed-ahead", "signed-up", "unagreed-ahead"]
    scene.must("entries", _entries(scene, whose), ["agreed", *told])
    scene.does("owner", COME, coming[0])
    scene.must("nobody before they are bound", scene.does("self", "SELECT troth.viewer()", token="hers"), [(None,)])
    scene.must("bound", scene.does("door", "SELECT troth.bind_one(%s)", whose), [(True,)])
    scene.must("somebody", scene.does("self", "SELECT troth.viewer()", token="hers"), [(whose,)])
    scene.must("entries", _entries(scene, whose), ["agreed", "agreed", *told])
    scene.must("nobody is to be told", scene.does("steward", "SELECT troth.tell_some(1)"), [(0,)])
    scene.must("bound once", scene.does("door", "SELECT troth.bind_one(%s)", whose), [(False,)])


PLAYS = (_sign_up, _choices, _tokens, _leaving, _forgetting, _ahead)

"""What comes in and what goes by itself: the intake, retention, numbers, and what lies in wait on a search path."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from tests.mutations.flows import ACCESS, DEVICE, HELD, STAMPED, agree, give_token, leave_all, newcomer
from tests.mutations.scene import Scene
from tests.mutations.world import CATALOG, NOBODY, World
from tests.planting import APPLICATION, known, remembered, staffed
from troth.policy.copying import functions as copying
from troth.policy.meaning import WindowKind
from troth.policy.routines import routines
from troth.policy.subjects import LEAST


def _collected(world: World, whose: uuid.UUID, values: Mapping[str, str]) -> Iterator[str]:
    """What is collected of a person's access is stored, and of an identifier's and a visitor's what is collected of those."""
    with Scene(world) as scene:
        scene.does("owner", "INSERT INTO troth.subject (subject, kind) VALUES (%s, 'anonymous')", LEAST)
        scene.does("owner", "INSERT INTO troth.permitted (subject, uses) VALUES (%s, ~(1::bigint << 63))", LEAST)
        insert = "INSERT INTO troth.access (subject, at, id, {}) VALUES (%s, statement_timestamp() + %s::interval, uuidv7(), {})"
        for column, value in values.items():
            scene.does("intake", insert.format(column, value), whose, "0")
            visit = insert.format(column, value)
            for stranger in (NOBODY, LEAST):
                if column in ("referrer", "system"):
                    scene.refused("42501", "intake", visit, stranger, "0")
                else:
                    scene.does("intake", visit, stranger, "0")
        scene.does("intake", insert.format("ip", "'192.0.2.7'"), whose, "0")
        for stranger in (NOBODY, LEAST):
            scene.does("intake", insert.format("ip", "'192.0.2.0/24'"), stranger, "0")
        for address in ("'192.0.2.7'", "'2001:db8::1'", "'192.0.0.0/16'::inet"):
            if "/" not in address:
                for stranger in (NOBODY, LEAST):
                    scene.refused("42501", "intake", insert.format("ip", address), stranger, "0")
        for who in (whose, NOBODY, LEAST):
            scene.refused("42501", "intake", insert.format("url", "'/'"), who, "25 hours")
            scene.does("intake", insert.format("url", "'/'"), who, "-2159 hours")
            scene.does("intake", insert.format("url", "'/'"), who, "23 hours")
    yield from scene.wrong


USES_NOW = "SELECT uses FROM troth.uses_now(ARRAY[%s])"
#: What programs did, older than any purpose may use it, or in days to come.
TOLD_AT = (
    "INSERT INTO troth.{} (subject, at, application, id)"
    " VALUES (%s, statement_timestamp() + make_interval(hours => %s::integer), 'nobodys', uuidv7())"
)


def incoming(world: World, _focus: object) -> Iterator[str]:
    """What the intake stores: what is collected on the occasion, as coarse as is said, now, and stamped as is true."""
    whose, other = world.people["alice"], world.people["charlie"]
    values = {
        "method": "'GET'",
        "url": "'/'",
        "status": "200",
        "referrer": "'/'",
        "browser": "'b'",
        "system": "'s'",
        "kind": "'k'",
        "place": "'ES'",
        "provider": "'p'",
    }
    yield from _collected(world, whose, values)
    yield from _by_the_door(world, other)
    yield from _of_nobody(world)
    yield from _stamped_for_all(world)
    with Scene(world) as scene:
        for table, hours in (("activity", -721), ("activity", 25), ("crash", 25)):
            scene.refused("42501", "intake", TOLD_AT.format(table), whose, hours)
    yield from scene.wrong
    for name, statement in (("bob", DEVICE), ("greta", ACCESS), ("henry", USES_NOW)):
        with Scene(world) as scene:
            scene.does("intake", statement, world.people[name])
            scene.must("the bucket is shared while rows come in", scene.locks(world.people[name]), ["ShareLock"])
        yield from scene.wrong
    with Scene(world) as scene:
        scene.refused("42501", "intake", DEVICE, NOBODY)
        for statement in (ACCESS, DEVICE):  # of somebody who never agreed
            scene.refused("TR070", "intake", statement, other)
        keys = "SELECT count(*) FROM troth.import_keys(ARRAY[sha256('a'), sha256('b'), sha256('b')])"
        scene.must("new keys", scene.does("intake", keys), [(2,)])
        scene.must("keys again", scene.does("intake", keys), [(0,)])
        for _ in range(2):
            scene.does("intake", "SELECT troth.count_outcomes('refused', 'crash', 'mutant', 'c', 3)")
        counted = scene.does("steward", "SELECT count FROM troth.intake_count WHERE reason = 'mutant'")
        scene.must("counts add up", counted, [(6,)])
        beats = "SELECT troth.beat(%s, now(), NULL, %s, '{1,0,0,0,0,0,0}')"
        aged = "UPDATE troth.intake_node SET seen = now() - make_interval(hours => %s) WHERE node = %s"
        nodes = [uuid.uuid4() for _ in range(3)]
        for node, hours in zip(nodes, (25, 23, 0), strict=True):
            scene.does("intake", beats, node, 5)
            scene.does("owner", aged, hours, node)
        scene.must("what all stored, the silent apart", scene.does("intake", beats, nodes[2], 7), [(12,)])
        told = scene.does(
            "owner", "SELECT figures[1], started = now() FROM troth.intake_node WHERE node = %s", nodes[2]
        )
        scene.must("what a process told", told, [(1, True)])
        scene.refused("23514", "intake", beats, nodes[2], 2**50)
        crowd = "INSERT INTO troth.intake_node SELECT gen_random_uuid(), now(), now(), NULL, 0, '{0,0,0,0,0,0,0}' FROM generate_series(1, 200)"
        scene.does("owner", crowd)
        scene.does("intake", beats, uuid.uuid4(), 9)
        scene.must(
            "no more than two hundred", scene.does("owner", "SELECT max(commits) FROM troth.intake_node"), [(7,)]
        )
        scene.must("who is known goes on", len(scene.does("intake", beats, nodes[2], 8)), 1)
        stamps = {int(n) for _, n in scene.does("steward", "SELECT * FROM troth.misstamped()")}
        scene.must("misstamped", stamps, {0})
    yield from scene.wrong


def _by_the_door(world: World, whose: uuid.UUID) -> Iterator[str]:
    change = "UPDATE troth.person SET email = 'new@harbor.example' WHERE subject = %s RETURNING subject"
    with Scene(world) as scene:
        scene.must("an address is changed", scene.does("door", change, whose), [(whose,)])
        scene.refused("42501", "door", "INSERT INTO troth.person (subject) VALUES (%s)", NOBODY)
        scene.does("owner", "INSERT INTO troth.person (subject) VALUES (%s)", NOBODY)
        scene.refused("42501", "door", change, NOBODY)
        scene.does("owner", "INSERT INTO troth.session (subject, session) VALUES (%s, gen_random_uuid())", NOBODY)
        scene.refused("42501", "door", "UPDATE troth.session SET used_at = now() WHERE subject = %s", NOBODY)
    yield from scene.wrong


#: What is collected of people alone, and of them where a clause says so.
PEOPLES = {
    "registrar": (
        "INSERT INTO troth.membership (subject, organization, role) VALUES (%(whose)s, %(club)s, 'member')",
        "INSERT INTO troth.join_request (subject, organization) VALUES (%(whose)s, %(club)s)",
    ),
    "provisioner": (
        "INSERT INTO troth.directory_entry (subject, organization, user_name) VALUES (%(whose)s, %(club)s, 'Nobody')",
        "INSERT INTO troth.directory_awaited (subject, organization) VALUES (%(whose)s, %(club)s)",
    ),
    "door": ("INSERT INTO troth.session (subject, session) VALUES (%(whose)s, gen_random_uuid())",),
}
NEVER = {
    "door": "INSERT INTO troth.profile (subject) VALUES (%s)",
    "namer": "INSERT INTO troth.earlier_name (subject) VALUES (%s)",
    "registrar": "INSERT INTO troth.correction (subject, organization, field) VALUES (%s, gen_random_uuid(), 'planted')",
}


CORRECTED = "UPDATE troth.correction SET outcome = 'declined' WHERE subject = %s"
#: Which of them is changed afterwards, and how: of nobody, neither.
MOVED = {
    "registrar": (0, "UPDATE troth.membership SET role = role WHERE subject = %s"),
    "provisioner": (0, "UPDATE troth.directory_entry SET active = active WHERE subject = %s"),
}


def _of_nobody(world: World) -> Iterator[str]:
    """What comes in of people is nobody's who has no name; and what no clause collects, comes in of no one."""
    told = {"whose": NOBODY, "club": world.clubs["Bob"]}
    with Scene(world) as scene:
        for role, statements in PEOPLES.items():
            for statement in statements:
                scene.refused("42501", role, statement, told)
                scene.does(role, statement, told | {"whose": world.people["henry"]})
        for role, statement in NEVER.items():
            for whose in (NOBODY, world.people["henry"]):
                scene.refused("42501", role, statement, whose)
        scene.refused("42501", "registrar", CORRECTED, world.people["henry"])
        scene.does("owner", "SET LOCAL session_replication_role = replica")
        for role, (planted, change) in MOVED.items():
            scene.does("owner", PEOPLES[role][planted], told)
            scene.refused("42501", role, change, NOBODY)
            scene.does(role, change, world.people["henry"])
    yield from scene.wrong


def _stamped_for_all(world: World) -> Iterator[str]:
    """Visits whose stamps are wrong are still not seen by whoever uses none."""
    visiting = {unit.purpose for unit in world.plan.units if unit.visits}
    with Scene(world) as scene:
        scene.does("owner", "UPDATE troth.access SET uses = -1 WHERE subject = %s", NOBODY)
        for purpose in {rows.purpose for rows in world.plan.rows if rows.table == "access"} - visiting:
            scene.must(f"`{purpose}` sees visits", scene.sees(purpose, "access", NOBODY), 0)
    yield from scene.wrong


def retention(world: World, _focus: object) -> Iterator[str]:
    """What is past every window goes, and nothing else; who has nothing left is forgotten; the numbers add up."""
    with Scene(world) as scene:
        alive = {kept.table: _alive(world, kept.table) for kept in world.plan.retention}
        told = {
            table: tuple(rest)
            for table, *rest in scene.does("steward", "SELECT table_name, rows, due FROM troth.retention_status()")
        }
        late = dict(scene.does("steward", "SELECT * FROM troth.overdue()"))
        for table, (every, kept) in alive.items():
            scene.must(f"the status of {table}", told.get(table), (every, every - kept))
            scene.must(f"{table} is overdue", late.get(table), every > kept)
        run = uuid.uuid4()
        removed = sum(every - kept for every, kept in alive.values())
        scene.must("removed", scene.does("steward", "SELECT troth.retain(%s)", run), [(removed,)])
        late = dict(scene.does("steward", "SELECT * FROM troth.overdue()"))
        scene.must("overdue after a run", late, dict.fromkeys(alive, False))
        _next_ones(scene)
        for name in ("dora", "frank"):  # whose rows end by the account, and by their age
            scene.stage.execute("RESET SESSION AUTHORIZATION; SAVEPOINT devices")
            scene.does("owner", "DELETE FROM troth.device WHERE subject = %s", world.people[name])
            _next_ones(scene, without=world.people[name])
            scene.stage.execute("ROLLBACK TO devices")
        for table, (_, kept) in alive.items():
            scene.must(f"{table} after a run", scene.does("owner", f"SELECT count(*) FROM troth.{table}"), [(kept,)])
        scene.must("again", scene.does("steward", "SELECT troth.retain(%s)", run), [(0,)])
        scene.does("steward", "SELECT troth.end_run(%s)", run)
        last = scene.does("owner", "SELECT action, facts FROM troth.ledger_entry ORDER BY index DESC LIMIT 1")
        expected = {f"removed_{table}": every - kept for table, (every, kept) in alive.items() if every > kept}
        scene.must("the run is recorded", last, [("retained", expected)])
        counts = scene.does(
            "steward", "SELECT sum(removed), bool_and(finished_at IS NOT NULL) FROM troth.retention_run"
        )
        scene.must("the run's counts", counts, [(removed, True)])
    yield from scene.wrong


def bound(world: World, _focus: object) -> Iterator[str]:
    """Whoever agreed to a version that keeps nothing of a table has nothing left in it, while they are here or after."""
    for table in STAMPED:
        with Scene(world) as scene:
            whose = uuid.uuid5(NOBODY, "bound")
            agree(scene, whose, newcomer(scene, whose))
            give_token(scene, whose, "hers")
            scene.does("self", "SELECT troth.choose('announce', 'consent')", token="hers")
            leave_all(scene, whose)
            said = "UPDATE troth.version_retention SET days = 0, after_end = NULL, consented = '{}' WHERE relation = %s"
            scene.does("owner", said, table)
            asked = "SELECT sum(due), sum(due) FILTER (WHERE table_name = %s) > 0 FROM troth.retention_status()"
            ((due, mine),) = scene.does("steward", asked, table)
            scene.must(f"{table} is due", mine, expected=True)
            for how, role, act in (
                ("with the sweep", "steward", "SELECT troth.retain(%s)"),
                ("with the account", "door", "SELECT troth.end_subject(%s, 'left')"),
            ):
                scene.stage.execute("RESET SESSION AUTHORIZATION; SAVEPOINT here")
                done = scene.does(role, act, whose)
                if role == "steward":
                    scene.must(f"what goes of {table} is counted", done, [(due,)])
                left = scene.does("owner", f"SELECT count(*) FROM troth.{table} WHERE subject = %s", whose)
                scene.must(f"{table} goes {how}", left, [(0,)])
                scene.stage.execute("RESET SESSION AUTHORIZATION; ROLLBACK TO here")
        yield from scene.wrong


def _alive(world: World, table: str) -> tuple[int, int]:
    """Return how many rows there are and how many some window still keeps, by hand."""
    kept = world.plan.longest(table)
    rows = [row for row in world.rows if row.table == table]
    lasting = [
        row
        for row in rows
        if (kept.days and row.age < kept.days * 24)
        or (kept.after_end is not None and (row.ended is None or row.ended < kept.after_end * 24))
        or (row.ended is None and set(kept.consented) & world.uses[row.whose])
    ]
    return len(rows), len(lasting)


def _next_ones(scene: Scene, *, without: uuid.UUID | None = None) -> None:
    asked = "SELECT table_name, extract(epoch FROM next_due - statement_timestamp()) FROM troth.retention_status()"
    for table, seconds in scene.does("steward", asked):
        hours = _next_due(scene.world, table, without if table == "device" else None)
        found = None if seconds is None else float(seconds) / 3600
        close = found is hours if found is None or hours is None else abs(found - hours) < 1
        scene.must(f"the next of {table}, in {found} h and not in {hours}", close, expected=True)


def _next_due(world: World, table: str, without: uuid.UUID | None) -> float | None:
    """Return in how many hours the next row will be past every window, by hand; None where none ever is."""
    kept, left = world.plan.longest(table), []
    for row in (row for row in world.rows if row.table == table and row.whose != without):
        if row.ended is None and set(kept.consented) & world.uses[row.whose]:
            continue
        if kept.after_end is not None and row.ended is None:
            continue
        by_age = kept.days * 24 - row.age if kept.days is not None else 0.0
        by_end = kept.after_end * 24 - row.ended if kept.after_end is not None and row.ended is not None else 0.0
        left.append(max(by_age, by_end))
    return min((hours for hours in left if hours > 0), default=None)


def swept(world: World, _focus: object) -> Iterator[str]:
    """What is left of somebody long gone goes with the sweep, and what nobody uses any more."""
    whose, alice = uuid.uuid4(), world.people["alice"]
    with Scene(world) as scene:
        agree(scene, whose, newcomer(scene, whose))
        leave_all(scene, whose)
        scene.does("door", "SELECT troth.end_subject(%s, 'left')", whose)
        scene.does(
            "owner",
            "UPDATE troth.subject SET ended_at = statement_timestamp() - interval '400 days' WHERE subject = %s",
            whose,
        )
        scene.world.become("owner")
        for plant in (known, staffed, remembered):  # as if some queue had held them
            plant(scene.stage, whose)
        for table in STAMPED:
            scene.does("owner", f"UPDATE troth.{table} SET at = statement_timestamp() - interval '400 days',"
                       " ended_at = statement_timestamp() - interval '400 days' WHERE subject = %s", whose)  # fmt: skip
        scene.does(
            "owner", "INSERT INTO troth.request_token VALUES (sha256('gone'), %s, statement_timestamp(), 1)", alice
        )
        scene.does("owner", "UPDATE troth.unit SET retired_at = statement_timestamp() WHERE purpose = 'announce'")
        for _ in range(2):
            scene.does("steward", "SELECT troth.sweep()")
        for bound in HELD:
            left = scene.does("owner", f"SELECT count(*) FROM troth.{bound} WHERE subject = %s", whose)
            scene.must(f"{bound} of somebody long gone", left, [(0,)])
        scene.must(
            "tokens that ended",
            scene.does("owner", "SELECT count(*) FROM troth.request_token WHERE hash = sha256('gone')"),
            [(0,)],
        )
        scene.must(
            "a retired bit",
            scene.does("owner", "SELECT swept_at IS NOT NULL FROM troth.unit WHERE purpose = 'announce'"),
            [(True,)],
        )
        scene.must("who announces sees", scene.sees("announce", "person", alice), 0)
        told = scene.does("owner", "SELECT count(*) > 0 FROM troth.ledger_entry WHERE action = 'retained'")
        scene.must("what the sweep removed is recorded", told, [(True,)])
        erased = scene.does("owner", "SELECT count(*) > 0 FROM troth.ledger_entry WHERE action = 'erased'")
        scene.must("erasing is recorded", erased, [(True,)])
        scene.must(
            "Alice stays", scene.does("owner", "SELECT count(*) FROM troth.person WHERE subject = %s", alice), [(1,)]
        )
    yield from scene.wrong


#: What has no row without one of another table, with which it goes.
HANGS = {"directory_awaited": "directory_entry"}


def kept(world: World, _focus: object) -> Iterator[str]:
    """Somebody of whom anything is left, in whatever table, is not forgotten."""
    for table in (t for t in STAMPED if world.plan.longest(t).days or world.plan.longest(t).after_end):
        with Scene(world) as scene:
            whose = uuid.uuid5(NOBODY, "kept")
            agree(scene, whose, newcomer(scene, whose))
            give_token(scene, whose, "hers")
            scene.does("self", "SELECT troth.choose('announce', 'consent')", token="hers")
            leave_all(scene, whose)
            scene.does("door", "SELECT troth.end_subject(%s, 'left')", whose)
            for other in STAMPED:
                if other not in (table, HANGS.get(table)):
                    scene.does("owner", f"DELETE FROM troth.{other} WHERE subject = %s", whose)
            scene.does("steward", "SELECT troth.sweep()")
            left = scene.does("owner", "SELECT count(*) FROM troth.subject WHERE subject = %s", whose)
            scene.must(f"somebody of whom {table} keeps a row", left, [(1,)])
        yield from scene.wrong


def standing_bits(world: World, _focus: object) -> Iterator[str]:
    """A bit that stands anywhere is not free."""
    alice = world.people["alice"]
    for table in STAMPED:
        with Scene(world) as scene:
            bit = scene.does(
                "owner",
                "UPDATE troth.unit SET retired_at = statement_timestamp() WHERE purpose = 'announce' RETURNING bit",
            )
            whom = NOBODY if table == "access" else alice
            for each in STAMPED:
                scene.does("owner", f"UPDATE troth.{each} SET uses = uses & ~(1::bigint << %s::integer)", bit[0][0])
            scene.does(
                "owner",
                f"UPDATE troth.{table} SET uses = uses | (1::bigint << %s::integer) WHERE subject = %s",
                bit[0][0],
                whom,
            )
            scene.does("owner", "UPDATE troth.permitted SET uses = uses & ~(1::bigint << %s::integer)", bit[0][0])
            scene.does("steward", "SELECT troth.sweep()")
            swept = scene.does("owner", "SELECT swept_at IS NOT NULL FROM troth.unit WHERE purpose = 'announce'")
            scene.must(f"the bit stands in {table}", swept, [(table == "access",)])
        yield from scene.wrong


def numbers(world: World, _focus: object) -> Iterator[str]:
    """What is only counted is counted of five people or more, who are in it, within the window."""
    for counted in world.plan.counted:
        assert counted.window.kind is WindowKind.DAYS
        with Scene(world) as scene:
            scene.does("owner", f"ALTER TABLE troth.{counted.table} DISABLE TRIGGER stamp")
            through = CATALOG.table(counted.table).through
            column, whose = (f", {through}", f", '{APPLICATION}'") if through else ("", "")
            bit = world.target.bits[counted.purpose]
            insert = (
                f"INSERT INTO troth.{counted.table} (subject, at, id, kind, uses{column})"
                " SELECT %s::uuid, date_trunc('day', statement_timestamp()) - make_interval(days => %s, hours => 12),"
                f" uuidv7(), %s, %s::bigint{whose} FROM generate_series(1, %s)"
            )
            people = [uuid.UUID(int=n) for n in range(1, 6)]
            for kind, who, days, uses, many in (
                ("five", people, 3, 1 << bit, 2), ("four", people[:4], 4, 1 << bit, 2), ("old", people, 40, 1 << bit, 1),
                ("out", people, 5, ~(1 << bit) & (2**62 - 1), 1), ("visit", [*people[:4], NOBODY], 6, 1 << bit, 1),
            ):  # fmt: skip
                for each in who:
                    scene.does("owner", insert, each, days, kind, uses, many)
            found = scene.does(
                counted.purpose,
                f"SELECT value, people, rows FROM {counted.purpose}.{counted.table}_counted WHERE day < current_date - 2 ORDER BY 1",
            )
            found = [tuple(row) for row in found if row[0] != "computer"]
            scene.must("counted", found, [("", 5, 10), ("five", 5, 10)])
            scene.does("owner", f"ALTER TABLE troth.{counted.table} ENABLE TRIGGER stamp")
        yield from scene.wrong


def paths(world: World, focus: Any) -> Iterator[str]:
    """A function does the same whatever lies in wait on the caller's search path."""
    every = [
        (f.name, f.arguments, f.sql)
        for f in (*CATALOG.functions, *routines(world.plan, CATALOG, world.target.bits), *copying(CATALOG))
    ]
    every += [(f"count_{c.purpose}_{c.table}", "", "") for c in world.plan.counted]
    assert world.stage is not None
    with Scene(world) as scene:
        for name, arguments, text in every:
            if focus.function in (None, name):
                # What a session has called once, it has compiled: what is caught is caught the first time.
                if (name, arguments) not in world.answered:
                    world.answered[name, arguments] = _answers(scene, world, name, arguments, text, "''")
                found = _answers(scene, world, name, arguments, text, "trap, pg_catalog")
                if found != world.answered[name, arguments]:
                    scene.wrong.append(f"{name} does otherwise with a search path of the caller's: {found}")
    yield from scene.wrong


def _inserting(table: str) -> str:
    """Return an insert of a row that is nobody's yet into a table whose rows are stamped."""
    return f"INSERT INTO troth.{table} (subject, uses) VALUES ('{NOBODY}', 1)"


def _answers(scene: Scene, world: World, name: str, arguments: str, text: str, path: str) -> list[str]:
    """Return how a function ends, called about Alice and about her organization."""
    about = (world.people["alice"], world.clubs["Alice"])
    return [_answer(scene, world, name, arguments, text, path, each) for each in about]


def _answer(scene: Scene, world: World, name: str, arguments: str, text: str, path: str, about: uuid.UUID) -> str:
    """Call a function with a search path, as its trigger where it is one; return how it ends."""
    world.become("owner")
    scene.stage.execute("SELECT set_config('troth.token', 'token of Alice', true)")
    scene.stage.execute(f"SAVEPOINT called; SET LOCAL search_path = {path}".encode())
    kinds = [kind for kind in arguments.split(",") if kind]
    values = {"uuid": f"'{about}'::pg_catalog.uuid", "jsonb": "'{\"a\": 1}'::jsonb", "text": "'word'::text"}
    given = ", ".join(values.get(kind.strip(), f"NULL::{kind.replace('uuid', 'pg_catalog.uuid')}") for kind in kinds)
    called = f"SELECT troth.{name}({given})"
    if "RETURNS trigger" in text:
        table = name.removeprefix("stamp_")
        sent = "(subject, at, application, id, uses)"
        sent += f" VALUES ('{world.people['alice']}', '2026-11-20 00:00:00Z', '{APPLICATION}', '{NOBODY}', 1)"
        called = {
            "access": f"INSERT INTO troth.access (subject, at, id, uses) VALUES ('{NOBODY}', '2026-11-20 00:00:00Z', '{NOBODY}', 1)",
            "device": f"INSERT INTO troth.device (subject, device, uses) VALUES ('{world.people['bob']}', '{NOBODY}', 0)",
            "crash": f"INSERT INTO troth.crash {sent}",
            "activity": f"INSERT INTO troth.activity {sent}",
            "feature_use": f"INSERT INTO troth.feature_use {sent}",
            "page_view": f"INSERT INTO troth.page_view {sent}",
            "transaction": f"INSERT INTO troth.transaction {sent}",
            "location": f"INSERT INTO troth.location {sent}",
            "person": f"INSERT INTO troth.person (subject, uses) VALUES ('{NOBODY}', 1)",
            "session": f"INSERT INTO troth.session (subject, session, uses) VALUES ('{world.people['bob']}', '{NOBODY}', 0)",
            "copy_membership_name": "UPDATE troth.membership SET name = NULL",
            "copy_join_request_name": "UPDATE troth.join_request SET name = NULL",
            "earlier_name": f"INSERT INTO troth.earlier_name (subject, uses) VALUES ('{world.people['bob']}', 0)",
        }.get(table, _inserting(table) if name != table else "UPDATE troth.person SET name = 'Eva'")
    try:
        scene.stage.execute(called.encode())
    except psycopg.Error as error:
        return error.sqlstate or "?"
    else:
        return "well"
    finally:
        scene.stage.execute("ROLLBACK TO called")

"""The world in a database: people come, choose and go through the doors, time passes, and traps are laid."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg import Connection

from tests.conftest import SECURE, TERMS, forget, make
from tests.mutations.world import CATALOG, DAY, NOBODY, Row, World, source
from tests.planting import APPLICATION, everything, reported, whatever_they_permit
from troth.database import apply, connect, place, published
from troth.policy import parse
from troth.policy.plan import plan
from troth.policy.sql import desired

TRIAL = """CREATE SCHEMA trial; GRANT USAGE ON SCHEMA trial TO PUBLIC;
CREATE FUNCTION trial.codes(asked text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE codes text[] := '{}'; each text;
BEGIN
    FOREACH each IN ARRAY asked LOOP
        BEGIN
            EXECUTE each;
            codes := array_append(codes, '');
        EXCEPTION WHEN OTHERS THEN
            codes := array_append(codes, SQLSTATE::text);
        END;
    END LOOP;
    RETURN codes;
END
$$"""

TRAPPED = ("uuid", "text", "bytea", "integer", "bigint", "boolean", "jsonb")
OPERATORS = ("=", "<>", "&", "|", ">=", ">", "<", "||", "-", "~", "!~", "<<", ">>", "+", "*")
PAIRS = (*((kind, kind) for kind in TRAPPED), ("bigint", "integer"),
         ("timestamp with time zone", "timestamp with time zone"), ("timestamp with time zone", "interval"))  # fmt: skip
POINT = "RETURNS point LANGUAGE sql AS 'SELECT NULL::point';"
#: What lies in wait in a schema of its own: operators and functions with the names of those that functions use.
TRAP = "\n".join([
    "CREATE SCHEMA trap; GRANT USAGE ON SCHEMA trap TO PUBLIC;",
    *(f"CREATE FUNCTION trap.two({left}, {right}) {POINT}" for left, right in PAIRS),
    *(f"CREATE OPERATOR trap.{operator} (leftarg = {left}, rightarg = {right}, function = trap.two);"
      for left, right in PAIRS for operator in OPERATORS),
    *(f"CREATE FUNCTION trap.{name} {POINT}" for name in (
        "jsonb_build_object(text, text)", "has_column_privilege(name, text, text, text)", "uuid_hash(uuid)",
        "statement_timestamp()", "unnest(anyarray)", "pg_advisory_xact_lock(integer, integer)")),
    "CREATE DOMAIN trap.uuid AS pg_catalog.uuid CHECK (false);",
])  # fmt: skip


@contextmanager
def planted(cluster: place.Place) -> Iterator[World]:
    """Yield the world in a fresh database; its roles go with it."""
    with connect.owning(cluster, database="postgres") as connection:
        connection.execute("DROP DATABASE IF EXISTS troth WITH (FORCE)")
        connection.execute("CREATE DATABASE troth TEMPLATE troth_template STRATEGY file_copy")
        connection.execute("REVOKE ALL ON DATABASE troth FROM PUBLIC")
        for (role,) in connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'troth\\_%' AND rolcanlogin"
        ).fetchall():
            connection.execute(f'GRANT CONNECT ON DATABASE troth TO "{role}"'.encode())
    forget()
    try:
        with connect.owning(cluster) as owner, connect.owning(cluster) as stage:
            stage.add_notice_handler(lambda _told: None)
            world = _made(cluster, owner)
            world.stage = stage
            owner.execute(TRIAL)
            owner.execute(TRAP.encode())
            stage.execute("SET track_functions = 'all'")
            _plant(world)
            yield world
    finally:
        forget()
        with connect.owning(cluster, database="postgres") as connection:
            connection.execute("DROP DATABASE IF EXISTS troth WITH (FORCE)")
            connection.execute("DROP ROLE IF EXISTS troth_improve, troth_analyst_ann, troth_understand_analysts")


def _made(cluster: place.Place, owner: Connection[Any]) -> World:
    owner.execute("INSERT INTO troth.analyst (name, purpose) VALUES ('ann', 'understand')")
    apply.apply(owner, source(), TERMS)
    owner.execute("ALTER ROLE troth_analyst_ann PASSWORD 'a word of hers'")
    published.forget()
    made, target = plan(parse.read(source(), "mutants"), CATALOG), apply.target_of(owner)
    return World(cluster, owner, made, desired(made, CATALOG, target), target)


def _plant(world: World) -> None:
    """Let people come, choose and go through the doors; then let time pass, which only the owner can."""
    agreed = frozenset({"provide", "protect", "understand", "improve"})
    standing = {
        "Alice": agreed | {"personalise", "announce"},
        "Bob": agreed - {"understand", "protect", "improve"},
        "Charlie": frozenset[str](),
        "Dora": agreed,
        "Frank": agreed,
        "Greta": agreed,
        "Henry": agreed,
        "Iris": agreed | {"personalise", "announce"},
        "Judy": frozenset[str](),
    }
    world.uses[NOBODY] = frozenset({"protect", "understand"})
    for name, uses in standing.items():
        person = make(world.owner, name, agreed=name != "Charlie")
        world.people[name.lower()] = person.subject
        world.uses[person.subject] = uses
        _choose(world, person.token, name)
        _leave_rows(world, person.subject, name)
    _organize(world)
    _pass_time(world)
    for name, whose in world.people.items():
        everything(world.owner, whose)
        _end(world, name, whose)
    for days in (29.5, 30.5, 89.5, 90.5):
        for name in ("alice", "greta"):
            reported(world.owner, world.people[name], days * DAY)
            world.rows += [
                Row(table, world.people[name], days * DAY)
                for table in ("crash", "activity", "feature_use", "page_view", "transaction", "location")
            ]
    _object(world)
    _open_to_support(world)
    world.owner.execute("ANALYZE")


def _object(world: World) -> None:
    """Let an application have told of a page that Alice saw in a browser that objects, past the trigger that would stamp it."""
    whose = _subject(world, "Alice")
    world.owner.execute("SET session_replication_role = replica")
    world.owner.execute(
        "INSERT INTO troth.page_view (subject, at, id, application, url, uses)"
        " SELECT subject, statement_timestamp() - interval '1 hour', uuidv7(), %s, '/', uses | (1::bigint << 63)"
        " FROM troth.permitted WHERE subject = %s",
        (APPLICATION, whose),
    )
    world.owner.execute("RESET session_replication_role")
    world.rows.append(Row("page_view", whose, hidden=frozenset({"understand"})))


def _open_to_support(world: World) -> None:
    """Let Greta be of support, to whom Alice opened everything; what visitors leave is opened past every door."""
    greta = _subject(world, "Greta")
    world.owner.execute("INSERT INTO troth.staff (subject, role) VALUES (%s, 'support')", (greta,))
    world.owner.execute(SECURE, (greta,))
    rows = world.owner.execute(
        "INSERT INTO troth.support_access (subject, asker, reason, ticket, asked_areas, asked_hours, areas, allowed_at, until)"
        " SELECT whose, %s, 'planted', 'P-2', areas, 24, areas, now(), now() + interval '1 day'"
        " FROM unnest(%s::uuid[]) WITH ORDINALITY AS of (whose, nth), (VALUES ('{profile,access,device,agreements}'::text[]))"
        " AS open (areas) ORDER BY nth RETURNING access",
        (greta, [_subject(world, "Alice"), NOBODY]),
    ).fetchall()
    world.accesses = tuple(access for (access,) in rows)


#: Stamped tables that the doors leave empty here.
PLANTED = (
    "session", "earlier_name", "profile", "membership", "correction", "join_request", "directory_entry", "directory_awaited",
    "notice_outcome", "crash", "activity", "feature_use", "page_view", "transaction", "location", "post", "attachment",
)  # fmt: skip


def _end(world: World, name: str, whose: uuid.UUID) -> None:
    """Let what was planted end with the account of somebody who left, or is about to."""
    world.owner.execute("INSERT INTO troth.profile (subject) VALUES (%s)", (whose,))
    hours = 0.0 if name == "iris" else ENDED[name][1] if name in ENDED else None
    for table in PLANTED:
        world.rows.append(Row(table, whose, ended=hours))
        if hours is not None:
            world.owner.execute(
                f"UPDATE troth.{table} SET ended_at = statement_timestamp() - make_interval(secs => %s) WHERE subject = %s".encode(),
                (hours * 3600, whose),
            )


#: Of whose organization's directory a token is.
TOKENS = {"Alice": "token of HR", "Bob": "token of HR of Bob"}


def _organize(world: World) -> None:
    """Let Alice and Bob each have an organization; Greta is in Alice's, and Alice asks to be in Bob's."""

    def call(role: str, name: str, statement: str, *values: object) -> Any:
        with connect.acting(role, token=f"token of {name}") as viewer:
            row = viewer.execute(statement.encode(), values).fetchone()
        return row[0] if row else None

    club, other = (call("self", name, "SELECT troth.found_organization('Club')") for name in ("Alice", "Bob"))
    world.clubs = {"Alice": club, "Bob": other}
    call("administrator", "Alice", "SELECT troth.invite(%s, 'a word', NULL, '', 'member', 1, 7)", club)
    call("self", "Greta", "SELECT troth.join_by_invitation('a word')")
    call(
        "administrator", "Bob", "SELECT troth.invite(%s, 'another', 'eve@harbor.example', 'en', 'member', 1, 7)", other
    )
    call("administrator", "Bob", "SELECT troth.set_organization(%s, 'Club', true)", other)
    call("self", "Alice", "SELECT troth.ask_to_join(%s)", other)
    for name, org in world.clubs.items():
        call("self", name, "SELECT troth.open_directory(%s, 'HR', sha256(%s::bytea), 30)", org, TOKENS[name].encode())
        call("self", name, "SELECT troth.claim_domain(%s, %s, repeat('v', 40))", org, f"{name.lower()}.example")
    world.rows += [Row("membership", _subject(world, name)) for name in ("Alice", "Bob", "Greta")]
    world.rows.append(Row("join_request", _subject(world, "Alice")))


def _choose(world: World, token: str, name: str) -> None:
    choices: Mapping[str, tuple[tuple[str, str], ...]] = {
        "Alice": (("personalise", "consent"), ("announce", "consent")),
        "Bob": (("understand", "objection"), ("protect", "objection"), ("improve", "objection")),
        "Dora": (("announce", "consent"), ("announce", "withdrawal")),
        "Frank": (("announce", "withdrawal"),),
        "Iris": (("announce", "consent"), ("personalise", "consent")),
        "Judy": (("announce", "consent"),),
    }
    for purpose, kind in choices.get(name, ()):
        with connect.acting("self", token=token) as viewer:
            viewer.execute("SELECT troth.choose(%s, %s)", (purpose, kind))
        world.rows.append(Row("choice", _subject(world, name)))


def _subject(world: World, name: str) -> uuid.UUID:
    return world.people[name.lower()]


def _leave_rows(world: World, whose: uuid.UUID, name: str) -> None:
    ages = {"Alice": (1.0, 29.5 * DAY, 30.5 * DAY, 89.5 * DAY), "Bob": (1.0,)}.get(name, (2.0,))
    truth = world.owner.execute("SELECT uses FROM troth.permitted WHERE subject = %s", (whose,)).fetchone()
    # What somebody left in no purpose came in when they permitted more.
    outside = "protect" not in world.uses[whose]
    uses = (truth or (0,))[0] if outside else 9223372036854775807
    with whatever_they_permit(world.owner) if outside else connect.acting("intake") as intake:
        for age in ages:
            intake.execute(
                "INSERT INTO troth.access (subject, at, id, method, url, status, referrer, ip, browser, system, kind, uses)"
                " VALUES (%(whose)s, statement_timestamp() - make_interval(secs => %(age)s), uuidv7(), 'GET', '/me', 200, '/',"
                " '192.0.2.77', 'Firefox 140', 'Linux', 'computer', %(uses)s)",
                {"whose": whose, "age": age * 3600, "uses": uses},
            )
            world.rows.append(Row("access", whose, age))
        intake.execute(
            "INSERT INTO troth.device (subject, device, browser, system, kind, uses)"
            " VALUES (%s, %s, 'Firefox 140', 'Linux', 'computer', %s)",
            (whose, uuid.uuid5(whose, "device"), uses),
        )
        if name == "Alice":
            intake.execute(
                "INSERT INTO troth.access (subject, at, id, method, url, uses)"
                " VALUES (%s, statement_timestamp() - interval '1 hour', uuidv7(), 'GET', '/', -1)",
                (whose,),
            )
            # The sign says that her browser objected to what the policy says it objects to.
            world.rows.append(Row("access", whose, hidden=frozenset({"understand"})))
            intake.execute(
                "INSERT INTO troth.access (subject, at, id, url, ip, kind, uses)"
                " VALUES (%s, statement_timestamp() - interval '1 hour', uuidv7(), '/', '192.0.2.0/24', 'computer', 9223372036854775807)",
                (NOBODY,),
            )
            world.rows.append(Row("access", NOBODY))
    world.rows += [Row("device", whose), Row("person", whose)]
    world.rows += [Row("agreement", whose)] if name != "Charlie" else []


#: How many hours ago the account of somebody who left ended, for the tables that keep a year, and for the others.
ENDED = {"dora": (364.5 * DAY, 29.5 * DAY), "frank": (365.5 * DAY, 30.5 * DAY)}


def _pass_time(world: World) -> None:
    for name, (long, short) in ENDED.items():
        whose = world.people[name]
        with connect.acting("door") as door:
            door.execute("SELECT troth.end_subject(%s, 'left')", (whose,))
        for table in ("agreement", "choice", "person", "device", "access"):
            hours: float = long if table in ("agreement", "choice") else short
            world.owner.execute(
                f"UPDATE troth.{table} SET ended_at = statement_timestamp() - make_interval(secs => %s) WHERE subject = %s".encode(),
                (hours * 3600, whose),
            )
            world.rows = [
                Row(r.table, r.whose, r.age, hours) if (r.table, r.whose) == (table, whose) else r for r in world.rows
            ]
    # Iris is about to leave: her rows are marked, and what she consented to is not folded yet.
    whose = world.people["iris"]
    for table in ("person", "device", "access"):
        world.owner.execute(
            f"UPDATE troth.{table} SET ended_at = statement_timestamp() WHERE subject = %s".encode(), (whose,)
        )
        world.rows = [
            Row(r.table, r.whose, r.age, 0) if (r.table, r.whose) == (table, whose) else r for r in world.rows
        ]
    # Judy's purposes all widened, and she has not agreed again.
    whose = world.people["judy"]
    for table in ("permitted", "agreement", "choice", "person", "device", "access"):
        world.owner.execute(f"UPDATE troth.{table} SET uses = 0 WHERE subject = %s".encode(), (whose,))
    # One of Alice's, older than every window, as when a sweep is late.
    whose = world.people["alice"]
    world.owner.execute(
        "UPDATE troth.access SET at = statement_timestamp() - interval '2172 hours' WHERE subject = %s"
        " AND at < statement_timestamp() - interval '89 days'",
        (whose,),
    )
    world.owner.execute(
        "INSERT INTO troth.access (subject, at, id, method, url, status, referrer, ip, browser, system, kind)"
        " SELECT subject, statement_timestamp() - interval '2148 hours', uuidv7(), method, url, status, referrer, ip, browser,"
        " system, kind FROM troth.access WHERE subject = %s LIMIT 1",
        (whose,),
    )
    world.rows.append(Row("access", whose, 90.5 * DAY))
    # A visit of a version that stored more of visits than this one lets `protect` know.
    world.owner.execute(
        "INSERT INTO troth.access (subject, at, id, url, ip) VALUES (%s, statement_timestamp() - interval '1 hour',"
        " uuidv7(), '/', '192.0.2.77')",
        (NOBODY,),
    )
    world.owner.execute(
        "UPDATE troth.access SET referrer = 'https://harbor.example/' WHERE subject = %s AND ip = '192.0.2.77'",
        (NOBODY,),
    )
    world.rows.append(Row("access", NOBODY, hidden=frozenset({"protect"})))
    # Bob's too, who consents to nothing; Frank's device, of long before he left; Greta's, who is still there.
    with whatever_they_permit(world.owner) as owner:
        owner.execute(
            "INSERT INTO troth.access (subject, at, id, url, uses)"
            " SELECT subject, statement_timestamp() - interval '2172 hours', uuidv7(), '/', uses FROM troth.permitted WHERE subject = %s",
            (world.people["bob"],),
        )
    world.rows.append(Row("access", world.people["bob"], 90.5 * DAY))
    world.owner.execute(
        "INSERT INTO troth.access (subject, at, id, url) VALUES (%s, statement_timestamp() - interval '2148 hours', uuidv7(), '/')",
        (world.people["henry"],),
    )
    world.rows.append(Row("access", world.people["henry"], 89.5 * DAY))
    for name, age, ended in (("frank", 89.5 * DAY, 30.5 * DAY), ("dora", 90.5 * DAY, 29.5 * DAY)):
        world.owner.execute(
            "INSERT INTO troth.device (subject, device, at, ended_at) VALUES (%s, gen_random_uuid(),"
            " statement_timestamp() - make_interval(secs => %s), statement_timestamp() - make_interval(secs => %s))",
            (world.people[name], age * 3600, ended * 3600),
        )
        world.rows.append(Row("device", world.people[name], age, ended))
    whose = world.people["frank"]
    world.owner.execute(
        "UPDATE troth.device SET at = statement_timestamp() - interval '2172 hours' WHERE subject = %s"
        " AND at > statement_timestamp() - interval '1 day'",
        (whose,),
    )
    world.rows = [
        Row("device", whose, 90.5 * DAY, r.ended) if (r.table, r.whose, r.age) == ("device", whose, 1) else r
        for r in world.rows
    ]
    whose = world.people["greta"]
    world.owner.execute(
        "UPDATE troth.device SET at = statement_timestamp() - interval '2172 hours' WHERE subject = %s", (whose,)
    )
    world.rows = [
        Row("device", whose, 90.5 * DAY) if (r.table, r.whose) == ("device", whose) else r for r in world.rows
    ]
    whose = world.people["henry"]
    world.owner.execute(
        "UPDATE troth.device SET at = statement_timestamp() - interval '2148 hours' WHERE subject = %s", (whose,)
    )
    world.rows = [
        Row("device", whose, 89.5 * DAY) if (r.table, r.whose) == ("device", whose) else r for r in world.rows
    ]

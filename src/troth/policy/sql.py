"""The one emitter: from a plan to the facts that PostgreSQL must show, each with the SQL that makes it true."""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain

from troth.policy import apart, audiences, copying, covering, declaring, granting, holding, lasting, occasions, roles
from troth.policy.catalog import Catalog, Function, Table
from troth.policy.counting import columns_read, counters, name_of, view_query
from troth.policy.facts import Fact, Kind, fingerprint
from troth.policy.lasting import hours
from troth.policy.meaning import Whose, Window, WindowKind
from troth.policy.planned import Plan, Reading, Rows
from troth.policy.quoting import literal, quoted
from troth.policy.roles import LOGINS, TWINS, Target, analysts
from troth.policy.routines import UNMARKED, routines
from troth.policy.subjects import only
from troth.policy.withholding import explanation

#: What functions alone do for a viewer.
GOING = ("delete", "remove")
#: Functions of PostgreSQL that stay with the twins that need them (drift finds PUBLIC's grants on their kind).
LOCKS = {
    "stamper": ("pg_advisory_xact_lock(integer, integer)", "pg_advisory_xact_lock_shared(integer, integer)"),
    "recorder": ("pg_advisory_xact_lock(bigint)",),
    "provisioner": ("pg_advisory_xact_lock(integer, integer)",),
}


def desired(plan: Plan, catalog: Catalog, target: Target) -> tuple[Fact, ...]:
    """Return every fact that must hold, and no other may."""
    return tuple(
        dict.fromkeys(
            chain(
                roles.facts(plan, target),
                _schemas(plan, target),
                declaring.facts(catalog),
                apart.checks(plan, catalog),
                _functions(plan, catalog, target),
                _security(catalog),
                _triggers(catalog),
                _rules(plan, catalog, target),
                _views(plan, catalog, target),
                _grants(plan, catalog, target),
            )
        )
    )


# Schemas


def _schemas(plan: Plan, target: Target) -> Iterator[Fact]:
    yield Fact(Kind.SCHEMA, "troth", "", make="CREATE SCHEMA troth")
    for part in (*LOGINS, *TWINS):
        yield grant('SCHEMA "troth"', target.role(part), "USAGE")
    for part in (*LOGINS, *(u.purpose for u in plan.units), *(f"analyst_{name}" for name in target.analysts)):
        yield grant(f"DATABASE {quoted(target.database)}", target.role(part), "CONNECT")
    for part in (*(unit.purpose for unit in plan.units), *map(analysts, target.analysed)):
        yield Fact(Kind.SCHEMA, part, "", make=f"CREATE SCHEMA {quoted(part)}")
        yield grant('SCHEMA "troth"', target.role(part), "USAGE")
        yield grant(f"SCHEMA {quoted(part)}", target.role(part), "USAGE")


def grant(on: str, role: str, privilege: str) -> Fact:
    """Return the fact that a role holds a privilege; `on` is as GRANT writes it, a column in parentheses behind it."""
    thing, _, column = on.partition(" (")
    right = f"{privilege} ({column}" if column else privilege
    return Fact(
        Kind.GRANT,
        f"{on} to {role}",
        privilege,
        make=f"GRANT {right} ON {thing} TO {quoted(role)}",
        unmake=f"REVOKE {right} ON {thing} FROM {quoted(role)}",
    )


# Functions, triggers, row security


def _functions(plan: Plan, catalog: Catalog, target: Target) -> Iterator[Fact]:
    rules = {
        c: _seen(plan, Rows(c.purpose, c.table, c.window), catalog.table(c.table), c.columns, target, counted=True)
        for c in plan.counted
    }
    made = (
        *routines(plan, catalog, target.bits),
        *holding.functions(plan),
        *copying.functions(catalog),
        *counters(plan, rules),
    )
    for function in (*catalog.functions, *made, *granting.functions(plan, catalog)):
        yield _function(function, target)
        for executor in function.executors:
            if executor != function.owner:
                yield grant(f"FUNCTION troth.{function.name}({function.arguments})", target.role(executor), "EXECUTE")
    for counted in plan.counted:
        if counted.purpose in target.analysed:
            yield grant(f"FUNCTION troth.{name_of(counted)}()", target.role(analysts(counted.purpose)), "EXECUTE")
    for twin, names in LOCKS.items() if target.superuser else ():
        for name in names:
            yield grant(f"FUNCTION pg_catalog.{name}", target.role(twin), "EXECUTE")


def _function(function: Function, target: Target) -> Fact:
    signature = f"troth.{function.name}({function.arguments})"
    owner = target.role(function.owner)
    handed = f"ALTER FUNCTION {signature} OWNER TO {quoted(owner)}"
    if not target.superuser:  # who takes a function over must for that moment be able to make one
        create = f"CREATE ON SCHEMA troth {{}} {quoted(owner)}"
        handed = f"GRANT {create.format('TO')}; {handed}; REVOKE {create.format('FROM')}"
    made = f"{function.sql}; {handed};"
    made += f" REVOKE ALL ON FUNCTION {signature} FROM PUBLIC"
    return Fact(
        Kind.FUNCTION,
        signature,
        f"{owner} {fingerprint(function.sql)}",
        make=made,
        remake=made,
        unmake=f"DROP FUNCTION {signature}",
    )


def _security(catalog: Catalog) -> Iterator[Fact]:
    for table in catalog:
        if table.bound:
            yield security(table.name)


def security(table: str) -> Fact:
    """Return the fact that row security is on and forced for a table."""
    made = f'ALTER TABLE "troth".{quoted(table)} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY'
    return Fact(
        Kind.SECURITY,
        table,
        "forced",
        make=made,
        remake=made,
        locks=f"troth.{table}",
    )


def _triggers(catalog: Catalog) -> Iterator[Fact]:
    for table in catalog:
        if table.stamped and table.inserter is None:
            calls = f"EXECUTE FUNCTION troth.{quoted('stamp_' + table.name)}()"
            yield _trigger(table, "stamp", "INSERT", f"REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT {calls}")
        for each in table.triggers:
            when = f" WHEN ({each.when})" if each.when else ""
            calls = f"EXECUTE FUNCTION troth.{quoted(each.function)}()"
            yield _trigger(table, each.name, each.after, f"FOR EACH ROW{when} {calls}")
    for trigger in copying.triggers(catalog):
        yield Fact(
            Kind.TRIGGER,
            f"{trigger.table}.{trigger.name}",
            fingerprint(trigger.sql),
            make=trigger.sql,
            unmake=f"DROP TRIGGER {trigger.name} ON troth.{quoted(trigger.table)}",
            locks=f"troth.{trigger.table}",
        )


def _trigger(table: Table, name: str, after: str, does: str) -> Fact:
    sql = f"CREATE TRIGGER {quoted(name)} AFTER {after} ON troth.{quoted(table.name)} {does}"
    return Fact(
        Kind.TRIGGER,
        f"{table.name}.{name}",
        fingerprint(sql),
        make=sql,
        unmake=f"DROP TRIGGER {quoted(name)} ON troth.{quoted(table.name)}",
        locks=f"troth.{table.name}",
    )


# Row rules


def _rules(plan: Plan, catalog: Catalog, target: Target) -> Iterator[Fact]:
    for rows in plan.rows:
        read = {r.column for r in plan.readings if (r.purpose, r.table) == (rows.purpose, rows.table)}
        using = _seen(plan, rows, catalog.table(rows.table), read, target)
        yield _rule(rows.table, target, rows.purpose, "select", using=using)
        if rows.purpose in target.analysed:
            yield _rule(rows.table, target, analysts(rows.purpose), "select", using=using)
    for name in sorted({counted.table for counted in plan.counted}):
        yield _rule(name, target, "counter", "select", using="true")
    for name in sorted({each.table for each in plan.grantable}):
        yield _rule(name, target, granting.TWIN, "select", using="ended_at IS NULL")
    own = {(o.table, o.privilege) for o in plan.own if o.privilege not in GOING}
    for name, privilege in sorted(own):
        yield _rule(name, target, "self", privilege, using="subject = troth.viewer()")
    for name in copying.tables(catalog):
        yield _rule(name, target, "copier", "all", using="true", check="true")
    for table in catalog:
        if table.stamped:
            yield _rule(table.name, target, "stamper", "all", using="true", check="true")
            yield from _viewer_rules(plan, table, target)
        if table.bound:
            yield from _static_rules(plan, table, target)


def _seen(plan: Plan, rows: Rows, table: Table, read: Collection[str], target: Target, *, counted: bool = False) -> str:
    coarse = lasting.coarse_by_now(plan, table, rows.window, read)
    whose = occasions.whose(plan, rows.purpose, table, counted=counted)
    objected = (UNMARKED,) if rows.purpose in plan.signalled else ()
    known = () if counted else occasions.known(plan, rows.purpose, table, read)
    return " AND ".join((row_rule(rows, target.bits[rows.purpose]), *objected, *whose, *coarse, *known))


def row_rule(rows: Rows, bit: int) -> str:
    """Return the predicate of a purpose's rows: a pure function of the row and of the time."""
    stamped = f"(uses & {1 << bit}::bigint) <> 0"
    return f"{stamped} AND {_within(rows.window)}"


def _within(window: Window) -> str:
    match window.kind:
        case WindowKind.DAYS:
            return f"at > statement_timestamp() - {hours(window.days)}"
        case WindowKind.ACCOUNT if window.days:
            return f"(ended_at IS NULL OR ended_at > statement_timestamp() - {hours(window.days)})"
        case _:
            return "ended_at IS NULL"


def _viewer_rules(plan: Plan, table: Table, target: Target) -> Iterator[Fact]:
    authored = {(each.role, each.table) for each in plan.authored}
    for audience, viewing in audiences.VIEWINGS.items():
        if viewing.role in plan.looking(table.name):
            stamped = f"(uses & {1 << target.bits[viewing.role]}::bigint) <> 0 AND {audiences.OPEN}"
            # What visitors leave is nobody's to be shown, and what an identifier leaves its holder's alone.
            there = table.whose | ({Whose.IDENTIFIER} if table.unknown else set())
            people = only((Whose.PERSON,), there)
            stamped = " AND ".join((stamped, *people, *occasions.shown(plan, table, viewing.role)))
            if table.posted and audience in plan.postable(table.name):
                stamped += f" AND {audiences.POSTED.format(audience=literal(audience))}"
            by_post = (viewing.role, table.name) in authored
            reached = audiences.AUTHORED.format(audience=literal(audience)) if by_post else viewing.reaches(table)
            using = f"{stamped} AND {reached}" if reached else stamped
            yield _rule(table.name, target, viewing.role, "select", using=using)
            for other, theirs in covering.alike(table) if viewing.role == audiences.MIRRORED else ():
                yield _rule(table.name, target, other, "select", using=f"{stamped} AND {theirs}")


def _static_rules(plan: Plan, table: Table, target: Target) -> Iterator[Fact]:
    looking = plan.looking(table.name)
    for access in table.accesses:
        for privilege, columns in covering.privileges(plan, table, access):
            if privilege == "select" and access.role in looking:
                continue  # an audience that is shown something reaches the rows that it is shown, and no others
            using, check = covering.reached(plan, table, access.rows, privilege, columns)
            yield _rule(table.name, target, access.role, privilege, using=using, check=check)


def _rule(table: str, target: Target, part: str, command: str, *, using: str = "", check: str = "") -> Fact:
    name, on = f"{part}_{command}", f'"troth".{quoted(table)}'
    sql = f"CREATE POLICY {quoted(name)} ON {on} FOR {command.upper()} TO {quoted(target.role(part))}"
    sql += f" USING ({using})" if using else ""
    sql += f" WITH CHECK ({check})" if check else ""
    return Fact(
        Kind.RULE,
        f"{table}.{name}",
        fingerprint(sql),
        make=sql,
        unmake=f"DROP POLICY {quoted(name)} ON {on}",
        locks=f"troth.{table}",
    )


# Views


def _readings(plan: Plan, target: Target) -> Iterator[tuple[str, Reading]]:
    """Yield who reads what: each purpose, and the analysts of one that has some."""
    yield from ((reading.purpose, reading) for reading in plan.readings)
    for purpose in target.analysed:
        yield from ((analysts(purpose), reading) for reading in plan.analysed(purpose))


def _views(plan: Plan, catalog: Catalog, target: Target) -> Iterator[Fact]:
    readable: dict[tuple[str, str], set[str]] = {}
    for part, reading in _readings(plan, target):
        readable.setdefault((part, reading.table), set()).add(reading.column)
    for (schema, name), columns in sorted(readable.items()):
        ordered = [c.name for c in catalog.table(name).columns if c.name in columns]
        names = ", ".join(f"t.{quoted(column)}" for column in ordered)
        yield from _view(schema, name, f"SELECT {names} FROM troth.{quoted(name)} AS t", target)
    for counted in plan.counted:
        for schema in _schemas_of(counted.purpose, target):
            yield from _view(schema, f"{counted.table}_counted", view_query(counted), target)
    for unit in plan.units:
        yield from _view(unit.purpose, "withheld", explanation(plan, unit.purpose), target)
    for purpose in target.analysed:
        yield from _view(analysts(purpose), "withheld", explanation(plan, purpose, analysed=True), target)


def _schemas_of(purpose: str, target: Target) -> tuple[str, ...]:
    return (purpose, analysts(purpose)) if purpose in target.analysed else (purpose,)


def _view(schema: str, name: str, query: str, target: Target) -> Iterator[Fact]:
    on = f"{quoted(schema)}.{quoted(name)}"
    sql = f"CREATE VIEW {on} WITH (security_invoker = true) AS {query}"
    yield Fact(
        Kind.VIEW, f"{schema}.{name}", fingerprint(sql), make=sql, unmake=f"DROP VIEW {on}", locks=f"{schema}.{name}"
    )
    yield grant(on, target.role(schema), "SELECT")


# Grants on tables


def _grants(plan: Plan, catalog: Catalog, target: Target) -> Iterator[Fact]:
    for part, reading in _readings(plan, target):
        yield from _columns(reading.table, (reading.column,), target.role(part), "SELECT")
    for counted in plan.counted:
        yield from _columns(counted.table, columns_read(counted), target.role("counter"), "SELECT")
    yield from _sights(plan, catalog, target)
    for table_name, column, privilege in copying.needed(catalog):
        yield from _columns(table_name, (column,), target.role("copier"), privilege)
    for table in catalog:
        for access in table.accesses:
            for privilege, columns in covering.privileges(plan, table, access):
                yield from _columns(table.name, columns, target.role(access.role), privilege.upper())
        if table.stamped:
            yield from _stamper(table, lasting.changed(plan, table.name), target.role("stamper"))
    for held in plan.held:
        writer, reader = ("provisioner", audiences.DIRECTORY) if held.supplied else ("registrar", "registrar")
        yield from _columns(held.table, (held.column,), target.role(reader), "SELECT")
        if not held.wanted:
            yield from _columns(held.table, (held.column,), target.role(writer), "UPDATE")


def _sights(plan: Plan, catalog: Catalog, target: Target) -> Iterator[Fact]:
    for own in (each for each in plan.own if each.privilege not in GOING):
        yield from _columns(own.table, (own.column,), target.role("self"), own.privilege.upper())
    for seen in plan.seen:
        yield from _columns(seen.table, (seen.column,), target.role(seen.role), "SELECT")
        if seen.role == audiences.MIRRORED and catalog.table(seen.table).directed:
            yield from _columns(seen.table, (seen.column,), target.role(audiences.DIRECTORY), "SELECT")
    for each in plan.grantable:
        yield from _columns(each.table, granting.columns_read(each), target.role(granting.TWIN), "SELECT")


def _stamper(table: Table, changed: Collection[str], role: str) -> Iterator[Fact]:
    own = table.inserter == "stamper"
    known = () if own else sorted({*table.key, *changed, "subject", "at", "ended_at", "uses"})
    yield from _columns(table.name, known, role, "SELECT")
    if own:
        yield from _columns(table.name, (), role, "INSERT")
    yield from _columns(table.name, ("uses", "ended_at", *sorted(changed)), role, "UPDATE")
    yield grant(f'"troth".{quoted(table.name)}', role, "DELETE")


def _columns(table: str, columns: Iterable[str], role: str, privilege: str) -> Iterator[Fact]:
    on = f'"troth".{quoted(table)}'
    named = tuple(columns)
    if not named:
        yield grant(on, role, privilege)
    for column in named:
        yield grant(f"{on} ({quoted(column)})", role, privilege)

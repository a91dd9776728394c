"""What the roles' walls must refuse and let through, each tried as the role itself."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from psycopg import sql

from troth.database.probing import REFUSED, UNKNOWN_COLUMN, Round, composed, statement
from troth.policy import audiences
from troth.policy.apart import checks
from troth.policy.catalog import Rows, Table
from troth.policy.counting import name_of
from troth.policy.meaning import Occasion, Precision, Whose, WindowKind
from troth.policy.refusing import DECLINED, judged
from troth.policy.roles import LOGINS, TWINS
from troth.policy.routines import routines
from troth.policy.subjects import LEAST

FORGED = "a token that nobody was given"
NOBODY = "00000000-0000-0000-0000-000000000000"
#: A value of each type that says something, finer than any precision.
VALUES = {
    "inet": "192.0.2.77",
    "uuid": "00000000-0000-0000-0000-000000000001",
    "smallint": "1",
    "numeric": "1",
    "double precision": "1",
    "jsonb": "{}",
    "timestamp with time zone": "now",
    "text": "x",
}
#: A row came past the row rule and stumbled only over what it refers to.
NO_SUCH_SUBJECT = "23503"

# What a purpose may read


def withheld(turn: Round) -> Iterator[str]:
    """No purpose reads a column that the policy withholds from it, neither at its table nor through its view."""
    for purpose in turn.purposes:
        for table in turn.catalog:
            readable = turn.readable(purpose, table)
            for column in turn.read(purpose, table):
                if column not in readable:
                    yield f"`{purpose}` may read `{table.name}.{column}`"
            for column in (c.name for c in table.columns if readable and c.name not in readable):
                asked = statement("probe_read", column=column, schema=purpose, table=table.name)
                if turn.refusal(purpose, asked) not in (REFUSED, UNKNOWN_COLUMN):
                    yield f"`{purpose}` may read `{table.name}.{column}` through its view"


def granted(turn: Round) -> Iterator[str]:
    """Each purpose reads what the policy grants it."""
    for purpose in turn.purposes:
        for name in (*sorted(turn.own_table(purpose)), "withheld", *_counted(turn, purpose)):
            asked = statement("probe_read_all", schema=purpose, table=name)
            if turn.refusal(purpose, asked):
                yield f"`{purpose}` may not read its own view `{name}`"


def _counted(turn: Round, purpose: str) -> list[str]:
    return [f"{counted.table}_counted" for counted in turn.now.plan.counted if counted.purpose == purpose]


def windows(turn: Round) -> Iterator[str]:
    """No purpose sees a row that is older than its window."""
    for rows in turn.now.plan.rows:
        readable = turn.readable(rows.purpose, turn.catalog.table(rows.table))
        if rows.window.kind is WindowKind.DAYS and "at" in readable:
            asked = statement("probe_older", schema=rows.purpose, table=rows.table)
            if turn.rows(rows.purpose, asked, {"hours": rows.window.days * 24}):
                yield f"`{rows.purpose}` sees rows of `{rows.table}` that are older than {rows.window.days} days"


def stamped(turn: Round) -> Iterator[str]:
    """Of those whose rows a purpose sees, each is in it; a use by consent has ended with the account."""
    for rows in turn.now.plan.rows:
        names = {"schema": rows.purpose, "table": rows.table}
        seen = {s for (s,) in turn.rows(rows.purpose, statement("probe_subjects", **names))}
        wrong = set(_outside(turn, seen, turn.bits[rows.purpose], lasting=rows.window.kind is WindowKind.CONSENTED))
        # Somebody may have withdrawn between the two questions: then these are not seen any more.
        if wrong and turn.rows(rows.purpose, statement("probe_subjects_again", **names), {"subjects": list(wrong)}):
            yield f"`{rows.purpose}` sees rows of `{rows.table}` of somebody who is not in it"


def _outside(turn: Round, subjects: set[Any], bit: int, *, lasting: bool) -> Iterator[Any]:
    asked = turn.rows("door", statement("probe_standings"), {"subjects": list(subjects)})
    for subject, uses, agreed in asked:
        if not uses >> bit & 1 or (lasting and not agreed and str(subject) != NOBODY):
            yield subject


# What roles may do


def writes(turn: Round) -> Iterator[str]:
    """No purpose writes anything."""
    for purpose in turn.purposes:
        for table in turn.catalog:
            first = table.columns[0].name
            for verb in ("update", "insert"):
                if not turn.refuses(purpose, statement(f"probe_{verb}", table=table.name, column=first)):
                    yield f"`{purpose}` may {verb} `{table.name}`"
            if not turn.refuses(purpose, statement("probe_delete", table=table.name)):
                yield f"`{purpose}` may remove rows of `{table.name}`"


def partitions(turn: Round) -> Iterator[str]:
    """No role reaches a month past the rules of its table, and the month to come stands ready."""
    for table in (table for table in turn.catalog if table.partitioned):
        with turn.owning() as owner:
            standing, ready = owner.execute(composed("probe_months"), {"parent": f"troth.{table.name}"}).fetchone() or (
                [],
                False,
            )
        if not ready:
            yield f"no month of `{table.name}` stands ready behind the present one"
        for name, role in product(standing, (*LOGINS, *turn.purposes)):
            asked = [statement(f"probe_{verb}", table=name, column="uses") for verb in ("insert", "update")]
            asked += [statement("probe_any", schema="troth", table=name), statement("probe_delete", table=name)]
            if not all(turn.refuses(role, each) for each in asked):
                yield f"`{role}` reaches `{name}` past the rules of `{table.name}`"


def apart(turn: Round) -> Iterator[str]:
    """No role becomes another."""
    everybody = (*LOGINS, *TWINS, *turn.purposes)
    for role in (*LOGINS, *turn.purposes):
        for other in (*(turn.where.role(part) for part in everybody if part != role), turn.where.owner):
            if turn.refusal(role, statement("probe_become", role=other)) != REFUSED:
                yield f"`{role}` may become `{other}`"


def makes(turn: Round) -> Iterator[str]:
    """No role makes anything, not even for itself."""
    for role in (*LOGINS, *turn.purposes):
        for schema in ("troth", "public", *turn.purposes):
            if turn.refusal(role, statement("probe_table", schema=schema)) != REFUSED:
                yield f"`{role}` may make a table in `{schema}`"
        for what in ("temporary", "schema", "block"):
            if turn.refusal(role, statement(f"probe_{what}")) != REFUSED:
                yield f"`{role}` may make a {what}"


def functions(turn: Round) -> Iterator[str]:
    """Each function may be called by those whom the catalog names, and by nobody else."""
    plan = turn.now.plan
    every = [
        (f.name, f.arguments, f.executors) for f in (*turn.catalog.functions, *routines(plan, turn.catalog, turn.bits))
    ]
    every += [(name_of(counted), "", (counted.purpose,)) for counted in plan.counted]
    for name, arguments, named in every:
        # Whoever looks at themselves as an administrator does has what an administrator has.
        executors = {*named, audiences.MIRROR} if audiences.MIRRORED in named else set(named)
        nulls = sql.SQL(", ").join([sql.NULL] * len([kind for kind in arguments.split(",") if kind]))
        asked = composed("probe_call", function=sql.Identifier(name), arguments=nulls)
        for role in (*LOGINS, *turn.purposes):
            refused = turn.refuses(role, asked)
            if refused is (role in executors):
                yield f"`{role}` {'may not' if refused else 'may'} call `{name}`"


def ledger(turn: Round) -> Iterator[str]:
    """Nobody writes into the ledger but through `record`, and nobody changes it."""
    for role in (*LOGINS, *turn.purposes):
        writing = [statement(f"probe_{v}", table="ledger_entry", column="facts") for v in ("insert", "update")]
        asked = [statement("probe_delete", table="ledger_entry"), *writing]
        if not all(turn.refuses(role, each) for each in asked):
            yield f"`{role}` may write into the ledger"


# Who is looking


def viewer(turn: Round) -> Iterator[str]:
    """Without a token, and with a forged one, there is nobody and nothing to see."""
    for token, role in product(("", FORGED), audiences.PROVEN):
        with turn.acting(role) as connection:
            connection.execute(composed("probe_token"), {"token": token})
            if connection.execute(composed("probe_viewer")).fetchone() != (None,):
                yield "a token that nobody was given names a viewer"
            for table in turn.catalog:
                if table.bound and turn.readable(role, table):
                    asked = statement("probe_row", schema="troth", table=table.name)
                    if connection.execute(asked).fetchone():
                        yield f"`{role}` sees rows of `{table.name}` without a viewer"


def shown(turn: Round) -> Iterator[str]:
    """Whoever looks reads the columns that the policy shows them, and no other."""
    for role, table in product(("self", *audiences.ROLES), turn.catalog):
        read, readable = set(turn.read(role, table)), turn.readable(role, table)
        for column in sorted(read ^ readable):
            yield f"`{role}` {'may' if column in read else 'may not'} read `{table.name}.{column}`"


# Who is not known


def identifiers(turn: Round) -> Iterator[str]:
    """Judge that the checks hold which keep anonymous identifiers apart."""
    held = set(turn.owner.execute(statement("probe_held")).fetchall())
    for check in checks(turn.now.plan, turn.catalog):
        table, _, name = check.name.partition(".")
        if (table, name) not in held:
            yield f"`{table}` does not keep `{name}` of whoever is not known"


# What comes in


def intake(turn: Round) -> Iterator[str]:
    """Judge that the intake reads nothing, and stores what is collected, as coarse as is said, and nothing else."""
    for table in turn.catalog:
        granted = any(
            access.role == "intake" and verb == "select" for access in table.accesses for verb, _ in access.privileges
        )
        for column in () if granted else turn.read("intake", table):
            yield f"`intake` may read `{table.name}.{column}`"
        if any(access.role == "intake" and access.rows is Rows.COLLECTED for access in table.accesses):
            for occasion in table.occasions:
                yield from _stored(turn, table, occasion)


def _stored(turn: Round, table: Table, occasion: Occasion) -> Iterator[str]:
    types = dict(turn.rows("intake", composed("probe_types"), {"table": f"troth.{table.name}"}))
    kept = turn.now.plan.kept_on(occasion, table.name)
    whose = {Whose.NOBODY: NOBODY, Whose.IDENTIFIER: str(LEAST)}.get(occasion.whose, VALUES["uuid"])
    row = {name: VALUES[types[name]] for name in table.key} | {"subject": whose}
    plain = _insert(turn, table, row)
    if kept and judged(table) and occasion.whose is not Whose.NOBODY:
        if plain not in (DECLINED, NO_SUCH_SUBJECT):
            yield f"`intake` is answered `{plain}` by a row of `{table.name}` about somebody who permits nothing"
    elif plain not in ("", NO_SUCH_SUBJECT) if kept else plain != REFUSED:
        yield f"`intake` {'cannot' if kept else 'can'} store a row of `{table.name}` on {occasion}"
    for column in table.columns:
        precision = kept.get(column.name)
        if column.category is None or column.generated or column.name in table.key or precision is Precision.AS_IS:
            continue
        if _insert(turn, table, row | {column.name: VALUES.get(types[column.name], "x")}) != REFUSED:
            how = f"finer than its {precision}" if precision else "that is not collected"
            yield f"`intake` can store `{table.name}.{column.name}` {how} on {occasion}"


def _insert(turn: Round, table: Table, row: dict[str, Any]) -> str:
    asked = composed(
        "probe_store",
        table=sql.Identifier(table.name),
        columns=sql.SQL(", ").join(map(sql.Identifier, row)),
        values=sql.SQL(", ").join(map(sql.Literal, row.values())),
    )
    return turn.refusal("intake", asked)

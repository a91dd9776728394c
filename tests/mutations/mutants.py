"""Every fact of the compiled policy with something taken away: what a mutant changes, and how that is undone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.mutations.bodies import rewritten
from tests.mutations.world import CATALOG, Focus, World
from troth.policy.facts import Fact, Kind


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fact, what is taken away, the statements that do so and those that undo it."""

    fact: Fact
    what: str
    change: tuple[str, ...]
    undo: tuple[str, ...]
    focus: Focus

    @property
    def name(self) -> str:
        """Return the name by which `proofs.toml` cites it."""
        return f"{self.fact.kind.name.lower()} {self.fact.name}: {self.what}"

    @property
    def operator(self) -> str:
        """Return what is done, without to which part."""
        return f"{self.fact.kind.name.lower()}: {self.what.partition(' `')[0]}"


def mutants(world: World) -> list[Mutant]:
    """Return every mutant of every fact, in the order of the facts."""
    makers = {
        Kind.ROLE: _roles,
        Kind.MEMBER: _members,
        Kind.SETTING: _settings,
        Kind.SCHEMA: _schemas,
        Kind.CHECK: _checks,
        Kind.FUNCTION: _functions,
        Kind.SECURITY: _security,
        Kind.TRIGGER: _triggers,
        Kind.RULE: _rules,
        Kind.VIEW: _views,
        Kind.GRANT: _grants,
    }
    found = [mutant for fact in world.facts for mutant in makers[fact.kind](fact, world)]
    return list({mutant.name: mutant for mutant in found}.values())


def _roles(fact: Fact, world: World) -> Iterator[Mutant]:
    role, focus = f'"{fact.name}"', Focus(Kind.ROLE, role=fact.name.removeprefix(world.role("")))
    for attribute in ("SUPERUSER", "BYPASSRLS", "CREATEROLE", "CREATEDB", "REPLICATION"):
        yield Mutant(fact, attribute, (f"ALTER ROLE {role} {attribute}",), (f"ALTER ROLE {role} NO{attribute}",), focus)
    if "connections" in fact.value:
        yield Mutant(
            fact, "any number of connections", (f"ALTER ROLE {role} CONNECTION LIMIT -1",), (fact.remake,), focus
        )
    flipped = ("NOLOGIN", "LOGIN") if fact.value else ("LOGIN", "NOLOGIN")
    yield Mutant(fact, flipped[0], (f"ALTER ROLE {role} {flipped[0]}",), (f"ALTER ROLE {role} {flipped[1]}",), focus)
    others = [world.role(part) for part in world.roles]
    # Who is a member already is so by a fact of its own, and nobody can be one of their own members.
    tied = {frozenset(each.name.split(" < ")) for each in world.facts if each.kind is Kind.MEMBER}
    if fact.value:  # of those who cannot log in, nobody is a member but through others
        for other in others:
            if other != fact.name and frozenset((fact.name, other)) not in tied:
                yield Mutant(
                    fact,
                    f"made a member of `{other}`",
                    (f'GRANT "{other}" TO {role}',),
                    (f'REVOKE "{other}" FROM {role}',),
                    focus,
                )


def _members(fact: Fact, world: World) -> Iterator[Mutant]:
    role, _, who = fact.name.partition(" < ")
    undo = (f'REVOKE "{role}" FROM "{who}"', fact.make)
    focus = Focus(Kind.MEMBER, role=who.removeprefix(world.role("")))
    for option in ("SET TRUE", "ADMIN TRUE", "INHERIT FALSE"):
        yield Mutant(fact, f"WITH {option}", (f'GRANT "{role}" TO "{who}" WITH {option}',), undo, focus)
    yield Mutant(fact, "dropped", undo[:1], undo[1:], focus)


LOOSENED = {
    "search_path": "public",
    "default_transaction_read_only": "off",
    "idle_in_transaction_session_timeout": "0",
    "log_statement": "none",
    "statement_timeout": "0",
    "temp_file_limit": "-1",
}


def _settings(fact: Fact, world: World) -> Iterator[Mutant]:
    role, name = fact.name.split(" ")
    focus = Focus(Kind.SETTING, role=role.removeprefix(world.role("")))
    yield Mutant(fact, "dropped", (fact.unmake,), (fact.make,), focus)
    loosened = f"ALTER ROLE \"{role}\" SET {name} = '{LOOSENED[name]}'"
    yield Mutant(fact, "loosened", (loosened,), (fact.make,), focus)


def _schemas(fact: Fact, world: World) -> Iterator[Mutant]:
    for grantee in ("PUBLIC", f'"{world.role("self")}"', f'"{world.role("understand")}"'):
        yield Mutant(
            fact,
            f"CREATE granted to `{grantee.strip(chr(34))}`",
            (f'GRANT CREATE ON SCHEMA "{fact.name}" TO {grantee}',),
            (f'REVOKE CREATE ON SCHEMA "{fact.name}" FROM {grantee}',),
            Focus(Kind.SCHEMA),
        )


def _checks(fact: Fact, world: World) -> Iterator[Mutant]:
    table, _, name = fact.name.partition(".")
    on, focus = f'ALTER TABLE troth."{table}"', Focus(Kind.CHECK, table=table)
    yield Mutant(fact, "dropped", (f'{on} DROP CONSTRAINT "{name}"',), (fact.make,), focus)


def _functions(fact: Fact, world: World) -> Iterator[Mutant]:
    on, focus = (
        f"FUNCTION {fact.name}",
        Focus(Kind.FUNCTION, function=fact.name.removeprefix("troth.").partition("(")[0]),
    )
    # Made again, it keeps its owner and who may call it.
    made = fact.make.split("; ALTER FUNCTION", 1)[0]
    yield Mutant(fact, "search_path dropped", (f"ALTER {on} RESET search_path",), (made,), focus)
    yield Mutant(fact, "SECURITY INVOKER", (f"ALTER {on} SECURITY INVOKER",), (made,), focus)
    public = (f"GRANT EXECUTE ON {on} TO PUBLIC",), (f"REVOKE EXECUTE ON {on} FROM PUBLIC",)
    yield Mutant(fact, "EXECUTE to PUBLIC", *public, focus)
    for what, text in rewritten(focus.function or "", made):
        yield Mutant(fact, what, ("SET check_function_bodies = off", text), (made,), focus)


def _security(fact: Fact, _world: World) -> Iterator[Mutant]:
    on, focus = f'ALTER TABLE "troth"."{fact.name}"', Focus(Kind.SECURITY, fact.name)
    yield Mutant(fact, "FORCE dropped", (f"{on} NO FORCE ROW LEVEL SECURITY",), (fact.make,), focus)
    yield Mutant(fact, "row security off", (f"{on} DISABLE ROW LEVEL SECURITY",), (fact.make,), focus)


def _triggers(fact: Fact, _world: World) -> Iterator[Mutant]:
    table = fact.name.partition(".")[0]
    on, focus = f'troth."{table}"', Focus(Kind.TRIGGER, table)
    yield Mutant(fact, "dropped", (fact.unmake,), (fact.make,), focus)
    disabled = (f"ALTER TABLE {on} DISABLE TRIGGER stamp",), (f"ALTER TABLE {on} ENABLE TRIGGER stamp",)
    yield Mutant(fact, "disabled", *disabled, focus)


# Row rules


def conjuncts(predicate: str) -> list[str]:
    """Return the parts that AND joins at the outermost level."""
    parts, depth, begin = [], 0, 0
    for match in re.finditer(r"[()]| AND ", predicate):
        if match.group() == " AND ":
            if depth == 0:
                parts.append(predicate[begin : match.start()])
                begin = match.end()
        else:
            depth += 1 if match.group() == "(" else -1
    return [*parts, predicate[begin:]]


RULE = re.compile(
    r"^(?P<head>.*? TO \"(?P<role>[^\"]*)\")(?: USING \((?P<using>.*?)\))?(?: WITH CHECK \((?P<check>.*)\))?$"
)
STAMP = re.compile(r"\(uses & (\d+)::bigint\) <> 0")


def _rules(fact: Fact, world: World) -> Iterator[Mutant]:
    table = fact.name.partition(".")[0]
    parsed = RULE.match(fact.make)
    assert parsed, fact.make
    role, using, check = parsed["role"], parsed["using"], parsed["check"]
    focus = Focus(Kind.RULE, table)

    def changed(what: str, text: str) -> Mutant:
        return Mutant(fact, what, (fact.unmake, text), (fact.unmake, fact.make), focus)

    yield Mutant(fact, "dropped", (fact.unmake,), (fact.make,), focus)
    yield changed("TO PUBLIC", fact.make.replace(f'TO "{role}"', "TO PUBLIC", 1))
    if using not in (None, "true"):
        yield changed("USING true", fact.make.replace(f"USING ({using})", "USING (true)", 1))
        yield changed("USING false", fact.make.replace(f"USING ({using})", "USING (false)", 1))
    if check not in (None, "true"):
        yield changed("WITH CHECK true", fact.make.replace(f"WITH CHECK ({check})", "WITH CHECK (true)", 1))
    for which, predicate in (("USING", using), ("WITH CHECK", check)):
        for weaker, what in _weakened(predicate or ""):
            yield changed(
                f"{which} without `{what}`", fact.make.replace(f"{which} ({predicate})", f"{which} ({weaker})", 1)
            )
    stamp = STAMP.search(using or "")
    if stamp:
        for other, bit in world.target.bits.items():
            if str(1 << bit) != stamp[1]:
                yield changed(
                    f"the stamp of `{other}`", fact.make.replace(f"{stamp[1]}::bigint", f"{1 << bit}::bigint", 1)
                )
    yield from _windows(fact, using or "", focus)


def _windows(fact: Fact, using: str, focus: Focus) -> Iterator[Mutant]:
    for hours in re.findall(r"interval '(\d+) hours'", using):
        for how, other_hours in (("longer", int(hours) + 24), ("shorter", int(hours) - 24)):
            text = fact.make.replace(f"'{hours} hours'", f"'{other_hours} hours'", 1)
            yield Mutant(fact, f"the window a day {how}", (fact.unmake, text), (fact.unmake, fact.make), focus)


def _weakened(predicate: str) -> Iterator[tuple[str, str]]:
    """Yield the predicate without one of its conditions; a check has one branch for each occasion."""
    branches = re.split(r"(?<=\)) OR (?=\(subject)", predicate)
    if len(branches) == 1 and not predicate.startswith("(subject"):
        parts = conjuncts(predicate)
        for place, part in enumerate(parts if len(parts) > 1 else ()):
            yield " AND ".join(parts[:place] + parts[place + 1 :]), part
        return
    for branch in branches:
        parts = conjuncts(branch[1:-1])
        for place, part in enumerate(parts):
            left = " AND ".join(parts[:place] + parts[place + 1 :]) or "true"
            visit = " on a visit" if branch.startswith("(subject =") else ""
            yield predicate.replace(branch, f"({left})", 1), f"{part}`{visit}`"[:-1]


# Views and grants


def _views(fact: Fact, _world: World) -> Iterator[Mutant]:
    schema, name = fact.name.split(".")
    focus = Focus(Kind.VIEW, name if any(t.name == name for t in CATALOG) else None, role=schema)
    on = f'"{schema}"."{name}"'
    invoker = (f"ALTER VIEW {on} RESET (security_invoker)",), (f"ALTER VIEW {on} SET (security_invoker = true)",)
    yield Mutant(fact, "without security_invoker", *invoker, focus)
    granted = f'GRANT SELECT ON {on} TO "troth_{schema}"'
    undo = (f"DROP VIEW IF EXISTS {on}", fact.make, granted)

    def changed(what: str, text: str) -> Mutant:
        return Mutant(fact, what, (fact.unmake, text, granted), undo, focus)

    yield Mutant(fact, "dropped", (fact.unmake,), undo, focus)
    if name == "withheld":
        for row in re.findall(r"\('(?:[^']|'')*'(?:, '(?:[^']|'')*'){4}\)", fact.make):
            text = (
                fact.make.replace(f"{row}, ", "", 1)
                if f"{row}, " in fact.make
                else fact.make.replace(f", {row}", "", 1)
            )
            table, column = re.findall(r"'([^']*)'", row)[:2]
            yield changed(f"withheld row missing `{table}.{column}`", text)
        return
    if " AS t" in fact.make:
        shown = re.findall(r't\."(\w+)"', fact.make)
        for column in (c.name for c in CATALOG.table(name).columns):
            if column in shown and len(shown) > 1:
                text = (
                    re.sub(rf't\."{column}"(, )?', "", fact.make, count=1)
                    .replace(",  FROM", " FROM")
                    .replace(", FROM", " FROM")
                )
                yield changed(f"without the column `{column}`", text)
            elif column not in shown:
                yield changed(
                    f"with the column `{column}`", fact.make.replace(" FROM troth", f', t."{column}" FROM troth', 1)
                )


GRANT = re.compile(r'^GRANT (?P<verb>\w+)(?: \("(?P<column>\w+)"\))? ON (?P<thing>.*) TO "(?P<role>\w+)"$', re.DOTALL)


def _grants(fact: Fact, world: World) -> Iterator[Mutant]:
    parsed = GRANT.match(fact.make.replace('("', '("', 1))
    assert parsed, fact.make
    verb, column, thing, role = parsed["verb"], parsed["column"], parsed["thing"], parsed["role"]
    right = f'{verb} ("{column}")' if column else verb
    focus = replace(_about(thing), role=role.removeprefix(world.role("")))
    yield Mutant(fact, f"{verb} dropped", (fact.unmake,), (fact.make,), focus)
    public = (f"GRANT {right} ON {thing} TO PUBLIC",), (f"REVOKE {right} ON {thing} FROM PUBLIC",)
    yield Mutant(fact, f"{verb} to PUBLIC", *public, focus)
    passed = (
        (f'GRANT {right} ON {thing} TO "{role}" WITH GRANT OPTION',),
        (f'REVOKE GRANT OPTION FOR {right} ON {thing} FROM "{role}"',),
    )
    if focus.table or focus.function:
        yield Mutant(fact, f"{verb} with grant option", *passed, focus)
    if column and focus.table:
        # Taking the table's privilege back takes those of its columns along.
        again = tuple(
            f.make
            for f in world.facts
            if f.kind is Kind.GRANT
            and f.make.startswith(f"GRANT {verb} (")
            and f.make.endswith(f'ON {thing} TO "{role}"')
        )
        whole = f'GRANT {verb} ON {thing} TO "{role}"', f'REVOKE {verb} ON {thing} FROM "{role}"'
        yield Mutant(fact, f"{verb} widened to the table", whole[:1], (whole[1], *again), focus)
        held = {m["column"] for m in map(GRANT.match, again) if m}
        for other in (c.name for c in CATALOG.table(focus.table).columns):
            if other not in held and not (verb != "SELECT" and CATALOG.table(focus.table).column(other).generated):
                one = f'{verb} ("{other}") ON {thing}'
                yield Mutant(
                    fact,
                    f"{verb} widened to `{other}`",
                    (f'GRANT {one} TO "{role}"',),
                    (f'REVOKE {one} FROM "{role}"',),
                    focus,
                )


def _about(thing: str) -> Focus:
    table = re.fullmatch(r'"troth"\."(\w+)"', thing)
    if table:
        return Focus(Kind.GRANT, table[1])
    function = re.match(r"FUNCTION (troth|pg_catalog)\.(\w+)\(", thing)
    if function:
        return Focus(Kind.GRANT, function=function[2] if function[1] == "troth" else f"pg_catalog.{function[2]}")
    return Focus(Kind.GRANT)

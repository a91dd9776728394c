"""Which mutants change nothing that anybody could see, and why: judged from the facts, never from what survived."""

import re

from tests.mutations.bodies import NEVER
from tests.mutations.mutants import Mutant
from tests.mutations.world import CATALOG, World
from troth.policy.facts import Kind
from troth.policy.meaning import Occasion
from troth.policy.subjects import LEAST


def reason(mutant: Mutant, world: World) -> str:
    """Return why a mutant is equivalent to what it was made from; empty when it is not."""
    makers = {Kind.RULE: _rule, Kind.VIEW: _view, Kind.SETTING: _setting, Kind.ROLE: _role, Kind.GRANT: _grant}
    made = makers.get(mutant.fact.kind)
    return made(mutant, world) if made else _function(mutant, world) if mutant.fact.kind is Kind.FUNCTION else ""


def _rule(mutant: Mutant, world: World) -> str:
    if f"subject < '{LEAST}'" not in mutant.what:
        return _ruled(mutant, world)
    table = CATALOG.table(mutant.fact.name.partition(".")[0])
    if not table.unknown:
        return "the table's own check keeps whoever is not known out as well"
    collected = world.plan.kept_on(Occasion.COOKIE, table.name)
    if table.through and not collected and mutant.fact.name.endswith("_select"):
        return "nothing is collected there of whoever is not known, and the rule of the intake lets none of theirs in"
    return _ruled(mutant, world)


def _ruled(mutant: Mutant, world: World) -> str:
    table, _, name = mutant.fact.name.partition(".")
    role, _, command = name.rpartition("_")
    if "`subject = " in mutant.what and mutant.what.endswith("on a visit`") and command == "insert":
        visit, access = world.plan.kept_on(Occasion.VISIT, table), world.plan.kept_on(Occasion.ACCESS, table)
        if all(column in access and kept.within(access[column]) for column, kept in visit.items()):
            return "what may be stored of a visit may be stored of a person's access too"
    if "WITH CHECK (false)" in mutant.fact.make and command == "insert" and mutant.what in ("dropped", "TO PUBLIC"):
        return "nothing comes in by a rule that lets nothing in, nor without one"
    if "without `subject <> " in mutant.what and command == "update" and not _names(world, table, role, "subject"):
        return "who may not change whose a row is keeps it whose it was when it came in"
    if mutant.what == "TO PUBLIC" and command != "all":
        others = {who for who in _holders(world, table, command) if who != role}
        if not others:
            return f"no other role may {command} there"
        if others <= {who for who in others if _reaches_all(world, table, who, command)}:
            return f"whoever else may {command} there reaches every row by a rule of its own"
    return ""


def _holders(world: World, table: str, command: str) -> set[str]:
    named = re.compile(rf'GRANT {command.upper()}(?: \("\w+"\))? ON "troth"\."{table}" TO "troth_(\w+)"')
    return {found[1] for fact in world.facts if fact.kind is Kind.GRANT and (found := named.fullmatch(fact.make))}


def _names(world: World, table: str, role: str, column: str) -> bool:
    """Whether a role may change a column of a table."""
    whole = f'GRANT UPDATE ON "troth"."{table}" TO "troth_{role}"'
    named = f'GRANT UPDATE ("{column}") ON "troth"."{table}" TO "troth_{role}"'
    return any(fact.kind is Kind.GRANT and fact.make in (whole, named) for fact in world.facts)


def _reaches_all(world: World, table: str, role: str, command: str) -> bool:
    for fact in world.facts:
        if fact.kind is Kind.RULE and fact.name in (f"{table}.{role}_{command}", f"{table}.{role}_all"):
            return all(part not in fact.make or f"{part} (true)" in fact.make for part in ("USING", "WITH CHECK"))
    return False


def _view(mutant: Mutant, _world: World) -> str:
    if mutant.what == "without security_invoker":
        if mutant.fact.name.endswith(".withheld"):
            return "the view reads no table"
        if mutant.fact.name.endswith("_counted"):
            return "the view reads no table, and a function in a view is called as whoever asks"
    return ""


def _setting(mutant: Mutant, _world: World) -> str:
    if mutant.what == "dropped" and "idle_in_transaction" in mutant.fact.name:
        return "the embedded server sets the same for everybody; the role's own is for a server elsewhere"
    return ""


def _role(mutant: Mutant, _world: World) -> str:
    if mutant.what == "LOGIN":
        return "a role that has no password cannot log in: the server asks for one of everybody but the owner"
    return ""


def _grant(mutant: Mutant, world: World) -> str:
    if "SCHEMA" in mutant.fact.name and mutant.what == "USAGE to PUBLIC":
        if '"troth"' in mutant.fact.name:
            return "every role of the house has it"
        return "passing through a schema shows nothing of what is in it, which is granted by itself"
    if mutant.what == "SELECT to PUBLIC" and '"troth"' not in mutant.fact.name:
        return "nobody else passes through the schema of a purpose"
    if mutant.fact.name.startswith("DATABASE") and mutant.fact.name.endswith("_mirror") and "dropped" in mutant.what:
        return "the mirror inherits it from administrators"
    if mutant.fact.name.startswith("DATABASE") and mutant.what == "CONNECT to PUBLIC":
        return "every role that can log in has it"
    return ""


#: Functions that nobody may call but their owner.
OWN = {f"troth.{f.name}" for f in CATALOG.functions if set(f.executors) <= {f.owner}}
HELD = ("troth.write_held", "troth.want_held", "troth.wanted_in")
OWN |= {"troth.restamp", "troth.end_rows", "troth.remove_subject", *HELD}
#: Statements that matter only where two sessions meet, and the test that has two.
MEETINGS = {
    "FOR UPDATE;": "tests/database/test_endings.py",
    "FROM troth.organization AS o": "tests/rights/test_closing.py",
    "pg_advisory_xact_lock_shared": "tests/database/test_race.py::test_without_the_bucket_a_row_slips_through",
}
#: Functions of which a play looks at the locks that they hold.
LOOKED_AT = "troth.uses_now"


#: What only makes sure of what another statement does as well: function, beginning of the statement, why.
TWICE = (
    ("troth.retain", "since := ", "nothing becomes coarser under the default policy (tests/database/test_coarsening.py)"),
    ("troth.retain", "upto := ", "nothing becomes coarser under the default policy (tests/database/test_coarsening.py)"),
    ("troth.fold", "PERFORM troth.restamp", "it is done before and after the bucket is taken; what comes between, only"
     " two sessions can tell: tests/database/test_race.py"),
    ("troth.agree", "INSERT INTO troth.permitted", "`fold` makes the row as well; here it is made to be locked"),
    ("troth.choose", "RAISE EXCEPTION 'nobody is signed in'", "the account can end only while another session holds it:"
     " tests/database/test_endings.py::test_nobody_agrees_or_chooses_after_the_end"),
    ("troth.permit_application", "RAISE EXCEPTION 'nobody is signed in any more'", "the account can end only while another session"
     " holds it: tests/database/test_endings.py::test_nobody_agrees_or_chooses_after_the_end"),
    ("troth.offer_link", "RAISE EXCEPTION 'nobody is signed in any more'", "the account can end only while another session holds it:"
     " tests/database/test_endings.py::test_nobody_agrees_or_chooses_after_the_end"),
    ("troth.offer_link", "RAISE EXCEPTION 'the policy ties no accounts", "the default policy ties them: tests/people/test_linking.py"
     "::test_without_the_duty_the_database_links_nobody"),
    ("troth.leave_organizations", "PERFORM 1 FROM troth.organization", "only two sessions at once can tell: tests/database/"
     "test_endings.py::test_two_last_owners_who_leave_in_the_same_moment_leave_their_organization_an_owner"),
    ("troth.join_entry", "PERFORM troth.hold_supplied", "no field is declared here (tests/directory/test_fields.py)"),
    ("troth.hold_supplied", "PERFORM troth.record", "no field is declared here (tests/directory/test_fields.py)"),
    ("troth.remove_subject", "DELETE FROM troth.directory_awaited", "its rows go with the entry's"),
    ("troth.end_application", "PERFORM pg_advisory_xact_lock", "only two sessions can tell:"
     " tests/attacks/test_senders.py::test_nothing_is_stored_of_an_answer_that_has_ended_meanwhile"),
    ("troth.end_application_browser", "PERFORM pg_advisory_xact_lock", "only two sessions can tell:"
     " tests/attacks/test_browsers.py::test_nothing_is_stored_of_a_browser_once_its_user_is_told_that_it_ended"),
    ("troth.end_subject", "PERFORM pg_advisory_xact_lock", "only two sessions can tell: tests/attacks/test_identifiers.py"
     "::test_what_is_tied_ends_with_its_account_in_the_order_in_which_rows_come_in"),
    ("troth.remove_subject", "DELETE FROM troth.agreement", "whoever agreed is removed only when no stamped row is left"),
)  # fmt: skip


#: Functions of one statement that needs nothing but what it names with its schema.
#: `unnest` of several arrays is of `pg_catalog` by the language itself.
PLAIN = ("troth.post", "troth.questions", "troth.take_new", "troth.organization_fates")
COARSE = "nothing becomes coarser under the default policy (tests/database/test_coarsening.py)"
#: Function, end of what is taken away, why nobody can see it.
BLIND = (
    ("troth.in_units(", "a consent outlives the account", "`fold` asks it of no account that has ended"),
    *(
        (f"{name}(", "search_path dropped", "its one statement names no operator, and no function without its schema")
        for name in PLAIN
    ),
    *((f"{name}(", "search_path dropped", "only functions that set an empty path call it") for name in HELD),
    ("troth.", NEVER, COARSE),
    (
        "troth.answer_access(",
        "a yes of whoever has not agreed",
        "`record` takes nothing that gives of them (tests/consent/test_ending.py)",
    ),
    ("troth.last_choices(", "SECURITY INVOKER", "the default policy shows people their own choices anyhow"),
)


def _function(mutant: Mutant, world: World) -> str:
    name, what = mutant.fact.name, mutant.what
    ending = re.search(r"`UPDATE troth\.(\w+) AS r SET ended_at", what)
    if ending and name.startswith("troth.sweep("):
        kept = world.plan.longest(ending[1])
        if not (kept.days or kept.after_end or kept.consented):
            return "what no clause keeps is gone with the account, however late it came"
    if what == "SECURITY INVOKER" and name.partition("(")[0] in OWN:
        return "only functions of the same owner call it"
    if name.startswith("troth.retain(") and "`coarser := 0;`" in what and " 1 " not in what:
        return f"the first table set it, and {COARSE}"
    reasons = [why for begins, ends, why in BLIND if name.startswith(begins) and what.endswith(ends)]
    reasons += [why for begins, statement, why in TWICE if name.startswith(begins) and f"`{statement}" in what]
    if not name.startswith(LOOKED_AT):
        reasons += [f"only two sessions at once can tell: {test}" for word, test in MEETINGS.items() if word in what]
    return next(iter(reasons), "")

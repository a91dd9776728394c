"""The plan: what a policy compiles to, when it widens, and what it can never compile to."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from troth.database.catalog import load
from troth.policy import parse
from troth.policy.audiences import ROLES
from troth.policy.catalog import Catalog, Column, Table
from troth.policy.errors import PolicyErrors
from troth.policy.facts import Fact, Kind, difference
from troth.policy.meaning import Occasion, Precision, Window, WindowKind
from troth.policy.plan import plan
from troth.policy.planned import Plan, Retention, Rows, Unheld
from troth.policy.quoting import literal, quoted
from troth.policy.roles import Target
from troth.policy.sql import desired, row_rule
from troth.policy.widening import widened

DEFAULT = re.sub(
    r"\n {4}(?!for )",
    " ",
    (Path(__file__).parents[2] / "policies" / "hosted-solutions.troth").read_text(encoding="utf-8"),
)


HONOUR = "honour global privacy control as an objection to understand [P3]\n"
PLAIN = """policy "Harbor" version 1 effective 2026-11-01
operator "Harbor Software, Inc." contact privacy@harbor.example
category access.ip
purpose protect "keep it safe" by agreement
purpose study "count it" by agreement
purpose provide "run it" by agreement
purpose mend "repair it" by agreement
collect access.ip on access
    for protect 90 days
    for study 90 days as counted
    for provide 90 days as network
    for mend 7 days
"""


def planned(text: str = DEFAULT, *changes: tuple[str, str]) -> Plan:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return plan(parse.read(text, "test"), load())


TARGET = Target(
    "troth",
    {"provide": 0, "protect": 1, "understand": 2, "personalise": 3, "announce": 4} | dict.fromkeys(ROLES, 5),
    {"ann": "understand"},
)


def facts(policy: Plan | None = None) -> tuple[Fact, ...]:
    return desired(policy or planned(), load(), TARGET)


#: What personalises: one grant reaches people's accesses and those of identifiers.
ON_ACCESS = "collect access.url, access.time on access [P8]\n    for personalise while consented"
ON_COOKIE = "collect cookie.identifier, access.url, access.time on cookie [P18]\n    for personalise while consented"


def alike(old: str, new: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the same change to both."""
    return (ON_ACCESS, ON_ACCESS.replace(old, new)), (ON_COOKIE, ON_COOKIE.replace(old, new))


#: Of identifiers no more of an address is stored than its network.
MORE = (
    (ON_ACCESS, ON_ACCESS.replace("access.url", "access.url, access.ip")),
    (ON_COOKIE, f"{ON_COOKIE}\ncollect access.ip on cookie [P8]\n    for personalise while consented as network"),
)
WIDER = {
    "a longer window": ([("for understand 30 days as network", "for understand 31 days as network")], {"understand"}),
    "a category more": (MORE, {"personalise"}),
    "a finer precision": (
        [
            (
                "for protect 90 days as network\n    for understand 30 days as network",
                "for protect 90 days\n    for understand 30 days as network",
            )
        ],
        {"protect"},
    ),
}


def test_a_plan_does_not_widen_itself() -> None:
    assert widened(planned(), planned()) == frozenset()


@pytest.mark.parametrize("what", ["a longer window", "a category more", "a finer precision"])
def test_what_may_do_more_is_widened_and_the_way_back_is_not(what: str) -> None:
    changes, purposes = WIDER[what]
    wider = planned(DEFAULT, *changes)
    assert widened(planned(), wider) == purposes
    assert widened(wider, planned()) == frozenset()


def test_another_occasion_and_another_kind_of_window_widen_and_what_is_taken_away_does_not() -> None:
    sign_in = (
        "    for personalise while consented\ncollect device.model",
        "    for personalise while consented\n    for understand 30 days\ncollect device.model",
    )
    assert widened(planned(), planned(DEFAULT, sign_in)) == {"understand"}
    days = alike("while consented", "5 days")
    assert widened(planned(), planned(DEFAULT, *days)) == {"personalise"}
    without = re.sub(r"collect ([^\n]*) on visit", r"collect \1 on cookie", DEFAULT)
    assert {"understand", "protect"} <= widened(planned(without), planned())
    forever = (
        "    for provide while the account exists\ncollect person.session",
        "    for provide while the account exists then 1 days\ncollect person.session",
    )
    assert widened(planned(), planned(DEFAULT, forever)) == frozenset(), (
        "no purpose reads what the sign-in service holds"
    )
    fewer = (
        (", access.browser, access.kind on access [P8, P9, P14]", " on access [P8, P9, P14]"),
        ("access.browser, access.kind, access.ip on visit", "access.ip on visit"),
    )
    for taken in (fewer, (("30 days as network", "7 days as network"),)):
        assert widened(planned(), planned(DEFAULT, *taken)) == frozenset()
        assert "understand" in widened(planned(DEFAULT, *taken), planned())


SHOWN = """policy "Harbor" version 1 effective 2026-11-01
operator "Harbor Software, Inc." contact privacy@harbor.example
category access.ip
category access.time
category access.browser
category device.browser
purpose protect "keep it safe" by agreement
purpose mend "repair it" by agreement
purpose study "count it" by consent
collect access.ip, access.time on access
    for protect 90 days as network
collect access.browser on access
    for mend 30 days
collect device.browser on access
    for study while consented
coarsen access.ip to network after 7 days
show access.ip, access.time to everyone signed in
"""


@pytest.mark.parametrize(
    ("old", "new", "opens"),
    [
        (" as network", "", True),
        ("as network", "as counted", True),  # what is counted is stored as it is
        ("coarsen access.ip to network after 7 days", "", False),  # nothing finer was stored
        ("for protect 90 days as network", "for protect 91 days as network", True),
        ("for mend 30 days", "for mend 31 days", False),  # rows stayed for 90 days before
        ("for mend 30 days", "for mend while the account exists", True),
        ("for mend 30 days", "for mend 30 days\n    for study while consented", True),
        ("for mend 30 days", "for mend 30 days\n    for study 30 days", False),
        ("for protect 90 days as network", "for protect 30 days as network", False),
        ("show access.ip,", "show access.ip, access.browser,", True),
    ],
)
def test_an_audience_opens_anew_when_it_is_shown_more_exactly_or_for_longer(old: str, new: str, *, opens: bool) -> None:
    reader = {"reader"}
    assert widened(planned(SHOWN), planned(SHOWN, (old, new))) & reader == (reader if opens else set())


def test_an_audience_opens_anew_when_what_it_sees_becomes_coarse_later_or_never() -> None:
    exact = SHOWN.replace(" as network", "")
    for other in ("network after 8 days", ""):
        later = exact.replace(
            "coarsen access.ip to network after 7 days", f"coarsen access.ip to {other}" * bool(other)
        )
        assert "reader" in widened(planned(exact), planned(later))
    sooner = exact.replace("after 7 days", "after 6 days")
    assert "reader" not in widened(planned(exact), planned(sooner))


def test_a_new_purpose_and_another_basis_widen() -> None:
    extra = planned(
        DEFAULT,
        ("# What is collected", 'purpose extra "try" by consent [P3]\n# What is collected'),
        (
            "collect access.url, access.time on access [P8]\n",
            "collect access.url, access.time on access [P8]\n    for extra 5 days\n",
        ),
    )
    assert widened(planned(), extra) == {"extra"}
    assert widened(extra, planned()) == frozenset()
    basis = ('servicio" by legitimate interest', 'servicio" by agreement')
    other = planned(DEFAULT, basis, (HONOUR, ""))
    assert widened(planned(), other) == {"understand"}


def test_a_signal_that_is_honoured_no_more_widens() -> None:
    assert widened(planned(), planned(DEFAULT, (HONOUR, ""))) == {"understand"}
    assert widened(planned(DEFAULT, (HONOUR, "")), planned()) == frozenset()


def test_every_reading_and_every_stored_column_names_its_clause() -> None:
    made = planned()
    known = {collection.clause.name for collection in parse.read(DEFAULT, "x").collections}
    assert {reading.clause for reading in made.readings} <= known
    assert {collected.clause for collected in made.collected} <= known


def test_no_purpose_reads_what_the_sign_in_service_holds() -> None:
    assert not {r.table for r in planned().readings} & {
        "people_account",
        "account_emailaddress",
        "django_session",
        "notice",
    }


def test_a_visit_keeps_the_network_and_never_the_address() -> None:
    kept = planned().kept_on(Occasion.VISIT, "access")
    assert kept["ip"] is Precision.NETWORK
    assert "referrer" not in kept
    assert planned().kept_on(Occasion.ACCESS, "access")["ip"] is Precision.AS_IS


def test_what_no_table_holds_is_named_and_stored_nowhere() -> None:
    text = DEFAULT + "\ncategory shoe.size [P3]\ncollect shoe.size on access [P8]\n    for protect 90 days\n"
    made = planned(text)
    assert set(made.unheld) - set(planned().unheld) == {
        Unheld("shoe.size", Occasion.ACCESS, "collect-shoe-size-on-access")
    }
    assert replace(made, unheld=planned().unheld, digest="") == replace(planned(), digest="")


def test_a_purpose_has_one_window_for_the_rows_of_a_table() -> None:
    text = DEFAULT.replace(
        "for understand 30 days as network\ncollect access.url, access.method",
        "for understand 20 days as network\ncollect access.url, access.method",
    )
    with pytest.raises(PolicyErrors, match="P-T02"):
        planned(text)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        # Visitors' whole addresses would open members' whole addresses to a purpose that may know networks.
        (
            "for protect 90 days as network\n    for understand 30 days as network",
            "for protect 90 days\n    for understand 30 days",
            "access.ip",
        ),
        ("access.kind, access.ip on visit", "access.kind, access.referrer, access.ip on visit", "access.referrer"),
    ],
)
def test_a_purpose_reads_nothing_of_one_occasion_that_it_may_use_on_another_only(old: str, new: str, what: str) -> None:
    with pytest.raises(PolicyErrors, match="P-T03") as found:
        planned(DEFAULT, (old, new))
    assert f"`understand` uses `{what}` on visit" in str(found.value)


def test_a_purpose_without_a_part_in_visits_may_know_more_of_members() -> None:
    made = planned(DEFAULT, *MORE)
    assert ("personalise", "access", "ip") in {(r.purpose, r.table, r.column) for r in made.readings}


def test_each_stamped_table_is_forced_and_each_row_rule_has_stamp_and_window() -> None:
    made = facts()
    forced = {fact.name for fact in made if fact.kind is Kind.SECURITY}
    assert {table.name for table in load().stamped} <= forced
    rules = [
        fact
        for fact in made
        if fact.kind is Kind.RULE and fact.name.split(".")[1] in {f"{unit.purpose}_select" for unit in planned().units}
    ]
    assert len(rules) == len(planned().rows)
    rules += [fact for fact in made if fact.name == "membership.administrator_select"]
    assert "organization = troth.looked_organization()" in rules[-1].make
    assert all(
        "uses &" in rule.make and ("ended_at" in rule.make or "statement_timestamp()" in rule.make) for rule in rules
    )
    assert all(" TO " in fact.make for fact in made if fact.kind is Kind.RULE)


def test_no_row_rule_holds_a_sub_select() -> None:
    """Citus cannot distribute one; neither may a governed table lack its subject in front, or have a virtual column."""
    assert not [
        fact for fact in facts() if fact.kind is Kind.RULE and "select" in fact.make.lower().split(" using ", 1)[-1]
    ]
    assert all(table.key[0] == "subject" for table in load().stamped)


def test_the_row_rule_of_each_kind_of_window() -> None:
    assert row_rule(Rows("p", "t", Window(WindowKind.DAYS, 30)), 2) == (
        "(uses & 4::bigint) <> 0 AND at > statement_timestamp() - interval '720 hours'"
    )
    assert row_rule(Rows("p", "t", Window(WindowKind.ACCOUNT, 0)), 0) == "(uses & 1::bigint) <> 0 AND ended_at IS NULL"
    assert (
        row_rule(Rows("p", "t", Window(WindowKind.CONSENTED, 0)), 1) == "(uses & 2::bigint) <> 0 AND ended_at IS NULL"
    )


def test_the_emitter_quotes() -> None:
    assert quoted('a"b') == '"a""b"'
    assert literal("it's") == "'it''s'"


def test_an_analyst_inherits_one_purpose_and_can_set_nothing() -> None:
    made = {(fact.kind, fact.name): fact for fact in facts()}
    member = made[Kind.MEMBER, "troth_understand_analysts < troth_analyst_ann"]
    assert "INHERIT TRUE, SET FALSE, ADMIN FALSE" in member.make


def test_the_difference_of_equal_facts_is_nothing_and_of_others_is_both_ways() -> None:
    some = Fact(Kind.ROLE, "a", "login")
    assert not difference([some], [Fact(Kind.ROLE, "a", "login", make="other words")])
    found = difference([some], [Fact(Kind.ROLE, "b", "login")])
    assert (found.missing, [fact.name for fact in found.surplus]) == ((some,), ["b"])


def test_views_are_locked_before_tables() -> None:
    lots = [Fact(Kind.RULE, "x", "1", locks="troth.access"), Fact(Kind.VIEW, "y", "1", locks="understand.access")]
    assert difference(lots, []).locked == ("understand.access", "troth.access")


def test_a_table_of_its_own_follows_without_code() -> None:
    """A room that declares a table gets its rules, grants, stamps and retention from the policy alone."""
    extra = Table(
        "note", "records", (Column("subject", reason="whose"), Column("ended_at", reason="end"), Column("uses", reason="stamp"),
                            Column("at", reason="when"), Column("text", category="access.url")),
        key=("subject",), stamped=True, bound=True, occasions=(Occasion.ACCESS,),
    )  # fmt: skip
    made = plan(parse.read(DEFAULT, "x"), Catalog((*load().tables, extra), load().functions))
    assert {r.purpose for r in made.readings if (r.table, r.column) == ("note", "text")} == {
        "protect",
        "understand",
        "personalise",
    }
    assert made.longest("note").days == 90


def test_whoever_sees_finer_values_for_longer_than_agreed_opens_anew() -> None:
    soon, later, coarser = (
        planned(PLAIN + f"coarsen access.ip to network after {days} days\n") for days in (30, 60, 7)
    )
    finer = {"protect", "study"}
    assert widened(soon, planned(PLAIN)) == widened(soon, later) == finer
    assert widened(planned(PLAIN), soon) == widened(soon, coarser) == widened(soon, soon) == frozenset()


def test_nothing_stays_in_a_table_into_which_nothing_is_collected() -> None:
    made = planned(PLAIN)
    assert made.longest("device") == Retention("device", None, None, ())
    assert made.longest("access") == Retention("access", 90, None, ())


def test_the_record_of_agreements_and_choices_stays_while_the_account_does() -> None:
    """Otherwise an objection would be forgotten with its record, and its purpose use everything again."""
    short = "category choice.kind\ncollect choice.kind on agreement\n    for provide 1 days\n"
    assert planned(PLAIN + short).longest("choice") == Retention("choice", 1, 0, ())
    assert planned(PLAIN).longest("agreement") == Retention("agreement", None, 0, ())


@pytest.mark.parametrize(
    ("added", "code"),
    [
        ("coarsen access.time to day after 3 days\n", "P-T06"),
        ("collect person.email on sign-up\n    for understand 30 days as hashed\n", "P-T05"),
    ],
)
def test_what_the_tables_cannot_coarsen_is_refused(added: str, code: str) -> None:
    with pytest.raises(PolicyErrors, match=code):
        planned(DEFAULT + "\n" + added)


def test_what_is_counted_is_read_by_nobody() -> None:
    counted = ON_ACCESS, ON_ACCESS.replace("while consented", "30 days as counted")
    made = planned(DEFAULT, counted, (ON_COOKIE, ""))
    assert not [r for r in made.readings if (r.purpose, r.table) == ("personalise", "access")]
    assert {(c.purpose, c.table, c.columns) for c in made.counted} == {
        ("personalise", table, ("url",)) for table in ("access", "page_view")
    }
    assert {(w.table, w.reason) for w in made.withheld if (w.purpose, w.column) == ("personalise", "url")} == {
        (table, f"only as numbers: read `{table}_counted`") for table in ("access", "page_view")
    }

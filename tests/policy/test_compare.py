"""Two versions side by side: each change has a direction, and the verdict follows from the version people agreed to."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from troth.database.catalog import load
from troth.policy import parse
from troth.policy.compare import Comparison, Direction, Verdict, compare
from troth.policy.differences import Differing
from troth.policy.errors import PolicyErrors
from troth.policy.meaning import Change, Policy
from troth.policy.orders import Kind
from troth.policy.plan import plan
from troth.policy.source import pieces, source
from troth.policy.widening import opened, widened

BASE = """policy "Harbor" version 1 effective 2026-11-01
operator "Harbor, Inc." contact privacy@harbor.example
category person.name, person.email identifying
category person.note
category access.ip identifying
category access.url, access.time
category health.condition sensitive
purpose provide "provide it" by agreement
purpose understand "understand it" in es "entenderlo" by legitimate interest
purpose announce "tell you" by consent
collect person.name, person.email on sign-up
    for provide while the account exists then 30 days
    for announce while consented
collect access.ip, access.url, access.time on access
    for provide 90 days
    for understand 30 days as network
collect health.condition on sign-up
    for announce while consented
collect person.note on sign-up
    for provide while the account exists
coarsen access.ip to network after 60 days
store "__Host-session" as session cookie for provide
store "remember" as persistent cookie for provide 30 days
show person.*, access.* to the person
show person.name to administrators of the person's organization
let people correct person.name within 30 days
let people export person.*
share person.email with "Carrier, Ltd." for announce
never correlate person.note with health.condition
encrypt transmission
tell people who sees a post
notify by e-mail when rights are reduced
ask again when these change: purposes, recipients, sensitive data
allow changes to this policy
"""
#: what is replaced -> (by what, the kind of difference, its direction, the verdict)
CHANGES: dict[str, tuple[str, str, Kind, Direction, Verdict]] = {
    "a shorter window": (
        "for understand 30 days",
        "for understand 7 days",
        Kind.USE,
        Direction.NARROWER,
        Verdict.FAVOURABLE,
    ),
    "a longer window": (
        "for understand 30 days",
        "for understand 31 days",
        Kind.USE,
        Direction.WIDER,
        Verdict.AGREE_AGAIN,
    ),
    "a finer precision": ("30 days as network", "30 days", Kind.USE, Direction.WIDER, Verdict.AGREE_AGAIN),
    "another kind of window": (
        "provide while the account exists\n",
        "provide 900 days\n",
        Kind.USE,
        Direction.INCOMPARABLE,
        Verdict.AGREE_AGAIN,
    ),
    "a sensitive category for another purpose": (
        "collect health.condition on sign-up\n",
        "collect health.condition on access, sign-up\n",
        Kind.USE,
        Direction.WIDER,
        Verdict.AGREE_AGAIN,
    ),
    "an objection taken away": (
        "by legitimate interest",
        "by agreement",
        Kind.PURPOSE,
        Direction.WIDER,
        Verdict.AGREE_AGAIN,
    ),
    "an objection given": (
        'it" by agreement',
        'it" by legitimate interest',
        Kind.PURPOSE,
        Direction.NARROWER,
        Verdict.AGREE_AGAIN,
    ),
    "other words for a purpose": (
        '"tell you"',
        '"sell to you"',
        Kind.SENTENCE,
        Direction.INCOMPARABLE,
        Verdict.AGREE_AGAIN,
    ),
    "other words in a translation": (
        '"entenderlo"',
        '"medirlo"',
        Kind.SENTENCE,
        Direction.INCOMPARABLE,
        Verdict.AGREE_AGAIN,
    ),
    "a wider audience": (
        "to administrators of the person's organization",
        "to the public",
        Kind.SIGHT,
        Direction.WIDER,
        Verdict.AGREE_AGAIN,
    ),
    "a person who sees less": (
        "show person.*, access.* to the person",
        "show person.* to the person",
        Kind.SIGHT,
        Direction.WIDER,
        Verdict.NOTIFY,
    ),
    "another recipient": ("Carrier, Ltd.", "Broker, Ltd.", Kind.RECIPIENT, Direction.WIDER, Verdict.AGREE_AGAIN),
    "a cookie that stays longer": (
        "provide 30 days\nshow",
        "provide 60 days\nshow",
        Kind.STORAGE,
        Direction.WIDER,
        Verdict.NOTIFY,
    ),
    "a cookie that stays": (
        "session cookie for provide",
        "persistent cookie for provide 9 days",
        Kind.STORAGE,
        Direction.WIDER,
        Verdict.NOTIFY,
    ),
    "a slower right": ("within 30 days", "within 60 days", Kind.RIGHT, Direction.WIDER, Verdict.NOTIFY),
    "a right at once": (" within 30 days", "", Kind.RIGHT, Direction.NARROWER, Verdict.FAVOURABLE),
    "a right with a condition": (
        "export person.*",
        "export person.* unless a legal duty keeps it",
        Kind.RIGHT,
        Direction.WIDER,
        Verdict.NOTIFY,
    ),
    "later coarsening": ("after 60 days", "after 80 days", Kind.COARSENING, Direction.WIDER, Verdict.AGREE_AGAIN),
    "what was kept apart": (
        "never correlate person.note with health.condition\n",
        "",
        Kind.CORRELATION,
        Direction.WIDER,
        Verdict.AGREE_AGAIN,
    ),
    "no encryption": ("encrypt transmission\n", "", Kind.DUTY, Direction.WIDER, Verdict.AGREE_AGAIN),
    "less to ask again about": (
        "change: purposes, recipients, sensitive data",
        "change: purposes",
        Kind.DUTY,
        Direction.WIDER,
        Verdict.AGREE_AGAIN,
    ),
    "what is not declared dropped and no longer refused": (
        "encrypt transmission\n",
        "encrypt transmission\ndrop what is not declared in metadata\n",
        Kind.DUTY,
        Direction.WIDER,
        Verdict.AGREE_AGAIN,
    ),
    "what is not declared refused by a clause": (
        "encrypt transmission\n",
        "encrypt transmission\nrefuse what is not declared in metadata\n",
        Kind.DUTY,
        Direction.NARROWER,
        Verdict.FAVOURABLE,
    ),
    "a letter for an e-mail": ("by e-mail", "by letter", Kind.DUTY, Direction.INCOMPARABLE, Verdict.AGREE_AGAIN),
    "no more changes": ("allow changes to this policy\n", "", Kind.DUTY, Direction.NARROWER, Verdict.FAVOURABLE),
    "a category that is sensitive no more": (
        "health.condition sensitive",
        "health.condition",
        Kind.CATEGORY,
        Direction.WIDER,
        Verdict.AGREE_AGAIN,
    ),
    "words of its own for a category": (
        "encrypt transmission\n",
        'encrypt transmission\ncall person.note "what you had for lunch"\n',
        Kind.WORDS,
        Direction.INCOMPARABLE,
        Verdict.NOTIFY,
    ),
    "another owner": (
        'operator "Harbor, Inc."',
        'operator "Bay, Inc."',
        Kind.HEAD,
        Direction.NEUTRAL,
        Verdict.EDITORIAL,
    ),
    "a new purpose": (
        "collect person.note on sign-up\n",
        'purpose sell "sell it" by consent\ncollect person.note on sign-up\n    for sell while consented\n',
        Kind.PURPOSE,
        Direction.WIDER,
        Verdict.ASK,
    ),
}


def read(text: str) -> Policy:
    return parse.read(text, "test")


def changed(old: str, new: str) -> Policy:
    assert BASE.count(old) >= 1
    return read(BASE.replace(old, new, 1))


def mirrored(comparison: Comparison) -> list[tuple[object, ...]]:
    return [(d.kind, d.about, d.direction.mirrored, d.new, d.old) for d in comparison.deltas]


def plain(comparison: Comparison) -> list[tuple[object, ...]]:
    return [(d.kind, d.about, d.direction, d.old, d.new) for d in comparison.deltas]


@pytest.mark.parametrize("what", CHANGES)
def test_each_change_has_its_direction_and_its_verdict(what: str) -> None:
    old, new, kind, direction, verdict = CHANGES[what]
    comparison = compare(read(BASE), changed(old, new))
    assert direction in {delta.direction for delta in comparison.deltas if delta.kind is kind}
    assert comparison.verdict is verdict


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("what", CHANGES)
def test_each_difference_is_said_both_ways_in_each_language(what: str, language: str) -> None:
    old, new, *_ = CHANGES[what]
    pair = read(BASE), changed(old, new)
    for before, after in (pair, pair[::-1]):
        differing = Differing(before, after, language)
        comparison = compare(before, after)
        for delta in comparison.deltas:
            said = differing.sentence(delta)
            assert said[0] == said[0].upper()
            assert "{" not in said
            assert differing.direction(delta)
        assert differing.verdict(comparison)


@pytest.mark.parametrize("what", CHANGES)
def test_the_way_back_is_the_mirror(what: str) -> None:
    old, new, *_ = CHANGES[what]
    there, back = compare(read(BASE), changed(old, new)), compare(changed(old, new), read(BASE))
    assert plain(back) == mirrored(there)


def test_promises_remarks_notes_version_and_date_are_no_atoms() -> None:
    other = BASE.replace("version 1 effective 2026-11-01", "version 2 effective 2027-01-01")
    other = other.replace("encrypt transmission", 'encrypt transmission [P34]\nnote "We sail."') + "# a remark\n"
    comparison = compare(read(BASE), read(other))
    assert (comparison.deltas, comparison.verdict) == ((), Verdict.EDITORIAL)


CALL = 'call person.note "what you note" in es "lo que anotas"\n'


@pytest.mark.parametrize(("before", "after"), [("", CALL), (CALL, ""), (CALL, CALL.replace("you note", "you ate"))])
def test_other_words_are_another_difference_in_however_many_steps(before: str, after: str) -> None:
    """Words that are taken away are replaced by the house's: in two steps nobody is told less than in one."""
    comparison = compare(read(BASE + before), read(BASE + after))
    assert [(d.kind, d.direction) for d in comparison.deltas] == [(Kind.WORDS, Direction.INCOMPARABLE)]
    assert comparison.verdict is Verdict.NOTIFY
    said = Differing(read(BASE + before), read(BASE + after), "es").sentence(*comparison.deltas)
    assert ("lo que anotas" in said) is bool({before, after}.intersection({CALL}))
    asking = BASE.replace("change: purposes", "change: categories, purposes")
    assert compare(read(asking + before), read(asking + after)).verdict is Verdict.AGREE_AGAIN


def test_words_of_a_category_that_is_new_are_part_of_it() -> None:
    new = BASE + 'category person.mood\ncall person.mood "how you feel"\n'
    assert Kind.WORDS not in {delta.kind for delta in compare(read(BASE), read(new)).deltas}


def test_a_policy_without_a_rule_asks_again_about_whatever_reaches_further() -> None:
    text = BASE.replace("ask again when these change: purposes, recipients, sensitive data\n", "")
    longer = text.replace("for understand 30 days", "for understand 31 days")
    assert compare(read(text), read(longer)).verdict is Verdict.AGREE_AGAIN


def test_the_rule_of_the_version_that_people_agreed_to_decides() -> None:
    new = BASE.replace("purposes, recipients, sensitive data", "storage").replace("30 days\nshow", "40 days\nshow")
    comparison = compare(read(BASE), read(new))
    assert {change for delta in comparison.significant for change in delta.changes} == {Change.DUTIES}
    stricter = BASE.replace("purposes, recipients, sensitive data", "storage")
    longer = stricter.replace("30 days\nshow", "40 days\nshow")
    assert compare(read(stricter), read(longer)).verdict is Verdict.AGREE_AGAIN


HONOUR = "honour global privacy control as an objection to understand\n"
REACHING = {
    "a window": ("for understand 30 days", "for understand 31 days"),
    "a precision": ("30 days as network", "30 days"),
    "an occasion": ("on access\n", "on access, visit\n"),
    "a basis": ("by legitimate interest", "by agreement"),
    "a basis that reaches less": ('it" by agreement', 'it" by legitimate interest'),
    "an audience": ("administrators of the person's organization", "the public"),
    "a coarsening": ("after 60 days", "after 80 days"),
    "a signal": (HONOUR, ""),
}


@pytest.mark.parametrize("what", REACHING)
def test_whatever_lets_a_purpose_or_an_audience_reach_further_asks_whatever_the_rule_lists(what: str) -> None:
    """Nobody is in it before they agree, so a notice alone would leave everybody out."""
    old, new = REACHING[what]
    text = BASE.replace("purposes, recipients, sensitive data", "storage") + HONOUR * (what == "a signal")
    assert text.count(old) >= 1
    comparison = compare(read(text), read(text.replace(old, new, 1)))
    assert comparison.verdict is Verdict.AGREE_AGAIN
    assert comparison.significant == comparison.deltas


def test_what_opens_asks_though_no_difference_is_wider() -> None:
    """An audience that was none before begins with nobody in it, also where another one saw as much."""
    public = read(BASE.replace("administrators of the person's organization", "the public"))
    beginning = opened(public, read(BASE), load())
    assert beginning == {"administrator"}
    alone, comparison = compare(public, read(BASE)), compare(public, read(BASE), beginning)
    assert [delta.direction for delta in comparison.deltas] == [Direction.NARROWER]
    assert (alone.verdict, alone.agree_again) == (Verdict.FAVOURABLE, False)
    assert (comparison.verdict, comparison.agree_again, comparison.significant) == (Verdict.AGREE_AGAIN, True, ())


@pytest.mark.parametrize("before", ["the public", "everyone signed in"])
def test_what_is_shown_to_chosen_people_alone_asks_nobody(before: str) -> None:
    text = BASE.replace("administrators of the person's organization", before)
    chosen = read(BASE.replace("administrators of the person's organization", "chosen people"))
    comparison = compare(read(text), chosen, opened(read(text), chosen, load()))
    assert comparison.verdict is Verdict.FAVOURABLE


def test_tables_that_cannot_hold_to_a_version_open_nothing() -> None:
    more = "collect access.url on visit\n    for understand 9 days\ncollect access.ip on visit\n    for understand 8 days\n"
    unheld = read(BASE + more)
    assert opened(read(BASE), unheld, load()) == frozenset()


# Laws


def edited(choices: list[str]) -> str:
    text = BASE
    for what in choices:
        old, new, *_ = CHANGES[what]
        text = text.replace(old, new, 1)
    return text


def sound(text: str) -> bool:
    try:
        read(text)
    except PolicyErrors:
        return False
    return True


versions = st.lists(st.sampled_from(sorted(CHANGES)), max_size=6, unique=True).map(edited).filter(sound)


@settings(max_examples=60, deadline=None)
@given(versions)
def test_a_version_does_not_differ_from_itself(text: str) -> None:
    comparison = compare(read(text), read(text))
    assert (comparison.deltas, comparison.verdict, comparison.asked) == ((), Verdict.EDITORIAL, ())


@settings(max_examples=60, deadline=None)
@given(versions, versions)
def test_swapping_mirrors(one: str, other: str) -> None:
    assert plain(compare(read(other), read(one))) == mirrored(compare(read(one), read(other)))


@settings(max_examples=60, deadline=None)
@given(versions, versions, versions)
def test_widening_is_transitive(first: str, second: str, third: str) -> None:
    """What widens on each of two steps, or stays, is never narrower at the end; what narrows likewise."""
    steps = [compare(read(a), read(b)) for a, b in ((first, second), (second, third), (first, third))]
    one, two, both = ({(d.kind, d.about): d.direction for d in step.deltas} for step in steps)
    for key in {*one, *two}:
        pair = {one.get(key, Direction.NEUTRAL), two.get(key, Direction.NEUTRAL)}
        for direction in (Direction.WIDER, Direction.NARROWER):
            if direction in pair and pair <= {direction, Direction.NEUTRAL}:
                assert both.get(key) is direction


@settings(max_examples=60, deadline=None)
@given(versions, st.randoms(use_true_random=False))
def test_the_order_of_clauses_changes_nothing(text: str, chance: random.Random) -> None:
    clauses = [piece.text for piece in pieces(source(text, "x"))]
    chance.shuffle(clauses)
    assert compare(read(text), read("\n".join(clauses) + "\n")).deltas == ()


@settings(max_examples=60, deadline=None)
@given(versions, versions)
def test_whatever_a_plan_newly_lets_somebody_see_is_a_wider_difference(one: str, other: str) -> None:
    try:
        before, after = plan(read(one), load()), plan(read(other), load())
    except PolicyErrors:
        return
    comparison = compare(read(one), read(other))
    reducing = [delta for delta in comparison.deltas if delta.reduces]
    named = {part for delta in reducing for part in delta.about}
    seen = {(r.purpose, r.table, r.column) for r in before.readings}
    for reading in after.readings:
        if (reading.purpose, reading.table, reading.column) not in seen:
            assert reading.purpose in named
    for rows in after.rows:
        earlier = [r.window for r in before.rows if (r.purpose, r.table) == (rows.purpose, rows.table)]
        if not any(rows.window.within(window) for window in earlier):
            assert rows.purpose in named
    by_basis = {delta.about[0] for delta in comparison.deltas if delta.kind is Kind.PURPOSE}
    finer = {delta.about[0] for delta in reducing if delta.kind is Kind.COARSENING}
    by_coarsening = {unit.purpose for unit in after.units if finer.intersection(atom.category for atom in unit.atoms)}
    looking = set(after.audiences)
    assert widened(before, after) - looking <= named | by_basis | by_coarsening
    assert comparison.agree_again or not widened(before, after) - looking, "nobody is in it, and nobody is asked"
    for role in widened(before, after) & looking:
        # Shown to more people, or to people who were others before and are a role of their own now.
        fresh = after.shown_to(role) - before.shown_to(role)
        assert fresh & named or fresh <= {each for other in before.audiences for each in before.shown_to(other)}
        assert fresh or reducing, "nothing more is shown, and nothing is stored more exactly or for longer"


def test_a_comparison_that_orders_nothing_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from troth.policy import orders

    monkeypatch.setitem(orders.ORDERS, Kind.USE, lambda _these, _those: True)
    with pytest.raises(AssertionError):
        test_each_change_has_its_direction_and_its_verdict("a longer window")


def test_what_is_about_visitors_asks_nothing_of_them_and_says_so() -> None:
    """Their data is said to be theirs; only whoever agreed can be asked again."""
    visits = "collect access.ip on visit\n    for provide {} days\n"
    before, after = read(BASE + visits.format(30)), read(BASE + visits.format(60))
    comparison = compare(before, after)
    (line,) = Differing(before, after).lines(comparison)
    assert (line.significant, line.visitors) == (True, True)
    assert "their network address" in line.text
    comparison = compare(read(BASE), read(BASE.replace("provide 90 days", "provide 91 days")))
    assert not any(each.visitors for each in Differing(before, after).lines(comparison))


def test_what_refers_to_another_kind_of_data_is_said_after_it() -> None:
    crashes = "collect crash.metadata, crash.time, crash.report on crash\n    for provide 30 days\n"
    known = BASE + "category crash.metadata, crash.time, crash.report\n"
    before, after = read(known), read(known + crashes)
    comparison = compare(before, after)
    (line,) = Differing(before, after).lines(comparison)
    said = [line.text.index(words) for words in ("what went wrong", "adds about the crash", "when it went wrong")]
    assert said == sorted(said)
    ((sentence, _alike),) = Differing(before, after).together(comparison.deltas)
    assert sentence == line.text

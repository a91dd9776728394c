"""What one clause says and another takes back is found, wherever it stands."""

import pytest

from troth.policy import check, parse
from troth.policy.errors import PolicyError, PolicyErrors

HEAD = """policy "Test" version 1 effective 2026-11-01
operator "Somebody" contact a@b.example
category person.name, access.ip, access.time, access.url
category health.condition sensitive
category location.gps
purpose provide "provide it" by agreement
purpose treat "treat you" by consent
purpose archive "keep records" by legal duty
collect person.name, access.time on access
    for provide 30 days
collect health.condition on transaction
    for treat while consented
    for archive 3650 days
"""


def errors(added: str) -> tuple[PolicyError, ...]:
    try:
        parse.read(HEAD + added, "test.troth")
    except PolicyErrors as found:
        return found.errors
    return ()


def test_what_is_sensitive_goes_to_a_recipient_by_consent_or_legal_duty_only() -> None:
    found = errors('share health.condition with "Lab" for provide\n')
    assert [(e.code, e.sentence) for e in found] == [
        ("P-M06", "`health.condition` is sensitive, and `provide` is by agreement")
    ]
    assert errors('share health.condition with "Lab" for treat\n') == ()
    assert errors('share health.condition with "Lab" for archive\n') == ()


@pytest.mark.parametrize(
    ("clause", "word"),
    [
        ('share location.gps with "Lab" for provide', "share"),
        ("coarsen location.gps to city after 3 days", "coarsen"),
        ("let people post location.gps to the public", "post"),
        ("show location.gps to the public", "show"),
        ("let people delete location.gps", "have a right to"),
    ],
)
def test_nothing_is_done_with_what_is_never_collected(clause: str, word: str) -> None:
    assert [(e.code, e.sentence) for e in errors(clause + "\n")] == [
        ("P-M08", f"`location.gps` is never collected, so there is nothing to {word}")
    ]
    assert errors("collect location.gps on post\n    for provide 9 days\n" + clause + "\n") == ()


@pytest.mark.parametrize("days", [0, 36_501])
def test_a_deadline_is_a_time_that_comes(days: int) -> None:
    assert [e.code for e in errors(f"let people delete person.name within {days} days\n")] == ["P-M12"]
    assert errors("let people delete person.name within 1 days\n") == ()


@pytest.mark.parametrize(
    ("clause", "sentence"),
    [
        ('note " "', "the note says nothing"),
        ('note "a" in es " "', "the text in `es` says nothing"),
        ('call person.name "your name" in es ""', "the text in `es` says nothing"),
    ],
)
def test_what_is_said_says_something(clause: str, sentence: str) -> None:
    assert [(e.code, e.sentence) for e in errors(clause + "\n")] == [("P-M13", sentence)]


def test_nothing_is_correlated_with_itself() -> None:
    assert errors("never correlate health.* with health.condition\n") == ()
    found = errors("never correlate person.*, access.time with person.name\n")
    assert [e.sentence for e in found] == [
        "`provide` uses `access.time` and `person.name`, and so could correlate them"
    ]


def test_what_cannot_be_made_coarser_is_said_plainly() -> None:
    found = errors("coarsen person.name to hour after 3 days\n")
    assert [(e.code, e.sentence) for e in found] == [("P-M05", "`person.name` cannot be made `hour`")]


def test_a_misspelt_name_is_one_error_and_not_two() -> None:
    lost = HEAD.replace("for treat while", "for tread while")
    with pytest.raises(PolicyErrors) as found:
        parse.read(lost, "test.troth")
    assert [e.code for e in found.value.errors] == ["P-N02"]
    lost = HEAD.replace("collect person.name", "collect person.nmae") + "show person.name to the person\n"
    with pytest.raises(PolicyErrors) as found:
        parse.read(lost, "test.troth")
    assert [e.code for e in found.value.errors] == ["P-N01"]


@pytest.mark.parametrize("verb", ["delete", "erase"])
def test_nobody_is_promised_the_end_of_what_the_law_keeps(verb: str) -> None:
    found = errors(f"let people review, {verb} health.*, person.name within 30 days\n")
    assert [(e.code, e.sentence) for e in found] == [
        ("P-M20", f"people may {verb} `health.condition`, and `archive` keeps it by legal duty")
    ]
    assert errors(f"let people {verb} health.* unless a legal duty keeps it\n") == ()
    assert errors(f"let people {verb} person.name within 30 days\n") == ()
    assert errors("let people review, restrict health.*\n") == ()


PARTED = "never correlate person.name with access.time\n"


def test_what_is_never_correlated_is_used_by_no_one_purpose() -> None:
    """P27: what one purpose reads it can join; what the policy rules out, no single purpose may read."""
    assert [e.code for e in errors(PARTED)] == ["P-M15"]
    assert errors("never correlate person.name with health.condition\n") == ()


def test_a_rule_against_correlation_that_nothing_checks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_parted", lambda _desk: None)
    with pytest.raises(AssertionError):
        test_what_is_never_correlated_is_used_by_no_one_purpose()


def test_what_is_not_declared_is_either_refused_or_dropped() -> None:
    refuse, drop = (f"{word} what is not declared in metadata\n" for word in ("refuse", "drop"))
    assert (errors(refuse), errors(drop)) == ((), ())
    assert [e.code for e in errors(refuse + drop)] == ["P-M17"]

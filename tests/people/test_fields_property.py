"""Fields of every type under every permission: what somebody writes they read back, export and erase; the rest is refused."""

from collections.abc import Iterator
from datetime import date
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from tests.conftest import Person, make
from tests.people.test_fields import field, refusal, values, version
from tests.rights.asking import erased, exported, part
from troth.database import connect, published
from troth.people import cleaning, fielding, profiles
from troth.people.errors import FieldRefusal
from troth.people.fields import TYPES
from troth.policy.declaring import LARGEST, LONGEST, Type

VERBS = ("review", "correct", "delete")
MAY = [chosen for many in range(4) for chosen in combinations(VERBS, many) if "correct" in chosen]
WORDS = ("one", "two-2", "three_3")


def name(kind: Type, may: tuple[str, ...]) -> str:
    return "_".join((kind.replace(" ", "_"), *may))


def told(kind: Type, may: tuple[str, ...]) -> str:
    """Return a field as the operator writes it."""
    called = name(kind, may)
    choices = "".join(f'\n{word} = {{ en = "{word}", es = "{word}" }}' for word in WORDS)
    return f"""
[{called}]
type = "{kind}"
category = "person.profile"
may = [{", ".join(f'"{verb}"' for verb in may)}]
label = {{ en = "{called}", es = "{called}" }}
""" + (f"[{called}.choices]{choices}\n" if kind is Type.CHOICE else "")


FIELDS = "".join(told(kind, may) for kind in TYPES for may in MAY)
PLAIN = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp", "Zs"])
VALUES: dict[Type, st.SearchStrategy[Any]] = {
    Type.TEXT: st.text(PLAIN, min_size=1, max_size=LONGEST[Type.TEXT][1]),
    Type.LONG: st.lists(st.text(PLAIN, min_size=1, max_size=40), min_size=1, max_size=8).map("\n".join),
    Type.NUMBER: st.integers(-LARGEST, LARGEST),
    Type.DATE: st.dates(date(1, 1, 1), date(9999, 12, 31)),
    Type.CHOICE: st.sampled_from(WORDS),
    Type.YES_NO: st.booleans(),
    Type.WEB: st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=200).map(
        "https://{}".format
    ),
    Type.PHONE: st.from_regex(r"\+?[0-9]{3,20}", fullmatch=True),
}
CASES = st.sampled_from(TYPES).flatmap(lambda kind: st.tuples(st.just(kind), st.sampled_from(MAY), VALUES[kind]))


@pytest.fixture
def declared(owner: Connection[Any]) -> Iterator[Connection[Any]]:
    version(owner, 2, ("agreement.*, choice.*, notice.* [P22]\nlet people correct",
                       "agreement.*, choice.*, notice.* within assigned permissions [P22]\nlet people correct"))  # fmt: skip
    fielding.declare(owner, {"text": FIELDS})
    published.forget()
    yield owner
    published.forget()


def test_whatever_is_written_is_read_back_exported_and_erased(
    declared: Connection[Any], cast: dict[str, Person]
) -> None:
    alice = cast["alice"]
    kept: dict[str, Any] = {}

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(CASES)
    def write(case: tuple[Type, tuple[str, ...], Any]) -> None:
        kind, may, value = case
        called = field(name(kind, may))
        clean = cleaning.clean(called.column, value)
        profiles.tell(token=alice.token, field=called, value=clean)
        kept[called.name] = clean
        seen = values(alice)
        # The right to correct shows what is corrected; nothing that another told stands there.
        assert seen[called.name] == clean
        assert {each: told for each, told in seen.items() if told is not None} == kept
        if "delete" in may:
            assert profiles.empty(token=alice.token, field=called)
            del kept[called.name]
            assert values(alice)[called.name] is None
        else:
            with pytest.raises(FieldRefusal):
                profiles.empty(token=alice.token, field=called)
            assert refusal("self", f"SELECT troth.empty_own('profile', '{called.name}')", alice.token) == "TR060"

    write()
    (row,) = part(exported(declared, alice), "profile").rows
    written = {each: told for each, told in row.values.items() if told is not None}
    assert {each: str(told) for each, told in kept.items()}.items() <= {k: str(v) for k, v in written.items()}.items()
    erased(declared, alice)
    published.forget()
    assert refusal("self", "SELECT troth.empty_own('profile', 'text_correct')", "of nobody") == "TR003"
    left = declared.execute(
        "SELECT count(*) FROM troth.profile WHERE subject = %s AND ended_at IS NULL", (alice.subject,)
    )
    assert left.fetchone() == (0,)


def test_what_somebody_may_not_change_is_refused_for_each_type_and_permission(
    declared: Connection[Any], cast: dict[str, Person]
) -> None:
    """Whoever is somebody else, or acts as any other role, changes and reads nothing, whatever its type and permission."""
    alice, frank = cast["alice"], make(declared, "Frank")
    profiles.tell(token=alice.token, field=field("text_correct"), value="canary")
    for each in profiles.fields():
        about = f'"{each.name}"'
        with connect.acting("self", token=frank.token) as connection:
            for whose in (f" WHERE subject = '{alice.subject}'", ""):
                assert connection.execute(f"UPDATE troth.profile SET {about} = NULL{whose}".encode()).rowcount == 0
                assert connection.execute(f"SELECT {about} FROM troth.profile{whose}".encode()).rowcount == 0
        for role in ("door", "understand", "intake", "member", "administrator"):
            assert refusal(role, f"UPDATE troth.profile SET {about} = NULL", frank.token) in ("42501", "25006")
        if "delete" not in profiles.allowed(each):
            assert refusal("self", f"SELECT troth.empty_own('profile', '{each.name}')", alice.token) == "TR060"

"""What a text of fields may say is held against the policy: the line that is not covered, and the clause it would need."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import POLICY
from troth.database.catalog import load
from troth.people.cleaning import PHONE, clean
from troth.people.errors import FieldRefusal, ManifestRefusal
from troth.people.fields import Field, read
from troth.policy import parse
from troth.policy.declaring import Type
from troth.policy.plan import plan

SOURCE = POLICY.read_text(encoding="utf-8")
LABEL = 'label = { en = "Phone", es = "Teléfono" }'
TEXT = f"""[phone]
type = "phone"
category = "person.phone"
{LABEL}
asked = "profile"
"""


def sound(text: str, *changes: tuple[str, str]) -> tuple[Field, ...]:
    """Read a text against the default policy, or a changed one, as where nothing is declared yet."""
    source = SOURCE
    for old, new in changes:
        assert old in source
        source = source.replace(old, new)
    policy, catalog = parse.read(source, "the policy"), load()
    return read(text, policy=policy, plan=plan(policy, catalog), catalog=catalog)


def refused(text: str, *changes: tuple[str, str]) -> list[str]:
    with pytest.raises(ManifestRefusal) as refusal:
        sound(text, *changes)
    return refusal.value.sentence.splitlines()[1:] or [refusal.value.sentence]


def test_a_text_becomes_what_it_says() -> None:
    (field,) = sound(TEXT)
    assert (field.name, field.type, field.category) == ("phone", Type.PHONE, "person.phone")
    assert (field.table, field.occasion, field.required, field.may) == ("profile", "profile", False, None)
    assert (field.said("es"), field.said("fr")) == ("Teléfono", "Phone")


def test_the_fields_that_the_default_policy_ships_with_are_covered_by_it() -> None:
    shipped = sound(POLICY.with_suffix(".fields.toml").read_text(encoding="utf-8"))
    assert [field.occasion for field in shipped] == ["profile"] * 4, "sign-up asks for nothing needless"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("[phone]", "[Phone]", 1, "`Phone` names no field"),
        ("[phone]", "[subject]", 1, "`subject` is what `profile` calls something of its own"),
        ('type = "phone"', 'type = "json"', 2, "`type` is one of text, long text, whole number"),
        ('type = "phone"', 'type = "identifier"', 2, "`type` is one of"),
        ('type = "phone"\n', "", 1, "has no `type`"),
        (f"{LABEL}\n", "", 1, "has no `label`"),
        (LABEL, 'label = { en = "Phone" }', 4, "a label stands in each language"),
        (LABEL, 'label = { en = "Ph\\u202eone", es = "x" }', 4, "a label is a text of at most 100"),
        (LABEL, 'label = { en = " ", es = "x" }', 4, "a label is a text of at most 100"),
        ('asked = "profile"', 'asked = "sign-in"', 5, "`asked` is one of sign-up, profile"),
        ('asked = "profile"', "required = true", 5, 'only what is asked = "sign-up" can be required'),
        ('asked = "profile"', "required = 1", 5, "`required` is true or false"),
        ('asked = "profile"', "longest = 41", 5, "`longest` is a number of characters from 1 to 40"),
        ('asked = "profile"', "longest = true", 5, "`longest` is a number of characters"),
        ('asked = "profile"', 'choices = { a = { en = "A", es = "A" } }', 5, '`choices` are for type = "choice"'),
        ('asked = "profile"', 'may = ["erase"]', 5, "`may` lists permissions out of review, correct, delete"),
        ('asked = "profile"', 'may = ["review"]', 3, 'needs "correct" in `may`'),
        ('asked = "profile"', 'held_by = "state"', 5, "`held_by` is one of person, organization"),
        ('asked = "profile"', 'colour = "red"', 5, "`colour` means nothing in a field"),
        ('"person.phone"', "7", 3, "`category` is one of the policy's"),
        ('"person.phone"', '"person.shoe_size"', 3, "it would need: category person.shoe_size"),
        ('"person.phone"', '"person.email"', 3, "`person.email` has its own place already"),
        ('"person.phone"', '"person.password"', 3, "`person.password` has its own place already"),
        ('asked = "profile"', 'asked = "sign-up"', 3, "would need: collect person.phone on sign-up for provide"),
        ('"person.phone"', '"health"', 3, "no clause collects `health` on profile; the policy would need: collect health on"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_line(old: str, new: str, line: int, words: str) -> None:
    assert old in TEXT
    found = refused(TEXT.replace(old, new))
    assert any(each.startswith(f"  line {line}: ") and words in each for each in found), found


def test_what_the_policy_does_not_let_people_see_or_write_is_no_field() -> None:
    (found,) = refused(TEXT, ("device.name, person.phone,\n    person.profile", "device.name, person.profile"))
    assert found.endswith("would need: let people correct person.phone within assigned permissions")
    unseen = (("let people review person.name, person.email, person.phone,", "let people review person.name, person.email,"),
              ("show person.name, person.email, person.phone,", "show person.name, person.email,"),
              ("device.name, person.phone,\n    person.profile", "device.name, person.profile"))  # fmt: skip
    assert any("would need: show person.phone to the person" in each for each in refused(TEXT, *unseen))


def test_what_the_policy_gives_without_a_condition_no_field_narrows() -> None:
    whole = ("delete person.phone, person.profile within assigned permissions", "delete person.phone, person.profile")
    text = TEXT.replace('asked = "profile"', 'may = ["review", "correct"]')
    assert sound(text)
    (found,) = refused(text, whole)
    assert "lets people delete it whoever holds it; it would need: within assigned permissions" in found


def test_two_windows_of_a_purpose_over_one_table_are_refused() -> None:
    other = ("collect person.phone, person.profile on profile [P5, P22]",
             "collect person.phone on profile [P5]\n    for provide while the account exists then 20 days\n"
             "collect person.profile on profile [P5, P22]")  # fmt: skip
    about = TEXT.replace("[phone]", "[about]").replace('"phone"', '"text"').replace("person.phone", "person.profile")
    (found,) = refused(TEXT + about, other)
    assert "(P-T02, line " in found


def test_too_many_fields_are_refused() -> None:
    assert any(
        "have at most 40" in each for each in refused("".join(TEXT.replace("[phone]", f"[f{n}]") for n in range(41)))
    )


# Values


@pytest.mark.parametrize(
    ("kind", "told", "kept"),
    [
        ("text", "  Ada   Lovelace ", "Ada Lovelace"),
        ("text", " \n ", None),
        ("text", "אורה 😀", "אורה 😀"),
        ("long text", "one\r\n\r\ntwo \r\n", "one\n\ntwo"),
        ("phone", " \u0660\u0661\u0662\u0663\u00a0\u0664\u0665\u0666 ", "0123 456"),
        ("phone", "+34 600\u2013000", "+34 600-000"),
        ("web address", "example.org/x", "https://example.org/x"),
        ("web address", " http://example.org ", "http://example.org"),
    ],
)
def test_a_value_is_kept_in_order(kind: str, told: str, kept: str | None) -> None:
    assert clean(Field("field", Type(kind), "person.profile", {"en": "Field"}).column, told) == kept


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("text", "a" * 201),
        ("text", "a\u202eb"),
        ("text", "a\x1b[2Jb"),
        ("long text", "a\x07b"),
        ("long text", "a" * 2001),
        ("phone", "call me"),
        ("phone", "1"),
        ("web address", "javascript://alert(1)"),
        ("web address", "https://a b"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(kind: str, told: str) -> None:
    with pytest.raises(FieldRefusal):
        clean(Field("field", Type(kind), "person.profile", {"en": "Field"}).column, told)


@given(st.text(max_size=60))
def test_a_telephone_number_is_one_or_is_refused(told: str) -> None:
    field = Field("field", Type.PHONE, "person.phone", {"en": "Phone"}).column
    try:
        kept = clean(field, told)
    except FieldRefusal:
        return
    assert kept is None or (isinstance(kept, str) and PHONE.fullmatch(kept) and clean(field, kept) == kept)

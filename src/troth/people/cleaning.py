"""Names and values of fields as they are kept, without a framework: keeper and directories know them too."""

import re
import unicodedata
from datetime import date

from troth.people.errors import FieldRefusal, NameRefusal, Unfit
from troth.policy.catalog import Column
from troth.policy.declaring import LARGEST, Shape, Type, shape

LONGEST_NAME = 200
#: What a terminal obeys, and what turns the direction of the text around it.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
#: A long text has lines and tabs.
IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
WEB = re.compile(r"https?://[^\s<>]+")
PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{1,37}[0-9]")

type Value = str | int | bool | date | None


def clean_name(name: str) -> str:
    """Return a name as kept: white space folded, nothing else touched. Raises NameRefusal."""
    folded = " ".join(name.split())
    if not folded:
        raise NameRefusal("a name cannot be empty", advice="write the name that others should see")
    if len(folded) > LONGEST_NAME:
        raise NameRefusal(f"this name has {len(folded)} characters", advice=f"keep it to {LONGEST_NAME}")
    if CONTROL.search(folded):
        raise NameRefusal("a name cannot hold control characters", advice="remove the invisible signs")
    return folded


def clean(column: Column, told: Value) -> Value:
    """Return a value of a declared field as it is kept, None for nothing. Raises FieldRefusal where it cannot be."""
    if isinstance(told, str):
        return _clean_text(shape(column), told) or None
    if isinstance(told, int) and not isinstance(told, bool) and abs(told) > LARGEST:
        raise FieldRefusal(Unfit.LARGE, "this number is too large", advice=f"write at most {len(str(LARGEST))} digits")
    return told


def text_of(value: Value) -> str | None:
    """Return a value as PostgreSQL reads it."""
    return None if value is None else str(value)


def _clean_text(field: Shape, told: str) -> str:
    text, longest = _folded(field.type, told), field.longest
    if field.type is not Type.CHOICE and len(text) > longest:
        raise FieldRefusal(
            Unfit.LONG, f"this has {len(text)} characters", advice=f"keep it to {longest}", many=len(text), most=longest
        )
    if (IN_LINES if field.type is Type.LONG else CONTROL).search(text):
        raise FieldRefusal(Unfit.CONTROL, "this holds control characters", advice="remove the invisible signs")
    if text and field.type is Type.WEB and not WEB.fullmatch(text):
        raise FieldRefusal(Unfit.WEB, "this is no address of a page", advice="write it as https://example.org/")
    if text and field.type is Type.PHONE and not PHONE.fullmatch(text):
        raise FieldRefusal(Unfit.PHONE, "this is no telephone number", advice="write digits, as +34 600 000 000")
    return text


def _folded(kind: Type, told: str) -> str:
    """Return a text with its white space in order; of a telephone number, every script's digits and dashes are ours."""
    match kind:
        case Type.LONG:
            return told.replace("\r\n", "\n").replace("\r", "\n").strip()
        case Type.PHONE:
            signs = (_digit(sign) for sign in " ".join(told.split()))
            return "".join(signs)
        case Type.WEB:
            text = told.strip()
            return text if not text or "://" in text else f"https://{text}"
        case _:
            return " ".join(told.split())


def _digit(sign: str) -> str:
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    return "-" if unicodedata.category(sign) == "Pd" else sign

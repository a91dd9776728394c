"""What stands in data and a terminal would obey: it is shown as what it is, and does nothing."""

import re

#: Control characters of ISO 6429, in both their forms, and Unicode's orders to turn the direction of what follows.
#: A mark of direction (U+200E, U+200F) or a joiner belongs to names and changes nothing else.
OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
WRITTEN = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def harmless(text: str, *, lines: bool = False) -> str:
    r"""Return a text with such characters written out, `\x1b` for an escape; `lines` keeps its line ends."""
    return OBEYED.sub(lambda found: found[0] if lines and found[0] == "\n" else _written(found[0]), text)


def _written(sign: str) -> str:
    code = ord(sign)
    return WRITTEN.get(sign) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")  # noqa: PLR2004 - one byte

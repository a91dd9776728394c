"""How names and texts are written in SQL."""


def quoted(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text literal (standard_conforming_strings is on, which the switch makes sure of)."""
    return "'" + text.replace("'", "''") + "'"

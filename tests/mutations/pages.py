"""What `make prove` writes: each search has a part of `docs/proof.md` of its own."""

from tests.conftest import PROJECT

PAGE = PROJECT / "docs" / "proof.md"


def write(part: str, text: str) -> None:
    """Put `text` where the named part of the page stands; without one, at its end."""
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    before = PAGE.read_text(encoding="utf-8")
    if begin not in before:
        before += f"\n{begin}\n{end}\n"
    head, _, rest = before.partition(begin)
    PAGE.write_text(f"{head}{begin}\n{text}\n{end}{rest.partition(end)[2]}", encoding="utf-8")

"""Names as they are kept, without a framework: the keeper knows them too."""

import re

from troth.people.errors import NameRefusal

LONGEST_NAME = 200
#: What a terminal obeys, and what turns the direction of the text around it.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


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

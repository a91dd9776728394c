"""The last head seen, kept in a file outside the database, so that a cut or restored ledger is noticed."""

import json
import os
from pathlib import Path

from troth.database.place import replace_file
from troth.ledger.errors import RememberedRefusal
from troth.ledger.verify import Head

FILE = "ledger-head.json"
HASH = 32


def recall(file: Path) -> Head | None:
    """Return the head that `file` remembers, or None when there is no file. Raises RememberedRefusal."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        head = Head(int(told["size"]), bytes.fromhex(told["hash"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        sentence = f"`{file}` does not say what the ledger's last head was: {error}"
        raise RememberedRefusal(
            sentence, advice="bring back a copy of it; only without any may it be removed"
        ) from error
    if head.size < 0 or len(head.hash) != HASH:
        sentence = f"`{file}` names a head that no ledger can have"
        raise RememberedRefusal(sentence, advice="bring back a copy of it; only without any may it be removed")
    return head


def remember(file: Path, head: Head) -> None:
    """Write `head` to `file`, whole or not at all; it replaces only a younger one. Raises RememberedRefusal."""
    last = recall(file)
    if last is not None and last.size >= head.size:
        return
    told = json.dumps({"size": head.size, "hash": head.hash.hex()}) + "\n"
    try:
        replace_file(file, told.encode(), 0o644)
    except OSError as error:
        sentence = f"`{file}` cannot be written: {os.strerror(error.errno or 0)}"
        raise RememberedRefusal(sentence, advice="name a file in a folder of yours with --remember") from error

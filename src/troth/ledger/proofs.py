"""Proofs that an entry is in the ledger, which need nothing but the ledger's key to be believed.

Source: https://c2sp.org/tlog-proof.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from troth.ledger import signednote, tree
from troth.ledger.errors import CheckpointRefusal
from troth.ledger.signednote import Checkpoint, Key

FIRST = "c2sp.org/tlog-proof@v1"
WRITTEN = re.compile(
    rf"{FIRST}\n(?:extra [A-Za-z0-9+/=]*\n)?index (0|[1-9]\d{{0,18}})\n((?:[A-Za-z0-9+/]{{43}}=\n){{0,63}})\n(.*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Proof:
    """That an entry stands at `index`: the hashes beside its way to the root, and the checkpoint as it was signed."""

    index: int
    hashes: tuple[bytes, ...]
    note: str

    @property
    def text(self) -> str:
        """The proof as it is handed out, in a file that ends with `.tlog-proof`."""
        hashes = "".join(f"{base64.b64encode(each).decode('ascii')}\n" for each in self.hashes)
        return f"{FIRST}\nindex {self.index}\n{hashes}\n{self.note}"

    @classmethod
    def read(cls, text: str) -> "Proof":
        """Read one. Raises CheckpointRefusal."""
        found = WRITTEN.fullmatch(text)
        if found is None:
            raise CheckpointRefusal("this is no proof of a ledger's entry", advice="see /ledger/proof/0 for one")
        hashes = tuple(base64.b64decode(line) for line in found[2].split())
        return cls(int(found[1]), hashes, found[3])

    def shows(self, entry: bytes, keys: Sequence[Key]) -> Checkpoint:
        """Return the checkpoint in whose tree these bytes stand. Raises CheckpointRefusal when they do not."""
        head = signednote.opened(self.note, keys)
        if not tree.includes(tree.leaf_hash(entry), self.index, head.size, self.hashes, head.root):
            sentence = f"the entry does not stand at {self.index} of the ledger's {head.size}"
            raise CheckpointRefusal(sentence, advice="ask the ledger for the entry and its proof again")
        return head

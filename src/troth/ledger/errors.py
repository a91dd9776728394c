"""What the ledger refuses: a stable code, a plain sentence, what to do next."""

from typing import ClassVar


class LedgerRefusal(Exception):
    """The family. Shown as: sentence, then what to do next."""

    code: ClassVar[str] = "ledger"

    def __init__(self, sentence: str, *, advice: str) -> None:
        """Keep what happened and what to do next."""
        super().__init__(f"{sentence}; {advice}")
        self.sentence = sentence
        self.advice = advice


class FactsRefusal(LedgerRefusal):
    """An entry would hold what could say who somebody is."""

    code = "ledger-facts"


class UnreadableRefusal(LedgerRefusal):
    """A row of the ledger holds what no entry can hold."""

    code = "ledger-unreadable"


class RememberedRefusal(LedgerRefusal):
    """The file that remembers the ledger's last size and head cannot be read or written."""

    code = "ledger-remembered"


class CheckpointRefusal(LedgerRefusal):
    """A checkpoint, a key or a proof is not what it should be."""

    code = "ledger-checkpoint"


class SealRefusal(LedgerRefusal):
    """A document's seal is missing, of another kind or key, or does not hold."""

    code = "ledger-seal"

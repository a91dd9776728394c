"""How many accesses wait in memory, kept where a kill does not reach, so that the next start counts what was lost."""

import mmap
import struct
from pathlib import Path

NUMBER = struct.Struct("<Q")


class Remainder:
    """One number in a mapped file: the kernel keeps it when the process is killed."""

    def __init__(self, file: Path) -> None:
        """Open or make the file; `lost` is what the process before left behind, at the most. Raises OSError."""
        with file.open("a+b") as opened:
            opened.truncate(NUMBER.size)
            self.map = mmap.mmap(opened.fileno(), NUMBER.size)
        self.lost: int = NUMBER.unpack_from(self.map)[0]
        self.keep(0)

    def keep(self, many: int) -> None:
        """Say how many wait now."""
        NUMBER.pack_into(self.map, 0, many)

    def close(self) -> None:
        """Let go of the file."""
        self.map.close()

"""`--demo`: a fictional company, made by going through the real doors in a process of its own."""

import subprocess
import sys
from collections.abc import Callable, Mapping

from troth.database.place import Place


def fill(where: Place, environment: Mapping[str, str], tell: Callable[[str], None]) -> None:
    """Fill an empty service; one that has people already is left alone. Raises nothing: a demo is no reason to stop."""
    tell("filling the demonstration")
    command = [sys.executable, "-m", "troth.config.demonstration"]
    done = subprocess.run(
        command, env=dict(environment) | {"TROTH_DATA": str(where.data)}, capture_output=True, text=True, check=False
    )
    for line in (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()[-4:]:
        tell(line)

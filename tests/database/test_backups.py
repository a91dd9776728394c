"""A backup holds everything, so that nobody but its owner may read it."""

import os
import stat
from pathlib import Path

import pytest

from troth.database import backup
from troth.database.place import Place


@pytest.mark.parametrize("mask", [0o022, 0o000])
def test_what_was_dumped_is_its_owners_alone(database: Place, tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        backup.create(database, tmp_path / "backup")
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "backup").iterdir() if file.is_file()}
    assert modes == {"roles.sql": 0o600, "database.dump": 0o600, "manifest.json": 0o600}
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700

"""The service's settings over an empty data folder, for those who only read the models: the type checker, the lints."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from troth.database import place

_data = Path(tempfile.mkdtemp(prefix="troth-checking-"))
atexit.register(shutil.rmtree, _data, ignore_errors=True)
place.prepare(_data)
os.environ["TROTH_DATA"] = str(_data)
os.environ.pop("DATABASE_URL", None)

from troth.config.settings import *  # noqa: E402, F403 - after the folder they read is there

"""How what the server writes on its terminal is put: an error by its kind and its place, never by what it was about."""

import logging
import sys
import threading
import traceback
from types import TracebackType

LOG = logging.getLogger(__name__)
#: Who writes errors' own words into a message: behind its first line, asyncio shows the task that failed, and how.
TALKATIVE = "asyncio"


class Reticent(logging.Formatter):
    """Says of an exception, and of each that led to it, its class and where it was; its words may name a value."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record's line."""
        said = record.getMessage()
        said = said.split("\n")[0] if record.name == TALKATIVE else said
        return super().format(logging.makeLogRecord(record.__dict__ | {"msg": said, "args": None, "exc_text": None}))

    def formatException(self, ei: object) -> str:  # noqa: N802 - the library's name
        """Return an exception without its words."""
        error = ei[1] if isinstance(ei, tuple) else None
        return "\n".join(_places(error)) if isinstance(error, BaseException) else ""


def _places(error: BaseException) -> list[str]:
    """Return a line for each exception of a chain, the first cause last."""
    told, seen = list[str](), set[int]()
    now: BaseException | None = error
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        where = ", ".join(f"{f.filename}:{f.lineno}" for f in traceback.extract_tb(now.__traceback__)[-4:])
        told.append(f"  {type(now).__module__}.{type(now).__qualname__} at {where or 'no place'}")
        inner = now.exceptions[0] if isinstance(now, BaseExceptionGroup) else None
        now = inner or now.__cause__ or now.__context__
    return told


def install() -> None:
    """Let what nobody caught be said in the same way, in each thread."""

    def uncaught(_kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        LOG.critical("the server ends", exc_info=(type(error), error, where))

    def in_thread(told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None:
            told_of = (told.exc_type, told.exc_value, told.exc_traceback)
            LOG.error("a thread ended", exc_info=told_of)

    sys.excepthook, threading.excepthook = uncaught, in_thread

"""Whatever fails in the server, and whoever writes it down: its kind and place are printed, never its words."""

import asyncio
import logging
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from io import StringIO
from pathlib import Path

import pytest

from tests.serving import free_port
from troth.cli import certificates
from troth.config.reticent import Reticent
from troth.database.place import Place

CANARY = "canary-9c1e@harbor.example"
FAILING = f"""
import asyncio
import troth.config.asgi as served, troth.config.server as server

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({{"type": "lifespan.startup.complete"}})
        await send({{"type": "lifespan.shutdown.complete"}})
        return
    try:
        raise KeyError("{CANARY}")
    except KeyError as error:
        raise ValueError("no {CANARY}") from error

def keep(_stopped):
    raise LookupError("{CANARY}")

served.application, server.keep = application, keep
server.main()
"""


def written(name: str, message: str, error: Exception) -> str:
    """Return what a library's logger writes."""
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Reticent())
    log = logging.getLogger(name)
    log.addHandler(handler)
    try:
        log.error(message, exc_info=error)
    finally:
        log.removeHandler(handler)
    return out.getvalue()


def fail(error: Exception, cause: Exception | None) -> None:
    raise error from cause


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        fail(error, cause)
    except Exception as caught:  # noqa: BLE001 - groups of them, too
        return caught
    raise AssertionError


def test_an_exception_is_told_by_its_class_and_place_and_so_is_what_led_to_it() -> None:
    error = raised(ValueError(CANARY), raised(KeyError(CANARY)))
    error.add_note(CANARY)
    for told in (error, raised(ExceptionGroup(CANARY, [error]))):
        said = written("a.library", "Exception in ASGI application", told)
        assert CANARY not in said
        assert said.startswith("Exception in ASGI application\n")
        assert "builtins.ValueError at " in said
        assert "builtins.KeyError at " in said
        assert f"{__file__}:" in said


def test_a_task_that_nobody_waited_for_is_told_by_one_line() -> None:
    loop = asyncio.new_event_loop()
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Reticent())
    logging.getLogger("asyncio").addHandler(handler)
    try:
        future = loop.create_future()
        loop.call_exception_handler(
            {"message": "Task exception was never retrieved", "exception": ValueError(CANARY), "future": future,
             "what": CANARY}
        )  # fmt: skip
    finally:
        logging.getLogger("asyncio").removeHandler(handler)
        loop.close()
    assert out.getvalue().splitlines() == ["Task exception was never retrieved", "  builtins.ValueError at no place"]


def test_words_that_another_formatter_left_on_a_record_are_not_written() -> None:
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "it failed", (), (ValueError, ValueError(CANARY), None))
    assert CANARY in logging.Formatter().format(record)
    assert CANARY not in Reticent().format(record)


@pytest.mark.asvs("16.2.5", "16.5.1")
def test_the_server_itself_says_no_words_of_what_fails_in_it(database: Place, tmp_path: Path) -> None:
    port, (certificate, key, _) = free_port(), certificates.ensure(tmp_path, ["127.0.0.1"])
    told = {"TROTH_PORT": str(port), "TROTH_CERTIFICATE": str(certificate), "TROTH_KEY": str(key)}
    told |= {"TROTH_DATA": str(database.data), "TROTH_BASE_URL": f"https://localhost:{port}", "PYTHONUNBUFFERED": "1"}
    with (tmp_path / "said").open("wb") as out:
        server = subprocess.Popen([sys.executable, "-c", FAILING], env=os.environ | told, stdout=out, stderr=out)
    try:
        assert answer(port) == 500
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    said = (tmp_path / "said").read_text("utf-8", "replace")
    assert "builtins.ValueError at " in said
    assert "builtins.LookupError at " in said, "the thread"
    assert CANARY not in said


def answer(port: int) -> int:
    deadline = time.monotonic() + 60
    while True:
        try:
            trust = ssl._create_unverified_context()  # noqa: S323 - our own server on this machine
            with urllib.request.urlopen(f"https://127.0.0.1:{port}/", context=trust, timeout=10) as found:
                return int(found.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.1)

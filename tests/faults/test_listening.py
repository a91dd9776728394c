"""An address that cannot be served at is said at once, by name, and a server that is still ending is waited for."""

import socket
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.conftest import POLICY
from tests.serving import Serving, free_port
from troth.cli import listening
from troth.cli.serve import serve
from troth.database.errors import ServerRefusal


def test_a_taken_port_is_named_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        service = Serving(tmp_path / "data", other.getsockname()[1])
        done = service.run("serve", "--port", str(service.port), check=False)
    assert done.returncode == 1
    assert f"port {service.port} of `127.0.0.1` is taken by another program; name another with --port" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "mail", ["foo", "mail.harbor.example:25", "http://harbor.example", "smtp://", "smtp://host:no"]
)
def test_a_mail_server_that_is_none_is_said_before_anything_is_made(tmp_path: Path, mail: str) -> None:
    answer = CliRunner().invoke(serve, ["--mail", mail, "--data", str(tmp_path / "data")])
    assert answer.exit_code == 2
    assert f"--mail `{mail}` is no mail server; write smtp://host:port or smtps://host:port" in answer.output
    assert not (tmp_path / "data").exists()


UNHELD = POLICY.read_text(encoding="utf-8") + "\ncoarsen access.time to day after 3 days\n"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nonsense here\n", "mine.troth:1:1: P-S01"),
        (UNHELD, "P-T06: `access.at` cannot become a day in place"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_policy_that_is_none_is_said_before_anything_is_made(tmp_path: Path, source: str | None, said: str) -> None:
    file = tmp_path / "mine.troth"
    if source is not None:
        file.write_text(source, encoding="utf-8")
    answer = CliRunner().invoke(serve, ["--policy", str(file), "--data", str(tmp_path / "data")])
    assert isinstance(answer.exception, ServerRefusal)
    assert said in str(answer.exception)
    assert not (tmp_path / "data").exists()


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServerRefusal, match=r"`192.0.2.1` is no address of this machine"):
        listening.ensure_free(tmp_path, "192.0.2.1", free_port())


def test_a_server_whose_keeper_was_killed_is_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        last = subprocess.Popen(["/bin/sleep", "1"], pass_fds=[listener.fileno()])
    try:
        listening.remember(tmp_path, last.pid)
        began = time.monotonic()
        with pytest.raises(ServerRefusal, match="is taken"):
            listening.ensure_free(tmp_path / "unknown", "127.0.0.1", port)
        assert time.monotonic() - began < 0.5
        listening.ensure_free(tmp_path, "127.0.0.1", port)
    finally:
        last.wait(10)

"""After a fall: pages answer without a failed request each, everything killed at once comes back, a policy is old or new."""

import os
import signal
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.test_kills import Load, answers, until
from tests.serving import TROTH, Serving

pytestmark = pytest.mark.xdist_group("faults")
POLICY = Path(__file__).parents[2] / "policies" / "hosted-solutions.troth"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("recovery") / "data").start()
    yield serving
    serving.stop()


def asked(service: Serving, path: str) -> int:
    """Return the status of a page asked for with a session that the database has to look up."""
    trust = ssl.create_default_context(cafile=str(service.data / "tls" / "ca.pem"))
    request = urllib.request.Request(  # noqa: S310 - our own service
        service.address + path, headers={"Cookie": "__Host-session=abcdefgh12345678abcdefgh12345678"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20, context=trust) as answer:  # noqa: S310 - our own service
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_pages_do_not_fail_one_by_one_after_the_database_came_back(service: Serving) -> None:
    paths = ["/", "/policy", "/accounts/login/", "/me"] * 6
    with ThreadPoolExecutor(8) as many:
        assert max(many.map(lambda path: asked(service, path), paths)) < 500
        before = service.children()["postmaster"]
        os.kill(before[0], signal.SIGKILL)
        until(lambda: [pid for pid in service.children()["postmaster"] if pid not in before])
        until(lambda: answers(service))
        statuses = list(many.map(lambda path: asked(service, path), paths))
    assert max(statuses) < 500, statuses


def test_everything_killed_at_once_comes_back_whole(service: Serving) -> None:
    parts = service.children()
    assert service.process is not None
    with Load(service) as load:
        time.sleep(1.5)
        for pid in (service.process.pid, *parts["server"], *parts["postmaster"]):
            os.kill(pid, signal.SIGKILL)
        service.process.wait(10)
    assert (service.data / "cluster" / "postmaster.pid").exists()  # stale, and never deleted by us
    service.start()
    assert load.named
    load.check()
    service.run("ledger", "verify")
    service.run("policy", "drift")


@pytest.mark.parametrize("after", [0.7, 1.05])
def test_a_policy_whose_keeper_is_killed_while_it_applies_is_old_or_new(
    service: Serving, tmp_path: Path, after: float
) -> None:
    now = version(service)
    text = POLICY.read_text("utf-8").replace("version 1 effective", f"version {now + 1} effective")
    text = text.replace("for understand 30 days as network", f"for understand {31 + now} days as network")
    (tmp_path / "new.troth").write_text(text, "utf-8")
    environment = os.environ | {"TROTH_DATA": str(service.data)}
    command = [str(TROTH), "policy", "apply", str(tmp_path / "new.troth")]
    assert service.process is not None
    parts = service.children()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as asking:
        killer = threading.Timer(after, service.process.kill)
        killer.start()
        service.process.wait(30)
        asking.kill()
    until(lambda: not [pid for pid in (*parts["server"], *parts["postmaster"]) if Path(f"/proc/{pid}").exists()])
    service.start()
    until(lambda: version(service) in (now, now + 1))
    print(f"killed after {after} s: version {version(service)}, was {now}")
    service.run("policy", "drift")


def version(service: Serving) -> int:
    with service.connect("door") as door:
        row = door.execute("SELECT max(version) FROM troth.policy_version").fetchone()
    assert row is not None
    return int(str(row[0]))

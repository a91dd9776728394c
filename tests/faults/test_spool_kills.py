"""What applications sent and saw acknowledged is stored once, whichever processes are killed, in whatever order.

So is what is known of accesses while the database is away: stored once, or counted as lost.
"""

import json
import os
import random
import signal
import ssl
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.faults.test_kills import answers, sign_up, until
from tests.intake.sending import Application, registered
from tests.seeding import REPLAY, SEED
from tests.serving import Serving
from troth.database import connect, place

pytestmark = pytest.mark.xdist_group("faults")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("spool") / "data").start()
    yield serving
    serving.stop()


@pytest.fixture(scope="module")
def notes(service: Serving) -> Application:
    """Harbor Notes, and somebody who uses it."""
    subject, token = sign_up(service, "sends")
    with connect.owning(place.read(service.data)) as owner:
        made = registered(owner)
    made.names["somebody"] = sha256(subject.bytes).hexdigest()
    with service.connect("self") as mine:
        mine.execute("SELECT set_config('troth.token', %s, true)", (token,))
        mine.execute("SELECT troth.permit_application(%s, '{}', '{}')", (made.application,))
    with service.connect("door") as door:
        door.execute("SELECT troth.use_application(%s, %s, %s)", (subject, made.application, made.names["somebody"]))
    return made


class Load:
    """Senders that send each event until it is acknowledged, and remember how it was. Each event says its own key."""

    def __init__(self, service: Serving, notes: Application, seed: int) -> None:
        self.service, self.notes = service, notes
        self.acknowledged, self.sent = dict[str, str](), set[str]()
        self.trust = ssl.create_default_context(cafile=str(service.data / "tls" / "ca.pem"))
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(random.Random(f"{seed} {nth}"),)) for nth in range(3)]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_told: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(60)

    def _run(self, chance: random.Random) -> None:
        while not self.ended.is_set():
            many = chance.choice([1, 1, 1, 7])
            keys = [uuid.UUID(int=chance.getrandbits(128)).hex for _ in range(many)]
            while not self.ended.is_set() and not self._send(keys):
                time.sleep(0.05)

    def _send(self, keys: list[str]) -> bool:
        events = [
            {"key": key, "kind": "feature_use", "person": self.notes.names["somebody"],
             "data": {"feature": "export", "outcome": key}}
            for key in keys
        ]  # fmt: skip
        request = urllib.request.Request(  # noqa: S310 - our own service
            self.service.address + "/intake/v1/events",
            data=json.dumps(events).encode(),
            headers={"Authorization": f"Bearer {self.notes.key}", "Content-Type": "application/json"},
        )
        self.sent.update(keys)
        try:
            with urllib.request.urlopen(request, timeout=40, context=self.trust) as answer:  # noqa: S310
                told = json.load(answer)["events"]
        except (urllib.error.URLError, HTTPException, OSError):
            return False
        outcomes = [each["outcome"] for each in told]
        assert set(outcomes) <= {"stored", "kept", "repeated"}, outcomes
        for key, outcome in zip(keys, outcomes, strict=True):
            self.acknowledged.setdefault(key, outcome)
        return True

    def count(self, outcome: str) -> int:
        return sum(each == outcome for each in list(self.acknowledged.values()))


def check(service: Serving, load: Load) -> None:
    """What the records say: exactly one for each acknowledged key, at most one for any other, none for what was not sent."""
    with connect.owning(place.read(service.data)) as owner:
        found = owner.execute("SELECT outcome FROM troth.feature_use").fetchall()
    stored = Counter(outcome for (outcome,) in found)
    assert max(stored.values()) == 1
    assert set(load.acknowledged) <= set(stored)
    assert set(stored) <= load.sent


def lies(service: Serving) -> bool:
    return any(file.suffix == ".spool" for file in (service.data / "spool").iterdir())


def kill(service: Serving, part: str) -> None:
    for pid in service.children()[part]:
        os.kill(pid, signal.SIGKILL)


def test_what_is_committed_is_synced_and_pages_are_whole(service: Serving) -> None:
    with service.connect("intake") as intake:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert intake.execute(f"SHOW {setting}".encode()).fetchone() == ("on",)


def test_killed_at_random_nothing_acknowledged_is_lost_and_nothing_stored_twice(
    service: Serving, notes: Application
) -> None:
    print(REPLAY)
    chance = random.Random(SEED)
    with Load(service, notes, SEED) as load:
        until(lambda: load.count("stored") > 10)
        kill(service, "postmaster")
        until(lambda: load.count("kept") > 0)
        kill(service, "server")  # in the middle of an outage, with what was kept on the disk
        for _ in range(4):
            time.sleep(chance.uniform(0.5, 3))
            kill(service, chance.choice(["server", "postmaster", "postmaster"]))
            until(lambda: answers(service))
        before = len(load.acknowledged)
        until(lambda: len(load.acknowledged) > before + 20)
    until(lambda: not lies(service))
    counts = Counter(load.acknowledged.values())
    print(f"{counts} acknowledged of {len(load.sent)} sent")
    assert load.count("kept")
    check(service, load)
    service.run("policy", "drift")


def test_everything_killed_in_an_outage_what_was_kept_is_stored_at_the_next_start(
    service: Serving, notes: Application, tmp_path: Path
) -> None:
    with Load(service, notes, SEED + 1) as load:
        until(lambda: load.count("stored") > 10)
        kill(service, "postmaster")
        until(lambda: load.count("kept") > 3)
        assert service.process is not None
        parts = service.children()
        for pid in (service.process.pid, *parts["server"], *parts["postmaster"]):
            os.kill(pid, signal.SIGKILL)
        service.process.wait(10)
    assert lies(service)
    service.start()
    until(lambda: not lies(service))
    with connect.owning(place.read(service.data)) as owner:
        found = Counter(key for (key,) in owner.execute("SELECT outcome FROM troth.feature_use"))
    assert all(found[key] == 1 for key in load.acknowledged)
    service.run("policy", "drift")


class Visits:
    """A visitor who asks for one address after the other, and remembers which were answered."""

    def __init__(self, service: Serving) -> None:
        self.service, self.answered = service, list[int]()
        self.trust = ssl.create_default_context(cafile=str(service.data / "tls" / "ca.pem"))
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Visits":
        self.thread.start()
        return self

    def __exit__(self, *_told: object) -> None:
        self.ended.set()
        self.thread.join(60)

    def _run(self) -> None:
        nth = 0
        while not self.ended.wait(0.01):
            nth += 1
            try:
                urllib.request.urlopen(f"{self.service.address}/api/nowhere?n={nth}", timeout=20, context=self.trust)  # noqa: S310
            except urllib.error.HTTPError as error:
                assert error.code == 404
                self.answered.append(nth)
            except (urllib.error.URLError, HTTPException, OSError):
                time.sleep(0.1)

    def more(self, many: int) -> None:
        wanted = len(self.answered) + many
        until(lambda: len(self.answered) >= wanted)


def visited(service: Serving) -> Counter[int]:
    with connect.owning(place.read(service.data)) as owner:
        found = owner.execute("SELECT url FROM troth.access WHERE url LIKE '/api/nowhere%'").fetchall()
    return Counter(int(url.rpartition("=")[2]) for (url,) in found)


def lost(service: Serving) -> int:
    with connect.owning(place.read(service.data)) as owner:
        found = owner.execute("SELECT coalesce(sum(count), 0)::int FROM troth.intake_count WHERE outcome = 'dropped'")
        return int((found.fetchone() or (0,))[0])


def test_accesses_of_an_outage_are_stored_once_or_counted_though_the_service_is_killed_in_it(service: Serving) -> None:
    folder = service.data / "spool" / "accesses"
    before = lost(service)
    assert service.process is not None
    with Visits(service) as visits:
        until(lambda: len(visited(service)) > 10)
        os.kill(service.process.pid, signal.SIGSTOP)  # so that nothing is started again yet
        kill(service, "postmaster")
        first = len(visits.answered)
        until(lambda: any(file.suffix == ".spool" for file in folder.iterdir()))
        visits.more(50)
        time.sleep(2)
        kill(service, "server")
        outage = visits.answered[first + 1 : first + 40]
        os.kill(service.process.pid, signal.SIGCONT)
        until(lambda: answers(service))
        visits.more(20)
    until(lambda: not any(file.suffix == ".spool" for file in folder.iterdir()))
    until(lambda: visits.answered[-1] in visited(service))
    stored = visited(service)
    missing = set(visits.answered) - set(stored)
    print(
        f"{len(visits.answered)} answered, {len(outage)} of them in the outage, {len(missing)} missing, {lost(service) - before} counted"
    )
    assert max(stored.values()) == 1
    assert set(outage) <= set(stored)
    assert len(missing) <= lost(service) - before + 1  # one may have been answered, and not yet been noted
    service.run("policy", "drift")

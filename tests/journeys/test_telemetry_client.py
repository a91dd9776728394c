"""The telemetry library in a real browser, on an application's page, against a whole service: asked first, and obeyed."""

import gzip
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, Request

from tests.conftest import POLICY, PROJECT
from tests.journeys.conftest import Visitor
from tests.journeys.test_clients import served
from tests.journeys.test_sent import MANIFEST, Registered, signed_in
from tests.serving import Serving, free_port
from troth.policy import parse
from troth.policy.meaning import Storage

Visit = Callable[..., Visitor]
LIBRARY = PROJECT / "clients" / "javascript" / "telemetry.js"
MOST = 6_000
KEY = "troth-telemetry"
DECLARED = {
    each.key
    for each in parse.read(POLICY.read_text(encoding="utf-8"), POLICY.name).stored
    if each.storage is Storage.BROWSER_STORAGE
}
PAGE = """<!doctype html><title>Notes</title><h1>Notes</h1><script>function save() { undefined.diary }</script><script type="module">
import { start } from "./telemetry.js";
const { origin, key, person, storage } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
window.telemetry = start({ origin, key, person, storage, release: "1.4.2", environment: "test" });
</script>"""
OBJECTING = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })"
#: What the browser is asked of itself.
HINTING = """window.hinted = []; if (window.NavigatorUAData) { const asked = NavigatorUAData.prototype.getHighEntropyValues;
NavigatorUAData.prototype.getHighEntropyValues = function (names) { window.hinted.push(names); return asked.call(this, names) } }"""
#: Who asks the browser where it is, and how often.
LOCATING = "window.located = 0; navigator.geolocation.getCurrentPosition = () => { window.located += 1 }"
THERE = {"latitude": 41.38879, "longitude": 2.15899, "accuracy": 12}
NUMBERS = count()


@dataclass
class Using:
    """Somebody who uses an application in a browser: the page, what it asked of the service, and what was stored."""

    someone: Visitor
    notes: Registered
    site: str
    sub: str = ""
    page: Page = field(init=False)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page = self.someone.context.new_page()
        self.page.on("request", lambda each: self.requests.append(each) if "/telemetry/" in each.url else None)

    @property
    def service(self) -> Serving:
        return self.someone.service

    def open(self, **told: str) -> "Using":
        """Open the application's page, as somebody who signed in to it, and wait for the first answer."""
        said = {"origin": self.service.address, "key": self.notes.key, "person": self.sub} | told
        self.page.goto(f"{self.site}/index.html?open={next(NUMBERS)}#{urlencode(said)}")
        self.page.wait_for_function("window.telemetry")
        return self

    def run(self, body: str) -> Any:
        return self.page.evaluate(f"async () => {{ {body} }}")

    def sent(self) -> list[dict[str, Any]]:
        """Return the events that left the browser, in their order."""
        bodies = [json.loads(each.post_data or "{}") for each in self.requests]
        return [event for body in bodies for event in body["events"]]

    def stored(self, table: str, column: str) -> list[Any]:
        with self.service.connect("owner") as owner:
            asked = (
                f"SELECT e.{column} FROM troth.{table} AS e JOIN troth.application_grant AS g USING (subject, application)"
                " WHERE g.known_as = %s AND g.until IS NULL ORDER BY e.at, e.id"
            )
            return [value for (value,) in owner.execute(asked.encode(), (self.sub,)).fetchall()]

    def wait(self, table: str, column: str, *values: Any) -> None:
        deadline = time.monotonic() + 30
        while not set(values) <= set(self.stored(table, column)):
            assert time.monotonic() < deadline, (self.stored(table, column), self.sent())
            self.page.wait_for_timeout(100)

    def kept(self) -> dict[str, str]:
        """Return what is in the browser's storage of the application's origin, and that there is nothing else."""
        assert self.run("return [sessionStorage.length, document.cookie, (await indexedDB.databases()).length]") == [
            0,
            "",
            0,
        ]
        return dict(self.run("return { ...localStorage }"))

    def choose(self, purpose: str, kind: str) -> None:
        """Decide about a purpose on the service, as the page that asks does."""
        path = f"{self.service.address}/api/v1/me"
        held = self.someone.context.request.get(path).json()["choices"]
        seen = [each["choice"] for each in held if each["purpose"] == purpose][:1]
        wish = {"purpose": purpose, "kind": kind} | ({"seen": seen[0]} if seen else {})
        headers = {"content-type": "application/json", "origin": self.service.address}
        answer = self.someone.context.request.post(f"{path}/choices", data=json.dumps(wish), headers=headers)
        assert answer.status == 200, answer.text()


@pytest.fixture(scope="module")
def notes(service: Serving, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    """An application whose pages may tell of everything that is a kind."""
    file: Path = tmp_path_factory.mktemp("telemetry") / "notes.toml"
    file.write_text(MANIFEST, encoding="utf-8")
    told = json.loads(service.run("app", "register", str(file), "--format", "json").stdout)
    key = service.run("app", "add-key", told["application"]).stdout.split()[1]
    return Registered(told["application"], told["secret"], key)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The application's own web server, with a copy of the library."""
    folder, port = tmp_path_factory.mktemp("site"), free_port()
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    (folder / "telemetry.js").write_bytes(LIBRARY.read_bytes())
    (folder / "elsewhere.html").write_text("<!doctype html><title>Elsewhere</title>", encoding="utf-8")
    with served(folder, port=port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def using(visit: Visit, notes: Registered, site: str) -> Callable[..., Using]:
    """Let somebody join and sign in to the application."""

    def make(**told: Any) -> Using:
        someone = visit(**told)
        someone.join(f"telemetry-{next(NUMBERS)}@harbor.example", "Noor")
        return Using(someone, notes, site, signed_in(someone, notes))

    return make


def test_it_is_small_names_nothing_of_the_house_and_needs_nothing() -> None:
    source = LIBRARY.read_bytes()
    assert len(gzip.compress(source, 6)) < MOST
    assert b"import " not in source
    assert b"troth.example" in source


def test_what_happens_on_a_page_is_told_and_leaves_nothing_in_the_browser(using: Callable[..., Using]) -> None:
    noor = using().open()
    noor.run("history.pushState({}, '', '/notes/7?secret=hunter2'); telemetry.used('export', 'done')")
    noor.page.evaluate("() => { setTimeout(save, 0) }")
    noor.page.evaluate("() => { Promise.reject(new RangeError('too far')) }")
    noor.wait("page_view", "url", "/index.html", "/notes/7")
    noor.wait("feature_use", "feature", "export")
    noor.wait("crash", "kind", "TypeError", "RangeError")
    assert "save (index.html):1" in noor.stored("crash", "stack")
    assert noor.stored("crash", "release") == ["1.4.2", "1.4.2"]
    assert all("Chrom" in each for each in noor.stored("page_view", "browser"))
    assert noor.kept() == {}
    assert [each for each in noor.requests if "cookie" in each.all_headers()] == []
    for secret in ("hunter2", "open=", noor.notes.key):
        assert secret not in json.dumps(noor.sent())
    assert noor.run("return telemetry.lost") == 0


def test_nothing_is_sent_before_a_yes_and_what_came_before_it_is_never_told(using: Callable[..., Using]) -> None:
    noor = using()
    noor.choose("understand", "objection")
    noor.open()
    assert "feature_use" not in noor.run("return await telemetry.ask()")
    noor.run("telemetry.used('before'); await telemetry.flush()")
    noor.choose("understand", "permission")
    assert "feature_use" in noor.run("return await telemetry.ask()")
    noor.run("telemetry.used('after'); await telemetry.flush()")
    noor.wait("feature_use", "feature", "after")
    assert noor.stored("feature_use", "feature") == ["after"]
    assert [each["data"] for each in noor.sent() if each["kind"] == "feature_use"] == [{"feature": "after"}]


def test_what_the_manifest_declares_beside_a_feature_is_told_where_that_is_kept(using: Callable[..., Using]) -> None:
    noor = using().open()
    noor.run("await telemetry.ask(); telemetry.used('export', 'done', { format: 'pdf' }); await telemetry.flush()")
    noor.wait("feature_use", "metadata->>'format'", "pdf")
    answer = {"events": [], "permits": {"feature_use": ["feature", "outcome"]}, "keeps": {}, "lasts": 10}
    allowing = {"access-control-allow-origin": "*"}
    noor.page.route("**/telemetry/*", lambda route: route.fulfill(json=answer, headers=allowing))
    noor.run("await telemetry.ask(); telemetry.used('import', 'done', { format: 'odt' }); await telemetry.flush()")
    told = [each.get("metadata") for each in noor.sent() if each["kind"] == "feature_use"]
    assert told == [{"format": "pdf"}, None]


def test_the_browser_is_asked_of_itself_only_what_is_kept(using: Callable[..., Using]) -> None:
    noor = using()
    noor.page.add_init_script(HINTING)
    noor.open()
    noor.run("await telemetry.ask()")
    assert noor.run("return window.hinted") == [["platformVersion", "model"]]
    noor.choose("protect", "objection")
    noor.choose("understand", "objection")
    noor.choose("personalise", "consent")
    noor.open()
    assert "page_view" in noor.run("return await telemetry.ask()")
    assert noor.run("return window.hinted") == []
    assert {"system", "model"}.isdisjoint(json.loads(noor.requests[-1].post_data or ""))


def test_the_model_is_told_where_the_browser_knows_it_and_its_person_sees_it(using: Callable[..., Using]) -> None:
    noor = using()
    session = noor.someone.context.new_cdp_session(noor.page)
    told = {"platform": "Android", "platformVersion": "15.0.0", "architecture": "", "model": "Pixel 9", "mobile": True}
    agent = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
    session.send("Emulation.setUserAgentOverride", {"userAgent": agent, "userAgentMetadata": told})
    noor.open()
    noor.wait("page_view", "model", "Pixel 9")
    assert noor.stored("page_view", "system") == ["Android 15"]
    noor.someone.go("/me/timeline?of=page_view")
    assert "Chrome Mobile 140, Android 15, Pixel 9" in noor.someone.page.locator("main").inner_text()
    noor.someone.go("/me/sent")
    assert "Pixel 9" in noor.someone.page.locator("main").inner_text()


def test_a_browser_that_tells_nothing_of_itself_loses_nothing(using: Callable[..., Using]) -> None:
    noor = using()
    noor.page.add_init_script(
        "NavigatorUAData.prototype.getHighEntropyValues = () => Promise.reject(new DOMException('no', 'NotAllowedError'))"
    )
    noor.open()
    noor.wait("page_view", "url", "/index.html")
    assert noor.stored("page_view", "model") == [None]
    assert noor.stored("crash", "kind") == []


def test_where_they_are_is_asked_of_the_browser_after_the_service_said_yes(using: Callable[..., Using]) -> None:
    noor = using(geolocation=THERE, permissions=["geolocation"]).open()
    asked = len(noor.requests)
    found = noor.run("const at = await telemetry.locate(); await telemetry.flush(); return [at.latitude, at.accuracy]")
    assert found == [THERE["latitude"], THERE["accuracy"]]
    since = [json.loads(each.post_data or "")["events"] for each in noor.requests[asked:]]
    told = [[event["kind"] for event in events] for events in since]
    assert [] in told[: told.index(["location"])], told  # the page's own view may be sent between
    noor.wait("location", "latitude", Decimal("41.38879"))
    wanted = {"latitude": 41.38879, "longitude": 2.15899, "accuracy": 12, "source": "browser"}
    assert [each["data"] for each in noor.sent() if each["kind"] == "location"] == [wanted]
    assert (noor.stored("location", "region"), noor.stored("location", "source")) == (["41, 2"], ["browser"])


def test_whoever_tells_their_browser_no_is_asked_by_it_and_nothing_is_told(using: Callable[..., Using]) -> None:
    noor = using(geolocation=THERE).open()
    assert noor.run("return await telemetry.locate().then(() => 0, (error) => error.code)") == 1
    noor.run("await telemetry.flush()")
    assert [each for each in noor.sent() if each["kind"] == "location"] == []
    assert noor.stored("location", "latitude") == []


def test_what_is_not_kept_of_a_place_does_not_leave_the_browser(using: Callable[..., Using]) -> None:
    """As where a policy collects the place alone; where it collects all but that, the browser is not asked."""
    noor = using(geolocation=THERE, permissions=["geolocation"])
    allowed = ["latitude", "longitude"]
    answer = {"events": [], "permits": {"location": allowed}, "keeps": {}, "lasts": 10}
    noor.page.route(
        "**/telemetry/*", lambda route: route.fulfill(json=answer, headers={"access-control-allow-origin": "*"})
    )
    noor.open()
    noor.run("await telemetry.locate(); await telemetry.flush()")
    assert [set(each["data"]) for each in noor.sent()] == [{"latitude", "longitude"}]
    allowed[:] = ["accuracy", "source"]
    assert noor.run(f"{LOCATING}; return [await telemetry.locate(), window.located]") == [None, 0]


def test_of_whoever_lets_the_application_see_nothing_it_asks_and_sends_nothing(using: Callable[..., Using]) -> None:
    noor = using(geolocation=THERE, permissions=["geolocation"])
    with noor.service.connect("owner") as owner:
        owner.execute("UPDATE troth.application_grant SET until = now() WHERE known_as = %s", (noor.sub,))
        owner.commit()
    noor.open()
    assert noor.run("return await telemetry.ask()") == []
    noor.run("telemetry.used('export'); telemetry.crashed(new Error('x')); await telemetry.flush()")
    assert noor.sent() == []
    assert noor.kept() == {}
    assert noor.run(f"{LOCATING}; return [await telemetry.locate(), window.located]") == [None, 0]


def test_of_nobody_nothing_is_even_asked(using: Callable[..., Using]) -> None:
    noor = using().open(person="")
    noor.run("telemetry.used('export'); history.pushState({}, '', '/elsewhere'); await telemetry.flush()")
    assert noor.requests == []
    noor.run(f"telemetry.about({json.dumps(noor.sub)})")
    noor.wait("page_view", "url", "/elsewhere")
    assert noor.stored("feature_use", "feature") == []


def test_a_browser_that_objects_says_so_before_anything(using: Callable[..., Using]) -> None:
    noor = using(extra_http_headers={"Sec-GPC": "1"})
    noor.page.add_init_script(OBJECTING)
    noor.open()
    permits = noor.run("return await telemetry.ask()")
    assert "crash" in permits
    assert "feature_use" not in permits
    noor.run("telemetry.used('export'); telemetry.crashed(new Error('x')); await telemetry.flush()")
    noor.wait("crash", "kind", "Error")
    first = json.loads(noor.requests[0].post_data or "")
    assert (first["objects"], first["events"]) == (True, [])
    assert {each["kind"] for each in noor.sent()} <= {"crash", "page_view"}
    assert noor.stored("crash", "uses < 0") == [True]


def offline(noor: Using) -> None:
    """Cut the browser off, after the service said what it permits."""
    noor.run("await telemetry.ask(); await telemetry.flush()")
    noor.someone.context.set_offline(True)


def test_offline_it_keeps_under_the_declared_key_alone_and_tells_once_when_it_is_back(
    using: Callable[..., Using],
) -> None:
    noor = using().open()
    offline(noor)
    noor.run("telemetry.used('offline-1'); await telemetry.flush(); telemetry.used('offline-2')")
    kept = noor.kept()
    assert set(kept) == {KEY} <= DECLARED
    assert "offline-1" in kept[KEY]
    assert "offline-2" in kept[KEY]
    noor.page.goto("about:blank")
    noor.someone.context.set_offline(False)
    noor.open()
    noor.wait("feature_use", "feature", "offline-1", "offline-2")
    noor.run("await telemetry.flush()")
    assert sorted(noor.stored("feature_use", "feature")) == ["offline-1", "offline-2"]
    assert noor.kept() == {}


def test_what_waits_is_dropped_when_it_is_withdrawn_meanwhile(using: Callable[..., Using]) -> None:
    noor = using().open()
    offline(noor)
    noor.run("telemetry.used('waiting'); telemetry.crashed(new Error('kept')); await telemetry.flush()")
    assert "waiting" in noor.kept()[KEY]
    noor.choose("understand", "objection")
    noor.someone.context.set_offline(False)
    noor.wait("crash", "message", "kept")
    assert noor.stored("feature_use", "feature") == []
    assert noor.kept() == {}


def test_ending_empties_what_waits_at_once(using: Callable[..., Using]) -> None:
    noor = using().open()
    offline(noor)
    noor.run("telemetry.used('waiting'); await telemetry.flush()")
    assert set(noor.kept()) == {KEY}
    noor.run("telemetry.stop()")
    assert noor.kept() == {}
    noor.someone.context.set_offline(False)
    noor.run("telemetry.used('after'); history.pushState({}, '', '/after'); await telemetry.flush()")
    assert noor.stored("feature_use", "feature") == []


def test_somebody_else_in_the_same_browser_tells_nothing_of_whoever_was_before(using: Callable[..., Using]) -> None:
    noor, other = using().open(), using()
    offline(noor)
    noor.run("telemetry.used('hers'); await telemetry.flush()")
    noor.page.goto("about:blank")
    noor.someone.context.set_offline(False)
    noor.open(person=other.sub)
    noor.run("telemetry.used('theirs'); await telemetry.flush()")
    other.wait("feature_use", "feature", "theirs")
    assert "hers" not in [*other.stored("feature_use", "feature"), *noor.stored("feature_use", "feature")]
    assert noor.kept() == {}


def test_what_waits_is_bounded_and_what_was_given_up_is_counted(using: Callable[..., Using]) -> None:
    noor = using().open()
    offline(noor)
    noor.run("for (let n = 1; n <= 300; n++) telemetry.used(`feature-${n}`)")
    noor.run("await telemetry.flush()")
    assert noor.run("return telemetry.lost") == 100
    kept = json.loads(noor.kept()[KEY])["events"]
    assert [json.loads(each["event"])["data"]["feature"] for each in (kept[0], kept[-1])] == [
        "feature-101",
        "feature-300",
    ]
    noor.run("for (let n = 1; n <= 60; n++) telemetry.crashed(new Error('x'.repeat(1900)))")
    assert sum(each["size"] for each in json.loads(noor.kept()[KEY])["events"]) <= 60_000
    assert noor.run("return telemetry.lost") > 100


def test_what_the_policy_does_not_declare_is_kept_in_memory_alone(using: Callable[..., Using]) -> None:
    noor = using().open(storage="undeclared")
    offline(noor)
    noor.run("telemetry.used('waiting'); await telemetry.flush()")
    assert noor.kept() == {}
    noor.someone.context.set_offline(False)
    noor.wait("feature_use", "feature", "waiting")


def test_what_is_told_as_a_page_is_left_arrives(using: Callable[..., Using]) -> None:
    noor = using().open()
    noor.run("await telemetry.ask()")
    noor.run("telemetry.used('last')")
    noor.page.goto(f"{noor.site}/elsewhere.html")
    noor.wait("feature_use", "feature", "last")


@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_it_is_told(using: Callable[..., Using], status: int) -> None:
    """The service in front of which something is busy; its clock is the browser's, set forward."""
    noor = using()
    noor.page.clock.install()
    noor.open()
    noor.run("await telemetry.ask(); await telemetry.flush()")
    busy: Mapping[str, str] = {
        "retry-after": "120", "access-control-allow-origin": "*", "access-control-expose-headers": "retry-after",
    }  # fmt: skip
    noor.page.route("**/telemetry/*", lambda route: route.fulfill(status=status, headers=dict(busy), body="{}"))
    noor.run("telemetry.used('patient'); await telemetry.flush()")
    asked = len(noor.requests)
    noor.page.clock.run_for(110_000)
    noor.run("await telemetry.flush()")
    assert len(noor.requests) == asked
    noor.page.unroute("**/telemetry/*")
    noor.page.clock.run_for(15_000)
    noor.wait("feature_use", "feature", "patient")


def test_a_key_that_ended_ends_it(using: Callable[..., Using], notes: Registered, service: Serving) -> None:
    noor = using()
    noor.open(key="0" * 43)
    noor.page.wait_for_timeout(500)
    asked = len(noor.requests)
    noor.run("telemetry.used('export'); await telemetry.flush(); await telemetry.ask()")
    assert len(noor.requests) == asked
    assert noor.sent() == []

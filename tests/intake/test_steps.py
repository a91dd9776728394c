"""What is stripped, judged, read from and coarsened of an access before anything of it is stored."""

import re
import time
from copy import copy
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import SHARED
from troth.database.catalog import load as catalog
from troth.database.place import Place
from troth.intake.decisions import Decisions
from troth.intake.event import Event, Refused, now, ordered_uuid
from troth.intake.guard import harmless
from troth.intake.steps import (
    LONGEST_TOLD,
    coarse_address,
    described,
    origin_only,
    shorten,
    stripped,
    through,
    understood,
    valid_address,
)
from troth.policy import parse
from troth.policy.meaning import Occasion
from troth.policy.plan import plan

POLICY = Path(__file__).parents[2] / "policies" / "hosted-solutions.troth"
#: With each clause's names on one line, so that clauses can be found.
SOURCE = re.sub(r"\n {4}(?!for )", " ", POLICY.read_text(encoding="utf-8"))
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PURPOSES = ("provide", "protect", "understand", "personalise", "announce")
SECRETS = (
    "token",
    "code",
    "password",
    "key",
    "signature",
    "session",
    "email",
    "access_token",
    "X-Api-Key",
    "reset_code",
)


def decisions(source: str = SOURCE) -> Decisions:
    planned = plan(parse.read(source, "test.troth"), catalog())
    return Decisions.of(planned, {unit.purpose: PURPOSES.index(unit.purpose) for unit in planned.units})


def within(*purposes: str) -> int:
    """Return the bits of somebody who is in these purposes alone."""
    return sum(1 << PURPOSES.index(purpose) for purpose in purposes)


DECIDED = decisions()


def passed(event: Event, by: Decisions = DECIDED) -> Event:
    found = through(event, by)
    assert isinstance(found, Event)
    return found


def an_access(**told: object) -> Event:
    whole = {
        "at": now(),
        "method": "GET",
        "url": "/me",
        "status": 200,
        "ip": "192.0.2.77",
        "agent": FIREFOX,
        "subject": ordered_uuid(),
        "uses": within("provide", "protect", "understand"),
    }
    return Event(**(whole | told))  # type: ignore[arg-type]


def a_visit(**told: object) -> Event:
    return an_access(subject=Event(at=now()).subject, **told)


@pytest.mark.parametrize("name", SECRETS)
def test_the_values_of_secret_looking_fields_are_never_kept(name: str) -> None:
    assert passed(an_access(url=f"/files?page=2&{name}=hunter2")).url == f"/files?page=2&{name}=-"


@pytest.mark.parametrize("value", ["alice@harbor.example", "alice%40harbor.example", "Zx9" * 10, "4111111111111111"])
def test_a_value_that_gives_itself_away_is_not_kept_whatever_its_field_is_called(value: str) -> None:
    assert passed(an_access(url=f"/search?q={value}")).url == "/search?q=-"


def test_the_operators_first_link_is_not_kept() -> None:
    assert passed(an_access(url="/operator/first/abcdef")).url == "/operator/first/-"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("/people/alice@harbor.example/files", "/people/-/files"),
        ("/people/alice%40harbor.example", "/people/-"),
        ("http://alice:hunter2@harbor.example/x", "http://-/x"),
        ("/files;jsessionid=hunter2/list", "/files;-/list"),
        ("/files%3Bjsessionid=hunter2", "/files%3B-"),
        ("/files#access_token=hunter2", "/files#-"),
        ("/sign-in?next=/reset%3Ftoken%3Dhunter2", "/sign-in?next=-"),
        ("/x?a=1;token=hunter2", "/x?a=-"),
        ("/x?" + "Zx9" * 10, "/x?-="),
        ("/x?alice@harbor.example", "/x?-="),
        ("/files/secret-plan-for-everybody-2026.pdf", "/files/secret-plan-for-everybody-2026.pdf"),
    ],
)
def test_what_gives_itself_away_is_not_kept_in_paths_and_names_either(url: str, kept: str) -> None:
    assert stripped(url) == stripped(kept) == kept


def test_a_long_address_costs_no_more_than_it_is_long() -> None:
    began = time.monotonic()
    for sign in ("a", ";", "%3b", "@", "?", "/", "a=%"):
        assert len(stripped("/" + sign * 60_000) or "") <= 2048
        assert len(stripped("/?" + sign * 60_000) or "") <= 2048
    assert time.monotonic() - began < 2


def test_a_query_of_too_many_fields_is_not_kept_at_all() -> None:
    assert passed(an_access(url="/x?" + "&".join("a=1" for _ in range(5000)))).url == "/x?-"


def test_a_referrer_is_reduced_to_its_origin() -> None:
    found = passed(an_access(referrer="https://user:pw@elsewhere.example:8443/private?token=x#y"))
    assert found.referrer == "https://elsewhere.example:8443/"
    for nonsense in ("-", "javascript:alert(1)", "http://[::1", "about:blank", "http://x:99999999/"):
        assert origin_only(nonsense) is None


def test_a_visitor_leaves_a_network_and_no_referrer_where_a_member_leaves_an_address() -> None:
    member = passed(an_access(referrer="https://elsewhere.example/a"))
    visitor = passed(a_visit(referrer="https://elsewhere.example/a"))
    assert (member.occasion, member.ip, member.referrer) == (
        Occasion.ACCESS,
        "192.0.2.77",
        "https://elsewhere.example/",
    )
    assert (visitor.occasion, visitor.ip, visitor.referrer, visitor.system) == (
        Occasion.VISIT,
        "192.0.2.0/24",
        None,
        None,
    )


def test_an_address_is_coarsened_to_its_network() -> None:
    assert coarse_address("2001:db8:aaaa:bbbb::1") == "2001:db8:aaaa::/48"
    assert coarse_address("::ffff:192.0.2.77") == "192.0.2.0/24"
    assert valid_address("fe80::1%eth0") == "fe80::1"
    assert coarse_address("unknown") is valid_address("example.org") is None


def test_the_user_agent_becomes_browser_system_and_kind_and_is_itself_not_kept() -> None:
    found = passed(an_access())
    assert (found.browser, found.system, found.kind, found.agent) == ("Firefox 140", "Linux", "computer", None)
    assert described("curl/8.5.0")[2] == described("Mozilla/5.0 (compatible; Googlebot/2.1)")[2] == "robot"
    assert (
        described("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1")[2]
        == "phone"
    )
    assert described("Mozilla/5.0 (Linux; Android 14; SM-X700) Chrome/130.0 Safari/537.36")[2] == "tablet"
    assert described("") == described("-") == (None, None, None)


@pytest.mark.real
def test_every_known_user_agent_is_described_in_a_few_words() -> None:
    """The browsers that ua-parser's own list names are those that are stored, with their major version."""
    listed = SHARED / "ua" / "uapcore_test_ua.yaml"
    cases = yaml.load(listed.read_text(encoding="utf-8"), yaml.CSafeLoader)["test_cases"]
    assert len(cases) > 1000
    for case in cases:
        browser, system, kind = described(case["user_agent_string"])
        if len(case["user_agent_string"]) <= 1024 and case["family"] != "Other":
            assert browser == harmless(" ".join(filter(None, (case["family"], case["major"])))[:200])
        assert kind in ("robot", "tablet", "phone", "computer")
        assert len(system or "") <= 200


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.255", "192.0.2.0/24"),
        ("::ffff:c000:24d", "192.0.2.0/24"),
        ("::1", "::/48"),
        ("2001:DB8:AAAA::", "2001:db8:aaaa::/48"),
        ("192.0.2.77/32", "192.0.2.0/24"),
        ("192.0.2.077", None),
        ("192.0.2", None),
        ("1" * 100_000, None),
        ("192.0.2.77\n", None),
        ("", None),
    ],
)
def test_every_form_of_an_address_becomes_the_same_network_or_nothing(address: str, network: str | None) -> None:
    assert coarse_address(address) == network


def test_the_log_of_another_host_is_told_by_nobody_but_listed_proxies(cluster: Place) -> None:
    from troth.config.asgi import Application, proxies

    def told(peer: str, forwarded: str, listed: str) -> str:
        scope = {"client": (peer, 1), "headers": [(b"x-forwarded-for", forwarded.encode())]}
        return Application(listed)._client(scope)[0]

    assert told("198.51.100.9", "192.0.2.77", "") == "198.51.100.9"
    assert told("198.51.100.9", "192.0.2.77", "10.0.0.0/8") == "198.51.100.9"
    assert told("10.0.0.1", "192.0.2.77", "10.0.0.0/8") == "192.0.2.77"
    assert told("10.0.0.1", "203.0.113.5, 192.0.2.77", "10.0.0.0/8") == "192.0.2.77"
    assert told("10.0.0.1", "203.0.113.5, 192.0.2.77, 10.0.0.2", "10.0.0.0/8") == "192.0.2.77"
    assert told("::ffff:10.0.0.1", "192.0.2.77", "10.0.0.0/8") == "192.0.2.77"
    assert told("10.0.0.1", "", "10.0.0.0/8") == "10.0.0.1"
    assert told("", "192.0.2.77", "10.0.0.0/8") == ""
    with pytest.raises(ValueError, match="everybody"):
        proxies("everybody")


def test_what_the_policy_does_not_collect_is_refused_with_the_reason() -> None:
    mute = decisions(re.sub(r"collect [^\n]* on visit[^\n]*\n(    for [^\n]*\n)+", "", SOURCE))
    assert through(a_visit(), mute) == Refused("not-collected", kind="visit")
    assert isinstance(through(an_access(), mute), Event)


def test_a_column_that_the_policy_stops_collecting_is_gone_from_what_is_kept() -> None:
    narrower = decisions(
        SOURCE.replace(
            "access.status, access.time, access.referrer, access.browser", "access.status, access.time, access.browser"
        )
    )
    assert "referrer" not in narrower.kept[Occasion.ACCESS]
    assert passed(an_access(referrer="https://elsewhere.example/"), narrower).referrer is None


def test_what_is_older_than_every_window_or_from_the_future_is_refused() -> None:
    old = through(a_visit(at=now() - timedelta(days=90)), DECIDED)
    assert old == Refused("older-than-every-window", "collect-access-url-on-visit", "visit")
    assert isinstance(through(a_visit(at=now() - timedelta(days=89, hours=23)), DECIDED), Event)
    early = through(an_access(at=now() + timedelta(hours=1)), DECIDED)
    assert early == Refused("in-the-future", "collect-access-ip-on-access-2", "access")


def test_the_windows_that_count_are_those_of_the_occasion() -> None:
    """A visit that no use of visits may see any more is refused, though members' accesses are kept for longer."""
    head, visits, tail = re.split(
        r"(?=collect access.url, access.method[^\n]* on visit)|(?=collect access.url, access.time on)", SOURCE
    )
    shorter = decisions(head + visits.replace("    for protect 90 days as network\n", "") + tail)
    for days, refused in ((29, False), (31, True)):
        found = through(a_visit(at=now() - timedelta(days=days)), shorter)
        assert (isinstance(found, Refused) and found.reason == "older-than-every-window") is refused
    assert isinstance(through(an_access(at=now() - timedelta(days=31)), shorter), Event)


@pytest.mark.asvs("1.1.1")
@given(
    url=st.text(max_size=300).map(lambda text: "/" + text),
    referrer=st.text(max_size=200),
    ip=st.sampled_from(["192.0.2.77", "2001:db8::1", "", "x", "1.2.3.4/8"]) | st.text(max_size=40),
    agent=st.text(max_size=300),
    member=st.booleans(),
)
def test_whatever_is_sent_the_steps_end_and_taking_them_twice_changes_nothing(
    url: str,
    referrer: str,
    ip: str,
    agent: str,
    member: bool,  # noqa: FBT001 - drawn
) -> None:
    sent = (an_access if member else a_visit)(url=url, referrer=referrer, ip=ip, agent=agent)
    once = understood(sent, DECIDED)
    assert isinstance(once, Event)
    before = astuple(copy(once))
    twice = through(once, DECIDED)
    assert isinstance(twice, Event)
    assert astuple(twice) == before
    for text in (once.url, once.browser, once.system, once.referrer):
        assert text is None or text.encode().find(b"\0") < 0


@pytest.mark.asvs("14.2.1", "16.2.5")
@given(
    secret=st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=5, max_size=60),
    name=st.sampled_from(SECRETS),
)
def test_no_secret_survives_wherever_its_field_stands(secret: str, name: str) -> None:
    canary = f"canary{secret}"
    for url in (
        f"/x?{name}={canary}",
        f"/x?a=1&{name}={canary}&b=2",
        f"/x?{name.upper()}={canary}",
        f"/x?{name}%20={canary}",
    ):
        assert canary not in (stripped(url) or "")


def test_ids_are_version_7_and_stand_in_the_order_of_time() -> None:
    ids = [ordered_uuid() for _ in range(200)]
    assert {one.version for one in ids} == {7}
    times = [one.int >> 80 for one in ids]
    assert times == sorted(times)
    assert abs(times[-1] / 1000 - datetime.now(UTC).timestamp()) < 5


@pytest.mark.asvs("16.5.3")
def test_a_step_that_stumbles_refuses_its_event_alone() -> None:
    broken = an_access(ip=12)
    assert understood(broken, DECIDED) == Refused("not-understood")


def test_what_is_longer_than_anything_kept_of_it_is_not_held() -> None:
    secret = "Zm9vYmFyYmF6cXV4"
    for url in (f"/{'a/' * 10_000}", f"/p?{'a=b&' * 10_000}", f"/{'x' * 60_000}", "x" * 60_000, "?" + "x" * 60_000):
        for at in range(LONGEST_TOLD - 20, LONGEST_TOLD + 1):
            event = Event(now(), url=f"{url[:at]}/{secret}{'y' * 60_000}", referrer="https://a.example/" + "r" * 60_000)
            event.agent = "Firefox/140.0 " * 5_000
            shorten(event)
            assert len(event.url or "") <= LONGEST_TOLD
            assert secret[:4] not in (stripped(event.url) or "")
            assert len(event.referrer or "") + len(event.agent or "") <= LONGEST_TOLD
    whole = Event(now(), url="/me?a=b", referrer="https://a.example/", agent="Firefox/140.0")
    shorten(whole)
    assert (whole.url, whole.referrer, whole.agent) == ("/me?a=b", "https://a.example/", "Firefox/140.0")

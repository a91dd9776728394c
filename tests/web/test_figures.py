"""`/operator/activity`: what happened, in counts that are nobody; for those of the staff who count, and for nobody else."""

import re
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.conftest import Person
from tests.intake.sending import event, registered, sent
from tests.intake.test_rollups import NETWORKS, recorded, visits
from tests.web.second import hire
from troth.intake.event import now
from troth.web.figures import MOST

PAGE = "/operator/activity"


@pytest.fixture
def olga(browser: Browser, owner: Connection[Any]) -> Browser:
    """Somebody who owns the service, in a browser."""
    hire(owner, browser, browser.sign_up(owner, "olga@harbor.example"), "owner")
    return browser


def shown(browser: Browser, query: str = "") -> str:
    answer = browser.get(PAGE + query)
    assert answer.status_code == 200, answer
    return str(answer.content.decode())


def section(page: str, name: str) -> str:
    found = re.search(rf'<section class="card" aria-labelledby="{name}">(.*?)</section>', page, re.DOTALL)
    assert found, name
    return found[1]


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_without_anything_each_figure_says_so(olga: Browser) -> None:
    page = shown(olga)
    for name in ("traffic", "pages", "browsers", "releases"):
        assert "Nothing was counted in this time." in section(page, name)
    assert "No place is known" in section(page, "places")
    assert "Nothing crashed." in section(page, "crashes")
    assert "No clause refused anything." in section(page, "refused")
    assert "Nothing was lost" in section(page, "health")


def test_figures_stand_with_the_purpose_they_are_counted_for_and_a_table_behind(olga: Browser) -> None:
    recorded([*visits("/policy", 13), *visits("/terms", 3, each=9)])
    for span in ("", "?days=7", "?days=30"):
        page = shown(olga, span)
        assert "/policy 10" in words(section(page, "pages"))
        assert "/terms" not in section(page, "pages"), "which three networks asked for"
        assert "And others" in section(page, "pages")
        assert "Firefox 40" in words(section(page, "browsers"))
        assert 'href="/policy#purpose-understand"' in section(page, "pages")
        traffic = section(page, "traffic")
        assert "At least 40 in all" in traffic
        assert re.search(r"<table>.*</table>", traffic, re.DOTALL)
    assert "Nothing was counted" in section(shown(olga, "?days=99999"), "features")


def test_crashes_are_grouped_with_what_failed_and_no_word_of_anybody(
    olga: Browser, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    notes = registered(owner)
    crash = {
        "kind": "TypeError", "message": "the diary of Alice", "release": "1.4.2",
        "stack": [{"function": "save", "file": "/home/alice/store.py", "line": 41}],
    }  # fmt: skip
    odd = {"kind": "Alice Doe's secret", "stack": [{"function": "open Alice's diary", "file": "x.py"}]}
    bodies = [
        event("crash", notes.knows(cast["alice"]), f"crash-000{n}", data=each) for n, each in enumerate((crash, odd))
    ]
    assert sent(bodies, key=notes.key).status == 200
    crashes = section(shown(olga), "crashes")
    assert "TypeError" in crashes
    assert "save (store.py):41" in crashes
    assert "1.4.2" in crashes
    assert "Fewer than five people" in crashes
    assert "something without a name" in crashes
    assert "Alice" not in crashes
    assert "diary" not in crashes


def test_a_crash_that_five_people_met_says_how_many(olga: Browser, owner: Connection[Any]) -> None:
    meet(owner, "e1", 6, each=2)
    meet(owner, "e2", 4, each=20)
    page = section(shown(olga), "crashes")
    (chart,) = re.findall(r'<figure class="chart small-chart">.*?</figure>', page, re.DOTALL)
    assert "At least 10 in thirty days, at most 10 a day" in chart
    assert chart.count("<rect ") - chart.count('<rect class="none"') == 1
    assert re.findall(r'<td class="number">(\d+)</td>', chart) == ["10"]
    crashes = words(page)
    assert "At least 5 people, at least 10 times" in crashes
    assert crashes.count("Fewer than five people") == 1
    assert "80" not in crashes


def meet(owner: Connection[Any], fingerprint: str, people: int, *, each: int) -> None:
    """Let so many people, who permit everything, meet a crash so many times."""
    bits = owner.execute("SELECT bit_or(1::bigint << bit) FROM troth.unit").fetchone()
    for _ in range(people):
        whose = uuid.uuid4()
        owner.execute("ALTER TABLE troth.crash DISABLE TRIGGER USER")
        for _ in range(each):
            owner.execute(
                "INSERT INTO troth.crash (subject, at, uses, id, application, fingerprint, kind)"
                " VALUES (%s, %s, %s, gen_random_uuid(), 'notes', %s, 'KeyError')",
                (whose, now(), bits[0] if bits else 0, fingerprint),
            )
        owner.execute("ALTER TABLE troth.crash ENABLE TRIGGER USER")


def test_what_was_refused_stands_with_its_clause(olga: Browser, owner: Connection[Any]) -> None:
    owner.execute(
        "INSERT INTO troth.intake_count VALUES (now(), 'refused', 'person-declined', 7, 'crash', 'collect-crash')"
    )
    owner.execute("INSERT INTO troth.intake_count VALUES (now(), 'dropped', 'killed', 3, '', '')")
    page = shown(olga)
    assert "/policy#collect-crash" in section(page, "refused")
    assert words(section(page, "refused")).endswith("7")
    assert "Refused by no clause" not in page
    assert "lost when the service was killed 3" in words(section(page, "health"))


def test_what_no_clause_refuses_stands_apart_with_its_kind_and_reason(olga: Browser, owner: Connection[Any]) -> None:
    for reason, kind, many in (("malformed", "crash", 4), ("unknown-kind", "", 2)):
        owner.execute("INSERT INTO troth.intake_count VALUES (now(), 'refused', %s, %s, %s, '')", (reason, many, kind))
    found = section(shown(olga), "refused")
    assert "No clause refused anything." in words(found)
    apart = words(found.partition("Refused by no clause")[2])
    assert "crashes: not what its kind may say 4 of a kind that is not known 2" in apart
    assert "/policy#" not in found


BEAT = (
    "INSERT INTO troth.intake_node (node, started, seen, latest, commits, figures)"
    " VALUES (gen_random_uuid(), %s, now() - make_interval(secs => %s), %s, 1, %s)"
)


def test_how_the_intake_does_is_that_of_every_process_that_still_speaks(olga: Browser, owner: Connection[Any]) -> None:
    assert "No process has said in the last minute" in words(section(shown(olga), "health"))
    first, second = now() - timedelta(days=3), now() - timedelta(hours=2)
    owner.execute(BEAT, (first, 2, None, [4, 0, 0, 11, 6, 0, 0]))
    page = words(section(shown(olga), "health"))
    assert ("Accesses that wait to be stored 4" in page, "Sent back to come later 6" in page) == (True, True)
    assert ("Processes that store" in page, "not since the start" in page) == (False, True)
    owner.execute(BEAT, (second, 50, now(), [3, 2, 1, 0, 1, 0, 0]))
    owner.execute(BEAT, (first, 90, now(), [100, 0, 0, 0, 0, 0, 0]))
    page = words(section(shown(olga), "health"))
    assert "Accesses that wait to be stored 7 Events that wait to be stored 2" in page
    assert "Sent back to come later 7" in page
    listed = page.partition("Waiting Kept")[2]
    assert re.findall(r"\d\d:\d\d (?:not since the start|\d\d:\d\d:\d\d) (\d+) (\d+)", listed) == [
        ("4", "11"),
        ("5", "1"),
    ]


def test_of_many_processes_those_for_which_the_most_waits_are_listed(olga: Browser, owner: Connection[Any]) -> None:
    """As many as speak at all: the page stays as long as it is."""
    for nth in range(200):
        owner.execute(BEAT, (now() - timedelta(days=3, seconds=nth), 2, now(), [1000 + nth, 0, 0, 0, 0, 0, 0]))
    page = section(shown(olga), "health")
    assert f"Accesses that wait to be stored {sum(range(1000, 1200))}" in words(page)
    assert re.findall(r'data-label="Waiting">(\d+)</td>', page) == [str(1199 - nth) for nth in range(MOST)]
    assert f"And {200 - MOST} others, for which less waits." in page


@pytest.mark.parametrize(
    ("roles", "status"), [(("auditor",), 200), (("analyst",), 200), (("support",), 404), (("publisher",), 404)]
)
def test_who_counts_sees_it_and_nobody_else(
    browser: Browser, owner: Connection[Any], roles: Sequence[str], status: int
) -> None:
    whose = browser.sign_up(owner, "quinn@harbor.example")
    assert browser.get(PAGE).status_code == 404
    hire(owner, browser, whose, *roles)
    assert browser.get(PAGE).status_code == status
    overview = browser.get("/operator").content.decode()
    assert (f'href="{PAGE}"' in overview) is (status == 200)


ADD = (
    "INSERT INTO troth.rollup (hour, kind, application, dimension, value, count, people)"
    " SELECT date_trunc('day', now(), 'UTC') + make_interval(days => %s, hours => %s), %s, %s, each.dimension, each.value, %s, 31"
    " FROM (VALUES ('', ''), ('page', %s), ('browser', 'Firefox')) AS each (dimension, value)"
)


def test_days_that_are_past_are_read_by_links_and_by_a_form(olga: Browser, owner: Connection[Any]) -> None:
    owner.execute(ADD, (-40, 9, "visit", "", 25, "/then"))
    owner.execute(ADD, (-41, 9, "visit", "", 10, "/before"))
    day = now().date() - timedelta(days=40)
    assert "Nothing was counted in this time." in section(shown(olga, "?days=30"), "traffic")
    page = shown(olga, f"?on={day}")
    assert "At least 25 in all, at most 25 in one step" in words(section(page, "traffic"))
    assert "09:00 25" in words(section(page, "traffic"))
    assert "/then 25" in words(section(page, "pages"))
    assert "/before" not in page
    assert "data-live" not in page, "of what is past nothing is followed"
    links = dict(re.findall(r'<a href="\?([^"]*)"[^>]*>(Earlier|Later|Now)<', page))
    assert {word: query.replace("&amp;", "&") for query, word in links.items()} == {
        "Earlier": f"days=1&on={day - timedelta(days=1)}",
        "Later": f"days=1&on={day + timedelta(days=1)}",
        "Now": "days=1",
    }
    week = section(shown(olga, f"?days=7&on={day}"), "traffic")
    assert "At least 35 in all" in words(week)
    assert f'href="?days=1&amp;on={day}"' in week, "each day of the table leads to its hours"
    assert f'value="{day}"' in page


@pytest.mark.parametrize("told", ["tomorrow", "2026-02-30", "9999-12-31", "0001-01-01", "2026-11-01T00:00"])
def test_what_is_no_day_that_is_kept_is_now(olga: Browser, told: str) -> None:
    assert "The last 24 hours</strong>" in shown(olga, f"?on={told}")


def test_pages_of_applications_are_shown_by_application(olga: Browser, owner: Connection[Any]) -> None:
    notes = registered(owner, events=("page_view", "feature_use"))
    owner.execute(ADD, (0, 0, "visit", "", 10, "/policy"))
    owner.execute(ADD, (0, 0, "page_view", notes.application, 25, "/diary/*"))
    owner.execute(ADD, (0, 0, "feature_use", notes.application, 15, "/x"))
    page = shown(olga, "?days=7")
    assert "At least 35 in all" in section(page, "traffic")
    assert "/policy 10" in words(section(page, "pages"))
    assert "/diary/* Harbor Notes 25" in words(section(page, "views"))
    assert "Firefox 35" in words(section(page, "browsers"))
    assert "Pages shown 25 Uses of features 15" in words(section(page, "sent"))
    own = shown(olga, "?days=7&of=-")
    assert "At least 10 in all" in section(own, "traffic")
    assert "Firefox 10" in words(section(own, "browsers"))
    assert "/diary" not in own
    theirs = shown(olga, f"?days=7&of={notes.application}")
    assert "At least 25 in all" in section(theirs, "traffic")
    assert "Firefox 25" in words(section(theirs, "browsers"))
    assert "/policy" not in words(theirs.partition('id="figures"')[2].partition("</main>")[0])
    assert f"of={notes.application}" in theirs.partition(">30 days<")[0].rpartition("href=")[2]
    assert "At least 35 in all" in section(shown(olga, "?days=7&of=nobody"), "traffic")


def test_it_speaks_spanish_with_countries_by_name(olga: Browser, owner: Connection[Any]) -> None:
    owner.execute(
        "INSERT INTO troth.rollup VALUES (date_trunc('hour', now()), 'access', '', 'place', 'ES', 40, 31),"
        " (date_trunc('hour', now()), 'access', '', 'place', 'FR', 12, 31), (date_trunc('hour', now()), 'access', '', 'place', 'MC', 9, 1)"
    )
    assert "Spain 40 France 10" in words(section(shown(olga), "places"))
    olga.post("/language", {"language": "es", "next": PAGE})
    page = shown(olga)
    assert "España 40 Francia 10" in words(section(page, "places"))
    assert "Monaco" not in page
    assert 'class="shade4"' in section(page, "places")


def test_a_lively_page_is_still_small(olga: Browser) -> None:
    import gzip

    recorded([one for nth in range(40) for one in visits(f"/{'abcdefghij'[nth % 10]}{nth % 4}", 6)])
    assert len(NETWORKS) > 6
    assert len(gzip.compress(olga.get(PAGE).content)) < 30_000

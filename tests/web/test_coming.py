"""A significant version before its day and on it: told by mail, agreed to ahead, declined without a dead end."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from click.testing import CliRunner
from django.utils.formats import date_format
from django.utils.translation import override
from psycopg import Connection

from tests.browsing import PASSWORD, Browser, mails, subject
from tests.conftest import POLICY, TERMS, Person, visit
from tests.consent.test_scheduling import DAY, comes, later
from tests.web.second import hire
from troth.cli.publish import withdraw
from troth.consent import coming, publishing, scheduling
from troth.database import apply, published
from troth.database.drift import drift
from troth.notices import delivery, outbox
from troth.policy.compare import Verdict

ALICE, BOB = "alice@harbor.example", "bob@harbor.example"
FIRST = POLICY.read_text(encoding="utf-8").replace("version 1 effective", "version 2 effective")
WIDER = later(FIRST.replace("for understand 30 days as network", "for understand 60 days as network"))


@pytest.fixture
def alice(browser: Browser, owner: Connection[Any]) -> Browser:
    browser.sign_up(owner, ALICE)
    return browser


@pytest.fixture(autouse=True)
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, writer in coming.WRITERS.items():
        monkeypatch.setitem(delivery.WRITERS, name, writer)
    for name, gate in coming.GATES.items():
        monkeypatch.setitem(delivery.GATES, name, gate)
    yield
    published.forget()


def publish(owner: Connection[Any], source: str = WIDER, raised: Verdict = Verdict.EDITORIAL) -> None:
    publishing.publish(owner, publishing.asked(source, TERMS, raised, key=True))


def take_effect(owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    comes(monkeypatch)
    scheduling.take_effect(owner)
    published.forget()


def told(owner: Connection[Any], email: str) -> list[dict[str, Any]]:
    return [each for each in mails(owner, email) if "before" in each]


def agree_ahead(browser: Browser) -> Any:
    page = browser.get("/coming").content.decode()
    form = dict(re.findall(r'name="(policy|terms)" value="([0-9a-f]{64})"', page))
    return browser.post("/coming", form | {"answer": "agree"})


def test_each_person_is_told_once_in_their_language_and_whoever_comes_later_on_the_day(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner)
    for _ in range(3):
        coming.follow(owner)
    (facts,) = told(owner, ALICE)
    assert (facts["version"], facts["before"], facts["language"]) == (2, 1, "en")
    mail = delivery.written("version", facts)
    assert date_format(DAY, "j F Y") in mail["subject"]
    assert "60 days" in mail["text"]
    assert "It needs your agreement" in mail["text"]
    assert "your account waits until you agree" in mail["text"]
    assert re.findall(r"https://\S*?(/\S*)", mail["text"]) == ["/declining", "/coming"], "and no answer in either"
    assert mail["text"].rstrip().endswith("/coming")
    assert str(DAY) not in mail["text"], "no date for machines"
    spanish = delivery.written("version", facts | {"language": "es"})
    assert "acuerdo" in spanish["text"]
    with override("es"):
        assert f"cambia su política el {date_format(DAY, 'j \\d\\e F \\d\\e Y')}" in spanish["subject"]
    Browser().sign_up(owner, BOB, "Bob")
    take_effect(owner, monkeypatch)
    for _ in range(2):
        coming.follow(owner)
    assert len(told(owner, ALICE)) == 1
    (facts,) = told(owner, BOB)
    mail = delivery.written("version", facts)
    assert "changed its policy on" in mail["subject"]
    assert "took effect on" in mail["text"]
    assert "takes effect" not in mail["text"]


def test_whoever_withdraws_by_the_command_line_sees_first_who_is_written_to(
    alice: Browser, owner: Connection[Any]
) -> None:
    publish(owner)
    for told_of in ("nobody was written to", "1 person was told of it by e-mail, and will be told"):
        done = CliRunner().invoke(withdraw, ["2"], input="n\n")
        assert done.exit_code == 1
        assert told_of in done.output
        assert scheduling.waiting(owner) is not None, "asked first"
        for _ in range(3):
            coming.follow(owner)
    done = CliRunner().invoke(withdraw, ["3", "--yes"])
    assert "version 3 does not wait" in str(done.exception)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("troth.database.requests.ask", lambda _kind, told: told)
        done = CliRunner().invoke(withdraw, ["2", "--yes"])
    assert "1 person was told of it by e-mail" in done.output, "also where nobody asks"


def test_telling_goes_on_where_it_stopped_and_ends(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bob", "charlie"):
        Browser().sign_up(owner, f"{name}@harbor.example", name)
    publish(owner)
    monkeypatch.setattr(coming, "AT_ONCE", 1)
    coming.follow(owner)  # decides whom to tell, and tells the first
    for looked in (1, 1, 0, 0):
        assert owner.execute("SELECT troth.tell_some(1)").fetchone() == (looked,)
    assert [len(told(owner, f"{name}@harbor.example")) for name in ("alice", "bob", "charlie")] == [1, 1, 1]
    assert owner.execute(
        "SELECT told FROM troth.policy_telling WHERE version = 2 AND done_at IS NOT NULL"
    ).fetchall() == [(3,)]


def test_telling_waits_while_the_outbox_is_full_and_goes_on_when_it_has_room(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bob", "charlie"):
        Browser().sign_up(owner, f"{name}@harbor.example", name)
    publish(owner)
    monkeypatch.setattr(coming, "AT_ONCE", 1)
    monkeypatch.setattr(outbox, "ROOM", 2)
    queued = "SELECT count(*) FROM troth.notice WHERE batch IS NOT NULL"
    for many in (1, 2, 2, 2):
        coming.follow(owner)
        assert owner.execute(queued).fetchone() == (many,)
    owner.execute("DELETE FROM troth.notice WHERE batch IS NOT NULL")  # they were sent
    coming.follow(owner)
    assert owner.execute(queued).fetchone() == (1,)
    assert owner.execute("SELECT told FROM troth.policy_telling WHERE version = 2").fetchone() == (3,)


@pytest.mark.parametrize("why", ["neutral", "withdrawn", "another way"])
def test_nobody_is_told_what_is_not_owed(alice: Browser, owner: Connection[Any], why: str) -> None:
    source = later(FIRST.replace("privacy@harbor.example", "people@harbor.example")) if why == "neutral" else WIDER
    if why == "another way":
        text = FIRST.replace("version 2 effective", "version 1 effective").replace(
            "notify by e-mail", "notify by message"
        )
        owner.execute("UPDATE troth.policy_version SET source = %s", (text,))
        monkey = pytest.MonkeyPatch()
        monkey.setattr("troth.database.signatures.check", lambda _: None)
    publish(owner, source)
    if why == "withdrawn":
        scheduling.withdraw(owner, {"version": 2})
    if why == "another way":
        monkey.undo()
    coming.follow(owner)
    assert told(owner, ALICE) == []


def test_who_agreed_ahead_goes_on_and_who_did_not_is_out_from_the_moment_it_takes_effect(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = Browser()
    bob.sign_up(owner, BOB, "Bob")
    publish(owner)
    assert bob.get("/me").headers["Location"] == "/coming", "asked on the next visit"
    assert bob.post("/coming", {"answer": "later"}).headers["Location"] == "/me"
    assert bob.get("/me").status_code == 200, "and not again in this session"
    assert agree_ahead(alice).status_code == 302
    assert "You agreed to it on" in alice.get("/coming").content.decode()
    assert alice.get("/me").status_code == 200
    take_effect(owner, monkeypatch)
    coming.follow(owner)
    published.forget()
    assert alice.get("/me").status_code == 200
    assert bob.get("/me").headers["Location"] == "/agree"
    rows = owner.execute("SELECT version, how, language FROM troth.agreement ORDER BY at").fetchall()
    assert rows == [(1, "page", "en"), (1, "page", "en"), (2, "page, ahead of its day", "en")]
    assert owner.execute("SELECT count(*) FROM troth.agreement_ahead").fetchone() == (0,)
    bits = "SELECT count(*) FROM troth.permitted, troth.unit WHERE purpose = 'understand' AND retired_at IS NULL"
    both = bits + " AND subject <> '00000000-0000-0000-0000-000000000000' AND (uses >> bit) & 1 = 1"
    assert owner.execute(both.encode()).fetchone() == (1,)
    assert drift(owner).lines() == []


def test_an_agreement_ahead_can_be_taken_back_and_binds_to_the_words_that_were_read(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner)
    agree_ahead(alice)
    alice.post("/coming", {"answer": "back"})
    assert owner.execute("SELECT count(*) FROM troth.agreement_ahead").fetchone() == (0,)
    agree_ahead(alice)
    scheduling.withdraw(owner, {"version": 2})
    publish(owner, WIDER.replace("60 days", "90 days").replace("version 2", "version 3", 1))
    take_effect(owner, monkeypatch)
    coming.follow(owner)
    assert owner.execute("SELECT max(version) FROM troth.agreement").fetchone() == (1,)
    assert owner.execute("SELECT count(*) FROM troth.agreement_ahead").fetchone() == (0,)


def test_declining_leads_to_every_way_on_also_on_the_way_in(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner)
    assert alice.post("/coming", {"answer": "decline"}).headers["Location"] == "/declining"
    assert 'href="/me#purposes"' in alice.get("/declining").content.decode()
    take_effect(owner, monkeypatch)
    assert alice.agree("decline").headers["Location"] == "/declining"
    alice.post("/sign-out")
    again = Browser()
    assert again.sign_in(ALICE).headers["Location"] == "/agree"
    assert again.agree("decline").headers["Location"] == "/declining"
    page = again.get("/declining").content.decode()
    assert "You declined version 2." in page, "also on the way in"
    for way in ('href="/agree"', 'href="/me/close"', 'href="/me/copy"'):
        assert way in page, way
    assert again.get("/me").headers["Location"] == "/agree"
    assert again.get("/me/close").status_code == 200
    assert owner.execute("SELECT count(*) FROM troth.people_account").fetchone() == (1,), "nothing is removed by a no"
    again.agree()
    assert again.get("/me").status_code == 200


def test_the_page_counts_the_readers_own_records_and_nobody_elses(alice: Browser, owner: Connection[Any]) -> None:
    bob = Browser()
    bob.sign_up(owner, BOB, "Bob")
    for email, many in ((ALICE, 3), (BOB, 5)):
        (subject,) = owner.execute("SELECT subject FROM troth.person WHERE email = %s", (email,)).fetchone() or (None,)
        assert subject is not None
        for _ in range(many):
            visit(Person(email, subject, email, ""))
    publish(owner)
    for reader, mine, others in ((alice, 3, 5), (bob, 5, 3)):
        page = reader.get("/coming").content.decode()
        touched = page.partition("What it touches of yours")[2].partition("</section>")[0]
        assert "60 days" in touched
        assert f"{mine} records of yours" in touched
        assert f"{others} records of yours" not in touched
        for category in ("your browser", "the kind of your device", "the page you asked for"):
            assert touched.count(category) == 1, "each once"
    assert apply.newest(owner).version == 1  # type: ignore[union-attr]


def test_a_decline_after_an_agreement_takes_it_back_and_other_words_are_refused_aloud(
    alice: Browser, owner: Connection[Any]
) -> None:
    publish(owner)
    agree_ahead(alice)
    assert owner.execute("SELECT count(*) FROM troth.agreement_ahead").fetchone() == (1,)
    alice.post("/coming", {"answer": "decline"})
    assert "You declined version 2. Until its day nothing changes" in alice.get("/declining").content.decode()
    assert owner.execute("SELECT count(*) FROM troth.agreement_ahead").fetchone() == (0,)
    form = re.findall(
        r'type="hidden" name="(policy|terms|language)" value="(\w+)"', alice.get("/coming").content.decode()
    )
    alice.post("/language", {"language": "es", "next": "/coming"})
    alice.post("/coming", dict(form) | {"answer": "agree"})
    assert owner.execute("SELECT language FROM troth.agreement_ahead").fetchone() == ("en",), "the words that were read"
    alice.post("/language", {"language": "en", "next": "/coming"})
    alice.post("/coming", {"answer": "agree", "policy": "0" * 64, "terms": "0" * 64})
    assert "The policy has changed since" in alice.get("/coming").content.decode()


def test_declining_in_the_moment_before_it_binds_is_a_no(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner)
    agree_ahead(alice)
    take_effect(owner, monkeypatch)
    answer = alice.post("/agree", {"answer": "decline"})
    assert answer.headers["Location"] == "/declining"
    assert "You declined version 2." in alice.get("/declining").content.decode()
    assert owner.execute("SELECT count(*) FROM troth.agreement_ahead").fetchone() == (0,)
    coming.follow(owner)
    assert owner.execute("SELECT count(*) FROM troth.agreement WHERE version = 2").fetchone() == (0,)


def test_only_agreeing_agrees(alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    publish(owner)
    take_effect(owner, monkeypatch)
    form = dict(re.findall(r'name="(policy|terms)" value="([0-9a-f]{64})"', alice.get("/agree").content.decode()))
    for answer in ({}, {"answer": "later"}):
        alice.post("/agree", form | answer)
        assert owner.execute("SELECT count(*) FROM troth.agreement WHERE version = 2").fetchone() == (0,)


def test_what_is_kept_of_an_agreement_is_what_was_read(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner)
    take_effect(owner, monkeypatch)
    page = alice.get("/agree").content.decode()
    form = dict(re.findall(r'type="hidden" name="(policy|terms|language)" value="(\w+)"', page))
    assert form["language"] == "en"
    alice.post("/language", {"language": "es", "next": "/agree"})
    alice.post("/agree", form | {"answer": "agree"})
    kept = owner.execute("SELECT language, wording FROM troth.agreement WHERE version = 2").fetchone()
    assert kept == ("en", "I agree to version 2 of the policy and to the terms.")


def test_what_waits_is_on_every_page_that_speaks_of_versions(alice: Browser, owner: Connection[Any]) -> None:
    day = date_format(DAY, "j F Y")
    pages = ("/policy", "/policy/versions", "/me")
    for path in pages:
        assert day not in alice.get(path).content.decode(), path
    assert Browser().get("/policy/compare/1..2").status_code == 404
    publish(owner)
    alice.get("/coming")
    for path in pages:
        page = alice.get(path).content.decode()
        assert f"takes effect on {day}" in page, path
        assert 'href="/coming"' in page, path
    for path in ("/policy", "/policy/versions"):
        page = Browser().get(path).content.decode()
        assert f"Version 2 takes effect on {day}." in page
        assert 'href="/policy/compare/1..2"' in page
    page = Browser().get("/policy/compare/1..2").content.decode()
    assert f"Version 2 takes effect on {day}." in page, "it is not in force"
    assert "60 days" in page
    scheduling.withdraw(owner, {"version": 2})
    assert Browser().get("/policy/compare/1..2").status_code == 404
    for path in pages:
        assert day not in alice.get(path).content.decode(), path


def test_whoever_agreed_ahead_is_shown_that_and_can_take_it_back(alice: Browser, owner: Connection[Any]) -> None:
    publish(owner)
    agree_ahead(alice)
    page = alice.get("/coming").content.decode()
    assert f"It takes effect on {date_format(DAY, 'j F Y')}; until then you can take it back." in page
    assert 'value="agree"' not in page
    page = alice.get("/me").content.decode()
    assert "You agreed to it on" in page
    assert "Read it, or take it back" in page
    assert "It needs your agreement" not in page


def test_what_declining_leads_to_is_said_of_the_day_and_not_of_today(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner)
    page = alice.get("/declining").content.decode()
    goes_on, _, is_not = page.partition('id="off"')
    understood = "understand what people need and how the service is used"
    assert understood in alice.get("/policy").content.decode()
    assert understood in is_not
    assert understood not in goes_on.partition('id="on"')[2]
    assert f"This holds from {date_format(DAY, 'j F Y')} on, when version 2 takes effect" in page
    scheduling.withdraw(owner, {"version": 2})
    page = alice.get("/declining").content.decode()
    assert understood in page.partition('id="on"')[2].partition('id="off"')[0], "nothing ends"
    assert "This holds from" not in page


def test_publishers_see_what_waits_whoever_published_it_and_how_to_withdraw_it(
    alice: Browser, owner: Connection[Any]
) -> None:
    hire(owner, alice, subject(owner, ALICE), "owner")
    publish(owner)
    page = alice.get("/operator/publishing").content.decode()
    assert f"Version 2 takes effect on {date_format(DAY, 'j F Y')}" in page
    assert "the operator&#x27;s key, from the command line" in page or "the operator's key" in page
    assert "<code>troth policy withdraw 2</code>" in page
    scheduling.withdraw(owner, {"version": 2})
    assert "troth policy withdraw" not in alice.get("/operator/publishing").content.decode()
    answer = alice.post("/operator/publishing", {"source": WIDER, "terms": TERMS})
    assert answer.status_code == 302, answer.content
    page = alice.get(answer.headers["Location"]).content.decode()
    assert "within seconds" not in page
    assert f"it takes effect on {DAY} by itself" in page
    publish(owner)
    page = alice.get("/operator/publishing").content.decode()
    assert f'href="{answer.headers["Location"]}">On the page of the proposal' in page
    assert "troth policy withdraw" not in page


QUEUED = (
    "SELECT address, template, (facts ->> 'version')::integer FROM troth.notice WHERE batch IS NOT NULL ORDER BY 1, 2"
)


def test_whoever_was_told_of_a_version_is_told_that_it_was_withdrawn_and_nobody_else(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    Browser().sign_up(owner, BOB, "Bob")
    hire(owner, alice, subject(owner, ALICE), "owner")
    publish(owner)
    with monkeypatch.context() as few:
        few.setattr(coming, "AT_ONCE", 1)
        coming.follow(owner)
    ((first, _, _),) = owner.execute(QUEUED).fetchall()
    owner.execute("DELETE FROM troth.notice WHERE batch IS NOT NULL")  # it was sent, to one of the two
    scheduling.withdraw(owner, {"version": 2})
    with monkeypatch.context() as full:
        full.setattr(outbox, "ROOM", 0)
        coming.follow(owner)
    assert owner.execute(QUEUED).fetchall() == [], "there is no room"
    for _ in range(4):
        coming.follow(owner)
    assert owner.execute(QUEUED).fetchall() == [(first, "withdrawn", 2)]
    (facts,) = (each for each in mails(owner, first) if "batch" in each)
    mail = coming.withdrawn_mail(facts)
    assert "Version 2" in mail["text"]
    assert "was withdrawn" in mail["text"]
    assert "se retiró" in coming.withdrawn_mail(facts | {"language": "es"})["text"]
    rows = re.findall(r"<td[^>]*>([^<]*)</td>", alice.get("/operator/notices").content.decode())
    assert [rows[at - 1] for at, each in enumerate(rows) if each == "was withdrawn"] == ["2"]
    assert [rows[at - 1] for at, each in enumerate(rows) if each == "takes effect on its day"] == ["2"]
    publish(owner, WIDER.replace("60 days", "90 days").replace("version 2", "version 3", 1))
    coming.follow(owner)
    newer = [template for _, template, _ in owner.execute(QUEUED).fetchall()]
    assert newer.count("version") == 2, "the next one is told as ever"
    assert newer.count("withdrawn") == 1


def test_a_mail_about_a_version_does_not_leave_once_that_is_withdrawn(alice: Browser, owner: Connection[Any]) -> None:
    publish(owner)
    coming.follow(owner)
    assert len(told(owner, ALICE)) == 1
    whose = subject(owner, ALICE)
    facts = {"version": 2, "address": ALICE}
    assert delivery.GATES["version"](whose, facts) == ALICE
    scheduling.withdraw(owner, {"version": 2})
    assert delivery.GATES["version"](whose, facts) is None
    assert delivery.GATES["version"](whose, facts | {"version": 1}) == ALICE, "that one is in force"
    delivery.deliver(delivery.Route("", "troth@harbor.example"), many=True)
    assert told(owner, ALICE) == []
    assert owner.execute(
        "SELECT outcome FROM troth.notice_tally WHERE batch <> '00000000-0000-0000-0000-000000000000'"
    ).fetchall() == [("withdrawn",)]


def test_who_agreed_ahead_and_comes_before_the_keepers_turn_is_not_asked_again(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bob, carol = Browser(), Browser()
    bob.sign_up(owner, BOB, "Bob")
    carol.sign_up(owner, "carol@harbor.example", "Carol")
    publish(owner)
    for each in (alice, bob):
        agree_ahead(each)
    take_effect(owner, monkeypatch)
    assert carol.get("/me").headers["Location"] == "/agree"
    assert carol.get("/agree").status_code == 200
    assert alice.get("/me").status_code == 200, "bound by coming"
    assert Browser().get("/me").status_code == 303
    again = Browser()
    answer = again.sign_in(BOB)
    assert again.get(answer.headers["Location"]).headers.get("Location") != "/agree"
    assert again.get("/me").status_code == 200, "bound on the way in"
    assert owner.execute("SELECT how FROM troth.agreement WHERE version = 2").fetchall() == [
        ("page, ahead of its day",),
        ("page, ahead of its day",),
    ]
    coming.follow(owner)
    assert owner.execute("SELECT count(*) FROM troth.agreement WHERE version = 2").fetchone() == (2,)


def test_the_door_binds_nobody_to_what_they_did_not_agree_to_or_is_not_in_force(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ((whose,),) = owner.execute("SELECT subject FROM troth.person WHERE email = %s", (ALICE,)).fetchall()
    publish(owner)
    assert coming.bind(whose) is False, "nothing was agreed to"
    agree_ahead(alice)
    assert coming.bind(whose) is False, "its day has not come"
    owner.execute("UPDATE troth.agreement_ahead SET terms_digest = repeat('0', 64)")
    take_effect(owner, monkeypatch)
    assert coming.bind(whose) is False, "other words than were read"
    assert alice.get("/me").headers["Location"] == "/agree"


def test_all_who_agreed_ahead_are_bound_at_the_turn_of_its_day_and_not_asked_again(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = Browser()
    bob.sign_up(owner, BOB, "Bob")
    publish(owner)
    for each in (alice, bob):
        agree_ahead(each)
    monkeypatch.setattr(coming, "BOUND_AT_ONCE", 1)
    take_effect(owner, monkeypatch)
    coming.follow(owner)
    for each in (alice, bob):
        assert each.get("/me").status_code == 200


def test_what_one_agrees_to_stands_under_headings_and_what_reaches_further_is_open(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.begin(ALICE)
    page = browser.get("/agree").content.decode()
    purposes = page.count("What it uses, and for how long")
    assert purposes > 1
    assert "<details open>" not in page
    assert "reaches further than before" not in page
    browser.agree()
    browser.verify(owner, ALICE)
    publish(owner)
    take_effect(owner, monkeypatch)
    page = browser.get("/agree").content.decode()
    heading, _, rest = page.partition('id="glance"')[2].partition("reaches further than before")
    assert heading.rpartition("<h3>")[2].startswith("Understand"), heading[-200:]
    assert "<details open>" in rest.partition("</li>")[0]
    assert page.count("<details open>") == 1
    for summary in re.findall(r"<summary>(.*?)</summary>", page):
        assert summary.strip()
    assert "60 days" in rest.partition("</details>")[0]


def test_a_purpose_that_is_new_is_called_new(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.sign_up(owner, ALICE)
    new = 'purpose rank "put what you like first" by legitimate interest [P3]\ncollect access.url on access\n    for rank 9 days\n'
    publish(owner, WIDER + new)
    take_effect(owner, monkeypatch)
    glance = browser.get("/agree").content.decode().partition('id="glance"')[2]
    heading = glance.partition("is new")[0].rpartition("<h3>")[2]
    assert heading.startswith("Rank"), heading
    assert glance.count("is new") == 1
    assert glance.count("reaches further than before") == 1


def agreed_to(owner: Connection[Any], version: int = 2) -> list[str]:
    """Return how each agreement to a version came about."""
    return [
        how for (how,) in owner.execute("SELECT how FROM troth.agreement WHERE version = %s", (version,)).fetchall()
    ]


@pytest.mark.parametrize(("answer", "leads"), [("decline", "/declining"), ("back", "/agree")])
def test_whoever_takes_it_back_from_an_older_page_is_not_bound_first(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, answer: str, leads: str
) -> None:
    publish(owner)
    agree_ahead(alice)
    take_effect(owner, monkeypatch)
    assert alice.post("/coming", {"answer": answer}).headers["Location"] == leads
    coming.follow(owner)
    assert agreed_to(owner) == []
    assert alice.get("/me").headers["Location"] == "/agree"
    assert alice.get("/coming").headers["Location"] == "/agree"


def test_an_answer_to_what_does_not_wait_any_more_is_answered_aloud(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner)
    agree_ahead(alice)
    take_effect(owner, monkeypatch)
    coming.follow(owner)
    assert alice.post("/coming", {"answer": "back"}).headers["Location"] == "/policy/versions"
    assert "No version waits any more" in alice.get("/policy/versions").content.decode()
    assert agreed_to(owner) == ["page, ahead of its day"]


def test_whoever_agrees_on_its_page_and_did_ahead_agrees_once(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner)
    form = dict(re.findall(r'name="(policy|terms)" value="([0-9a-f]{64})"', alice.get("/coming").content.decode()))
    agree_ahead(alice)
    take_effect(owner, monkeypatch)
    assert alice.post("/agree", form | {"answer": "agree"}).headers["Location"] == "/me"
    assert coming.bind(subject(owner, ALICE)) is False
    coming.follow(owner)
    assert agreed_to(owner) == ["page"]
    assert owner.execute("SELECT count(*) FROM troth.agreement_ahead").fetchone() == (0,)


def test_many_requests_at_once_bind_once(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner)
    agree_ahead(alice)
    take_effect(owner, monkeypatch)
    whose, together = subject(owner, ALICE), Barrier(6)

    def comes_in(_: int) -> bool:
        together.wait()
        return coming.bind(whose)

    with ThreadPoolExecutor(6) as several:
        assert sorted(several.map(comes_in, range(6))) == [False] * 5 + [True]
    assert agreed_to(owner) == ["page, ahead of its day"]
    entries = "SELECT count(*) FROM troth.ledger_entry WHERE action = 'agreed' AND facts->>'version' = '2'"
    assert owner.execute(entries).fetchone() == (1,)


@pytest.mark.parametrize("why", ["another", "withdrawn", "declined", "closed"])
def test_nobody_is_bound_to_what_they_did_not_agree_to(
    alice: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    bob = Browser()
    bob.sign_up(owner, BOB, "Bob")
    whose = subject(owner, BOB if why == "another" else ALICE)
    publish(owner)
    agree_ahead(alice)
    if why == "withdrawn":
        scheduling.withdraw(owner, {"version": 2})
    if why == "declined":
        alice.post("/coming", {"answer": "decline"})
    if why == "closed":
        assert alice.post("/me/close", {"password": PASSWORD}).status_code == 302
    take_effect(owner, monkeypatch)
    assert coming.bind(whose) is False
    assert agreed_to(owner) == []

"""P18, P19, P27: an application knows a browser without an account by a token of its own, as long as its user lets it."""

import base64
import hashlib
import json
import threading
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import Connection, errors

from tests.attacks.test_identifiers import COOKIE, FIRST, again, make_known
from tests.attacks.test_senders import try_as
from tests.conftest import TERMS, Person
from tests.intake.sending import MANIFEST, USE, Application, registered
from tests.intake.test_telemetry import EVERY, shown, tell
from troth.consent import browsers, identifiers
from troth.consent.errors import ConsentRefusal, NoSuchApplication, NoSuchIdentifier
from troth.database import apply, connect, published
from troth.people import registering

ADDRESS = "https://notes.example/signed-in"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
VIEW = (
    "INSERT INTO troth.page_view (subject, at, id, application, url, uses)"
    " VALUES (%s, statement_timestamp(), uuidv7(), %s, '/a', ~(1::bigint << 63))"
)
#: What whoever is known permits nobody to tell: a use of a feature, which no clause collects of them.
TOLD = {"key": "use-00001", "kind": "feature_use", "data": USE}


@pytest.fixture
def known(cast: dict[str, Person], owner: Connection[Any]) -> uuid.UUID:
    return make_known(owner)


@pytest.fixture
def notes(owner: Connection[Any], known: uuid.UUID) -> Application:
    return registered(owner, events=EVERY)


def let(notes: Application, cookie: str = COOKIE) -> str:
    return browsers.let(cookie, application=notes.application, address=ADDRESS, challenge=CHALLENGE)


def take(notes: Application, code: str, **told: str) -> browsers.Taken | None:
    asked = {"application": notes.application, "code": code, "address": ADDRESS, "verifier": VERIFIER} | told
    return browsers.take(**asked)


def taken(notes: Application, cookie: str = COOKIE) -> str:
    found = take(notes, let(notes, cookie))
    assert found is not None
    return found.token


def outcome(notes: Application, token: str, *, nth: int = 1, key: str = "", **told: Any) -> str:
    """Send a page view of whoever a token stands for; return what became of it."""
    (answer,) = tell(notes, token, shown(f"view-{nth:05}", **told), **({"key": key} if key else {})).body["events"]
    return str(answer.get("reason", answer["outcome"]))


def views(owner: Connection[Any]) -> list[tuple[Any, ...]]:
    return owner.execute("SELECT subject, url, referrer, browser, system, uses <> 0 FROM troth.page_view").fetchall()


def test_what_is_told_of_a_browser_is_its_identifiers_and_no_more_than_is_collected_of_one(
    notes: Application, known: uuid.UUID, owner: Connection[Any]
) -> None:
    token = taken(notes)
    assert set(tell(notes, token).body["permits"]) == {"page_view"}
    assert tell(notes, token).body["permits"]["page_view"] == ["url", "browser", "kind", "method", "status"]
    assert outcome(notes, token) == "stored"
    assert views(owner) == [(known, "/diary/7?token=-&tab=all", None, "Chrome 140", None, True)]
    with connect.acting("personalise") as reader:
        assert reader.execute("SELECT url FROM page_view").fetchall() == [("/diary/7?token=-&tab=all",)]


def test_only_digests_are_stored_and_no_two_applications_hold_the_same(
    notes: Application, known: uuid.UUID, owner: Connection[Any]
) -> None:
    other = registered(owner, events=EVERY)
    code = let(notes)
    first, second = take(notes, code), taken(other)
    assert first is not None
    assert first.token != second
    row = owner.execute("SELECT array_agg(b::text) FROM troth.application_browser AS b").fetchone()
    for secret in (code, first.token, second, VERIFIER, COOKIE):
        assert secret not in json.dumps(row)
        assert secret.encode().hex() not in json.dumps(row)
    assert str(known) not in first.token + second


def test_a_token_is_worth_nothing_with_another_applications_key(notes: Application, owner: Connection[Any]) -> None:
    other = registered(owner, events=EVERY)
    token = taken(notes)
    assert outcome(other, token) == "unknown-person"
    assert outcome(notes, token, nth=2, key=other.key) == "unknown-person"
    assert tell(other, token).body["permits"] == {}


def test_what_is_stored_of_a_token_is_no_token(notes: Application, owner: Connection[Any]) -> None:
    token = taken(notes)
    for told in (hashlib.sha256(token.encode()).hexdigest(), token[:-1], COOKIE.replace(" ", "-")):
        assert outcome(notes, told) == "unknown-person"


@pytest.mark.parametrize(
    "told",
    [
        {"verifier": "w" * 43},
        {"verifier": ""},
        {"verifier": CHALLENGE},
        {"address": "https://evil.example/"},
        {"address": ADDRESS + "/"},
        {"code": "guessed"},
    ],
)
def test_a_code_is_taken_with_its_verifier_and_its_address_alone(notes: Application, told: dict[str, str]) -> None:
    code = let(notes)
    assert take(notes, **({"code": code} | told)) is None
    assert take(notes, code) is not None


def test_another_application_takes_no_code(notes: Application, owner: Connection[Any]) -> None:
    other, code = registered(owner, events=EVERY), let(notes)
    assert take(other, code) is None
    assert take(notes, code) is not None


def test_a_code_that_is_brought_twice_ends_what_it_was_taken_for(notes: Application, owner: Connection[Any]) -> None:
    code = let(notes)
    found = take(notes, code)
    assert found is not None
    assert outcome(notes, found.token) == "stored"
    assert take(notes, code) is None
    assert outcome(notes, found.token, nth=2) == "unknown-person"
    entry = owner.execute("SELECT action FROM troth.ledger_entry ORDER BY index DESC LIMIT 1").fetchone()
    assert entry == ("token-brought-twice",)


def test_a_code_lasts_a_minute(notes: Application, owner: Connection[Any]) -> None:
    code = let(notes)
    within = "SELECT code_until BETWEEN now() AND now() + interval '60 seconds' FROM troth.application_browser"
    assert owner.execute(within).fetchone() == (True,)
    owner.execute("UPDATE troth.application_browser SET code_until = now()")
    assert take(notes, code) is None


def test_what_an_application_held_lasts_until_a_new_yes_is_taken(notes: Application) -> None:
    before, code = taken(notes), let(notes)
    assert outcome(notes, before) == "stored"
    found = take(notes, code)
    assert found is not None
    assert outcome(notes, found.token, nth=2) == "stored"
    assert outcome(notes, before, nth=3) == "unknown-person"


def withdraws(_notes: Application, _owner: Connection[Any]) -> None:
    with connect.acting("self", token=COOKIE) as mine:
        for purpose, kind in (("personalise", "withdrawal"), ("protect", "objection"), ("understand", "objection")):
            mine.execute("SELECT troth.choose(%s, %s)", (purpose, kind))


def ties(_notes: Application, owner: Connection[Any]) -> None:
    owner.execute("UPDATE troth.identifier SET tied_at = now()")


def comes_of_age(_notes: Application, owner: Connection[Any]) -> None:
    owner.execute("UPDATE troth.identifier SET until = now()")


def widens(_notes: Application, owner: Connection[Any]) -> None:
    wider = (
        FIRST.replace("version 1 effective", "version 2 effective")
        .replace("for protect 90 days", "for protect 120 days")
        .replace("within 90 days", "within 120 days")
    )
    apply.apply(owner, wider, TERMS)


ENDS: dict[str, tuple[Callable[[Application, Connection[Any]], object], str, str]] = {
    "on the page": (lambda notes, _: browsers.end(COOKIE, notes.application), "unknown-person", "TR071"),
    "with the identifier": (lambda *_: identifiers.end(COOKIE), "unknown-person", "TR071"),
    "by withdrawing everything": (withdraws, "person-declined", "TR070"),
    "while it is tied": (ties, "unknown-person", "TR071"),
    "with the cookie's days": (comes_of_age, "unknown-person", "TR071"),
    "until a wider version is agreed to": (widens, "person-declined", "TR071"),
}


@pytest.mark.parametrize("how", ENDS)
def test_it_ends_at_the_next_statement(notes: Application, known: uuid.UUID, owner: Connection[Any], how: str) -> None:
    token = taken(notes)
    assert outcome(notes, token) == "stored"
    assert try_as("intake", VIEW, known, notes.application) == ""
    ends, reason, code = ENDS[how]
    ends(notes, owner)
    assert outcome(notes, token, nth=2) == reason
    assert try_as("intake", VIEW, known, notes.application) == code


def test_it_goes_on_once_a_wider_version_is_agreed_to(
    notes: Application, known: uuid.UUID, owner: Connection[Any]
) -> None:
    token = taken(notes)
    widens(notes, owner)
    again(owner, Person("browser", known, "", ""))
    assert outcome(notes, token) == "stored"


def test_a_version_binds_codes_and_takes_none_from_whoever_has_not_agreed(
    notes: Application, owner: Connection[Any]
) -> None:
    widens(notes, owner)
    with pytest.raises(NoSuchIdentifier):
        let(notes)


def test_removing_an_application_takes_what_it_held(notes: Application, owner: Connection[Any]) -> None:
    taken(notes)
    registering.remove(owner, {"application": notes.application})
    assert owner.execute("SELECT count(*) FROM troth.application_browser").fetchone() == (0,)
    with pytest.raises(NoSuchApplication):
        let(notes)


def test_ending_leaves_nothing_of_it(notes: Application, owner: Connection[Any]) -> None:
    taken(notes)
    identifiers.end(COOKIE)
    assert owner.execute("SELECT count(*) FROM troth.application_browser").fetchone() == (0,)


def test_people_and_nobody_let_no_application_know_a_browser(
    notes: Application, cast: dict[str, Person], owner: Connection[Any]
) -> None:
    for cookie in (cast["alice"].token, "nothing", ""):
        with pytest.raises(ConsentRefusal):
            let(notes, cookie)
        with pytest.raises(ConsentRefusal):
            browsers.end(cookie, notes.application)
    silent = registering.register(owner, {"manifest": MANIFEST.format(events="[]")})["application"]
    with pytest.raises(NoSuchApplication):
        let(Application(silent, "", {}))


def test_another_browser_ends_nothing(notes: Application, owner: Connection[Any]) -> None:
    token = taken(notes)
    make_known(owner, "another")
    with pytest.raises(NoSuchApplication):
        browsers.end("another", notes.application)
    assert browsers.knowing("another") == []
    assert [(each.application, each.name) for each in browsers.knowing(COOKIE)] == [(notes.application, "Harbor Notes")]
    assert outcome(notes, token) == "stored"


def test_what_is_not_collected_of_identifiers_is_refused_though_it_is_of_people(
    notes: Application, known: uuid.UUID
) -> None:
    token = taken(notes)
    (answer,) = tell(notes, token, TOLD).body["events"]
    assert (answer["outcome"], answer["reason"]) == ("refused", "not-collected")
    use = VIEW.replace("page_view", "feature_use").replace("url", "feature")
    assert try_as("intake", use, known, notes.application) == "42501"
    with pytest.raises(errors.InsufficientPrivilege), connect.acting("intake") as intake:
        intake.execute(VIEW.replace("url", "referrer").encode(), (known, notes.application))


FEATURES = FIRST.replace("version 1 effective", "version 2 effective").replace(
    "collect cookie.identifier, access.url, access.time on cookie [P18]",
    "collect use.feature, use.time on cookie [P18]\n    for understand 30 days\n    for personalise while consented\n"
    "collect cookie.identifier, access.url, access.time on cookie [P18]",
)


def test_what_a_policy_collects_of_identifiers_besides_is_stored_as_it_says(
    notes: Application, known: uuid.UUID, owner: Connection[Any]
) -> None:
    token = taken(notes)
    apply.apply(owner, FEATURES, TERMS)
    again(owner, Person("browser", known, "", ""))
    with connect.acting("self", token=COOKIE) as mine:
        mine.execute("SELECT troth.choose('personalise', 'consent')")
    published.forget()
    (answer,) = tell(notes, token, TOLD).body["events"]
    assert answer["outcome"] == "stored"
    assert owner.execute("SELECT subject, feature FROM troth.feature_use").fetchall() == [(known, "export")]
    with connect.acting("personalise") as reader:
        assert reader.execute("SELECT feature, outcome FROM feature_use").fetchall() == [("export", "done")]


#: Where somebody came from is sensitive, and collected of people and of identifiers alike would be refused of the latter.
CAME_FROM = (
    FIRST.replace("version 1 effective", "version 2 effective").replace("access.time, access.referrer", "access.time")
    + "\ncategory access.referrer sensitive [P19]\ncollect access.referrer on access [P19]\n"
    "    for personalise while consented\n"
)


def test_a_sensitive_field_of_somebody_unknown_is_refused_with_its_clause_whoever_writes_it(
    notes: Application, known: uuid.UUID, owner: Connection[Any]
) -> None:
    token = taken(notes)
    apply.apply(owner, CAME_FROM, TERMS)
    again(owner, Person("browser", known, "", ""))
    published.forget()
    (answer,) = tell(notes, token, shown()).body["events"]
    assert (answer["reason"], answer["clause"]) == ("sensitive-of-nobody", "apart")
    assert outcome(notes, token, nth=2, referrer=None) == "stored"
    with pytest.raises(errors.CheckViolation, match="apart_referrer"):
        owner.execute("UPDATE troth.page_view SET referrer = 'https://clinic.example/'")


def test_words_of_the_special_categories_are_refused_of_somebody_unknown(notes: Application, known: uuid.UUID) -> None:
    token = taken(notes)
    assert outcome(notes, token, url="/diagnosis/diabetes") == "sensitive-of-nobody"
    assert outcome(notes, token, nth=2, url="/diary") == "stored"


def test_other_tables_take_nothing_of_identifiers(notes: Application, known: uuid.UUID, owner: Connection[Any]) -> None:
    taken(notes)
    for table in ("crash", "activity", "transaction", "location"):
        statement = f"INSERT INTO troth.{table} (subject, at, id, application) VALUES (%s, now(), uuidv7(), %s)"
        with pytest.raises(psycopg.Error) as told:
            owner.execute(statement.encode(), (known, notes.application))
        assert told.value.sqlstate in ("23514", "TR070", "TR071")


def ends(notes: Application) -> Callable[[], threading.Thread]:
    """Return what lets the browser's user end what the application knows, in a thread of its own."""

    def run() -> threading.Thread:
        thread = threading.Thread(target=lambda: browsers.end(COOKIE, notes.application))
        thread.start()
        thread.join(2)
        return thread

    return run


def test_nothing_is_stored_of_a_browser_once_its_user_is_told_that_it_ended(
    notes: Application, known: uuid.UUID, owner: Connection[Any]
) -> None:
    """Whoever ends it waits for what is being stored; without the bucket they would be told before it is."""
    taken(notes)
    run = ends(notes)
    with connect.acting("intake") as intake:
        intake.execute(VIEW.encode(), (known, notes.application))
        ending = run()
        assert ending.is_alive()
    ending.join(10)
    assert not ending.is_alive()
    assert try_as("intake", VIEW, known, notes.application) == "TR071"
    whole = owner.execute("SELECT pg_get_functiondef('troth.end_application_browser'::regproc)").fetchone()
    assert whole is not None
    lock = "PERFORM pg_advisory_xact_lock(7276, uuid_hash(whose) & 1023);"
    assert lock in whole[0]
    owner.execute(whole[0].replace(lock, ""))
    taken(notes)
    with connect.acting("intake") as intake:
        intake.execute(VIEW.encode(), (known, notes.application))
        assert not run().is_alive()

"""The whole cast in front of the pages, with something of each kind that is somebody's: what a path names is there."""

import re
import uuid
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

from psycopg import Connection

from tests.browsing import PASSWORD, Browser, subject
from tests.conftest import POLICY, TERMS, Person, visit
from tests.consent.lending import NAME, lend
from tests.organizations.conftest import call
from tests.provider.asking import MANIFEST
from tests.web.second import hire
from troth.consent import publishing
from troth.database import published
from troth.people import registering, staffing
from troth.policy.meaning import Audience
from troth.records import actions, queries
from troth.records.files import File
from troth.records.queries import Readers

ABOUT = '[about]\ntype = "text"\ncategory = "person.profile"\nlabel = { en = "About you", es = "Sobre ti" }\n'
STAFF = ("owner", "support", "publisher", "analyst", "auditor")
PEOPLE = ("alice", "bob", "charlie", "dana", *STAFF)


@dataclass
class World:
    """Everybody's browser, by who they are, and what the paths of the table name."""

    browsers: dict[str, Browser] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    kept: SimpleCookie = field(default_factory=SimpleCookie)

    def ask(self, who: str, path: str, form: dict[str, str] | None = None) -> Any:
        """Ask as somebody; whoever left asks with the cookies of before, again and again."""
        browser = self.browsers[who]
        if who == "left":
            browser.cookies = SimpleCookie(self.kept.output(header="", sep=";"))
        return browser.get(path) if form is None else browser.post(path, form)

    def cookies(self) -> dict[str, str]:
        """Return what everybody's browser keeps, as `put_back` takes it."""
        return {who: browser.cookies.output(header="", sep=";") for who, browser in self.browsers.items()}

    def put_back(self, cookies: dict[str, str]) -> None:
        """Let every browser keep what it kept then."""
        for who, kept in cookies.items():
            self.browsers[who].cookies = SimpleCookie(kept)

    def person(self, owner: Connection[Any], who: str) -> Person:
        """Return somebody with the token of their browser."""
        email = f"{who}@harbor.example"
        return Person(who.title(), subject(owner, email), email, self.browsers[who].cookies["__Host-viewer"].value)


def world(owner: Connection[Any], **names: str) -> World:
    """Let everybody in, under another name where one is given, and let each have something."""
    made = World({"visitor": Browser(), "left": Browser(), "unagreed": Browser()})
    made.browsers["unagreed"].begin("eve@harbor.example", "Eve")
    for who in ("left", *PEOPLE):
        browser = made.browsers.setdefault(who, Browser())
        whose = browser.sign_up(owner, f"{who}@harbor.example", names.get(who, who.title()))
        if who in STAFF:
            hire(owner, browser, whose, who)
        assert browser.get("/me").status_code == 200
    left = made.browsers["left"]
    made.kept = SimpleCookie(left.cookies.output(header="", sep=";"))
    assert left.post("/me/close", {"password": PASSWORD}).headers["Location"] == "/closed"
    people = {who: made.person(owner, who) for who in PEOPLE}
    _organization(made, people)
    _permissions(made, people, owner)
    made.named |= {
        "application": str(registering.register(owner, {"manifest": MANIFEST})["application"]),
        "proposal": str(_proposed(people["publisher"])),
        "telling": str(_owed(owner, people["alice"])),
        "session": str(_one(owner, "SELECT session FROM troth.session WHERE subject = %s", people["alice"].subject)),
        "agreement": str(
            _one(owner, "SELECT agreement FROM troth.agreement WHERE subject = %s", people["alice"].subject)
        ),
        **_said(owner, people),
        "bob": str(people["bob"].subject),
        "dana": str(people["dana"].subject),
        "staff": str(people["auditor"].subject),
        "nobody": "7f0e1c1e-0000-4000-8000-000000000000",
    }
    return made


def _said(owner: Connection[Any], people: dict[str, Person]) -> dict[str, str]:
    """Return what forms say that is longer than a word, or known to the database alone."""
    source = POLICY.read_text(encoding="utf-8").replace("version 1 effective", "version 3 effective")
    staffing.invite(viewer=people["owner"].token, email="late@harbor.example", roles=["auditor"], token="t", mail={})
    visit(people["alice"])
    digests = owner.execute("SELECT digest, terms_digest FROM troth.policy_version").fetchone()
    assert digests is not None
    return {
        "source": source,
        "terms": TERMS,
        "policy_digest": digests[0],
        "terms_digest": digests[1],
        "manifest": MANIFEST.replace("Harbor Notes", "Harbor Lists"),
        "fields": ABOUT,
        "visit": str(_one(owner, "SELECT id FROM troth.access WHERE subject = %s", people["alice"].subject)),
        "invitation": str(_one(owner, "SELECT invitation FROM troth.staff_invitation")),
    }


def an_hour_later() -> None:
    """Let whoever confirmed who they are have to do so again, as it is most of the time."""
    from django.contrib.sessions.models import Session

    from troth.people.sessionstore import SessionStore

    for each in Session.objects.all():
        held = each.get_decoded()
        for record in held.get("account_authentication_methods", ()):
            record["at"] -= 3600
        each.session_data = SessionStore().encode(held)
        each.save()


def _organization(made: World, people: dict[str, Person]) -> None:
    """Alice owns one that Dana administers and Bob is in; somebody unknown is invited with the word `harbor`."""
    alice = people["alice"].token
    found = call("self", alice, "SELECT troth.found_organization('Harbor Rowing')")
    invite = "SELECT troth.invite(%s, %s, NULL, '', %s, 1, 7)"
    for who, role in (("dana", "administrator"), ("bob", "member")):
        call("administrator", alice, invite, found, f"word for {who}", role)
        call("self", people[who].token, "SELECT troth.join_by_invitation(%s)", f"word for {who}")
    made.named["organization"] = str(found)
    told = actions.write(
        token=alice,
        text="To those who row.",
        readers=Readers(Audience.MEMBERS, found, 3),
        version=published.current().version,
        files=[File("boat.txt", "text/plain", b"of a boat")],
    )
    posted = queries.post(alice, told)
    assert posted is not None
    made.named |= {"post": str(told), "post_file": str(posted.files[0].id)}


def _permissions(made: World, people: dict[str, Person], owner: Connection[Any]) -> None:
    """Alice lets Bob see her name, agreed to what the owner asked, and let support look."""
    made.named["given"] = str(lend(people["alice"], people["bob"], NAME))
    form = {"address": people["alice"].email, "what": "announce", "reason": "News.", "days": "30", "ends": "at once"}
    assert made.ask("owner", "/operator/permissions", form).status_code == 302
    made.named["agreed"] = str(_one(owner, "SELECT agreed FROM troth.agreed_permission"))
    where = f"/me/permissions/agreed/{made.named['agreed']}"
    page = made.ask("alice", where).content.decode()
    digest = re.search(r'name="digest" value="(\w+)"', page)
    assert digest
    made.ask("alice", where, {"answer": "accept", "language": "en", "digest": digest.group(1)})
    asked = {"email": people["alice"].email, "ticket": "T-1", "reason": "A bill.", "hours": "4", "areas": "profile"}
    assert made.ask("support", "/operator/support", asked).status_code == 302
    made.named["access"] = str(_one(owner, "SELECT access FROM troth.support_access"))
    allowed = {"answer": "allow", "areas": "profile", "hours": "4"}
    assert made.ask("alice", f"/me/support/{made.named['access']}", allowed).status_code == 302


def _proposed(publisher: Person) -> uuid.UUID:
    source = POLICY.read_text(encoding="utf-8").replace("version 1 effective", "version 2 effective")
    return publishing.propose(viewer=publisher.token, source=source, terms=TERMS)


def _owed(owner: Connection[Any], whose: Person) -> uuid.UUID:
    """Owe somebody a letter, which is on a list; return what it belongs to."""
    told = "VALUES (90, '-infinity', 'letter', 1, statement_timestamp()) RETURNING telling"
    telling = _one(owner, f"INSERT INTO troth.policy_telling (version, since, channel, told, done_at) {told}")
    _one(
        owner,
        "INSERT INTO troth.notice (subject, address, template, facts, batch, channel, tries)"
        " VALUES (%s, '', 'letter', '{\"version\": 90}', %s, 'letter', 1) RETURNING notice",
        whose.subject,
        telling,
    )
    return uuid.UUID(str(telling))


def _one(owner: Connection[Any], query: str, *values: Any) -> Any:
    row = owner.execute(query.encode(), values).fetchone()
    assert row is not None, query
    return row[0]

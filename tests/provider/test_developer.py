"""The developer's home: an application is registered through the keeper, its secret shown once."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.keeping import keeping
from tests.provider.asking import MANIFEST, Notes
from tests.web.second import hire
from troth.database import place
from troth.database.keeper import Keeper


@pytest.fixture
def keeper(database: place.Place, owner: Connection[Any]) -> Iterator[Keeper]:
    """The keeper, who answers in the background."""
    with keeping(database) as keeper:
        yield keeper


@pytest.fixture
def olga(browser: Browser, owner: Connection[Any]) -> Browser:
    hire(owner, browser, browser.sign_up(owner, "olga@harbor.example", "Olga"), "owner")
    return browser


def secret(page: Any) -> str:
    found = re.search(r'class="secret"[^>]*>([^<]+)<', page.content.decode())
    assert found
    return found.group(1)


def test_an_application_is_registered_shown_renewed_and_removed(
    keeper: Keeper, notes: Notes, olga: Browser, owner: Connection[Any]
) -> None:
    page = olga.post("/applications/register", {"manifest": MANIFEST.replace("Notes", "Post")})
    assert page.status_code == 201
    found = re.search(r"harbor-post-[0-9a-f]{8}", page.content.decode())
    assert found
    app = Notes(found.group(), secret(page))
    assert app.tokens(olga)["access_token"]
    again = olga.get(f"/applications/{app.id}")
    assert app.secret not in again.content.decode(), "once"
    assert "https://localhost:8443/.well-known/openid-configuration" in again.content.decode()
    assert app.secret not in str(
        owner.execute("SELECT array_agg(t::text) FROM troth.allauth_idp_oidc_client t").fetchone()
    )
    renewed = secret(olga.post(f"/applications/{app.id}/secret"))
    assert app.active("x") != {"active": False}
    assert Notes(app.id, renewed).active("x") == {"active": False}
    assert "another" in olga.post(f"/applications/{app.id}/remove", {"name": "Another"}, follow=True).content.decode()
    olga.post(f"/applications/{app.id}/remove", {"name": "Harbor Post"})
    assert olga.get(f"/applications/{app.id}").status_code == 404
    actions = [
        a
        for (a,) in owner.execute(
            "SELECT action FROM troth.ledger_entry WHERE action LIKE 'application-%' AND action <> 'application-permitted' ORDER BY index"
        )
    ]
    assert actions[-3:] == ["application-registered", "application-secret-renewed", "application-removed"]


def test_where_the_key_to_send_events_with_is_made_is_said_before_and_after_registering(
    keeper: Keeper, olga: Browser
) -> None:
    before = olga.get("/applications/register").content.decode()
    assert '<code dir="ltr">troth app add-key CLIENT_ID</code>' in before
    manifest = MANIFEST.replace('purposes = ["provide"]', 'purposes = ["provide"]\nevents = ["crash"]')
    page = olga.post("/applications/register", {"manifest": manifest}).content.decode()
    found = re.search(r'<code dir="ltr">troth app add-key (harbor-notes-[0-9a-f]{8})</code>', page)
    assert found
    assert '<code dir="ltr">crash</code>' in page
    assert found.group(0) in olga.get(f"/applications/{found.group(1)}").content.decode(), "later, too"


def test_of_an_application_that_sends_nothing_no_key_is_spoken(keeper: Keeper, olga: Browser) -> None:
    page = olga.post("/applications/register", {"manifest": MANIFEST}).content.decode()
    assert 'class="secret"' in page
    assert "add-key" not in page


def test_what_the_policy_does_not_cover_is_told_on_the_page(keeper: Keeper, olga: Browser) -> None:
    page = olga.post("/applications/register", {"manifest": MANIFEST.replace('["provide"]', '["advertise"]')})
    assert page.status_code == 422
    assert "the policy has no purpose `advertise`" in page.content.decode()


def test_a_request_without_the_operators_signature_registers_nothing(
    keeper: Keeper, owner: Connection[Any], database: place.Place
) -> None:
    """Whoever can write into the queue still cannot ask."""
    from psycopg.types.json import Jsonb

    owner.execute(
        "INSERT INTO troth.keeper_request (kind, payload, signature) VALUES ('application.register', %s, %s)",
        (str(Jsonb({"manifest": MANIFEST}).obj).replace("'", '"'), bytes(64)),
    )
    keeper.turn()
    row = owner.execute("SELECT granted, answer ->> 'sentence' FROM troth.keeper_request").fetchone()
    assert row == (False, "the request's signature does not hold")
    assert owner.execute("SELECT count(*) FROM troth.application").fetchone() == (0,)

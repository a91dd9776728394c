"""What an application tells of somebody, from its key to the person's page: stored, refused, and said by which clause."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.intake.sending import CRASH, event
from tests.journeys.conftest import Visitor
from tests.journeys.test_applications import QUESTION, sent
from tests.journeys.test_journeys import inspect
from tests.serving import Serving

Visit = Callable[..., Visitor]
MANIFEST = """name = "مفكرة الميناء"
redirect_uris = ["https://notes.example/signed-in"]
purposes = ["provide"]
events = ["crash", "activity", "feature_use", "page_view", "transaction", "location"]

[claims]
name = { category = "person.name", purpose = "provide" }

[metadata.transaction]
type = "object"

[metadata.transaction.properties.shop]
type = "string"
x-category = "transaction.item"

[metadata.feature_use]
type = "object"

[metadata.feature_use.properties.format]
type = "string"
x-category = "use.feature"
"""
VERIFIER = "v" * 43


@dataclass(frozen=True, slots=True)
class Registered:
    """An application as its developer knows it."""

    client: str
    secret: str
    key: str


@pytest.fixture(scope="module")
def notes(service: Serving, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    """An application that may send both kinds of events."""
    file: Path = tmp_path_factory.mktemp("notes") / "notes.toml"
    file.write_text(MANIFEST, encoding="utf-8")
    told = json.loads(service.run("app", "register", str(file), "--format", "json").stdout)
    key = service.run("app", "add-key", told["application"]).stdout.split()[1]
    return Registered(told["application"], told["secret"], key)


def signed_in(someone: Visitor, notes: Registered) -> str:
    """Let somebody sign in to the application; return what it calls them from then on."""
    challenge = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    asked = QUESTION | {"client_id": notes.client, "scope": "openid", "code_challenge": challenge}
    someone.go("/connect/authorize?" + urlencode(asked))
    someone.press("Sign in")
    (code,) = parse_qs(urlsplit(sent(someone)).query)["code"]
    told: dict[str, str | float | bool] = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": QUESTION["redirect_uri"],
        "client_id": notes.client, "client_secret": notes.secret, "code_verifier": VERIFIER,
    }  # fmt: skip
    answer = someone.context.request.post(f"{someone.service.address}/connect/token", form=told)
    assert answer.status == 200, answer.text()
    token = answer.json()["id_token"].split(".")[1]
    return str(json.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))["sub"])


def post(someone: Visitor, notes: Registered, *events: Mapping[str, object]) -> list[dict[str, str]]:
    headers = {"authorization": f"Bearer {notes.key}", "content-type": "application/json"}
    answer = someone.context.request.post(
        f"{someone.service.address}/intake/v1/events", data=json.dumps(events), headers=headers
    )
    assert answer.status == 200, answer.text()
    return list(answer.json()["events"])


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_a_person_sees_what_was_told_of_them_and_what_was_refused(
    visit: Visit, notes: Registered, width: int, scheme: str, tmp_path: Path
) -> None:
    lena = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    lena.join(f"lena-{width}@harbor.example", "Lena")
    assert lena.go("/me/sent").get_by_text("Nothing that is known to be about you was refused.").is_visible()
    assert inspect(lena, ("/me/sent",)) == []
    who = signed_in(lena, notes)
    crash, use = event("crash", who, f"journey-{width}-0"), event("feature_use", who, f"journey-{width}-1")
    shown = {"url": f"/notes/{'harbor-' * 12}", "referrer": "https://search.example/", "browser": "Firefox 140"}
    served = shown | {"system": "Windows 11", "method": "PATCH", "status": 404}
    view = {"key": f"journey-{width}-3", "kind": "page_view", "person": who, "data": served}
    bought = {"item": "مصباح", "amount": "1234.50", "currency": "EUR"}
    there = {"latitude": 41.38879, "longitude": 2.15899, "accuracy": 12.4, "altitude": 20, "source": "gps"}
    told = [
        {"key": f"journey-{width}-{kind}", "kind": kind, "person": who, "data": data}
        | ({"metadata": {"shop": "harbor front"}} if kind == "transaction" else {})
        for kind, data in (("transaction", bought), ("location", there))
    ]
    assert [each["outcome"] for each in post(lena, notes, crash, use, view, *told)] == ["stored"] * 5
    lena.go("/me").locator("#purpose-understand").get_by_role("button", name="No").click()
    lena.page.wait_for_load_state()
    (refused,) = post(lena, notes, event("feature_use", who, f"journey-{width}-2"))
    assert (refused["outcome"], refused["reason"]) == ("refused", "person-declined")

    assert lena.go("/me").get_by_text("1 record about you was refused in the last month.").is_visible()
    lena.page.get_by_role("link", name="See it, and what was refused").click()
    page = lena.page
    said = page.locator("main").inner_text()
    assert "1 record was refused: uses of features" in said
    assert "You allow none of what could have used it: Understand, Personalise" in said
    assert f"{CRASH['kind']}: cannot read - of [e-mail], card [card]" in said
    assert "مفكرة الميناء" in said
    assert f"PATCH {shown['url']} 404" in said
    assert "1234.50 EUR" in said
    assert "shop: harbor front" in said
    assert "latitude 41.38879, longitude 2.15899" in said
    assert "within 12 m" in said
    assert inspect(lena, ("/me/sent",)) == []
    lena.page.screenshot(path=tmp_path / f"sent-{width}.png", full_page=True)
    clause = page.locator("[aria-labelledby=refused]").get_by_role("link", name="The clause").get_attribute("href")
    assert clause == f"/policy#{refused['clause']}"
    assert lena.go(clause).locator(f"#{refused['clause']}").is_visible()
    assert inspect(lena, ("/me/timeline",)) == []
    lena.page.screenshot(path=tmp_path / f"timeline-{width}.png", full_page=True)
    lena.context.add_cookies(
        [{"name": "__Host-language", "value": "es", "url": lena.service.address, "httpOnly": True}]
    )
    assert "Se rechazó 1 registro: usos de funciones" in lena.go("/me/sent").locator("main").inner_text()
    assert inspect(lena, ("/me/sent",)) == []

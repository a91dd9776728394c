"""The pages of posts: who is let in to read (P2), how a file is handed out, what a form that is refused says."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from psycopg import Connection

from tests.browsing import Browser
from tests.conftest import POLICY, TERMS
from troth.database import apply, published

FORM = {"text": "To all the world.", "readers": "public~~", "version": "1"}
HOSTILE = b"<!doctype html><script>document.title = 'mine'</script>"


@pytest.fixture
def alice(browser: Browser, owner: Connection[Any]) -> Browser:
    browser.sign_up(owner, "alice@harbor.example", "Alice")
    return browser


def posted(alice: Browser, **more: Any) -> str:
    answer = alice.post("/posts/new", FORM | more)
    assert answer.status_code == 302, answer.content.decode()
    return str(answer.headers["Location"])


def without_agreement(owner: Connection[Any]) -> None:
    source = POLICY.read_text(encoding="utf-8").replace(" version 1 ", " version 2 ")
    assert "require agreement before use [P2]\n" in source
    apply.apply(owner, source.replace("require agreement before use [P2]\n", ""), TERMS)
    published.forget()


def test_reading_what_is_public_is_using_the_service(alice: Browser) -> None:
    where, visitor = posted(alice), Browser()
    for path in (where, "/posts"):
        assert visitor.get(path).headers["Location"].startswith("/sign-in?next=/posts")
    assert "Anybody who agreed to the policy here" in alice.get("/posts/new").content.decode()


def test_a_policy_that_asks_for_no_agreement_lets_visitors_read_what_is_public_alone(
    alice: Browser, owner: Connection[Any]
) -> None:
    public, kept = posted(alice), posted(alice, readers="signed_in~~", text="To those signed in.")
    without_agreement(owner)
    visitor = Browser()
    assert "To all the world." in visitor.get(public).content.decode()
    page = visitor.get("/posts?of=everyone").content.decode()
    assert "To all the world." in page
    assert "To those signed in." not in page
    assert visitor.get(kept).status_code == 404
    for path in ("/posts/new", f"{public}/edit", f"{public}/delete"):
        assert visitor.get(path).headers["Location"].startswith("/sign-in")
    unagreed = Browser()
    unagreed.begin("eve@harbor.example", "Eve")
    assert unagreed.get(kept).status_code == 404


@pytest.mark.asvs("5.3.1", "5.4.1", "5.4.2")
def test_a_file_is_saved_and_never_shown(alice: Browser) -> None:
    where = posted(alice, attached=SimpleUploadedFile("page.html", HOSTILE, content_type="text/html"))
    page = alice.get(where).content.decode()
    link = page.partition(f'href="{where}/files/')[2].partition('"')[0]
    answer = alice.get(f"{where}/files/{link}")
    assert answer.content == HOSTILE
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="page.html.txt"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"] == "no-store"
    assert alice.get(f"{where}/files/{uuid.uuid4()}").status_code == 404


def test_what_is_written_is_text_and_stays_that(alice: Browser) -> None:
    where = posted(alice, text="<script>alert(1)</script> <img src=x onerror=alert(1)> & more")
    for path in (where, "/posts?of=public", "/posts?of=mine", f"{where}/edit", f"{where}/delete"):
        page = alice.get(path).content.decode()
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;alert(1)" in page, path


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"text": ""}, "This field is required"),
        ({"text": "   "}, "There is nothing in it"),
        ({"text": "a" * 10_001}, "This has 10001 characters"),
        ({"text": "turned \u202e round"}, "This holds control characters"),
        ({"readers": ""}, "Choose who may read it"),
        ({"readers": "nobody~~"}, "Choose who may read it"),
        ({"readers": "members~7f0e1c1e-0000-4000-8000-000000000000~3"}, "The policy lets nobody post this to them"),
        ({"readers": "administrators~~"}, "The policy lets nobody post this to them"),
        ({"version": "2"}, "Who would read it has changed meanwhile"),
        ({"attached": SimpleUploadedFile("a.png", b"MZ\x00")}, "is empty, or no picture"),
        ({"attached": SimpleUploadedFile("a.txt", b"a" * ((1 << 20) + 1))}, "is larger than 1 MB"),
    ],
)
def test_a_refusal_is_said_and_nothing_is_posted(
    alice: Browser, owner: Connection[Any], wrong: dict[str, Any], said: str
) -> None:
    answer = alice.post("/posts/new", FORM | wrong)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert said in page
    assert wrong.get("text", FORM["text"]) in page
    assert owner.execute("SELECT count(*) FROM troth.post").fetchone() == (0,)


@pytest.mark.asvs("5.2.1")
def test_only_the_pages_that_take_files_take_a_longer_body() -> None:
    from troth.config import asgi

    longer = (asgi.LONGEST_UPLOAD, asgi.SLOWEST_UPLOAD)
    for path in ("/posts/new", f"/posts/{uuid.uuid4()}/edit"):
        assert asgi.limits(path) == longer
    for path in ("/posts", "/posts/new/", f"/posts/{uuid.uuid4()}/delete", "/sign-in", "/posts/newer"):
        assert asgi.limits(path) == (asgi.LONGEST_BODY, asgi.SLOWEST_BODY)


@pytest.mark.asvs("5.3.1", "5.3.2")
def test_what_is_posted_is_written_to_no_file_on_the_way(settings: Any, tmp_path: Path) -> None:
    from troth.config import asgi

    assert asgi.LONGEST_UPLOAD < settings.FILE_UPLOAD_MAX_MEMORY_SIZE


def test_one_who_was_let_see_posts_is_asked_for_nothing_else(alice: Browser) -> None:
    where = posted(alice, readers="chosen~~")
    page = alice.get("/me/permissions/give/post").content.decode()
    assert "To all the world." in page
    assert "Files you post" in page or "the files you post" in page.lower()
    assert alice.get(where).status_code == 200

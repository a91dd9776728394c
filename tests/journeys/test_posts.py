"""Posting, reading, narrowing and deleting, on a phone and on a desk, as two who share an organization and one who does not."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.conftest import Visitor
from tests.journeys.test_figures import faults

Visit = Callable[..., Visitor]
LONG = "a" * 300 + " " + "نص طويل جدا عن القارب " * 30 + "<script>document.title='mine'</script>"
NAME = "Dr. Annabelle-Philippa عبد الرحمن von Hohenzollern-Sigmaringen-Württemberg"


def joined(visit: Visit, who: str, width: int, scheme: str = "light", *, name: str = "") -> Visitor:
    made = visit(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    made.join(f"{who}.posts{width}{scheme}@harbor.example", name or who.title())
    return made


def link_to(ada: Visitor, name: str) -> str:
    """Make an organization, and return a link with which somebody joins it."""
    ada.go("/organizations")
    ada.page.get_by_label("Its name").fill(name)
    ada.press("Make it")
    ada.page.goto(f"{ada.page.url}/joining")
    ada.press("Make a link")
    return ada.page.locator("code.secret").inner_text()


def join(ben: Visitor, link: str) -> None:
    ben.page.goto(link)
    ben.press("Join")


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_one_is_told_who_reads_posts_narrows_and_deletes(visit: Visit, width: int, scheme: str, tmp_path: Path) -> None:
    ada = joined(visit, "ada", width, scheme, name=NAME)
    ben, cleo = joined(visit, "ben", width, scheme), joined(visit, "cleo", width, scheme)
    join(ben, link_to(ada, f"Rowing {width}"))
    ada.go("/posts")
    assert faults(ada) == []
    ada.page.screenshot(path=tmp_path / f"posts-empty-{width}-{scheme}.png", full_page=True)
    ada.page.get_by_role("link", name="Post something").click()
    assert ada.page.get_by_text("It has 2 members now, you among them.").is_visible()
    assert ada.page.get_by_text("deleting here does not reach copies taken elsewhere").is_visible()
    assert ada.page.locator("input[type=radio]:checked").count() == 0  # nobody is chosen for her
    assert faults(ada) == []
    ada.page.get_by_label("Your text").fill(LONG)
    ada.page.get_by_label(f"Members of Rowing {width}").check()
    ada.page.screenshot(path=tmp_path / f"posts-write-{width}-{scheme}.png", full_page=True)
    archive = tmp_path / "boat.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("../../boat.txt", "of a boat")
    ada.page.get_by_label("Files").set_input_files(archive)
    ada.press("Post it to them")
    assert ada.title() == "Your post"
    assert ada.page.title() != "mine"
    assert faults(ada) == []
    ada.page.screenshot(path=tmp_path / f"posts-mine-{width}-{scheme}.png", full_page=True)
    address = ada.page.url.removeprefix(ada.service.address)
    ben.go("/posts")
    assert ben.page.locator("article").first.get_by_text(NAME).is_visible()
    assert faults(ben) == []
    ben.page.screenshot(path=tmp_path / f"posts-feed-{width}-{scheme}.png", full_page=True)
    ben.page.get_by_role("link", name="Open").first.click()
    with ben.page.expect_download() as saved:
        ben.page.get_by_role("link", name="boat.zip").click()
    assert saved.value.suggested_filename == "boat.zip"
    assert Path(saved.value.path()).read_bytes() == archive.read_bytes()
    cleo.go(address)
    assert cleo.title() == "There is no such page"
    _narrows_and_deletes(ada, ben, address, tmp_path / f"posts-delete-{width}-{scheme}.png")
    assert (ada.complaints, ada.elsewhere) == ([], [])


def _narrows_and_deletes(ada: Visitor, ben: Visitor, address: str, picture: Path) -> None:
    ada.go(address)
    ada.page.get_by_role("link", name="Change it, or who reads it").click()
    assert faults(ada) == []
    ada.page.get_by_label("People whom you choose").check()
    ada.press("Change it")
    assert ada.page.get_by_text("Only those read it whom you let").is_visible()
    ben.go(address)
    assert ben.title() == "There is no such page"
    ada.page.get_by_role("link", name="Choose somebody").click()
    assert ada.title() == "Let somebody see single records"
    assert faults(ada) == []
    ada.go(address)
    ada.page.get_by_role("link", name="Delete").click()
    assert faults(ada) == []
    ada.page.screenshot(path=picture, full_page=True)
    ada.press("Delete it")
    assert ada.page.get_by_text("You have posted nothing yet.").is_visible()


def test_an_error_is_named_where_it_is_and_what_was_typed_stays(visit: Visit, tmp_path: Path) -> None:
    dan = joined(visit, "dan", 390)
    dan.go("/posts/new")
    wrong = tmp_path / "wrong.exe"
    wrong.write_bytes(b"MZ\x90\x00")
    dan.page.get_by_label("Your text").fill("what I wrote")
    dan.page.get_by_label("Files").set_input_files(wrong)
    dan.page.get_by_label("Everyone signed in").check()
    dan.press("Post it to them")
    assert dan.page.get_by_text("“wrong.exe” is empty, or no picture").is_visible()
    assert dan.page.get_by_label("Your text").input_value() == "what I wrote"
    assert dan.page.get_by_label("Everyone signed in").is_checked()
    assert faults(dan) == []
    dan.press("Post it to them")  # a page that was refused keeps no files
    assert dan.title() == "Your post"


def test_who_would_read_it_is_read_again_where_it_changed(visit: Visit) -> None:
    eve, fay = joined(visit, "eve", 1280), joined(visit, "fay", 1280)
    link = link_to(eve, "Sculling")
    eve.go("/posts/new")
    eve.page.get_by_label("Your text").fill("for me alone, as yet")
    eve.page.get_by_label("Members of Sculling").check()
    join(fay, link)
    eve.press("Post it to them")
    assert eve.page.get_by_text("Who would read it has changed meanwhile.").first.is_visible()
    assert eve.page.get_by_text("It has 2 members now").is_visible()
    assert eve.page.locator("input[type=radio]:checked").count() == 0
    assert eve.page.get_by_label("Your text").input_value() == "for me alone, as yet"
    fay.go("/posts")
    assert fay.page.get_by_text("for me alone").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_posts_in_spanish(visit: Visit, width: int, scheme: str, tmp_path: Path) -> None:
    gil = joined(visit, "gil", width, scheme)
    gil.go("/posts/new")
    gil.page.get_by_role("button", name="Español").click()
    gil.go("/posts/new")
    assert gil.title() == "Publicar algo"
    gil.page.get_by_label("Tu texto").fill("para todo el mundo")
    gil.page.get_by_label("El público").check()
    gil.page.screenshot(path=tmp_path / f"posts-es-{width}-{scheme}.png", full_page=True)
    assert faults(gil) == []
    gil.press("Publicar para ellos")
    assert gil.title() == "Tu publicación"
    gil.go("/posts?of=public")
    assert faults(gil) == []
    gil.page.screenshot(path=tmp_path / f"posts-es-feed-{width}-{scheme}.png", full_page=True)

"""Whoever is asked by an application reads what it may send of them, before they answer and on the page of permissions after."""

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection

from tests.browsing import Browser
from tests.provider.asking import MANIFEST, Notes

SENDING = MANIFEST.replace("origins =", 'events = ["crash", "feature_use"]\norigins =', 1)
SAID = "It may send us what you do in it"


@pytest.mark.parametrize("language", ["en", "es"])
def test_what_an_application_may_send_is_said_where_it_is_permitted_and_after(
    register: Callable[..., Notes], browser: Browser, owner: Connection[Any], language: str
) -> None:
    words, first, second = {
        "en": (SAID, "crashes", "uses of features"),
        "es": ("Puede enviarnos lo que haces en ella", "fallos", "usos de funciones"),
    }[language]
    browser.sign_up(owner, "alice@harbor.example")
    notes = register(SENDING)
    headers = {"Accept-Language": language}
    page = browser.get(notes.question(), headers=headers).content.decode()
    assert f"{first}, {second}." in page.partition(words)[2].partition("</p>")[0]
    notes.code(browser)
    card = browser.get("/me/permissions?kind=applications", headers=headers).content.decode()
    assert f"{first}, {second}." in card.partition(words)[2].partition("</p>")[0]


def test_of_an_application_that_sends_nothing_nothing_is_said(
    notes: Notes, browser: Browser, owner: Connection[Any]
) -> None:
    browser.sign_up(owner, "alice@harbor.example")
    assert SAID not in browser.get(notes.question()).content.decode()
    notes.code(browser)
    assert SAID not in browser.get("/me/permissions").content.decode()

"""Pages that act as the steward or with the operator's key stand behind the gate, which asks for role and second factor.

The database cannot ask there: the process that would name a viewer holds the key and the steward's password, and could
leave the viewer out (docs/decisions/0026). So which pages those are is read off the code.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLResolver, get_resolver
from psycopg import Connection

from tests.browsing import Browser
from tests.conftest import PROJECT
from tests.web.second import hire

SOURCE = PROJECT / "src"
#: Every route that leads to a function which acts as the steward; the keeper's answers come that way too.
OPERATING = {
    "fields": "/operator/fields",
    "register_application": "/applications/register",
    "renew_secret": "/applications/notes/secret",
    "remove_application": "/applications/notes/remove",
    "announcements": "/operator/announcements",
    "notices": "/operator/notices",
    "letters": "/operator/letters",
    "publishing": "/operator/publishing",
    "proposal": "/operator/publishing/00000000-0000-0000-0000-000000000001",
    "answer_proposal": "/operator/publishing/00000000-0000-0000-0000-000000000001/answer",
}

type Calls = dict[str, set[str]]


def read() -> tuple[Calls, set[str]]:
    """Return who names whom, by dotted names, and who acts as the steward themselves."""
    calls: Calls = defaultdict(set)
    acting = set()
    for file in sorted((SOURCE / "troth").rglob("*.py")):
        module = ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(file.read_text(encoding="utf-8"))
        known = dict(_imported(tree)) | {d.name: f"{module}.{d.name}" for d in _defined(tree)}
        for made in _defined(tree):
            calls[f"{module}.{made.name}"] |= set(_named(made, known))
            if any(_as_steward(node) for node in ast.walk(made)):
                acting.add(f"{module}.{made.name}")
    return calls, acting


def _defined(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    yield from (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef))


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((each.asname or each.name, f"{node.module}.{each.name}") for each in node.names)


def _named(made: ast.AST, known: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(made):
        if isinstance(node, ast.Name) and node.id in known:
            yield known[node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            yield f"{known[node.value.id]}.{node.attr}"


def _as_steward(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and any(isinstance(a, ast.Constant) and a.value == "steward" for a in node.args)


def reaching() -> set[str]:
    """Return every function that acts as the steward, or names one that does."""
    calls, found = read()
    while more := {name for name, named in calls.items() if name not in found and named & found}:
        found |= more
    return found


def views(within: URLResolver) -> Iterator[tuple[str, str]]:
    """Yield each route's name with its view's dotted name."""
    for pattern in within.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from views(pattern)
            continue
        view: Any = pattern.callback
        view = getattr(view, "view_class", view)
        yield str(pattern.name), f"{view.__module__}.{view.__qualname__}"


@pytest.mark.usefixtures("browser")
def test_every_page_that_acts_as_the_steward_stands_behind_the_gate() -> None:
    from troth.web.routes import ROLES, ROUTES, Audience

    found = reaching()
    assert {"troth.database.requests.ask", "troth.consent.publishing.standing"} <= found
    asking = {name for name, view in views(get_resolver()) if view in found}
    assert asking == set(OPERATING)
    assert {ROUTES[name] for name in asking} <= set(ROLES) - {Audience.STAFF}, "whose first page asks for none"


def test_each_of_them_asks_for_the_second_factor_and_without_the_gate_they_open(
    browser: Browser, owner: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whose = browser.sign_up(owner, "olga@harbor.example")
    hire(owner, browser, whose, "owner")
    monkeypatch.setattr("troth.web.staff.level", lambda _: 1)  # as in a trusted browser, where it was not shown
    for path in OPERATING.values():
        for answer in (browser.get(path), browser.post(path, {})):
            assert answer.headers["Location"].startswith("/password/confirm/code?next="), path
    monkeypatch.setattr("troth.web.gate.unsecured", lambda _: None)  # the control taken away
    assert browser.get("/operator/fields").status_code == 200
    assert browser.get("/applications/register").status_code == 200

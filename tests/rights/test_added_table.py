"""A table that is added is exported, previewed and erased by what is declared of it: there is no code for any table."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from tests.conftest import TERMS, Person
from tests.rights.asking import at_once, erased, exported, held, part, previewed, text
from troth.database import apply, connect, published
from troth.database.catalog import added
from troth.database.drift import drift

DDL = """
CREATE TABLE troth.purchase (
    subject uuid NOT NULL REFERENCES troth.subject (subject),
    purchase uuid NOT NULL DEFAULT uuidv7(),
    item text,
    amount numeric,
    at timestamptz NOT NULL DEFAULT statement_timestamp(),
    ended_at timestamptz,
    uses bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, purchase)
);
CREATE TABLE troth.sketch (
    subject uuid NOT NULL REFERENCES troth.subject (subject), sketch bigint, drawn text, PRIMARY KEY (subject, sketch)
);
CREATE UNIQUE INDEX sketch_alone ON troth.sketch (sketch);
CREATE TABLE troth.stroke (of_sketch bigint REFERENCES troth.sketch (sketch), colour text, secret text)
"""
GOVERNED = """
[tables.purchase]
stamped = true
key = ["subject", "purchase"]
occasions = ["transaction"]
[tables.purchase.columns]
purchase = { structure = "which purchase" }
item = { category = "transaction.item" }
amount = { category = "transaction.amount" }
at = { category = "transaction.time" }

[tables.sketch]
bound = true
key = ["subject", "sketch"]
[tables.sketch.columns]
subject = { structure = "whose the row is" }
sketch = { structure = "which sketch" }
drawn = { category = "post.text" }
[tables.sketch.roles]
stamper = { rows = "all", select = [], delete = [] }

[tables.stroke]
owners = ["of_sketch -> sketch.sketch"]
[tables.stroke.columns]
of_sketch = { structure = "of which sketch" }
colour = { category = "post.text" }
secret = { category = "post.text", credential = true }
"""


@pytest.fixture
def shop(cast: dict[str, Person], owner: Connection[Any]) -> Iterator[dict[str, Person]]:
    """The cast, with three more tables in which Alice and Bob have rows."""
    owner.execute(DDL.encode())
    with added("shop", GOVERNED):
        published.forget()
        again(owner)
        for number, name in enumerate(("alice", "bob"), start=1):
            whose = cast[name].subject
            owner.execute("INSERT INTO troth.purchase (subject, item, amount) VALUES (%s, %s, 19.95)",
                          (whose, f"canary-{name}-purchase"))  # fmt: skip
            owner.execute("INSERT INTO troth.sketch VALUES (%s, %s, %s)", (whose, number, f"canary-{name}-sketch"))
            owner.execute("INSERT INTO troth.stroke VALUES (%s, %s, %s)",
                          (number, f"canary-{name}-stroke", f"canary-{name}-secret"))  # fmt: skip
        yield cast
    published.forget()


def again(owner: Connection[Any]) -> None:
    """Apply the policy in force, as a start of the keeper does."""
    now = apply.newest(owner)
    assert now is not None
    apply.apply(owner, now.source, TERMS, name=now.name)


def test_the_export_follows(shop: dict[str, Person], owner: Connection[Any]) -> None:
    export = exported(owner, shop["alice"])
    (bought,), (drawn,), (stroke,) = (part(export, name).rows for name in ("purchase", "sketch", "stroke"))
    assert (bought.values["item"], bought.values["amount"]) == ("canary-alice-purchase", 19.95)
    assert (bought.purposes, bought.ends) == (("provide",), {"provide": None})
    assert [window.days for window in part(export, "purchase").windows] == [365]
    assert drawn.values["drawn"] == "canary-alice-sketch"
    assert stroke.values == {"of_sketch": 1, "colour": "canary-alice-stroke"}
    assert {column.name for column in part(export, "stroke").columns if column.withheld} == {"secret"}
    assert "canary-bob" not in text(export)
    assert "canary-alice-secret" not in text(export)


def test_preview_and_erasure_follow(shop: dict[str, Person], owner: Connection[Any]) -> None:
    told = previewed(owner, shop["alice"])
    assert {n: (told[n]["at_once"], told[n]["stays"]) for n in ("purchase", "sketch", "stroke")} == {
        "purchase": (0, 1), "sketch": (1, 0), "stroke": (1, 0),
    }  # fmt: skip
    assert [(b["purpose"], b["kind"], b["days"], b["clauses"]) for b in told["purchase"]["because"]] == [
        ("provide", "account", 365, ["collect-transaction-item-on-transaction"])
    ]
    assert len(held(owner)["stroke"]) == 2
    assert at_once(erased(owner, shop["alice"])) == at_once(told)
    after = held(owner)
    assert [row["drawn"] for row in after["sketch"]] == ["canary-bob-sketch"]
    assert [row["colour"] for row in after["stroke"]] == ["canary-bob-stroke"]
    assert {row["item"]: row["ended_at"] is None for row in after["purchase"]} == {
        "canary-alice-purchase": False, "canary-bob-purchase": True,
    }  # fmt: skip
    assert drift(owner).lines() == []


def test_closing_the_account_takes_what_no_purpose_can_use(shop: dict[str, Person], owner: Connection[Any]) -> None:
    owner.execute("DELETE FROM troth.stroke")
    with connect.acting("door") as door:
        door.execute("SELECT troth.end_subject(%s, 'asked')", (shop["alice"].subject,))
    assert [row["drawn"] for row in held(owner)["sketch"]] == ["canary-bob-sketch"]


def test_a_window_that_ended_takes_them_at_once(shop: dict[str, Person], owner: Connection[Any]) -> None:
    now = apply.newest(owner)
    assert now is not None
    short = now.source.replace("version 1 effective", "version 2 effective").replace(
        "transaction.time on transaction [P9]\n    for provide while the account exists then 365 days",
        "transaction.time on transaction [P9]\n    for provide 20 days",
    )
    assert short.count("for provide 20 days") == 1
    apply.apply(owner, short, TERMS)
    owner.execute("UPDATE troth.purchase SET at = at - interval '21 days' WHERE subject = %s", (shop["alice"].subject,))
    for name, gone in (("alice", 1), ("bob", 0)):
        assert previewed(owner, shop[name])["purchase"]["at_once"] == gone
        assert at_once(erased(owner, shop[name]))["purchase"] == gone


def test_without_its_declaration_nothing_follows_and_drift_names_it(
    cast: dict[str, Person], owner: Connection[Any]
) -> None:
    owner.execute(DDL.encode())
    owner.execute("INSERT INTO troth.sketch VALUES (%s, 1, 'canary-alice-sketch')", (cast["alice"].subject,))
    assert "canary" not in text(exported(owner, cast["alice"]))
    assert {"troth.purchase", "troth.sketch", "troth.stroke"} <= {fact.name for fact in drift(owner).facts.surplus}

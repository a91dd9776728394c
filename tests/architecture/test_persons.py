"""Of each table the catalog says whose its rows are, so that export and erasure need no code for any of them."""

import pytest

from troth.database.catalog import added, load
from troth.database.errors import CatalogRefusal, RequestRefusal
from troth.policy.catalog import Catalog, Rows
from troth.policy.roles import TWINS
from troth.rights.persons import held_tables, inwards

UNOWNED = """
[tables.diary.columns]
id = { structure = "which page" }
text = { category = "person.profile" }
"""


def ownerless(catalog: Catalog) -> list[str]:
    return [table.name for table in catalog if table.personal and not (table.by_subject or table.owners)]


def astray(catalog: Catalog) -> list[str]:
    """Return the owners that lead from a column, or to one, that is not there."""
    columns = {(table.name, column.name) for table in catalog for column in table.columns}
    return [
        f"{table.name}.{owner.column} -> {owner.table}.{owner.key}"
        for table in catalog
        for owner in table.owners
        if not {(table.name, owner.column), (owner.table, owner.key)} <= columns
    ]


def test_each_table_that_holds_what_is_personal_says_whose_its_rows_are() -> None:
    assert ownerless(load()) == []
    assert astray(load()) == []
    assert {table.name for table in inwards(load())} == {table.name for table in held_tables(load())}


def test_the_lint_sees_a_table_that_does_not() -> None:
    with added("application", UNOWNED) as catalog:
        assert ownerless(catalog) == ["diary"]
    with added("application", "[tables.diary]\nowners = ['writer -> person.number']" + UNOWNED) as catalog:
        assert astray(catalog) == ["diary.writer -> person.number"]
    with added("application", "[tables.diary]\nowners = ['id -> diary.id']" + UNOWNED) as catalog:
        assert ownerless(catalog) == []
        with pytest.raises(RequestRefusal, match="nothing leads from `diary` to a person"):
            list(inwards(catalog))
    with (
        pytest.raises(CatalogRefusal, match="does not say whose rows of `diary` are"),
        added("application", "[tables.diary]\nowners = ['whoever wrote it']" + UNOWNED),
    ):
        pass
    assert ownerless(load()) == []


def test_an_owner_who_is_no_superuser_reads_every_row_through_a_twin() -> None:
    """On somebody else's server the owner is bound by row security too, and sees what its twins are let to."""

    def unread(catalog: Catalog) -> list[str]:
        return [t.name for t in catalog if t.bound and not t.stamped and not any(reads(a) for a in t.accesses)]

    def reads(access: object) -> bool:
        return access.role in TWINS and access.rows is Rows.ALL and "select" in dict(access.privileges)  # type: ignore[attr-defined]

    assert unread(load()) == []
    with added("application", "[tables.diary]\nbound = true" + UNOWNED) as catalog:
        assert unread(catalog) == ["diary"]

"""What a command cannot do it says in a sentence: several statements, a full disk behind its answer."""

import os
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg import Connection

from tests.conftest import POLICY, Person
from tests.serving import TROTH
from troth.cli.query import query
from troth.database.place import Place


@pytest.mark.parametrize("several", ["select 1; select 2", "select 1; reset role; select 2"])
def test_several_statements_are_refused_in_a_sentence(database: Place, several: str) -> None:
    done = CliRunner().invoke(query, ["--purpose", "understand", several])
    assert done.exit_code == 1
    assert "these are several statements, and `troth query` takes one; ask once for each" in done.output
    assert database.database == "troth"


def test_mutation_without_the_extended_protocol_all_of_them_run(
    database: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "pipeline", lambda _connection: nullcontext())
    assert CliRunner().invoke(query, ["--purpose", "understand", "select 1; select 2"]).exit_code == 0
    assert database.database == "troth"


def test_a_withheld_column_is_still_told_with_its_clause(cast: dict[str, Person]) -> None:
    done = CliRunner().invoke(query, ["--purpose", "understand", "select referrer from access"])
    assert done.exit_code == 1
    assert "referrer" in done.output
    assert "no clause lets `understand` use `access.referrer`" in done.output
    assert len(cast) == 4


def test_a_table_of_which_nothing_is_read_is_told_with_its_clause_and_what_is(cast: dict[str, Person]) -> None:
    done = CliRunner().invoke(query, ["--purpose", "understand", "select * from person"])
    assert done.exit_code == 1
    assert "`person` (" in done.output
    assert ") is withheld by clause `purpose-understand`: no clause lets `understand` use `person.email`" in done.output
    assert "`understand` sees: access (" in done.output
    # Of a table of which there is none at all, only what there is is told.
    done = CliRunner().invoke(query, ["--purpose", "understand", "select * from persons"])
    assert "withheld by clause" not in done.output
    assert "`understand` sees: access (" in done.output
    assert len(cast) == 4


@pytest.mark.parametrize(
    "sql", ["delete from access", "Update access set url = ''", "insert into person values (1)", "drop table access"]
)
def test_a_statement_that_changes_something_is_told_that_a_purpose_only_reads(database: Place, sql: str) -> None:
    done = CliRunner().invoke(query, ["--purpose", "understand", sql])
    assert done.exit_code == 1
    assert f"a purpose only reads, and `{sql.split(maxsplit=1)[0].lower()}` would change something" in done.output
    assert "`understand` sees: access (" in done.output
    assert database.database == "troth"


def test_one_statement_with_a_semicolon_at_its_end_is_one(cast: dict[str, Person]) -> None:
    done = CliRunner().invoke(query, ["--purpose", "understand", "select count(*) from access;"])
    assert (done.exit_code, "1 row" in done.output) == (0, True)
    assert len(cast) == 4


@pytest.mark.parametrize("arguments", [("policy", "check"), ("policy", "plan")], ids=lambda given: given[-1])
def test_a_full_disk_behind_the_answer_is_told_without_a_traceback(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [str(TROTH), *arguments, str(POLICY)], stdout=full, stderr=subprocess.PIPE, check=False, env=os.environ
        )
    assert done.returncode == 1
    assert done.stderr.decode() == "troth: the answer cannot be written: No space left on device\n"

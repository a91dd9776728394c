"""SQL is named, parameterised and used; foreign keys point down."""

import pytest

from tests.architecture.lints import EMITTER, HOUSE, built_sql, python_files, references_up, told, unused_statements


@pytest.mark.asvs("1.2.4")
def test_no_sql_is_built_from_parts_outside_the_emitter() -> None:
    found = [
        f"{told(path)}:{line} {why}"
        for path in python_files()
        if path.relative_to(HOUSE).parts[0] != EMITTER
        for line, why in built_sql(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        'f"SELECT {column} FROM troth.person"',
        'f"select {column} from troth.person"',
        '"SELECT * FROM troth.%s" % table',
        '"DELETE FROM {}".format(table)',
        '"GRANT SELECT ON troth.person TO " + role',
        'connection.execute(f"{statement} LIMIT 1")',
        'cursor.execute(statement + " LIMIT 1") if False else cursor.execute("x" + y)',
        'sql.SQL(f"SET ROLE {role}")',
        'connection.execute(f"{statement} LIMIT 1".encode())',
        'f"ALTER ROLE {role} PASSWORD {password}"',
    ],
)
def test_the_lint_sees_sql_built_from_parts(source: str) -> None:
    assert list(built_sql(source))


@pytest.mark.parametrize(
    "source",
    [
        'connection.execute("SELECT set_config(%s, %s, true)", (name, value))',
        'connection.execute(statements["entries"], {"after": 3})',
        'f"`{name}` is no purpose; select another from the list"',
        'sql.SQL("SELECT {} FROM troth.person").format(sql.Identifier(column))',
        '"-".join(parts)',
    ],
)
def test_the_lint_leaves_parameters_and_sentences_alone(source: str) -> None:
    assert not list(built_sql(source))


def house_texts() -> dict[str, str]:
    return {
        told(path): path.read_text(encoding="utf-8")
        for path in HOUSE.rglob("*")
        if path.suffix in {".py", ".sql", ".toml"} and path.is_file()
    }


def test_every_named_statement_is_used() -> None:
    assert unused_statements(house_texts()) == []


def test_the_lint_sees_a_statement_nobody_uses() -> None:
    forgotten = {"people/sql/queries.sql": "-- name: forgotten_one\nSELECT 1\n"}
    assert "forgotten_one" in unused_statements(house_texts() | forgotten)


def migrations() -> dict[str, str]:
    texts: dict[str, str] = {}
    for path in sorted(HOUSE.glob("*/migrations/*.sql")):
        room = path.relative_to(HOUSE).parts[0]
        texts[room] = texts.get(room, "") + path.read_text(encoding="utf-8")
    return texts


def test_foreign_keys_in_migrations_point_down() -> None:
    assert "troth.person" in migrations()["people"]
    assert references_up(migrations()) == []


def test_the_lint_sees_a_foreign_key_that_points_up() -> None:
    upward = migrations()
    upward["ledger"] += "\nCREATE TABLE troth.bad (\n    subject uuid REFERENCES troth.subject (subject)\n);\n"
    assert references_up(upward) == ["ledger.bad -> people.subject"]

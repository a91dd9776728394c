"""A PostgreSQL of its own for the ledger, with only its tables, its function and one reader."""

from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import pytest
from psycopg import Connection

from troth.database import connect, embedded, place, statements

type Connect = Callable[[], Connection[Any]]


@pytest.fixture(scope="session")
def bare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[place.Place]:
    data = tmp_path_factory.mktemp("ledger") / "data"
    place.prepare(data)
    where = embedded.located(data)
    server = embedded.Server(where, settings={"fsync": "off"})
    server.start()
    where.write()
    steward = where.role("steward")
    with Connection.connect(host=where.host, port=where.port, user=where.owner, dbname="postgres") as connection:
        verifier = place.secrets_of(where).verifier(steward)
        connection.execute(f"CREATE ROLE {steward} LOGIN PASSWORD '{verifier}'".encode())
    yield where
    connect.close()
    server.stop()


@pytest.fixture
def owner(bare_server: place.Place) -> Iterator[Connect]:
    """Connections of the owner to a database that has an empty ledger and nothing else."""
    told: dict[str, Any] = {"host": bare_server.host, "port": bare_server.port, "user": bare_server.owner}
    with Connection.connect(**told, dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS troth WITH (FORCE)")
        connection.execute("CREATE DATABASE troth")
    with Connection.connect(**told, dbname="troth") as connection:
        connection.execute("CREATE SCHEMA troth")
        for name in ("0001_tables.sql", "0002_tree.sql"):
            connection.execute(resources.files("troth.ledger").joinpath("migrations", name).read_bytes())
        for name in ("append", "record"):
            connection.execute(statements.load("troth.ledger.sql")[name].encode())
        connection.execute("GRANT USAGE ON SCHEMA troth TO troth_steward")
        connection.execute(
            "GRANT SELECT ON troth.ledger_entry, troth.ledger_tile, troth.ledger_checkpoint TO troth_steward"
        )
    opened: list[Connection[Any]] = []

    def open_one() -> Connection[Any]:
        opened.append(Connection.connect(**told, dbname="troth"))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()

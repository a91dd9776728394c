"""A PostgreSQL of its own for the ledger, with only its tables and its function."""

from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import pytest
from psycopg import Connection

from troth.database import embedded, place, statements

type Connect = Callable[[], Connection[Any]]


@pytest.fixture(scope="session")
def bare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[place.Place]:
    data = tmp_path_factory.mktemp("ledger") / "data"
    place.prepare(data)
    where = embedded.located(data)
    server = embedded.Server(where, settings={"fsync": "off"})
    server.start()
    yield where
    server.stop()


@pytest.fixture
def owner(bare_server: place.Place) -> Iterator[Connect]:
    """Connections of the owner to a database that has an empty ledger and nothing else."""
    told: dict[str, Any] = {"host": bare_server.host, "port": bare_server.port, "user": bare_server.owner}
    with Connection.connect(**told, dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS ledger WITH (FORCE)")
        connection.execute("CREATE DATABASE ledger")
    with Connection.connect(**told, dbname="ledger") as connection:
        connection.execute("CREATE SCHEMA troth")
        migration = resources.files("troth.ledger").joinpath("migrations/0001_tables.sql")
        connection.execute(migration.read_bytes())
        connection.execute(statements.load("troth.ledger.sql")["record"].encode())
    opened: list[Connection[Any]] = []

    def connect() -> Connection[Any]:
        opened.append(Connection.connect(**told, dbname="ledger"))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()

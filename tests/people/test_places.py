"""P12: about where a network is, out of the operator's own database; read anew when it changes, and never a reason to stop."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

from troth.cli.serve import serve
from troth.people.errors import NoAtlas
from troth.people.places import Atlas, about

NESTED = {
    "city": {"names": {"en": "Seville", "es": "Sevilla"}},
    "country": {"iso_code": "ES", "names": {"en": "Spain", "es": "España"}},
}


def written(file: Path, told: dict[str, Any]) -> Path:
    """Write a database of places: network -> what stands there."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    for network, value in told.items():
        writer.insert_network(IPSet([network]), value)
    fresh = file.with_suffix(".new")
    writer.to_db_file(str(fresh))
    return fresh.replace(file)


@pytest.mark.parametrize(
    ("value", "en", "es"),
    [
        (NESTED, "Seville, Spain", "Sevilla, España"),
        ({"country": {"iso_code": "ES"}}, "ES", "ES"),
        ({"country_code": "ES"}, "ES", "ES"),
        ({"city": "Seville", "country_name": "Spain", "country_code": "ES"}, "Seville, Spain", "Seville, Spain"),
        ({"country": "ES", "continent": "EU"}, "ES", "ES"),
        ({"autonomous_system_number": 64500}, "", ""),
    ],
)
def test_each_schema_says_where_it_is_in_the_readers_language(tmp_path: Path, value: Any, en: str, es: str) -> None:
    atlas = Atlas(written(tmp_path / "places.mmdb", {"203.0.113.0/24": value, "2001:db8:7::/48": value}))
    for network in ("203.0.113.0/24", "2001:db8:7::/48"):
        assert (atlas.place(network, "en"), atlas.place(network, "es")) == (en, es)
    assert atlas.place("198.51.100.0/24", "en") == ""


def test_a_newer_file_is_read_without_a_restart(tmp_path: Path) -> None:
    file = written(tmp_path / "places.mmdb", {"203.0.113.0/24": {"country_code": "ES"}})
    atlas = Atlas(file)
    assert atlas.place("203.0.113.0/24", "en") == "ES"
    written(file, {"203.0.113.0/24": {"country_code": "PT"}})
    assert atlas.place("203.0.113.0/24", "en") == "PT"


def test_a_file_that_is_gone_or_no_database_tells_nothing_on_pages_and_stops_a_start(tmp_path: Path) -> None:
    file = tmp_path / "places.mmdb"
    assert about("203.0.113.0/24", "en", file=str(file)) == ""
    file.write_bytes(b"no database")
    with pytest.raises(NoAtlas):
        Atlas(file).place("203.0.113.0/24", "en")
    assert about("203.0.113.0/24", "en", file=str(file)) == ""
    assert about(None, "en", file=str(file)) == about("203.0.113.0/24", "en", file="") == ""
    said = CliRunner().invoke(serve, ["--geo-db", str(file), "--data", str(tmp_path / "data")])
    assert said.exit_code == 2
    assert "is no database of places; name a readable file" in said.output
    assert not (tmp_path / "data").exists()

"""P12: about where a network is, out of the operator's own database; read anew when it changes, and never a reason to stop."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

from troth.cli.serve import serve
from troth.database.place import Place
from troth.people import places
from troth.people.errors import NoAtlas
from troth.people.places import Atlas, Found, about, looked_up

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
        ({"country": {"iso_code": "ES"}}, "Spain", "España"),
        ({"country_code": "ES"}, "Spain", "España"),
        ({"city": "Seville", "country_name": "Spain", "country_code": "ES"}, "Seville, Spain", "Seville, Spain"),
        ({"country": "ES", "continent": "EU"}, "Spain", "España"),
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
    assert atlas.place("203.0.113.0/24", "en") == "Spain"
    written(file, {"203.0.113.0/24": {"country_code": "PT"}})
    assert atlas.place("203.0.113.0/24", "en") == "Portugal"


def test_a_file_that_is_gone_or_no_database_tells_nothing_says_so_once_and_stops_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "places.mmdb"
    monkeypatch.setenv(places.VARIABLE, str(file))
    for _ in range(3):
        assert (about("203.0.113.0/24", "en"), looked_up("203.0.113.7")) == ("", Found())
    assert [record.message.partition(";")[0] for record in caplog.records] == [f"`{file}` is no database of places"]
    file.write_bytes(b"no database")
    with pytest.raises(NoAtlas):
        Atlas(file).check()
    assert about("203.0.113.0/24", "en") == about(None, "en") == ""
    said = CliRunner().invoke(serve, ["--geo-db", str(file), "--data", str(tmp_path / "data")])
    assert said.exit_code == 2
    assert "is no database of places; name a readable file" in said.output
    assert not (tmp_path / "data").exists()
    written(file, {"203.0.113.0/24": NESTED})
    assert looked_up("203.0.113.7") == Found("ES/Seville")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (NESTED, Found("ES/Seville")),
        ({"country_code": "ES"}, Found("ES")),
        ({"country": "ES", "city": "Seville\u200b\n"}, Found("ES/Seville")),
        ({"country": {"iso_code": "es"}, "isp": "Harbor"}, Found(None, "Harbor")),
        ({"country_code": "ES", "city": "S" * 200}, Found("ES/" + "S" * 97)),
        ({"autonomous_system_organization": "H" * 200}, Found(None, "H" * 100)),
        ({"city": "Seville"}, Found()),
    ],
)
def test_what_is_stored_is_a_code_perhaps_a_city_and_a_name_of_bounded_length(
    tmp_path: Path, value: Any, found: Found
) -> None:
    atlas = Atlas(written(tmp_path / "places.mmdb", {"203.0.113.0/24": value}))
    assert atlas.found("203.0.113.77") == atlas.found("203.0.113.0/24") == found
    assert atlas.found("no address") == atlas.found("198.51.100.1") == Found()


def test_the_first_database_that_says_it_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = written(tmp_path / "first.mmdb", {"203.0.113.0/25": {"country_code": "PT"}})
    second = written(
        tmp_path / "second.mmdb", {"203.0.113.0/24": {"country_code": "ES", "autonomous_system_organization": "Harbor"}}
    )
    monkeypatch.setenv(places.VARIABLE, f"{first}:{second}")
    assert looked_up("203.0.113.7") == Found("PT", "Harbor")
    assert looked_up("203.0.113.200") == Found("ES", "Harbor")


def test_without_a_word_in_the_environment_the_service_s_own_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "places.mmdb", {"203.0.113.0/24": NESTED})
    data = tmp_path / "data"
    data.mkdir()
    Place(data=data, host="", geo_db=str(file)).write()
    monkeypatch.delenv(places.VARIABLE, raising=False)
    monkeypatch.setenv("TROTH_DATA", str(data))
    assert looked_up("203.0.113.7") == Found("ES/Seville")

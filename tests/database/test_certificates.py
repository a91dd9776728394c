"""TLS of our own: one authority that stays, a certificate good for every name it is reached by, renewed in time."""

import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from troth.cli import certificates


def names_of(certificate: Path) -> set[str]:
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    return {str(name.value) for name in found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value}


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "troth.example"])
def test_who_trusts_the_authority_trusts_the_server_by_each_name(tmp_path: Path, name: str) -> None:
    certificate, key, authority = certificates.ensure(tmp_path / "tls", ["troth.example"])
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=str(authority))
    here, there = socket.socketpair()
    answering = threading.Thread(target=lambda: server.wrap_socket(there, server_side=True).close())
    answering.start()
    with client.wrap_socket(here, server_hostname=name) as connection:
        assert connection.version() == "TLSv1.3"
    answering.join(5)


def test_keys_are_readable_by_their_user_alone(tmp_path: Path) -> None:
    certificates.ensure(tmp_path / "tls", [])
    keys = list((tmp_path / "tls").glob("*.key"))
    assert len(keys) == 2
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_nothing_changes_until_a_name_is_new_or_the_end_is_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, _, authority = certificates.ensure(tmp_path / "tls", [])
    first, trusted = certificate.read_bytes(), authority.read_bytes()
    certificates.ensure(tmp_path / "tls", [])
    assert certificate.read_bytes() == first
    certificates.ensure(tmp_path / "tls", ["new.example"])
    assert "new.example" in names_of(certificate)
    second = certificate.read_bytes()
    monkeypatch.setattr(certificates, "RENEW", certificates.LEAF + timedelta(days=1))
    certificates.ensure(tmp_path / "tls", ["new.example"])
    assert certificate.read_bytes() not in (first, second)
    assert authority.read_bytes() == trusted


def test_its_end_can_be_read(tmp_path: Path) -> None:
    certificate, _, _ = certificates.ensure(tmp_path / "tls", [])
    left = certificates.expires(certificate) - datetime.now(UTC)
    assert timedelta(days=395) < left < timedelta(days=398)

"""What the one port speaks, and what it does not."""

import socket
import ssl
from collections.abc import Iterator

import pytest

from tests.serving import Serving

pytestmark = pytest.mark.xdist_group("faults")
OLD, NOW, NEW = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    started = Serving(tmp_path_factory.mktemp("wire") / "data", arguments=()).start()
    yield started
    started.stop()


def talking(service: Serving, version: ssl.TLSVersion, ciphers: str = "ALL:@SECLEVEL=0") -> ssl.SSLSocket:
    """Shake hands with one version and what a client of that time offers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(service.data / "tls" / "ca.pem")
    context.set_ciphers(ciphers)
    context.minimum_version = context.maximum_version = version
    plain = socket.create_connection(("127.0.0.1", service.port), timeout=10)
    return context.wrap_socket(plain, server_hostname="localhost")


def heard(service: Serving, request: bytes) -> bytes:
    """Say something and return what comes back until the end."""
    with talking(service, NEW) as line:
        line.sendall(request)
        parts = []
        while part := line.recv(65536):
            parts.append(part)
        return b"".join(parts)


@pytest.mark.asvs("12.1.1")
def test_tls_1_2_and_newer_and_nothing_older(service: Serving) -> None:
    for version in (NOW, NEW):
        with talking(service, version) as line:
            assert line.version() == version.name.replace("v1_", "v1.")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"), pytest.raises(ssl.SSLError, match=r"(?i)alert|EOF"):
        talking(service, OLD)


@pytest.mark.asvs("12.1.2")
@pytest.mark.parametrize(
    "weak", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA", "NULL-SHA256", "ECDHE-ECDSA-AES128-SHA"]
)
def test_no_cipher_without_forward_secrecy_or_with_a_weak_check(service: Serving, weak: str) -> None:
    with pytest.raises(ssl.SSLError):
        talking(service, NOW, f"{weak}:@SECLEVEL=0")


@pytest.mark.asvs("13.4.4")
@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK"])
def test_nothing_is_echoed(service: Serving, method: str) -> None:
    answer = heard(
        service, f"{method} / HTTP/1.1\r\nHost: localhost\r\nX-Told: canary\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.split(b" ", 2)[1] in (b"400", b"403", b"404", b"405", b"501")
    assert b"canary" not in answer


SMUGGLED = b"GET /me HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.asvs("4.2.1")
@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Content-Length: 4\r\nContent-Length: 40",
        b"Content-Length: 4, 40",
        b"Content-Length: +4",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding : chunked",
    ],
)
def test_where_a_request_ends_is_never_in_doubt(service: Serving, head: bytes) -> None:
    asked = (
        b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + head + b"\r\n\r\n0\r\n\r\n" + SMUGGLED
    )
    answer = heard(service, asked)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert not answer or answer.split(b" ", 2)[1] == b"400"

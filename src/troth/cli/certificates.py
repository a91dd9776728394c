"""TLS without asking anybody: a certificate authority of this data folder, and a leaf that it renews."""

import ipaddress
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from troth.database.place import replace_file

RENEW = timedelta(days=30)
LEAF = timedelta(days=397)
AUTHORITY = timedelta(days=3650)


def ensure(folder: Path, hosts: list[str]) -> tuple[Path, Path, Path]:
    """Return the paths of certificate, key and authority, made or renewed as needed, good for `hosts`."""
    folder.mkdir(mode=0o700, exist_ok=True)
    authority, authority_key = _authority(folder)
    certificate, key = folder / "server.pem", folder / "server.key"
    names = sorted({*hosts, "localhost", "127.0.0.1", "::1", socket.gethostname()} - {"", "0.0.0.0", "::"})  # noqa: S104
    if not _good(certificate, names):
        fresh = ec.generate_private_key(ec.SECP256R1())
        signed = _leaf(fresh, names, authority, authority_key)
        replace_file(key, _pem(fresh), 0o600)
        replace_file(certificate, signed.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM), 0o644)
    return certificate, key, folder / "ca.pem"


def expires(certificate: Path) -> datetime:
    """Return when a certificate ends. Raises ValueError or OSError when it cannot be read."""
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    file, key_file = folder / "ca.pem", folder / "ca.key"
    if file.exists() and key_file.exists():
        key = load_pem_private_key(key_file.read_bytes(), password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return x509.load_pem_x509_certificate(file.read_bytes()), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"troth local authority ({socket.gethostname()})"[:64])])
    made = (
        _begun(name, name, key.public_key(), AUTHORITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    replace_file(key_file, _pem(key), 0o600)
    replace_file(file, made.public_bytes(Encoding.PEM), 0o644)
    return made, key


def _leaf(
    key: ec.EllipticCurvePrivateKey, names: list[str], authority: x509.Certificate, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "troth")])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return (
        _begun(subject, authority.subject, key.public_key(), LEAF)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(signer, hashes.SHA256())
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lasts: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + lasts)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _good(certificate: Path, names: list[str]) -> bool:
    if not certificate.exists():
        return False
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    covered = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found.not_valid_after_utc > datetime.now(UTC) + RENEW and set(map(_name, names)) <= set(covered)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

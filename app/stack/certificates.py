"""Certificates for the storage's own ports (RFC 5280): one CA whose key is thrown away, one node."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app.stack.files import private_folder, write_private

_YEARS = 10
_PEM = serialization.Encoding.PEM
_Extension = tuple[x509.ExtensionType, bool]


def make(folder: Path) -> None:
    """Write ca.crt, node.crt and node.key into `folder`, unless they are there and valid for another year.

    The node certificate serves and calls (serverAuth and clientAuth), for 127.0.0.1 and localhost alone.
    Its key is the storage's administrator, hence 0600. Nobody keeps the CA's key: there is no second node.
    """
    if _good_for(folder / "node.crt", days=365):
        return
    private_folder(folder)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _sign(ca_key, "rushes internal ca", ca_key.public_key(), _ca_extensions(ca_key.public_key()))
    node = _sign(ca_key, "rushes storage", key.public_key(), _node_extensions(ca_key.public_key()))
    private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(folder / "ca.crt", ca.public_bytes(_PEM))
    write_private(folder / "node.key", private)
    write_private(folder / "node.crt", node.public_bytes(_PEM))


def _good_for(path: Path, *, days: int) -> bool:
    if not path.exists():
        return False
    left = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc - _now()
    return left > datetime.timedelta(days=days)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _sign(
    ca_key: ec.EllipticCurvePrivateKey,
    common: str,
    public: ec.EllipticCurvePublicKey,
    extensions: list[_Extension],
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(common))
        .issuer_name(_name("rushes internal ca"))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - datetime.timedelta(days=1))
        .not_valid_after(_now() + datetime.timedelta(days=365 * _YEARS))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(ca_key, hashes.SHA256())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates,
        crl_sign=signs_certificates, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _ca_extensions(public: ec.EllipticCurvePublicKey) -> list[_Extension]:
    return [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_usage(signs_certificates=True), True),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
    ]


def _node_extensions(ca_public: ec.EllipticCurvePublicKey) -> list[_Extension]:
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        (x509.SubjectAlternativeName(names), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_public), False),
    ]

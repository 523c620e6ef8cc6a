"""Makes an authority (ca.crt, ca.key; once), and anew each time a pair that it issued (host.crt, host.key).

python -m tests.hosts.alternative.certificate FOLDER ADDRESS
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

AUTHORITY = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])


def main(folder: Path, address: str) -> None:
    """Write the files."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    issuer = authority(folder)
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
    certificate = _builder(name, key).add_extension(alternative, critical=False)
    save_key(folder / "host.key", key)
    save_certificate(folder / "host.crt", certificate.sign(issuer, hashes.SHA256()))


def authority(folder: Path) -> EllipticCurvePrivateKey:
    """The authority's key, made with its certificate where there is none."""
    path = folder / "ca.key"
    if path.exists():
        key = load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, EllipticCurvePrivateKey)
        return key
    key = generate_private_key(SECP256R1())
    rule = x509.BasicConstraints(ca=True, path_length=0)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = _builder(AUTHORITY, key).add_extension(rule, critical=True).add_extension(usage, critical=True)
    save_key(path, key)
    save_certificate(folder / "ca.crt", builder.sign(key, hashes.SHA256()))
    return key


def save_key(path: Path, key: EllipticCurvePrivateKey) -> None:
    """Write a key that nobody else may read."""
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def save_certificate(path: Path, certificate: x509.Certificate) -> None:
    """Write a certificate."""
    path.write_bytes(certificate.public_bytes(Encoding.PEM))


def _builder(name: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        subject_name=name,
        issuer_name=AUTHORITY,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(hours=1),
        not_valid_after=now + timedelta(days=30),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

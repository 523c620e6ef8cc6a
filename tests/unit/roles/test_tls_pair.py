"""Which certificate and key may be served together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.unit.roles.plugins import load

pair = load("tls_proxy", "tls_proxy_pair")

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NOW = datetime.now(UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
ISSUER_KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(
    key: Key = KEY, *, name: str = "llm", issuer: str = "llm", by: Key | None = None, days: int = 30
) -> str:
    builder = x509.CertificateBuilder(
        subject_name=_name(name),
        issuer_name=_name(issuer),
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=NOW - timedelta(days=10) if days < 1000 else NOW + timedelta(days=1),
        not_valid_after=NOW + timedelta(days=days, hours=1),
    )
    return builder.sign(by or key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def pem(key: Key, password: bytes = b"") -> str:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    return text.decode()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def test_a_pair_that_belongs_together_has_no_fault() -> None:
    assert pair.faults(certificate(), pem(KEY)) == []


def test_a_chain_in_its_order_has_no_fault() -> None:
    chain = certificate(issuer="ca", by=ISSUER_KEY) + certificate(ISSUER_KEY, name="ca", issuer="ca")
    assert pair.faults(chain, pem(KEY)) == []


@pytest.mark.parametrize(
    ("crt", "key", "words"),
    [
        (certificate(), pem(ISSUER_KEY), "does not belong to the certificate of CN=llm"),
        (certificate(days=-1), pem(KEY), "CN=llm expired on"),
        (certificate(days=1000), pem(KEY), "not valid before"),
        ("nothing", pem(KEY), "no PEM text (-----BEGIN CERTIFICATE-----)"),
        (certificate(), "nothing", "no PEM text of a private key"),
        (certificate(), pem(KEY, b"secret"), "passphrase"),
        (certificate() + pem(KEY), pem(KEY), "also holds a private key"),
        (certificate() + certificate(ISSUER_KEY, name="ca", issuer="ca"), pem(KEY), "did not issue"),
    ],
)
def test_each_fault_is_named(crt: str, key: str, words: str) -> None:
    assert words in " ".join(pair.faults(crt, key))


def test_a_short_rsa_key_is_refused() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    assert pair.faults(certificate(short), pem(short)) == ["the key has 1024 bits; RSA takes 2048 at least"]


def test_no_fault_shows_the_key() -> None:
    secret = pem(ISSUER_KEY).splitlines()[1]
    assert secret not in " ".join(pair.faults(certificate(), pem(ISSUER_KEY)))


def test_the_days_left_are_those_of_the_shortest_in_the_chain() -> None:
    chain = certificate(days=30) + certificate(ISSUER_KEY, name="ca", issuer="ca", days=7)
    assert pair.days_left(chain) == 7


def test_the_leaf_is_the_first() -> None:
    assert pair.leaf(certificate() + certificate(ISSUER_KEY, name="ca", issuer="ca")).count("BEGIN") == 1

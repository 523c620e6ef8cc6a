"""A certificate and its key, judged on the controller before a host is touched.

    certificate, key -> faults; certificate -> the leaf that callers are shown, the days that it has left

Owns the rules of what may be served. Never shows a key: a fault names what is wrong with it, no byte of it.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

# The shortest RSA key that browsers and OpenSSL at its usual level take.
SHORTEST_RSA_BITS = 2048


class _FaultError(Exception):
    """What is wrong, in words for the operator."""


def faults(certificate: str, key: str) -> list[str]:
    """One sentence for each reason why the two cannot be served together; none where they can."""
    try:
        chain = _chain(certificate)
        private = _private_key(key)
    except _FaultError as fault:
        return [str(fault)]
    now = datetime.now(UTC)
    found = [sentence for each in chain for sentence in _time_faults(each, now)]
    return found + _chain_faults(chain) + _key_faults(chain, private)


def leaf(certificate: str) -> str:
    """The first certificate alone, as PEM without blanks at its ends."""
    return _chain(certificate)[0].public_bytes(Encoding.PEM).decode().strip()


def days_left(certificate: str) -> int:
    """How many whole days the chain is still good."""
    ends = min(each.not_valid_after_utc for each in _chain(certificate))
    return (ends - datetime.now(UTC)).days


def _chain(text: str) -> list[x509.Certificate]:
    if "PRIVATE KEY" in text:
        raise _FaultError("the certificate's text also holds a private key; give the key by its own variable")
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise _FaultError("the certificate is no PEM text (-----BEGIN CERTIFICATE-----)") from None


def _private_key(text: str) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(text.encode(), password=None)
    except TypeError:
        raise _FaultError("the key has a passphrase; give it without one, inside Ansible's vault") from None
    except ValueError:
        raise _FaultError("the key is no PEM text of a private key (-----BEGIN PRIVATE KEY-----)") from None


def _time_faults(certificate: x509.Certificate, now: datetime) -> list[str]:
    name = certificate.subject.rfc4514_string()
    if certificate.not_valid_after_utc <= now:
        return [f"the certificate of {name} expired on {certificate.not_valid_after_utc:%Y-%m-%d}"]
    if certificate.not_valid_before_utc > now:
        return [f"the certificate of {name} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"]
    return []


def _chain_faults(chain: list[x509.Certificate]) -> list[str]:
    return [
        f"{issuer.subject.rfc4514_string()} did not issue the certificate before it, "
        f"{each.subject.rfc4514_string()}; order: the host's own, then whoever issued it, and so on"
        for each, issuer in itertools.pairwise(chain)
        if not _issued(each, issuer)
    ]


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _key_faults(chain: list[x509.Certificate], key: PrivateKeyTypes) -> list[str]:
    if isinstance(key, RSAPrivateKey) and key.key_size < SHORTEST_RSA_BITS:
        return [f"the key has {key.key_size} bits; RSA takes {SHORTEST_RSA_BITS} at least"]
    if _spki(chain[0]) == _spki(key):
        return []
    return [f"the key does not belong to the certificate of {chain[0].subject.rfc4514_string()}"]


def _spki(owner: x509.Certificate | PrivateKeyTypes) -> bytes:
    return owner.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class FilterModule:
    """What the role's tasks call."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """The filters by their names."""
        return {"tls_proxy_faults": faults, "tls_proxy_leaf": leaf, "tls_proxy_days_left": days_left}

"""What a source of a firewall rule may be, and whom it lets in."""

from __future__ import annotations

import pytest

from tests.unit.roles.plugins import load

sources = load("firewall", "firewall_sources")


@pytest.mark.parametrize("wrong", ["office", "192.0.2.1/24", "192.0.2.300", "", 7, None])
def test_what_is_no_source_is_named(wrong: object) -> None:
    (sentence,) = sources.faults(["192.0.2.0/24", wrong])
    assert sentence.startswith(f"{wrong!r}: ")


def test_elements_are_of_one_version_and_do_not_overlap() -> None:
    given = ["192.0.2.7", "192.0.2.0/24", "2001:db8::/32", "192.0.2.0/24"]
    assert sources.elements(given, 4) == ["192.0.2.0/24"]
    assert sources.elements(given, 6) == ["2001:db8::/32"]


@pytest.mark.parametrize(
    ("address", "comes_in"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("::ffff:192.0.2.7", True),
        ("fe80::1%eth0", True),
        ("2001:db8::1", False),
    ],
)
def test_an_address_is_within_a_source_or_not(address: str, comes_in: bool) -> None:
    assert sources.covers(["192.0.2.0/24", "fe80::/10"], address) is comes_in

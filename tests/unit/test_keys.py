"""API keys: random, hashed, found in the same time wherever they stand."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ia0_daemon.keys import EXAMPLE_KEYS, KeyRing, hash_key, looks_like_key, new_key
from ia0_daemon.settings.schema import ApiKey

PLAIN = "ia0-" + "x" * 43
KEY = ApiKey(name="a", sha256=hash_key(PLAIN))


def test_a_new_key_is_recognised_by_its_form_and_its_hash() -> None:
    plain, sha256 = new_key()
    assert looks_like_key(plain)
    assert sha256 == hashlib.sha256(plain.encode()).hexdigest()


def test_no_two_keys_are_alike() -> None:
    assert len({new_key()[0] for _ in range(100)}) == 100


def test_the_ring_finds_the_key_that_is_shown() -> None:
    plain, sha256 = new_key()
    ring = KeyRing([KEY, ApiKey(name="b", sha256=sha256)])
    assert len(ring) == 2
    assert ring.find(PLAIN) == KEY
    found = ring.find(plain)
    assert found is not None
    assert found.name == "b"


@pytest.mark.parametrize("presented", ["", PLAIN[:-1], PLAIN + "x", PLAIN.upper(), KEY.sha256, "ä", "\udcff"])
def test_everything_else_finds_nothing(presented: str) -> None:
    assert KeyRing([KEY]).find(presented) is None


def test_an_empty_ring_finds_nothing() -> None:
    assert KeyRing([]).find(PLAIN) is None


@given(st.text())
def test_no_text_raises(presented: str) -> None:
    assert KeyRing([KEY]).find(presented) is None


def test_every_key_is_compared_whether_or_not_one_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr("ia0_daemon.keys.hmac.compare_digest", compare)
    others = [ApiKey(name=str(number), sha256=hash_key(str(number))) for number in range(3)]
    assert KeyRing([KEY, *others]).find(PLAIN) == KEY
    assert len(compared) == 4


def test_the_empty_key_counts_as_an_example() -> None:
    assert hash_key("") in EXAMPLE_KEYS

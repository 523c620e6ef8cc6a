"""What is wrong with a list of models, and which of them must be brought."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.roles.models_modules import load

plan = load("filter_plugins/models_plan.py")

WHOLE = {"present": True, "whole": True, "digest": "a" * 64, "missing": [], "damaged": []}
GONE = WHOLE | {"present": False, "whole": False, "digest": ""}
DAMAGED = WHOLE | {"whole": False, "damaged": [{"digest": "sha256:x"}]}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"tag": "qwen2"}, "has no tag of the form NAME:TAG"),
        ({"source": "registry"}, "has no tag"),
        ({"tag": "a:b", "source": "usb"}, "source=usb is none of registry, host, gguf"),
        ({"tag": "a:b", "digets": "x"}, "there is no field digets"),
        ({"tag": "a:b", "gguf_path": "/x"}, "there is no field gguf_path with source: registry"),
        ({"tag": "a:b", "digest": "abc"}, "digest=abc is not 64 hex digits"),
        ({"tag": "a:b", "source": "gguf", "gguf_path": "x.gguf"}, "gguf_path=x.gguf is not an absolute path"),
        ({"tag": "a:b", "source": "gguf", "gguf_path": "/x", "gguf_on": "moon"}, "gguf_on=moon"),
        (
            {"tag": "a:b", "source": "gguf", "gguf_path": "/x", "parameters": "num_ctx 1"},
            "parameters must be",
        ),
    ],
)
def test_a_wrong_entry_is_named(entry: dict[str, Any], said: str) -> None:
    (fault,) = plan.models_faults([entry], [])
    assert said in fault
    assert "models_wanted[0]" in fault


def test_right_entries_have_no_faults() -> None:
    wanted = [
        {"tag": "qwen2:7b"},
        {"tag": "me/mine:1", "source": "host", "digest": "a" * 64},
        {"tag": "c:d", "source": "gguf", "gguf_path": "/x", "system": "s", "parameters": {"num_ctx": 1}},
    ]
    assert plan.models_faults(wanted, ["old:1"]) == []


def test_a_model_that_is_wanted_twice_or_absent_too_is_named() -> None:
    faults = plan.models_faults([{"tag": "a:b"}, {"tag": "a:b"}], ["a:b"])
    assert "a:b stands in models_wanted twice" in faults
    assert "a:b stands in both models_wanted and models_absent" in faults


@pytest.mark.parametrize(
    ("entry", "state", "comes"),
    [
        ({"tag": "a:b"}, WHOLE, False),
        ({"tag": "a:b"}, GONE, True),
        ({"tag": "a:b"}, DAMAGED, True),
        ({"tag": "a:b", "digest": "sha256:" + "a" * 64}, WHOLE, False),
        ({"tag": "a:b", "digest": "b" * 64}, WHOLE, True),
        ({"tag": "a:b", "source": "host"}, GONE, False),
    ],
)
def test_what_must_be_pulled(entry: dict[str, Any], state: dict[str, Any], *, comes: bool) -> None:
    assert bool(plan.models_to_bring([entry], {"a:b": state}, ["registry"])) is comes


def test_damaged_blobs_are_handed_on() -> None:
    (entry,) = plan.models_to_bring([{"tag": "a:b"}], {"a:b": DAMAGED}, ["registry"])
    assert entry["damaged"] == ["sha256:x"]


@pytest.mark.parametrize(
    ("state", "told", "said"),
    [
        (WHOLE, {"a:b": "a" * 64}, []),
        (GONE, {}, ["is not there"]),
        (GONE, {"a:b": "a" * 64}, ["models_dir_path is not the folder that the engine reads"]),
        (DAMAGED, {"a:b": "a" * 64}, ["blob sha256:x is damaged"]),
        (WHOLE, {"a:b": "c" * 64}, ["the engine tells the digest ccc"]),
    ],
)
def test_troubles_say_what_is_wrong(state: dict[str, Any], told: dict[str, str], said: list[str]) -> None:
    found = plan.models_troubles([{"tag": "a:b"}], {"a:b": state}, told)
    assert len(found) == len(said)
    assert all(words in trouble for words, trouble in zip(said, found, strict=True))

"""What the filters of the role ollama reckon and read."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from tests.contract.roles import REPOSITORY

GIB = 1024**3


def filters(name: str) -> dict[str, Callable[..., Any]]:
    path = REPOSITORY / "roles" / "ollama" / "filter_plugins" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"role_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    # Registered, as Ansible does it: a dataclass looks its own module up.
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, Callable[..., Any]] = module.FilterModule().filters()
    return found


MEMORY, HOST = filters("ollama_memory"), filters("ollama_host")


def need(**changes: object) -> dict[str, Any]:
    settings: dict[str, object] = {
        "tags": ["small:1b", "large:8b", "unheard:of"],
        "sizes": {
            "small:1b": {"weights_bytes": GIB, "kv_bytes_per_token": 65536},
            "large:8b": {"weights_bytes": 5 * GIB, "kv_bytes_per_token": 131072},
        },
        "max_loaded_models": 2,
        "cache_ram_mib": 1024,
        "context_length": 8192,
        "num_parallel": 4,
        "kv_cache_type": "f16",
        "vendor": "none",
    }
    found: dict[str, Any] = MEMORY["ollama_memory"](settings | changes)
    return found


def test_without_a_gpu_everything_lies_in_the_hosts_memory() -> None:
    # 2 x (cache 1 GiB + process 0.5 GiB) + weights 6 GiB + 8192 x 4 x (64 + 128) KiB
    assert need()["on_host_bytes"] == (3 + 6 + 6) * GIB
    assert need()["on_gpu_bytes"] == 0


def test_with_a_gpu_the_host_keeps_caches_and_processes() -> None:
    found = need(vendor="nvidia")
    assert (found["on_host_bytes"], found["on_gpu_bytes"]) == (3 * GIB, 12 * GIB)


def test_only_as_many_models_count_as_are_loaded_at_once_and_the_largest_of_them() -> None:
    assert need(max_loaded_models=1, vendor="amd")["on_gpu_bytes"] == (5 + 4) * GIB


def test_ollamas_own_choice_is_three_models() -> None:
    assert need(max_loaded_models=0, vendor="nvidia")["on_host_bytes"] == 3 * 1.5 * GIB


def test_packed_keys_and_values_take_less() -> None:
    assert need(kv_cache_type="q8_0", vendor="nvidia")["on_gpu_bytes"] == 6 * GIB + 6 * GIB * 34 // 64


def test_a_model_of_unknown_size_is_named() -> None:
    assert need()["unknown"] == ["unheard:of"]


def test_the_text_shows_the_arithmetic() -> None:
    assert "large:8b: weights 5120 MiB + 8192 tokens x 4 parallel x 131072 bytes (f16)" in need()["text"]
    assert "2 models at once" in need()["text"]


@pytest.mark.parametrize(
    ("text", "number"),
    [("infinity", 10 * GIB), ("50%", 5 * GIB), ("4G", 4 * GIB), ("512M", GIB // 2), ("1073741824", GIB)],
)
def test_a_limit_is_read_as_systemd_reads_it(text: str, number: int) -> None:
    assert MEMORY["ollama_bytes"](text, 10 * GIB) == number


def test_another_limit_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="lots: a memory limit is a percentage"):
        MEMORY["ollama_bytes"]("lots", GIB)


def test_the_checksum_of_a_release_is_found_although_its_name_begins_with_a_dot() -> None:
    text = f"{'a' * 64}  ./ollama-linux-amd64-rocm.tar.zst\n{'b' * 64}  ./ollama-linux-amd64.tar.zst\n"
    assert HOST["ollama_checksum_in"]("ollama-linux-amd64.tar.zst", text) == "b" * 64
    assert HOST["ollama_checksum_in"]("ollama-linux-arm64.tar.zst", text) == ""


def test_the_environment_of_a_unit_is_read_with_its_quotes() -> None:
    text = 'OLLAMA_HOST=127.0.0.1:11434 "NAME=two words"'
    assert HOST["ollama_unit_environment"](text) == {"OLLAMA_HOST": "127.0.0.1:11434", "NAME": "two words"}


@pytest.mark.parametrize(
    ("path", "tag"),
    [
        ("registry.ollama.ai/library/qwen2/7b", "qwen2:7b"),
        ("registry.ollama.ai/somebody/model/latest", "somebody/model:latest"),
        ("hf.co/somebody/model/Q4", "hf.co/somebody/model:Q4"),
    ],
)
def test_a_manifest_is_named_as_ollama_names_it(path: str, tag: str) -> None:
    assert HOST["ollama_tags"]([f"/models/manifests/{path}"], "/models/manifests") == [tag]


@pytest.mark.parametrize(
    "line",
    [
        "ExecStart=/usr/local/bin/ollama serve",
        "User=root",
        'Environment="OLLAMA_HOST=0.0.0.0"',
        "EnvironmentFile=/x",
    ],
)
def test_a_drop_in_that_takes_our_settings_back_is_told(line: str) -> None:
    assert HOST["ollama_overrides"](f"[Service]\n{line}\n", {"OLLAMA_HOST": "127.0.0.1:11434"}) == [line]


@pytest.mark.parametrize(
    "line", ["ExecStart=", "Nice=5", "Environment=OLLAMA_HOST=127.0.0.1:11434 OLLAMA_DEBUG=1", "# User=root"]
)
def test_a_drop_in_that_leaves_them_alone_is_not(line: str) -> None:
    assert HOST["ollama_overrides"](f"[Service]\n{line}\n", {"OLLAMA_HOST": "127.0.0.1:11434"}) == []


def test_who_listens_is_read_from_proc() -> None:
    header = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
    )
    rest = "00000000:00000000 00:00000000 00000000   998        0"
    text = "\n".join(
        [
            header,
            f"   0: 0100007F:2CAA 00000000:0000 0A {rest} 77 1 0",
            f"   1: 0100007F:2CAA 0100007F:9999 01 {rest} 78 1 0",
            f"   2: 00000000:1F90 00000000:0000 0A {rest} 79 1 0",
            f"   3: {'0' * 32}:2CAA {'0' * 32}:0000 0A {rest} 80 1 0",
            f"   4: {'0' * 24}01000000:2CAA {'0' * 32}:0000 0A {rest} 81 1 0",
        ]
    )
    assert HOST["ollama_listeners"](text, 11434) == [
        {"address": "127.0.0.1", "inode": "77"},
        {"address": "::", "inode": "80"},
        {"address": "::1", "inode": "81"},
    ]


def test_a_wildcard_address_is_asked_on_loopback() -> None:
    assert HOST["ollama_url"]("0.0.0.0") == "http://127.0.0.1:11434"


@pytest.mark.parametrize("value", [0, 65, "many", "", 1.5])
def test_a_number_out_of_its_range_is_told_with_the_range(value: object) -> None:
    faults = HOST["ollama_out_of_range"]({"ollama_num_parallel": [1, 64]}, {"ollama_num_parallel": value})
    assert faults == [f"ollama_num_parallel={value}: must be a whole number from 1 to 64"]


@pytest.mark.parametrize("value", [1, "64"])
def test_a_number_within_it_is_not(value: object) -> None:
    assert HOST["ollama_out_of_range"]({"n": [1, 64]}, {"n": value}) == []

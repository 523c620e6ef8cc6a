"""What the role ollama writes for systemd: Ollama's own names, the last resort, and the wait for the GPU."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.contract import one_task
from tests.contract.roles import REPOSITORY

ROLE = REPOSITORY / "roles/ollama"


def written(folder: Path, name: str, **variables: object) -> Path:
    """One of the role's templates, as Ansible writes it."""
    to = folder / name.removesuffix(".j2")
    template = {"src": f"{ROLE}/templates/{name}", "dest": str(to), "mode": "0755"}
    one_task.run(folder, ROLE, {"ansible.builtin.template": template}, **variables)
    return to


def test_each_variable_reaches_ollama_by_the_name_that_ollama_reads(tmp_path: Path) -> None:
    text = written(
        tmp_path,
        "10-ia0.conf.j2",
        ollama_listen="127.0.0.1:21434",
        ollama_models_path="/srv/models",
        ollama_context_length=2048,
        ollama_num_parallel=3,
        ollama_max_loaded_models=1,
        ollama_keep_alive="10m",
        ollama_max_queue=64,
        ollama_flash_attention="on",
        ollama_kv_cache_type="q8_0",
        ollama_no_cloud=False,
        ollama_no_prune=False,
        ollama_cache_ram_mib=128,
        ollama_environment={"SAID": 'a "word" and 5%'},
    ).read_text(encoding="utf-8")
    assert dict(re.findall(r'^Environment="(\w+)=(.*)"$', text, re.M)) == {
        "OLLAMA_HOST": "127.0.0.1:21434",
        "OLLAMA_MODELS": "/srv/models",
        "OLLAMA_CONTEXT_LENGTH": "2048",
        "OLLAMA_NUM_PARALLEL": "3",
        "OLLAMA_MAX_LOADED_MODELS": "1",
        "OLLAMA_KEEP_ALIVE": "10m",
        "OLLAMA_MAX_QUEUE": "64",
        "OLLAMA_FLASH_ATTENTION": "1",
        "OLLAMA_KV_CACHE_TYPE": "q8_0",
        "OLLAMA_NO_CLOUD": "0",
        "OLLAMA_NOPRUNE": "0",
        "LLAMA_ARG_CACHE_RAM": "128",
        "SAID": r"a \"word\" and 5%%",
    }


def test_the_kernel_ends_a_model_and_not_ollama_and_comes_last(tmp_path: Path) -> None:
    lines = written(tmp_path, "10-ia0.conf.j2", ollama_memory_high="80%", ollama_memory_max="20G").read_text()
    assert {"OOMPolicy=continue", "MemoryHigh=80%", "MemoryMax=20G"} <= set(lines.splitlines())


def test_without_a_gpu_nothing_is_waited_for_and_flash_attention_is_ollamas_choice(tmp_path: Path) -> None:
    text = written(tmp_path, "10-ia0.conf.j2").read_text(encoding="utf-8")
    assert "ExecStartPre=" not in text
    assert "OLLAMA_FLASH_ATTENTION=" not in text


@pytest.mark.parametrize(
    ("gpus", "required", "code", "said"),
    [
        (1, True, 1, "1 of 2 GPUs (nvidia) after 1 s: not starting Ollama"),
        (1, False, 0, "Ollama starts without"),
        (2, True, 0, ""),
    ],
)
def test_the_wait_for_the_gpu_ends(tmp_path: Path, gpus: int, required: bool, code: int, said: str) -> None:
    given = {"ollama_gpu_vendor": "nvidia", "ollama_gpu_count": 2, "ollama_gpu_required": required}
    script = written(tmp_path, "wait-for-gpu.j2", ollama_gpu_wait_s=1, **given)
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n" + 'echo "GPU 0: NVIDIA A10 (UUID: GPU-1)"\n' * gpus)
    tool.chmod(0o755)
    done = subprocess.run(
        [script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert said in done.stderr

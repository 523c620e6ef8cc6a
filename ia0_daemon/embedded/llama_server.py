"""The child process: one model in llama.cpp's own server, on a loopback port.

    python -m ia0_daemon.embedded.llama_server --model BLOB --port P --host 127.0.0.1 -c N -np N ...

Owns the translation of llama-server's flags into xllamacpp's parameters. The HTTP
listener inside of xllamacpp does the rest. Its standard input is a control pipe:
``leak N`` allocates N MiB for good, ``map N`` maps N MiB of a file for good, which
only faults of the parent send. The parent's end closes nothing here: an orphan
goes on, as Ollama's does.
"""

from __future__ import annotations

import argparse
import mmap
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from ia0_daemon.embedded.process_title import rename

LOAD_DELAY_VARIABLE = "IA0_RUNNER_LOAD_DELAY_S"
LOAD_FAILS_VARIABLE = "IA0_RUNNER_LOAD_FAILS"
# llama-server's own default of the host prompt cache, and the variable by which a unit bounds it.
CACHE_RAM_VARIABLE = "LLAMA_ARG_CACHE_RAM"
CACHE_RAM_MIB = 8192
THREADS_VARIABLE = "LLAMA_ARG_THREADS"

_MEBIBYTE = 1 << 20


def main(arguments: list[str]) -> int:
    """Load the model, serve until killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    rename("llama-server", arguments)
    options = parse(arguments)
    time.sleep(float(os.environ.get(LOAD_DELAY_VARIABLE) or 0))
    if os.environ.get(LOAD_FAILS_VARIABLE):
        sys.stderr.write(f"error: {os.environ[LOAD_FAILS_VARIABLE]}\n")
        return 1
    server = _start(options, os.environ)
    obey(sys.stdin, [], Path(options.model).parent)
    threading.Event().wait()
    del server
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read llama-server's flags, as far as Ollama passes them."""
    parser = argparse.ArgumentParser("llama-server", allow_abbrev=False)
    parser.add_argument("--model", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("-c", dest="context", type=int, default=4096)
    parser.add_argument("-np", dest="parallel", type=int, default=1)
    parser.add_argument("-b", dest="batch", type=int, default=512)
    parser.add_argument("-ub", dest="ubatch", type=int, default=512)
    parser.add_argument("-t", dest="threads", type=int, default=0)
    parser.add_argument("-ngl", dest="layers", type=int, default=-1)
    parser.add_argument("--keep", type=int, default=0)
    parser.add_argument("--log-verbosity", type=int, default=4)
    parser.add_argument("--load-mode", default="")
    parser.add_argument("--flash-attn", default="auto")
    parser.add_argument("--chat-template", default="")
    parser.add_argument("--split-mode", default="")
    parser.add_argument("--main-gpu", type=int, default=0)
    parser.add_argument("--pooling", default="")
    for flag in (
        "no-webui",
        "offline",
        "no-log-prefix",
        "no-log-timestamps",
        "no-jinja",
        "context-shift",
        "embedding",
    ):
        parser.add_argument(f"--{flag}", action="store_true")
    return parser.parse_args(arguments)


def _start(options: argparse.Namespace, environ: Mapping[str, str]) -> object:
    import xllamacpp  # here, so that nobody but a child loads 30 MB of library

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.hostnames = [options.host]
    params.port = options.port
    params.n_ctx = options.context
    params.n_parallel = options.parallel
    params.n_batch, params.n_ubatch = options.batch, options.ubatch
    params.n_keep = options.keep
    params.ctx_shift = options.context_shift
    params.embedding = options.embedding
    params.cache_ram_mib = int(environ.get(CACHE_RAM_VARIABLE) or CACHE_RAM_MIB)
    params.fit_params = False  # the sizes are given; nothing is to be fitted to a GPU
    params.n_gpu_layers = 0
    params.endpoint_slots = True
    threads = options.threads or int(environ.get(THREADS_VARIABLE) or 0)
    if threads:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    if options.load_mode == "none":
        params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
    if options.pooling == "mean":
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return xllamacpp.Server(params)


def obey(commands: Iterable[str], held: list[bytearray | mmap.mmap], folder: Path) -> None:
    """Carry out the parent's commands until the pipe ends; ``held`` keeps what is never given back."""
    for line in commands:
        word, _, value = line.strip().partition(" ")
        if word == "leak":
            held.append(leak(int(float(value) * _MEBIBYTE)))
        elif word == "map":
            held.append(map_file(int(float(value) * _MEBIBYTE), folder))


def leak(size: int) -> bytearray:
    """Anonymous memory of this size with every page touched, so that it is really there."""
    block = bytearray(size)
    for offset in range(0, size, 4096):
        block[offset] = 1
    return block


def map_file(size: int, folder: Path) -> mmap.mmap:
    """A file of this size in the page cache, mapped as weights are, with every page touched.

    It has no name, so that it goes with the process. Not in /tmp, which may be memory itself.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(size))
        file.flush()
        block = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    for offset in range(0, size, 4096):
        block[offset]
    return block


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

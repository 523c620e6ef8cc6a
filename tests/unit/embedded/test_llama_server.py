import mmap
from pathlib import Path

from ia0_daemon.embedded.llama_server import leak, map_file, obey, parse


def test_the_flags_that_ollama_passes_are_understood() -> None:
    flags = (
        "--model /m --port 1 --host 127.0.0.1 --no-webui --offline -c 8192 -np 2 --log-verbosity 4 "
        "--no-log-prefix --no-log-timestamps --no-jinja --chat-template chatml --load-mode none "
        "--flash-attn auto -b 256 -ub 256 --context-shift --keep 4"
    )
    options = parse(flags.split())
    assert (options.model, options.context, options.parallel, options.batch) == ("/m", 8192, 2, 256)
    assert (options.load_mode, options.context_shift, options.keep, options.embedding) == (
        "none",
        True,
        4,
        False,
    )


def test_what_grows_is_held_and_other_commands_are_ignored(tmp_path: Path) -> None:
    held: list[bytearray | mmap.mmap] = []
    obey(["leak 2\n", "what?\n", "map 0.5\n"], held, tmp_path)
    assert [len(block) for block in held] == [2 << 20, 1 << 19]
    assert isinstance(held[1], mmap.mmap)


def test_every_page_of_a_leak_is_touched() -> None:
    assert all(leak(3 * 4096)[offset] for offset in range(0, 3 * 4096, 4096))


def test_a_mapped_file_has_no_name_that_could_be_left_behind(tmp_path: Path) -> None:
    assert len(map_file(4096, tmp_path)) == 4096
    assert list(tmp_path.iterdir()) == []

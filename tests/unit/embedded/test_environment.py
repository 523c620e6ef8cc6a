from pathlib import Path

import pytest

from ia0_daemon.embedded.durations import FOREVER
from ia0_daemon.embedded.environment import parse_host, read_settings


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", ("127.0.0.1", 11434)),
        ("localhost", ("localhost", 11434)),
        ("0.0.0.0", ("0.0.0.0", 11434)),
        (":1234", ("127.0.0.1", 1234)),
        ("10.0.0.5:8080", ("10.0.0.5", 8080)),
        ("http://gpu-1", ("gpu-1", 80)),
        ("https://gpu-1/", ("gpu-1", 443)),
        ("http://gpu-1:9000/path", ("gpu-1", 9000)),
        ("[::1]:1", ("::1", 1)),
        ("::1", ("::1", 11434)),
        ("gpu-1:99999", ("gpu-1", 11434)),
    ],
)
def test_every_form_of_ollama_host_is_understood(text: str, address: tuple[str, int]) -> None:
    assert parse_host(text) == address


def test_settings_come_from_ollamas_own_names() -> None:
    settings = read_settings(
        {
            "OLLAMA_HOST": "127.0.0.1:1",
            "OLLAMA_MODELS": "/srv/models",
            "OLLAMA_KEEP_ALIVE": "-1",
            "OLLAMA_NUM_PARALLEL": "3",
            "OLLAMA_MAX_QUEUE": "2",
            "OLLAMA_CONTEXT_LENGTH": "8192",
            "OLLAMA_NOPRUNE": "1",
        }
    )
    assert (settings.port, settings.models, settings.keep_alive) == (1, Path("/srv/models"), FOREVER)
    assert (settings.num_parallel, settings.max_queue, settings.context_length) == (3, 2, 8192)
    assert settings.no_prune


def test_nothing_said_means_ollamas_defaults() -> None:
    settings = read_settings({})
    assert (settings.keep_alive, settings.load_timeout, settings.max_queue) == (300, 300, 512)
    assert (settings.num_parallel, settings.context_length, settings.no_prune) == (1, 4096, False)
    assert settings.models == Path.home() / ".ollama" / "models"


def test_quotes_around_a_value_and_a_number_that_is_none_do_no_harm() -> None:
    settings = read_settings({"OLLAMA_MODELS": '"/srv/models"', "OLLAMA_NUM_PARALLEL": "many"})
    assert (settings.models, settings.num_parallel) == (Path("/srv/models"), 1)

from ia0_daemon.embedded.process_title import padded_title


def arguments(title: bytes | None) -> list[str]:
    assert title is not None
    return [part.decode() for part in title.split(b"\0")[:-1]]


def test_the_list_fills_the_old_one_exactly_and_has_no_empty_end() -> None:
    title = padded_title("llama-server", ["--model", "/m"], 80)
    first, *rest = arguments(title)
    assert title is not None
    assert len(title) == 80
    assert first.rpartition("/")[2] == "llama-server"
    assert rest == ["--model", "/m"]


def test_a_small_room_is_padded_too() -> None:
    title = padded_title("llama-server", ["-c"], len("llama-server\0-c\0") + 3)
    assert arguments(title) == ["///llama-server", "-c"]


def test_a_list_that_does_not_fit_is_left_alone() -> None:
    assert padded_title("llama-server", ["--model", "/m"], 5) is None

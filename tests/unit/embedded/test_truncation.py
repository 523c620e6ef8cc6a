import pytest

from ia0_daemon.embedded.truncation import cut_length, cut_tokens, drop_old_messages, kept_tokens

Message = dict[str, object]


def message(role: str, content: str, **more: object) -> Message:
    return {"role": role, "content": content, **more}


def texts(messages: list[Message]) -> list[object]:
    return [item["content"] for item in messages]


@pytest.mark.parametrize(("adds_bos", "remaining"), [(False, 2050), (True, 2051)])
def test_of_4096_tokens_2050_remain_and_2051_with_a_bos(adds_bos: bool, remaining: int) -> None:
    tokens = list(range(5000))
    keep = kept_tokens(4, len(tokens), 4096, adds_bos=adds_bos)
    cut = cut_tokens(tokens, 4096, keep)
    assert len(cut) == remaining
    assert cut[:keep] == tokens[:keep]
    assert cut[keep:] == tokens[-(remaining - keep) :]


@pytest.mark.parametrize(
    ("num_ctx", "keep", "length"),
    [(4096, 4, 2050), (4096, 5, 2051), (8192, 4, 4098), (1, 0, 0), (8, 100, 7), (8, -3, 4)],
)
def test_half_of_what_is_not_kept_stays_free(num_ctx: int, keep: int, length: int) -> None:
    assert cut_length(num_ctx, keep) == length


def test_a_negative_num_keep_keeps_all_that_fits() -> None:
    assert kept_tokens(-1, 5000, 4096, adds_bos=False) == 4095


def test_the_oldest_messages_go_and_system_and_the_last_stay() -> None:
    messages = [message("system", "S"), message("user", "1"), message("assistant", "2"), message("user", "3")]
    assert texts(drop_old_messages(messages, lambda some: len(some) <= 2)) == ["S", "3"]


def test_what_fits_is_left_alone() -> None:
    messages = [message("user", "1"), message("user", "2")]
    assert drop_old_messages(messages, lambda some: True) == messages


def test_the_last_message_stays_even_if_it_does_not_fit() -> None:
    messages = [message("user", "1"), message("user", "2")]
    assert texts(drop_old_messages(messages, lambda some: False)) == ["2"]


def test_a_tools_result_stays_with_its_call() -> None:
    call = message("assistant", "call", tool_calls=[{}])
    messages = [message("user", "1"), call, message("tool", "a"), message("tool", "b")]
    assert texts(drop_old_messages(messages, lambda some: len(some) <= 1)) == ["call", "a", "b"]

import pytest

from ia0_daemon.embedded.names import parse_name


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("smollm2", "smollm2:latest"),
        ("smollm2:135m", "smollm2:135m"),
        ("someone/model", "someone/model:latest"),
        ("host:5000/ns/model:tag", "host:5000/ns/model:tag"),
        ("http://127.0.0.1:5000/ns/model:tag", "127.0.0.1:5000/ns/model:tag"),
        ("library/smollm2:135m", "smollm2:135m"),
    ],
)
def test_defaults_are_filled_in_and_left_out_again(text: str, short: str) -> None:
    assert parse_name(text).short() == short


def test_the_scheme_is_kept_apart() -> None:
    name = parse_name("http://127.0.0.1:5000/ns/model:tag")
    assert (name.scheme, name.host, name.path()) == (
        "http",
        "127.0.0.1:5000",
        ("127.0.0.1:5000", "ns", "model", "tag"),
    )


@pytest.mark.parametrize(
    "text", ["", "a b", "../x", "x:", "x:../y", "a/b/../c", "/x", "x" * 90, "ns/.:t", "-x"]
)
def test_what_could_be_no_folder_is_no_name(text: str) -> None:
    assert not parse_name(text).is_valid()

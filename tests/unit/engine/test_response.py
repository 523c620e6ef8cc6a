"""A response as its bytes come: what is handed out, when it is complete, and what is refused."""

from __future__ import annotations

import pytest

from ia0_daemon.engine.response import BrokenResponse, Response

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n"
UNSIZED = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.fixture
def response() -> Response:
    return Response()


def test_chunks_of_one_read_are_handed_out_in_one_piece(response: Response) -> None:
    response.feed(CHUNKED + b"3\r\none\r\n3\r\ntwo\r\n")
    assert (response.status, response.take(), response.complete) == (200, b"onetwo", False)
    response.feed(b"0\r\n\r\n")
    assert (response.take(), response.complete, response.keeps_open) == (b"", True, True)


def test_a_body_with_a_length_ends_with_it(response: Response) -> None:
    response.feed(SIZED + b"he")
    assert not response.complete
    response.feed(b"llo")
    assert (response.status, response.take(), response.keeps_open) == (404, b"hello", True)


@pytest.mark.parametrize("whole", [CHUNKED + b"2\r\nab\r\n0\r\n\r\n", SIZED + b"hello"])
def test_it_makes_no_difference_where_the_bytes_are_broken(response: Response, whole: bytes) -> None:
    for at in range(len(whole)):
        assert not response.complete
        response.feed(whole[at : at + 1])
    assert response.keeps_open


def test_a_body_without_a_length_ends_with_its_connection(response: Response) -> None:
    response.feed(UNSIZED + b"text")
    assert not response.complete
    response.end()
    assert (response.take(), response.complete, response.keeps_open) == (b"text", True, False)


@pytest.mark.parametrize("early", [b"", b"HTTP/1.1 200", CHUNKED, CHUNKED + b"3\r\none\r\n", SIZED + b"he"])
def test_a_connection_that_ends_too_early_breaks_the_response(response: Response, early: bytes) -> None:
    if early:
        response.feed(early)
    with pytest.raises(BrokenResponse, match="in the middle"):
        response.end()


@pytest.mark.parametrize("between", [b"100 Continue\r\n\r\n", b"103 Early Hints\r\nLink: x\r\n\r\n"])
def test_what_comes_before_the_response_is_passed_over(response: Response, between: bytes) -> None:
    response.feed(b"HTTP/1.1 " + between)
    assert not response.begun
    response.feed(SIZED + b"hello")
    assert (response.status, response.take(), response.keeps_open) == (404, b"hello", True)


def test_what_comes_before_the_response_may_come_with_it(response: Response) -> None:
    response.feed(b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED + b"hello")
    assert (response.status, response.take(), response.keeps_open) == (404, b"hello", True)


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n", SIZED.replace(b"1.1", b"1.0")],
)
def test_an_engine_that_closes_keeps_no_connection(response: Response, head: bytes) -> None:
    response.feed(head + b"hello")
    assert (response.complete, response.keeps_open) == (True, False)


@pytest.mark.parametrize("more", [SIZED, b"no HTTP at all", b"H"])
def test_bytes_that_nobody_asked_for_keep_no_connection(response: Response, more: bytes) -> None:
    response.feed(SIZED + b"hello" + more)
    assert (response.status, response.take(), response.complete) == (404, b"hello", True)
    assert not response.keeps_open


@pytest.mark.parametrize(
    "broken",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        CHUNKED + b"x\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ],
)
def test_what_is_no_response_is_refused(response: Response, broken: bytes) -> None:
    with pytest.raises(BrokenResponse):
        response.feed(broken)


def test_what_came_before_a_broken_part_is_handed_out_first(response: Response) -> None:
    response.feed(CHUNKED + b"3\r\none\r\nx\r\n")
    assert response.take() == b"one"
    with pytest.raises(BrokenResponse):
        response.feed(b"more")
    with pytest.raises(BrokenResponse):
        response.end()


def test_headers_without_end_are_refused(response: Response) -> None:
    response.feed(b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"x" * 1000 + b"\r\n") * 65)
    with pytest.raises(BrokenResponse, match="bytes of headers"):
        response.feed(b"X: " + b"x" * 1000 + b"\r\n")

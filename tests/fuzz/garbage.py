"""What has broken readers of HTTP and JSON before, piece by piece.

Owns the lists alone. Each piece is put into a request that is sound otherwise.
"""

from __future__ import annotations

from tests.fuzz.shot import Header

# What breaks readers that take numbers for granted: beyond 64 bits, beyond floats, no numbers at all.
NUMBERS = (
    "1e308", "-1e308", "1e309", "-1e999", "1e-400", "9223372036854775807", "9223372036854775808",
    "-9223372036854775809", "18446744073709551616", "1" + "0" * 400, "-0", "-0.0", "0.1e1", "NaN", "Infinity",
    "-Infinity", "01", "+1", "1.", ".5", "0x10", "1_000", "1e", "4294967296", "2147483648", "-1", "0",
)
BROKEN_UTF8 = (
    b"\xff", b"\xfe\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x28\xa1", b"\x80", b"\xc3",
    b"\xf0\x9f\x98", b"\xef\xbb\xbf", b"\x00",
)
SNIPPETS = (
    b"", b"null", b"true", b"[]", b"{}", b'""', b"0", b"{", b"}", b"[", b'"', b"{'prompt': 'x'}", b'{"a":1,}',
    b"{} {}", b"/* */{}", b'{"a" 1}', b"<xml/>", b"a=1&b=2", b"--x\r\n", b"\\u0000", b'"\\ud800"', b"\r\n", b" ",
)
MEDIA_TYPES = (
    b"", b"text/plain", b"application/json; charset=latin-1", b"application/json; charset=utf-16", b"text/html",
    b"application/x-www-form-urlencoded", b"multipart/form-data", b"multipart/form-data; boundary=x", b"application/",
    b"application/json, text/plain", b"APPLICATION/JSON;;;", b"application/json; charset=\"utf-8", b"*/*", b"json",
    b"application/x-ndjson", b"application/vnd.api+json", b"\xff\xfe", b"a" * 4000,
)
HEADERS: tuple[Header, ...] = (
    (b"X-Request-ID", b"<script>"), (b"X-Request-ID", b"x" * 200), (b"X-Request-ID", b""), (b"X-Request-ID", b"\xc3\xa9"),
    (b"Accept", b"\xff"), (b"Accept", b"text/event-stream;q=banana"), (b"Accept-Encoding", b"br;q=1.0, gzip;q=x"),
    (b"Authorization", b"Bearer"), (b"Authorization", b"Basic \xff\xff"), (b"Authorization", b"Bearer " + b"k" * 9000),
    (b"X-API-Key", b"\x80\x81"), (b"X-API-Key", b""), (b"Cookie", b"=;=;\"=\xff"), (b"Host", b""), (b"Host", b"a b"),
    (b"Host", b"[::1"), (b"Expect", b"100-continue"), (b"Expect", b"banana"), (b"Range", b"bytes=0-0,-1"),
    (b"Upgrade", b"websocket"), (b"Connection", b"Upgrade, close, banana"), (b"If-None-Match", b"\"\xff, *"),
    (b"If-Modified-Since", b"yesterday"), (b"Forwarded", b"for=\"[::1\""), (b"X-Forwarded-For", b"\xff, 999.9.9.9"),
    (b"X-Forwarded-Proto", b"gopher"), (b"Content-Encoding", b"gzip"), (b"Content-Encoding", b"\xff"),
    (b"Content-MD5", b"x"), (b"Transfer-Encoding", b"identity"), (b"Trailer", b"Content-Length"), (b"TE", b"trailers"),
)
# Each of these can end the reading of a request; whether an answer is due is for the daemon to say.
UNREADABLE: tuple[Header, ...] = (
    (b"Content-Length", b"-1"), (b"Content-Length", b"banana"), (b"Content-Length", b"1, 2"), (b"Content-Length", b"+5"),
    (b"Content-Length", b"0x10"), (b"Content-Length", b"99999999999999999999"), (b"Content-Length", b"\xb2"),
    (b"Content-Length", b"1_0"), (b"Transfer-Encoding", b"chunked, identity"), (b"Transfer-Encoding", b"xchunked"),
    (b"Transfer-Encoding", b"chunked\x0b"), (b"Transfer-Encoding", b"gzip, chunked"), (b"", b"no name"), (b" X", b"fold"),
    (b"X Y", b"blank"), (b"X\x00Y", b"nul"), (b"X-Nul", b"a\x00b"), (b"X-CR", b"a\rb"), (b"X-LF", b"a\nb"), (b"X-Big", b"x" * 300_000),
)
METHODS = (
    "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW", "get", "Post", "X" * 300,
    "M-SEARCH", "HEAD",
)
PATHS = (
    "?",
    "?a=1&a=2",
    "?%ff=%zz",
    "/",
    "//",
    "/../",
    "/%2e%2e/",
    ";a=b",
    "%00",
    "/x",
    "?" + "q" * 5000,
    "%c0%af",
)
CHUNKS = (
    b"zz\r\nab\r\n0\r\n\r\n", b"-1\r\n\r\n0\r\n\r\n", b"5\r\nab\r\n0\r\n\r\n", b"2\r\nabcd\r\n0\r\n\r\n",
    b"ffffffffffffffffff\r\nab", b"2;ext=\"\r\nab\r\n0\r\n\r\n", b"2\nab\n0\n\n", b"0\r\nX: y\r\n\r\n", b"0\r\n", b"2\r\nab",
    b"\r\n", b"0x2\r\nab\r\n0\r\n\r\n", b"2 \r\nab\r\n0\r\n\r\n", b"+2\r\nab\r\n0\r\n\r\n", b"2;" + b"a" * 70_000 + b"\r\nab\r\n",
)
LINES = (
    b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n", b"/ GET HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\n\r\n", b"GET http://a:b/ HTTP/1.1\r\n\r\n", b"GET * HTTP/1.1\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\n\r\n",
    b"SSTP / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n",
)

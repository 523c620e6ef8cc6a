"""Does a stream come token by token through TLS?

    IA0_KEY=... python -m tests.hosts.alternative.stream URL CA MODEL

Reads one streamed answer and prints {"lines", "apart", "seconds", "status", "done"}: how many lines came,
and how many of them at least 2 ms behind the one before. A proxy that holds small chunks back lets them
come in bundles.
"""

from __future__ import annotations

import itertools
import json
import os
import ssl
import sys
import time
from http.client import HTTPSConnection
from urllib.parse import urlsplit

APART_S = 0.002


def main(url: str, ca: str, model: str) -> dict[str, object]:
    """Ask, and note when each line comes."""
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=ca)
    connection = HTTPSConnection(str(parts.hostname), parts.port, timeout=120, context=context)
    body = {"model": model, "prompt": "Write a long story.", "stream": True, "params": {"max_tokens": 60}}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['IA0_KEY']}"}
    connection.request("POST", "/llm/generate", json.dumps(body), headers)
    answer = connection.getresponse()
    times, last = [], b"{}"
    while line := answer.readline():
        times.append(time.monotonic())
        last = line
    apart = sum(after - before >= APART_S for before, after in itertools.pairwise(times))
    return {
        "lines": len(times),
        "apart": apart,
        "seconds": round(times[-1] - times[0], 3),
        "status": answer.status,
        "done": bool(json.loads(last).get("done")),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:4])))  # noqa: T201  # its result

"""Does a stream come token by token through TLS, and whole?

    IA0_KEY=... python -m tests.hosts.alternative.stream URL CA MODEL [STOP_FILE]

Reads one streamed answer and prints {"lines", "apart", "seconds", "status", "done"}: how many lines came,
and how many of them at least 2 ms behind the one before. A proxy that holds small chunks back lets them
come in bundles. With a file it asks again and again until that is there, so that one answer is under way
at any time, and prints {"answers", "broken"}.
"""

from __future__ import annotations

import itertools
import json
import os
import ssl
import sys
import time
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

APART_S = 0.002
# Longer than any play; whoever forgets the file does not ask for ever.
LONGEST_S = 300


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


def again(url: str, ca: str, model: str, stop: Path) -> dict[str, object]:
    """Ask for one answer after the other until the file is there."""
    answers, broken, end = 0, [], time.monotonic() + LONGEST_S
    while not stop.exists() and time.monotonic() < end:
        answers += 1
        try:
            told = main(url, ca, model)
        except (OSError, HTTPException, ValueError, IndexError) as error:
            broken.append(repr(error))
            continue
        if told["status"] != 200 or not told["done"]:
            broken.append(repr(told))
    return {"answers": answers, "broken": broken}


if __name__ == "__main__":
    where = (sys.argv[1], sys.argv[2], sys.argv[3])
    result = again(*where, Path(sys.argv[4])) if sys.argv[4:] else main(*where)
    print(json.dumps(result))  # noqa: T201  # the scenario reads it

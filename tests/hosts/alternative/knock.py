"""Knocks at the proxy without a pause until a file is there: is anybody turned away meanwhile?

    python -m tests.hosts.alternative.knock URL CA STOP_FILE

Prints {"asked", "failed", "certificates"}: connections that were made, those without an answer of the
daemon, and how many certificates were shown.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

# Longer than any play; whoever forgets the file does not knock for ever.
LONGEST_S = 300


def main(url: str, ca: str, stop: Path) -> dict[str, object]:
    """Knock until the file is there."""
    asked, failed, shown, end = 0, [], set(), time.monotonic() + LONGEST_S
    context = ssl.create_default_context(cafile=ca)
    while not stop.exists() and time.monotonic() < end:
        asked += 1
        try:
            shown.add(knock(url, context))
        except (OSError, HTTPException, ValueError) as error:
            failed.append(repr(error))
        time.sleep(0.02)
    return {"asked": asked, "failed": failed, "certificates": len(shown)}


def knock(url: str, context: ssl.SSLContext) -> bytes:
    """One new connection, one question; the certificate that was shown."""
    parts = urlsplit(url)
    connection = HTTPSConnection(str(parts.hostname), parts.port, timeout=30, context=context)
    connection.connect()
    shown = connection.sock.getpeercert(binary_form=True)
    connection.request("GET", "/models")
    status = connection.getresponse().status
    connection.close()
    if status != 401:
        raise ValueError(f"answered {status}, not 401")
    assert shown, "a server over TLS shows a certificate"
    return shown


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))  # noqa: T201  # its result

"""Callers of a host while something happens to it: the crowd of `make chaos`, and a count of what each got.

    python -m tests.hosts.load --url http://10.89.0.2:8080 --key ia0-... --until FILE --ready FILE

16 callers that want one object and 8 that want a stream ask again and again until the file of --until is
there, then finish what is under way. --long N adds one answer of N tokens, begun at once, for what must
outlive a drain's bound. The file of --ready is written when all are busy and some answers have come: now a
fault hurts. Prints one JSON line at its end; ends with 1 where a request was lost or got an error, or a seam
is not clean.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.chaos.clients import PATIENCE_S, Callers, Outcome, wait_until_busy
from tests.chaos.seams import bad_seams

LONG_PROMPT = "Tell me a very long story about a lighthouse keeper, his dog, and every ship that passes."
# How long a fault may take at most, in seconds; a file that never comes must not keep the callers for ever.
MOST_S = 900.0
# Half of the streams between two of their tokens: a fault that comes now cuts some.
WRITING_SHARE = 2
# How many of the troubles are told in words.
TOLD = 5


@dataclass
class Long:
    """One answer that is longer than a drain may take."""

    url: str
    key: str
    tokens: int
    told: dict[str, Any] = field(default_factory=lambda: {"result": "lost"})

    def run(self) -> None:
        """Ask, read it to its end, note what came."""
        began = time.monotonic()
        try:
            self._read()
        except (requests.RequestException, ValueError) as error:
            self.told["trouble"] = repr(error)
        self.told["seconds"] = round(time.monotonic() - began, 1)

    def _read(self) -> None:
        body = {
            "prompt": LONG_PROMPT,
            "stream": True,
            "params": {"temperature": 0, "max_tokens": self.tokens},
            "cache": False,
        }
        headers = {"X-Request-ID": "load-long"} | (
            {"Authorization": f"Bearer {self.key}"} if self.key else {}
        )
        url = f"{self.url}/llm/generate"
        with requests.post(url, json=body, headers=headers, stream=True, timeout=PATIENCE_S) as answer:
            for line in answer.iter_lines():
                message = json.loads(line)
                if "error" in message:
                    self.told |= {"result": "error", "code": message["code"]}
                    return
                if message["done"]:
                    went_on = bool(message.get("resumed"))
                    tokens = message["completion_tokens"]
                    self.told |= {"result": "answered", "went_on": went_on, "tokens": tokens}
                    return


def summary(sent: int, outcomes: list[Outcome], long: Long | None) -> dict[str, Any]:
    """What all of them came to; those whose connection was refused or reset are among the `lost` too."""
    count = Counter(outcome.result for outcome in outcomes)
    troubles = [outcome for outcome in outcomes if outcome.result != "answered"]
    return {
        "sent": sent + (long is not None),
        "answered": count["answered"] + (long is not None and long.told["result"] == "answered"),
        "went_on": sum(bool(outcome.figures.get("resumed")) for outcome in outcomes),
        "error": count["error"] + (long is not None and long.told["result"] == "error"),
        "lost": count["lost"] + (long is not None and long.told["result"] == "lost"),
        "refused": sum("Connection refused" in outcome.trouble for outcome in troubles),
        "reset": sum(_was_reset(outcome) for outcome in troubles),
        # Lost without a word: the answer ended as if it were whole.
        "silent": sum(not outcome.code and not outcome.trouble for outcome in troubles),
        "seams": bad_seams(outcomes),
        "codes": dict(Counter(outcome.code for outcome in troubles if outcome.code)),
        "troubles": [
            f"{outcome.request_id}: {outcome.code or outcome.trouble}" for outcome in troubles[:TOLD]
        ],
        "long": long.told if long else None,
    }


def _was_reset(outcome: Outcome) -> bool:
    return "reset by peer" in outcome.trouble or "without response" in outcome.trouble


def load(options: argparse.Namespace) -> dict[str, Any]:
    """Call until told to stop; gives the summary."""
    began = time.monotonic()
    callers = Callers(options.url, options.plain, options.streams, [options.key] if options.key else [])
    long = Long(options.url, options.key, options.long) if options.long else None
    thread = threading.Thread(target=long.run, daemon=True) if long else None
    callers.start()
    if thread:
        thread.start()
    busy = wait_until_busy(callers, options.plain, options.streams // WRITING_SHARE, limit_s=PATIENCE_S)
    if options.ready:
        options.ready.write_text(json.dumps(busy))
    told_to_stop = _wait(options, began)
    callers.stop()
    if thread:
        thread.join(PATIENCE_S)
    seconds = round(time.monotonic() - began, 1)
    return summary(*callers.take(), long) | {"told_to_stop": told_to_stop, "seconds": seconds}


def _wait(options: argparse.Namespace, began: float) -> bool:
    """Whether they were told to stop: whose time was over before has not seen the last faults."""
    most = options.seconds or MOST_S
    while time.monotonic() - began < most:
        if options.until and options.until.exists():
            return True
        time.sleep(0.1)
    return False


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--url", required=True, help="the API, such as http://10.89.0.2:8080")
    parser.add_argument("--key", default="", help="the API key; without one none is sent")
    parser.add_argument("--plain", type=int, default=16, help="how many want one object")
    parser.add_argument("--streams", type=int, default=8, help="how many want a stream")
    parser.add_argument("--long", type=int, default=0, help="tokens of one long answer besides")
    parser.add_argument("--seconds", type=float, default=0, help="stop after so long")
    parser.add_argument("--until", type=Path, help="stop when this file is there")
    parser.add_argument("--ready", type=Path, help="write this file when the callers are busy")
    return parser.parse_args()


def main() -> int:
    """Gives the exit code."""
    told = load(_options())
    sys.stdout.write(f"{json.dumps(told)}\n")
    return 1 if told["lost"] or told["error"] or told["seams"] else 0


if __name__ == "__main__":
    sys.exit(main())

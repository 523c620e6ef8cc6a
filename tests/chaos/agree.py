"""Do clients, daemon and engine say the same? Every function gives the faults that it found.

    client's result <-> the daemon's line of the request <-> the answers that the engine began for it

All three name a request by the same id, so they are held against each other
request by request; `Counts` are their sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ia0_daemon.embedded.told import digest
from tests.chaos.clients import PLAIN_TOKENS, SHARED, STREAM, STREAM_TOKENS, Outcome
from tests.chaos.engine_log import OWN, Askings, Ledger

Line = dict[str, Any]


@dataclass
class Counts:
    """What each of the three has counted."""

    answered: int = 0
    error: int = 0
    lost: int = 0

    daemon_answered: int = 0
    waited: int = 0
    again: int = 0
    went_on: int = 0
    asked: int = 0
    """How often the daemon asked the engine."""

    begun: int = 0
    finished: int = 0
    cut: int = 0
    """Answers that the engine began and did not finish: cut by a fault, or by its own end."""
    unheard: int = 0
    """Answers that it finished and whose end was cut on the way."""
    shared: int = 0
    """Answers that were shared with others, or kept: the engine has written them for one request alone."""
    at_length: int = 0
    """Answers that were cut behind their last token: nobody had to finish them."""

    def add(self, other: Counts) -> None:
        """Add another's figures to these."""
        for name in vars(other):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def count(outcomes: Iterable[Outcome], log: dict[str, Line], ledger: Ledger) -> Counts:
    """Count what the three say of these requests, each by its own words."""
    counts = Counts()
    for outcome in outcomes:
        line, askings = log.get(outcome.request_id, {}), ledger.requests[outcome.request_id]
        setattr(counts, outcome.result, getattr(counts, outcome.result) + 1)
        counts.daemon_answered += line.get("code") == "OK"
        if outcome.kind == SHARED:
            counts.shared += outcome.result == "answered"
            continue
        counts.waited += bool(line.get("gate_ms"))
        counts.again += bool(line.get("asked_again"))
        counts.went_on += bool(line.get("resumed"))
        counts.asked += line.get("askings", 1)
        counts.begun += askings.begun
        counts.finished += askings.finished
        counts.cut += askings.cut
        at_length = _is_at_length(outcome)
        counts.at_length += at_length
        heard = outcome.result == "answered" and not at_length
        counts.unheard += max(0, askings.finished - heard)
    return counts


def sums_disagree(counts: Counts) -> list[str]:
    """Hold the three sums against each other."""
    faults = []
    if counts.daemon_answered != counts.answered:
        faults.append(f"{counts.answered} answers for the clients, {counts.daemon_answered} for the daemon")
    expected = counts.answered - counts.shared - counts.at_length + counts.unheard
    if counts.finished != expected:
        faults.append(f"the engine finished {counts.finished} answers; by the clients' it is {expected}")
    if counts.begun > counts.asked:
        faults.append(f"the engine began {counts.begun} answers; the daemon asked for {counts.asked}")
    return faults


def disagreements(outcomes: Iterable[Outcome], log: dict[str, Line], ledger: Ledger) -> list[str]:
    """Hold the three against each other, request by request."""
    faults = []
    for outcome in outcomes:
        line, askings = log.get(outcome.request_id), ledger.requests[outcome.request_id]
        if line is None:
            found = ["the daemon has no line of it"]
        elif outcome.kind == SHARED:
            found = _of_daemon(outcome, line)
        else:
            found = _of_daemon(outcome, line) + _of_engine(outcome, line, askings)
        faults += [f"{outcome.request_id}: {fault}" for fault in found]
    return faults


def strangers(ledger: Ledger, log: dict[str, Line], outcomes: Iterable[Outcome]) -> list[str]:
    """Requests that one knows of, and who must know of them, too, does not."""
    sent = {outcome.request_id for outcome in outcomes}
    known = {request for request, askings in ledger.requests.items() if askings.begun}
    faults = [f"{each}: answered by the engine, unknown to the daemon" for each in known - {*log, OWN}]
    ours = {request for request in log if request.startswith("chaos-")}
    return faults + [f"{each}: answered by the daemon, sent by nobody" for each in ours - sent]


def shared_differ(outcomes: Iterable[Outcome], log: dict[str, Line]) -> list[str]:
    """Equal requests that shared an answer have the same one, and some have shared one."""
    answered = [each for each in outcomes if each.kind == SHARED and each.result == "answered"]
    shared = [each for each in answered if log[each.request_id].get("cached")]
    got = Counter((each.prompt, each.text) for each in answered)
    faults = [
        f"{each.request_id}: it shared an answer that nobody else got"
        for each in shared
        if got[each.prompt, each.text] < 2
    ]
    if answered and not shared:
        faults.append(f"{len(answered)} equal requests, and none shared an answer")
    return faults


def _of_daemon(outcome: Outcome, line: Line) -> list[str]:
    if (outcome.result == "answered") != (line["code"] == "OK"):
        return [f"client {outcome.result}, daemon {line['code']}"]
    if outcome.result != "answered":
        return []
    said = outcome.figures
    faults = [
        f"{name} is {said.get(name)} for the client, {line.get(name)} in the log"
        for name in ("completion_tokens", "prompt_tokens", "finish_reason")
        if said.get(name) != line.get(name)
    ]
    if said["completion_tokens"] > _most(outcome):
        faults.append(f"{said['completion_tokens']} tokens, {_most(outcome)} were allowed")
    return faults


def _of_engine(outcome: Outcome, line: Line, askings: Askings) -> list[str]:
    asked = line.get("askings", 1)
    if askings.begun > asked:
        return [f"the engine began {askings.begun} answers, the daemon asked for {asked}"]
    if outcome.result != "answered":
        return []
    if not askings.finished and not _is_at_length(outcome):
        return ["answered, and the engine has finished nothing"]
    return _figures(outcome, askings) + _text(outcome, askings)


def _figures(outcome: Outcome, askings: Askings) -> list[str]:
    """The engine counts the tokens of the last part; what was cut before is counted by the daemon alone."""
    tokens, resumed = outcome.figures["completion_tokens"], "resumed" in outcome.figures
    if tokens != askings.tokens if not resumed else tokens < askings.tokens:
        return [f"{tokens} tokens for the client, {askings.tokens} for the engine"]
    return []


def _text(outcome: Outcome, askings: Askings) -> list[str]:
    """The client has the engine's text, from the last seam on; each seam stands where the engine was sent."""
    seams = [0, *outcome.figures.get("resumed_at", [])]
    given = {digest(outcome.text[:at]) for at in seams}
    faults = ["the engine went on from another text" for each in askings.prefills if each not in given]
    if not askings.finished:
        return faults
    # Behind the seam of a stream that was cut behind its last token there is nothing: it is the one before.
    at = seams[-2] if _is_at_length(outcome) else seams[-1]
    written, came = outcome.text[:at], outcome.text[at:]
    if digest(came) != askings.text:
        faults.append(f"another text than the engine wrote: {came[:60]!r}")
    elif came.strip() and _blank(written, askings.blank) != came[: len(came) - len(came.lstrip())]:
        faults.append(f"another blank than the engine wrote: {written[-30:]!r} + {came[:30]!r}")
    return faults


def _blank(written: str, engines: str) -> str:
    """The white space behind a seam: what the engine begins with, less what stands before it already."""
    trailing = written[len(written.rstrip()) :] if written.strip() else ""
    while trailing and engines and trailing[0] == engines[0]:
        trailing, engines = trailing[1:], engines[1:]
    return engines


def _is_at_length(outcome: Outcome) -> bool:
    """A stream that was cut behind its last token is whole: nobody heard the engine say so."""
    said = outcome.figures
    whole = said.get("finish_reason") == "length" and said.get("completion_tokens") == _most(outcome)
    return whole and said.get("resumed_at", [None])[-1] == len(outcome.text)


def _most(outcome: Outcome) -> int:
    return STREAM_TOKENS if outcome.kind == STREAM else PLAIN_TOKENS

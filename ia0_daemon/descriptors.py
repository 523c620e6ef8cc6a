"""How many descriptors this process may have open, and how many connections that makes.

The soft limit is 1,024 on many systems and may be raised up to the hard one by
whoever it binds. Owns that raise, and what is said where it does not suffice.

    make room -> all connections fit | fewer, with a warning | too few: the daemon does not start
"""

from __future__ import annotations

import logging
import resource
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

# Log, history, sockets of systemd and of the supervisor; each body above 512 KiB is in a file of its own.
SPARE = 128
# With fewer connections than server.max_connections may say at the least there is nothing worth serving.
LEAST_CONNECTIONS = 16

Limits = tuple[int, int]


class TooFewDescriptors(OSError):
    """This process may open so few files that it cannot serve."""


def fitting(connections: int, others: int) -> int:
    """Make room, and give how many of `server.max_connections` fit; raises `TooFewDescriptors`."""
    fit = make_room(connections, others)
    if fit == connections:
        return fit
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    words = (
        f"server.max_connections is {connections}, but this process may open {limit} files (RLIMIT_NOFILE; "
        f"LimitNOFILE= of a unit), and {others + SPARE} are needed beside the connections"
    )
    if fit < LEAST_CONNECTIONS:
        raise TooFewDescriptors(f"{words}: {fit} connections are too few")
    log.warning("%s: %d connections are taken", words, fit, extra={"event": "few_descriptors"})
    return fit


def make_room(
    connections: int,
    others: int,
    read: Callable[[int], Limits] = resource.getrlimit,
    write: Callable[[int, Limits], None] = resource.setrlimit,
) -> int:
    """Raise the soft limit as far as needed; give how many of these connections fit.

    `others`: descriptors that are needed beside `connections`, without `SPARE`.
    """
    needed = connections + others + SPARE
    soft, hard = (_known(limit, needed) for limit in read(resource.RLIMIT_NOFILE))
    if soft < needed:
        with suppress(OSError, ValueError):  # a sandbox may forbid it
            write(resource.RLIMIT_NOFILE, (min(needed, hard), read(resource.RLIMIT_NOFILE)[1]))
        soft = _known(read(resource.RLIMIT_NOFILE)[0], needed)
    return max(0, min(connections, soft - others - SPARE))


def _known(limit: int, needed: int) -> int:
    """Give a limit as a number that can be compared."""
    return needed if limit == resource.RLIM_INFINITY else limit

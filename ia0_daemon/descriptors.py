"""How many descriptors this process may have open, and how many connections that makes.

The soft limit is 1,024 on many systems and may be raised up to the hard one by
whoever it binds. Owns that raise; never decides what happens where it is too low.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Log, history, sockets of systemd and of the supervisor; each body above 512 KiB is in a file of its own.
SPARE = 128

Limits = tuple[int, int]


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

"""When the supervisor's jobs run: APScheduler, set so that memory pressure cannot make it drop a job.

Owns the intervals' meaning and the executors. Never does a job's work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

log = logging.getLogger(__name__)

TICK = "tick"
# A job that is overdue at the start leaves the start alone, for so many seconds.
SOONEST_S = 60.0
# A run that is as near as this needs no bringing forward.
SOON = timedelta(seconds=0.2)
# Sampling must go on while a backup is written, so slow jobs have threads of their own.
QUICK, SLOW = "default", "slow"


class Schedule:
    """The jobs of one daemon."""

    def __init__(self, failed: Callable[[str], None]) -> None:
        self._failed = failed
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={QUICK: ThreadPoolExecutor(1), SLOW: ThreadPoolExecutor(1)},
            # By default a job that starts more than a second late is dropped: just what happens when memory
            # is short. Late is right here, and once is enough however many runs were missed.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._scheduler.add_listener(self._listen, EVENT_JOB_ERROR | EVENT_JOB_MISSED)

    def every(
        self,
        name: str,
        job: Callable[[], object],
        interval_s: float,
        *,
        slow: bool = False,
        first_in_s: float | None = None,
    ) -> None:
        """Run a job at an interval; 0 leaves it out. A job of the same name is replaced.

        The first run is after `first_in_s`, at the earliest after `SOONEST_S`; else after the interval.
        """
        if interval_s <= 0:
            if self._scheduler.get_job(name) is not None:
                self._scheduler.remove_job(name)
            return
        first = interval_s if first_in_s is None else max(first_in_s, SOONEST_S)
        self._scheduler.add_job(
            job,
            "interval",
            seconds=interval_s,
            id=name,
            executor=SLOW if slow else QUICK,
            next_run_time=datetime.now(UTC) + timedelta(seconds=min(first, interval_s)),
            replace_existing=True,
        )

    def soon(self, name: str) -> None:
        """Run a job now rather than at its time."""
        now, job = datetime.now(UTC), self._scheduler.get_job(name)
        if job is not None and job.next_run_time - now > SOON:
            job.modify(next_run_time=now)

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """End; a job under way is not waited for."""
        self._scheduler.shutdown(wait=False)

    def _listen(self, event: JobExecutionEvent) -> None:
        """A job that raises is a defect of ours: log it and count it; the next run comes all the same."""
        log.error(
            "a job failed",
            exc_info=event.exception,
            extra={"event": "job_failed", "job": event.job_id},
        )
        self._failed(event.job_id)

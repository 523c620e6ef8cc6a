"""What can go wrong with a local service. Owns the exceptions alone.

ServiceError
    SpecError       the service file is wrong
    StartError      the process could not be started, ended early, or does not answer
    ReloadError     the service refused to reload
    StopError       a process outlived SIGKILL
"""

from __future__ import annotations


class ServiceError(Exception):
    """The root; the command prints its text and ends with 1."""


class SpecError(ServiceError):
    """The service file cannot be read or breaks a rule."""


class StartError(ServiceError):
    """The process could not be started, ended before it answered, or does not answer."""


class ReloadError(ServiceError):
    """The reload command failed; the service goes on with what it had."""


class StopError(ServiceError):
    """A process of the service is still there after SIGKILL."""

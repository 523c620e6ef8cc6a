"""Services of the local try-out, where there is no systemd: detached processes that are never mistaken.

    start:  service file -> fingerprint -> decide -> spawn | reload | stop and spawn -> wait until it answers
    stop:   SIGTERM to the main process -> wait -> SIGKILL to what is left -> forget

A service is a TOML file (``spec.py``), as a unit is on systemd. What runs is
remembered in a run file (``records.py``) with the process's start time, so that
a reused pid is not taken for ours. Every process of a service carries the run
file's path in its environment, as a unit's processes share a cgroup: so orphans
of a killed parent are found, and nothing else is ever signalled.

Linux only: all of it reads ``/proc``.
"""

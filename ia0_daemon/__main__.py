"""``python -m ia0_daemon``: the ``ia0`` command where it is not installed."""

from ia0_daemon.cli import main

if __name__ == "__main__":
    main(prog_name="ia0")

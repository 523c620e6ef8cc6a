"""``python -m ia0_daemon.embedded``: the same command as ``ia0-engine``."""

from ia0_daemon.embedded.cli import main

if __name__ == "__main__":
    main()

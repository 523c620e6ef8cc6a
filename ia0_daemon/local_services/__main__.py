"""``python -m ia0_daemon.local_services``."""

from ia0_daemon.local_services.cli import main

if __name__ == "__main__":
    main(prog_name="python -m ia0_daemon.local_services")

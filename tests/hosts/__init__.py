"""Test hosts: containers that boot systemd, provisioned over ssh by Molecule's scenarios. `python -m tests.hosts`."""

"""Test hosts: containers that boot systemd, provisioned over ssh by Molecule. `python -m tests.hosts`."""

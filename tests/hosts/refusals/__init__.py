"""Bad input: plays that must stop, say why, and leave alone what runs. `python -m tests.hosts.refusals`."""

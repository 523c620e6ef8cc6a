"""Chaos: real clients, a real daemon and a real engine, and faults on purpose. `python -m tests.chaos`."""

"""The door through which applications ask for text. `generate.py` has a request's way, top to bottom."""

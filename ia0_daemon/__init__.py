"""IA-0's daemon: a gateway and a supervisor beside one Ollama."""

__version__ = "0.1.0"

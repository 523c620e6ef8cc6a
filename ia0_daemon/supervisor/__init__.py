"""The supervisor: watches the engine's memory, and remedies before the kernel does."""

"""The client of whatever speaks Ollama's HTTP API: one client, one code path for every engine."""

"""The embedded engine: Ollama's HTTP API over llama.cpp, for trying out and for tests.

It is a stand-in, not Ollama; it says so in its log and in ``/api/version``.
Nothing outside this package imports it: the daemon knows only the HTTP API.

The way of a request:

    http_server -> routes -> handlers_* -> scheduler (a runner) -> prompt -> completion -> child process

One parent process (``serve``) and one child process per loaded model
(``llama_server``), as Ollama has it.
"""

"""``ia0-engine``: start the embedded engine, or name the weights that it comes with."""

from __future__ import annotations

import os
import sys

import click

from ia0_daemon.embedded.environment import VERSION, read_settings
from ia0_daemon.embedded.weights import packaged_weights, sha256_of


@click.group()
@click.version_option(VERSION, message="ia0-engine %(version)s: a stand-in for Ollama")
def main() -> None:
    """The embedded engine: Ollama's HTTP API over llama.cpp, for trying out and for tests."""


@main.command()
def serve() -> None:
    """Run in the foreground. Configured by Ollama's environment names (OLLAMA_HOST, OLLAMA_MODELS, ...)."""
    from ia0_daemon.embedded.serve import serve as run  # here, so that `weights` starts at once

    try:
        settings = read_settings(os.environ)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    try:
        sys.exit(run(settings))
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        ) from error


@main.command()
@click.option("--digest", is_flag=True, help="Print the file's sha256 instead of its path.")
def weights(*, digest: bool) -> None:
    """Print where the packaged GGUF file lies."""
    try:
        path = packaged_weights()
    except FileNotFoundError as error:
        raise click.ClickException(str(error)) from error
    click.echo(sha256_of(path) if digest else path)

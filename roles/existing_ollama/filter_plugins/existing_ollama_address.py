"""The filter ``existing_ollama_address``: every form of OLLAMA_HOST as a URL.

Owns nothing but the bridge from Ansible to the daemon's own reading of the
name, so that the role asks where the daemon will ask.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError

from ia0_daemon.settings.engine_address import AddressError, parse


def existing_ollama_address(text: str) -> str:
    """Give the URL, without a slash at its end."""
    try:
        return parse(text).url
    except AddressError as error:
        raise AnsibleFilterError(f"OLLAMA_HOST={text} is not {error}") from error


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[[str], str]]:
        """Name the filter."""
        return {"existing_ollama_address": existing_ollama_address}

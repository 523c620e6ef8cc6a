"""One TOML file as plain tables, or the fault that says why not.

Owns reading and its failures. Never knows a setting.

    path -> bytes -> UTF-8 -> TOML -> dict, or ConfigError with one fault
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from ia0_daemon.settings.faults import ConfigError, Fault

# A configuration has a few KiB; /dev/zero given by mistake must not fill the memory.
_LARGEST_BYTES = 2**20
_PLACE = re.compile(
    r"^(?P<problem>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.S
)


def read(path: Path) -> dict[str, object]:
    """The tables of a file; ConfigError with line and column where it is no TOML."""
    tables = read_if_there(path)
    if tables is None:
        raise _refusal(str(path), "there is no such file; `ia0 config example` prints one to start from")
    return tables


def read_if_there(path: Path) -> dict[str, object] | None:
    """As `read`; None where there is no such file."""
    try:
        text = _decoded(_content(path), path)
    except FileNotFoundError:
        return None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _refusal(str(path), "is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and int()'s own for a number of thousands of digits
        raise _located(path, text, str(error)) from None


def _refusal(where: str, rule: str) -> ConfigError:
    return ConfigError([Fault("", None, rule, where)])


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise _refusal(str(path), "is a directory, not a TOML file") from None
    except PermissionError:
        raise _refusal(str(path), "may not be read by this user") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise _refusal(str(path), f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > _LARGEST_BYTES:
        raise _refusal(str(path), "is larger than 1 MiB, which no configuration is")
    return content


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")  # editors on Windows put a byte order mark first
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise _refusal(f"{path}, line {line}, column {column}", "is not UTF-8, which TOML must be") from None


def _located(path: Path, text: str, message: str) -> ConfigError:
    found = _PLACE.match(message)
    if found is None:
        return _refusal(str(path), f"is not TOML: {message}")
    line = found["line"] or str(text.count("\n") + 1)
    column = found["column"] or str(len(text) - text.rfind("\n"))
    return _refusal(f"{path}, line {line}, column {column}", f"is not TOML: {found['problem']}")

"""The reference of all settings in Markdown: ``python -m ia0_daemon.settings.reference``.

Owns the generated part of ``docs/configuration.md``; a test holds the page
against it. Never writes a file.

    schema -> one table per section
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path as FilePath

from msgspec import NODEFAULT

from ia0_daemon.settings.catalogue import Path, Setting, as_list, as_section, as_tables, hints, settings
from ia0_daemon.settings.documented import words
from ia0_daemon.settings.leaves import allowed
from ia0_daemon.settings.restart import needs_restart
from ia0_daemon.settings.schema import ApiKey, Section, Settings
from ia0_daemon.settings.toml_text import written

MARKER = "<!-- Below this line the page is written by `python -m ia0_daemon.settings.reference`. -->"

_HEAD = (
    "| setting | meaning | allowed | default | environment | reload |",
    "| --- | --- | --- | --- | --- | --- |",
)


def reference() -> str:
    """The generated part, from the marker on."""
    lines = [MARKER, "", "## Every setting", ""]
    for prefix, group in groupby(settings(), key=lambda setting: setting.path[:-1]):
        lines += [*_section(prefix, list(group)), ""]
    return "\n".join([*lines, *_api_key()]) + "\n"


def page_with_reference(page: str) -> str:
    """A page whose part behind the marker is written anew."""
    return page.partition(MARKER)[0] + reference()


def _section(prefix: Path, group: list[Setting]) -> Iterator[str]:
    section = _section_at(prefix)
    yield f"### `[{'.'.join(prefix)}]`" if prefix else "### At the top of the file"
    yield ""
    if prefix:
        yield words(section).section
        yield ""
    yield from _HEAD
    fields = words(section).fields
    for setting in group:
        yield _row(setting, fields[setting.path[-1]])


def _section_at(prefix: Path) -> type[Section]:
    if not prefix:
        return Settings
    hint = hints(Settings)[prefix[0]]
    section = as_section(hint) or as_tables(hint)
    if section is None:
        raise LookupError(prefix)
    return section


def _row(setting: Setting, meaning: str) -> str:
    names = "<br>".join(f"`{name}`" for name in setting.variables)
    if as_list(setting.hint) is not None:
        names += "<br>`IA0_AUTH__KEYS_FILE`"
    reload = "needs a restart" if needs_restart(setting.path) else "applies"
    cells = (f"`{setting.key}`", meaning, allowed(setting.hint), _default(setting), names, reload)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(setting: Setting) -> str:
    return "required" if setting.default is NODEFAULT else f"`{written(setting.default)}`"


def _api_key() -> Iterator[str]:
    yield "### `[[auth.keys]]`"
    yield ""
    yield words(ApiKey).section
    yield ""
    yield "| key | meaning | allowed |"
    yield "| --- | --- | --- |"
    for name, hint in hints(ApiKey).items():
        yield f"| `{name}` | {words(ApiKey).fields[name]} | {allowed(hint)} |"


def main() -> None:
    """Print the reference, or the whole page that is given as argument with the reference in its place."""
    pages = sys.argv[1:]
    text = page_with_reference(FilePath(pages[0]).read_text("utf-8")) if pages else reference()
    sys.stdout.write(text)


if __name__ == "__main__":
    main()

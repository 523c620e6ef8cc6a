"""The address of the shared Valkey or Redis, as `shared.url` or the file of `shared.url_file` has it.

Owns its form. Never connects, and repeats nothing of an address in a rule: it often holds a password.

    broken_rule(url) -> what is wrong with it, or "";   shown(url) -> what a log may show
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qs, urlsplit

_SCHEMES = ("valkey", "valkeys", "redis", "rediss")
_TLS_SCHEMES = ("valkeys", "rediss")
# Of Valkey and Redis both.
_PORT = 6379
# What an address may say behind its "?": the rest is the daemon's own to choose.
_TLS_OPTIONS = (
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_keyfile",
)
_OPTIONS = ("db", *_TLS_OPTIONS)
_CHECKS = ("none", "optional", "required")
_DATABASE = re.compile(r"/?|/[0-9]{1,5}", re.ASCII)


def broken_rule(url: str) -> str:
    """Give the rule that an address breaks, as the end of a sentence; empty where it breaks none."""
    if any(letter.isspace() or not letter.isprintable() for letter in url):
        return "must be one line without blanks"
    parts = _parts(url)
    if parts is None:
        return f"must begin with one of {', '.join(f'{scheme}://' for scheme in _SCHEMES)} and have a host"
    if "@" in parts.path + parts.query + parts.fragment:
        return "has an @ behind its host: write / ? # @ and % in a password as %2F %3F %23 %40 %25"
    if not _DATABASE.fullmatch(parts.path):
        return "may have the number of a database behind its host, such as /0, and nothing else"
    return _broken_option(parts.scheme, _options(parts))


def checks_host(url: str) -> bool:
    """Say whether the store has to prove by a certificate that it is the host of the address."""
    parts = urlsplit(url)
    return parts.scheme in _TLS_SCHEMES and _options(parts).get("ssl_cert_reqs") != "none"


def shown(url: str) -> str:
    """Give scheme, host and port of an address that breaks no rule."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or _PORT}"


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _SCHEMES and parts.hostname and parts.port != 0
    except ValueError:  # of a port or a bracket
        return None
    return parts if usable else None


def _options(parts: SplitResult) -> dict[str, str]:
    """Give the options; of one that stands there twice the first, as the client takes it."""
    return {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}


def _broken_option(scheme: str, options: dict[str, str]) -> str:
    if options.keys() - set(_OPTIONS):
        return f"may have no other options behind its `?` than {', '.join(_OPTIONS)}"
    if scheme not in _TLS_SCHEMES and options.keys() & set(_TLS_OPTIONS):
        return "has options of TLS behind its `?` and no TLS: begin it with valkeys:// or rediss://"
    if not re.fullmatch(r"[0-9]{1,5}", options.get("db", "0"), re.ASCII):
        return "must have a whole number as `db` behind its `?`"
    checks = options.get("ssl_cert_reqs", "required")
    if checks not in _CHECKS:
        return f"must have one of {', '.join(_CHECKS)} as `ssl_cert_reqs` behind its `?`"
    if checks == "none" and "ssl_check_hostname" in options:
        return "cannot check the host of a certificate (`ssl_check_hostname`) with `ssl_cert_reqs=none`"
    return ""

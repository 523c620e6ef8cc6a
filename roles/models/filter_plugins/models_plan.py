"""Filters of the role models: what is wrong with the list of models, and which of them must be brought.

Pure: they read what the operator wrote and what models_state found.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Entry = dict[str, Any]

SOURCES = ("registry", "host", "gguf")
KEYS = {"tag", "source", "digest"}
GGUF_KEYS = {"gguf_path", "gguf_on", "template", "system", "parameters", "license"}
# host/namespace/model:tag, the tag always said: `qwen2` alone would mean another model tomorrow.
TAG = re.compile(r"([\w.:-]+/)?([A-Za-z0-9_][\w-]{0,79}/)?[A-Za-z0-9_][\w.-]{0,79}:[A-Za-z0-9_][\w.-]{0,79}")
DIGEST = re.compile(r"(sha256:)?[0-9a-f]{64}")


def models_faults(wanted: object, absent: object) -> list[str]:
    """Name everything that is wrong with models_wanted and models_absent, for the operator."""
    if not isinstance(wanted, list) or not isinstance(absent, list):
        return ["models_wanted and models_absent must be lists"]
    faults = [fault for number, entry in enumerate(wanted) for fault in _entry_faults(number, entry)]
    faults += [f"models_absent: {tag!r} is not NAME:TAG" for tag in absent if not _is_tag(tag)]
    tags = [entry["tag"] for entry in wanted if isinstance(entry, dict) and "tag" in entry]
    faults += [
        f"{tag} stands in models_wanted twice" for tag in sorted({tag for tag in tags if tags.count(tag) > 1})
    ]
    faults += [f"{tag} stands in both models_wanted and models_absent" for tag in tags if tag in absent]
    return faults


def _entry_faults(number: int, entry: object) -> list[str]:
    where = f"models_wanted[{number}]"
    if not isinstance(entry, dict) or not _is_tag(entry.get("tag")):
        return [f"{where}: {entry!r} has no tag of the form NAME:TAG"]
    where = f"models_wanted[{number}] ({entry['tag']})"
    source = entry.get("source", "registry")
    if source not in SOURCES:
        return [f"{where}: source={source} is none of {', '.join(SOURCES)}"]
    known = KEYS | (GGUF_KEYS if source == "gguf" else set())
    unknown = sorted(set(entry) - known)
    faults = [f"{where}: there is no field {key} with source: {source}" for key in unknown]
    if entry.get("digest") and not (isinstance(entry["digest"], str) and DIGEST.fullmatch(entry["digest"])):
        faults.append(f"{where}: digest={entry['digest']} is not 64 hex digits")
    return faults + (_gguf_faults(where, entry) if source == "gguf" else [])


def _gguf_faults(where: str, entry: Entry) -> list[str]:
    faults = []
    if not str(entry.get("gguf_path", "")).startswith("/"):
        faults.append(f"{where}: gguf_path={entry.get('gguf_path', '')} is not an absolute path")
    if entry.get("gguf_on", "controller") not in ("controller", "host"):
        faults.append(f"{where}: gguf_on={entry['gguf_on']} is neither controller nor host")
    if not isinstance(entry.get("parameters", {}), dict):
        faults.append(f"{where}: parameters must be a mapping, as num_ctx: 4096")
    return faults


def _is_tag(value: object) -> bool:
    return isinstance(value, str) and TAG.fullmatch(value) is not None


def models_to_bring(wanted: list[Entry], states: dict[str, Entry], sources: list[str]) -> list[Entry]:
    """Give the models of these sources that are missing, damaged or of another digest, with what is damaged.

    A model of a GGUF file is compared with its fields by models_create; so all of them are given.
    """
    return [
        entry | {"damaged": [blob["digest"] for blob in states[entry["tag"]]["damaged"]]}
        for entry in wanted
        if entry.get("source", "registry") in sources and _must_come(entry, states[entry["tag"]])
    ]


def _must_come(entry: Entry, state: Entry) -> bool:
    return entry.get("source") == "gguf" or not _is_right(entry, state)


def _is_right(entry: Entry, state: Entry) -> bool:
    return bool(state["whole"]) and models_digest(entry) in ("", state["digest"])


def models_digest(entry: Entry) -> str:
    """Give the wanted digest as 64 hex digits, or nothing."""
    return str(entry.get("digest", "")).removeprefix("sha256:")


def models_troubles(wanted: list[Entry], states: dict[str, Entry], told: dict[str, str]) -> list[str]:
    """Name what is wrong with the wanted models on the disk and with what the engine tells of them."""
    return [fault for entry in wanted for fault in _troubles(entry, states[entry["tag"]], told)]


def _troubles(entry: Entry, state: Entry, told: dict[str, str]) -> list[str]:
    tag = entry["tag"]
    if not state["present"]:
        if tag in told:
            return [f"{tag}: the engine has it, but models_dir_path is not the folder that the engine reads"]
        return [f"{tag}: is not there; bring it with the role models (playbooks/site.yml --tags models)"]
    faults = [
        f"{tag}: blob {blob['digest']} is {word}" for word in ("missing", "damaged") for blob in state[word]
    ]
    if entry.get("source", "registry") != "gguf" and models_digest(entry) not in ("", state["digest"]):
        faults.append(f"{tag}: its digest is {state['digest']}, models_wanted says {models_digest(entry)}")
    if told.get(tag) not in (state["digest"],):
        faults.append(
            f"{tag}: the engine tells the digest {told.get(tag, '(none)')}, its folder {state['digest']}"
        )
    return faults


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name the filters."""
        return {
            "models_digest": models_digest,
            "models_faults": models_faults,
            "models_to_bring": models_to_bring,
            "models_troubles": models_troubles,
        }

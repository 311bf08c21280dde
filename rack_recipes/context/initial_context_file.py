# SPDX-License-Identifier: GPL-3.0-or-later

"""A context as a file, for a run to start with. It was exported from another run, or written by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import (
    check_key,
    check_value,
    escape_unstorable,
    mark_if_long,
    shortened,
)
from rack_recipes.context.run_context import RUN
from rack_recipes.errors import UsageError, nearest
from rack_recipes.journal.allowed_records import LONGEST_NAME
from rack_recipes.journal.record_fields import Record

Keys = Mapping[str, object]

WHO = "import"
FIELDS = ("run", "hosts", "who", "run_id", "at")  # the last two say which run the keys are from, and are optional


@dataclass(frozen=True, slots=True)
class ExportedContext:
    """The keys of the run and those of its hosts, with their values.

    `who` has the authors by host (empty for the run) and key; who is not named there is `import`.
    """

    run: Keys = field(default_factory=dict)
    hosts: Mapping[str, Keys] = field(default_factory=dict)
    who: Mapping[str, Keys] = field(default_factory=dict)


def to_data(run_id: str, at: int | None, entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The content of a file. Each of `entries` has `key`, `host` (empty for the run) and `value`."""
    run: dict[str, Any] = {}
    hosts: dict[str, dict[str, Any]] = {}
    for entry in entries:
        keys = hosts.setdefault(entry["host"], {}) if entry["host"] else run
        keys[entry["key"]] = entry["value"]
    return {"run_id": run_id, "at": at, "run": run, "hosts": hosts}


def read_initial_context(path: str) -> ExportedContext:
    """Read and check a file. Raises UsageError with the file's path and what is wrong in it."""
    try:
        data = json.loads(Path(path).read_bytes(), object_pairs_hook=_unique_keys)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected JSON as `rack-recipes ctx export` writes it: {error}") from error
    return _checked(path, data)


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _value in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands in one object twice")
    return found


def _checked(path: str, data: object) -> ExportedContext:
    top = _mapping(path, "", data, "an object with 'run' and 'hosts'")
    for name in top:
        if name not in FIELDS:
            near = nearest(name, FIELDS)
            hint = f" (did you mean {near!r}?)" if near else ""
            raise UsageError(f"{path}: expected 'run' and 'hosts', got {name!r}{hint}")
    if not {"run", "hosts"} & top.keys():
        raise UsageError(f"{path}: expected 'run' or 'hosts' with keys, got only {', '.join(top) or 'an empty object'}")
    hosts = _mapping(path, "hosts", top.get("hosts", {}), "an object of hosts, each with its keys")
    authors = _mapping(path, "who", top.get("who", {}), "an object of hosts, each with the authors of its keys")
    if RUN in hosts:
        raise UsageError(f"{path}: hosts: expected the name of a host, got an empty one")
    return ExportedContext(
        _keys(path, "run", top.get("run", {})),
        {host: _keys(path, f"hosts.{host}", keys) for host, keys in hosts.items()},
        {host: _authors(path, host, names) for host, names in authors.items()},
    )


def _keys(path: str, where: str, data: object) -> Keys:
    keys = _mapping(path, where, data, "an object of keys with their values")
    try:
        return {check_key(key): check_value(value, key) for key, value in keys.items()}
    except ValueError as error:
        raise UsageError(shortened(f"{path}: {where}: {error}")) from None


def _authors(path: str, host: str, data: object) -> Keys:
    names = _mapping(path, f"who.{host}", data, "an object of keys with their authors")
    for key, name in names.items():
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
            got = mark_if_long(repr(name))
            raise UsageError(
                f"{path}: who.{host}: {key}: expected a name of at most {LONGEST_NAME} characters, got {got}"
            )
    return {key: escape_unstorable(name) for key, name in names.items()}


def _mapping(path: str, where: str, data: object, expected: str) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        got = json.dumps(data)
        shown = got if len(got) <= 80 else f"{got[:77]}..."  # characters
        raise UsageError(f"{path}: {f'{where}: ' if where else ''}expected {expected}, got {shown}")
    return data


def initial_deltas(exported: ExportedContext, hosts: Iterable[str], time: str) -> Iterator[Record]:
    """The changes with which a run of these hosts starts, as records of its journal."""
    for host in (RUN, *hosts):
        keys = exported.hosts.get(host, {}) if host else exported.run
        for n, (key, value) in enumerate(keys.items(), start=1):
            yield {
                "kind": "delta",
                "stage": 0,
                "n": n,
                "host": host,
                "step": "",
                "attempt": 1,
                "scope": "host" if host else "run",
                "key": key,
                "after": value,
                "based_on": 0,
                "who": exported.who.get(host, {}).get(key, WHO),
                "time": time,
            }

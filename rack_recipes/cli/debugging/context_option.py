# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the file of `debug --context`: the context keys that the scriptlet finds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import check_key, check_value, shortened
from rack_recipes.cli.running.param_options import read_mapping
from rack_recipes.errors import UsageError
from rack_recipes.recipe.catalog.scriptlet_entry import ScriptletEntry
from rack_recipes.recipe.values_in_messages import listed

LOCAL = "localhost"  # this machine's name as a host
RUN = ""  # the host of the run's own keys in `ctx show --json`

Keys = Mapping[str, Any]


def read_context(path: str, entry: ScriptletEntry, host: str | None) -> dict[str, Any]:
    """Return the scriptlet's own keys, those of the run and those of other hosts, as arguments of ScriptletRun.

    The file has the keys of one host, or it is the output of `ctx show --json`. With `--host` that output has one
    host's `values`. Without it, it has the keys of all hosts, and `host` says which of them is meant (None for this
    machine). Raises UsageError.
    """
    data = read_mapping("--context", path)
    if not isinstance(data.get("context"), list):
        return {"own": _keys(path, data)}
    hosts = _keys_by_host(path, data["context"])
    run = hosts.pop(RUN, {})
    if isinstance(data.get("values"), dict):
        return {"own": _keys(path, data["values"]), "run": run, "hosts": hosts}
    own = {} if entry.scope == "run" else hosts.pop(_own_host(path, hosts, host), {})
    return {"own": own, "run": run, "hosts": hosts}


def _keys_by_host(path: str, entries: Sequence[Any]) -> dict[str, Keys]:
    """Return the keys by host; those of the run are under RUN."""
    keys_by_host: dict[str, dict[str, Any]] = {}
    try:
        for entry in entries:
            keys_by_host.setdefault(entry["host"], {})[entry["key"]] = entry["value"]
    except (KeyError, TypeError):
        expected = "expected what `rack-recipes ctx show --json` prints, where all of `context` has host, key and value"
        raise UsageError(f"--context: {path}: {expected}") from None
    return {place: _keys(path, keys) for place, keys in keys_by_host.items()}


def _own_host(path: str, hosts: Collection[str], host: str | None) -> str:
    """Return the host whose keys the scriptlet gets; on this machine a single host may have any name.

    Raises UsageError if it is not clear which host is meant.
    """
    if (host or LOCAL) in hosts or not hosts:
        return host or LOCAL
    if not host and len(hosts) == 1:
        return next(iter(hosts))
    name_it = "" if host else "name it with --host, or "
    raise UsageError(
        f"--context: {path}: expected keys of {host or 'one host'}, got those of {listed(sorted(hosts))}: "
        f"{name_it}give what `rack-recipes ctx show --host NAME --json` prints"
    )


def _keys(path: str, values: Keys) -> dict[str, Any]:
    try:
        return {check_key(key): check_value(value, key) for key, value in values.items()}
    except ValueError as error:
        raise UsageError(shortened(f"--context: {path}: {error}")) from error

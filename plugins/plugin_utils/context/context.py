# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shared state of one run in memory: the newest value under each key, folded from the journal."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from sys import intern
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.context.model import Delta, Entry
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.record import Record, json_text

RUN = ""  # where the run's own keys are held, beside the hosts'


class Context:
    """The newest values only, as JSON text; earlier ones are in the journal and in the store.

    `run_id` is as the run's first record has it, `seq` counts the changes that were folded.
    """

    __slots__ = ("_changed", "_held", "_hosts", "run_id", "seq")

    def __init__(self, run_id: str = "") -> None:
        self.run_id = run_id
        self.seq = 0
        self._held: dict[str, dict[str, Entry]] = {RUN: {}}
        self._hosts: dict[str, None] = {}
        self._changed: set[str] = set()

    def fold(self, record: Record) -> tuple[Delta, ...]:
        """Take in one record of the journal, in the order of the file; returns the changes that it made."""
        if record["kind"] == "delta":
            return (self._change(record),)
        if record["kind"] == "run":
            self.run_id = record["run"]
            self._hosts |= dict.fromkeys(record.get("hosts") or ())
        return ()

    def get(self, key: str, host: str = RUN) -> Any:
        """The value for a host: its own, or else the run's. Raises KeyError where neither is set."""
        entry = self.entry(key, host) or self.entry(key)
        if entry is None:
            raise KeyError(key)
        return json.loads(entry.text)

    def entry(self, key: str, host: str = RUN) -> Entry | None:
        """What is held under the key of just this host, or of the run; None where nothing was set."""
        return self._held.get(host, {}).get(key)

    def values(self, key: str) -> dict[str, Any]:
        """The value under the key of each host that has one of its own."""
        held = ((host, self.entry(key, host)) for host in self.hosts())
        return {host: json.loads(entry.text) for host, entry in held if entry}

    def held(self, host: str = RUN, keys: Collection[str] | None = None) -> dict[str, list[Any]]:
        """The keys of just this host, or of the run, as `{key: [version, value]}`; `keys` selects."""
        held = self._held.get(host, {})
        chosen: Iterable[str] = held if keys is None else [key for key in keys if key in held]
        return {key: [held[key].version, json.loads(held[key].text)] for key in chosen}

    def hosts(self) -> list[str]:
        """The hosts of the run, in its order, and after them any other that set a key."""
        return list(self._hosts)

    def keys(self) -> list[str]:
        """Every key that is set anywhere, sorted."""
        return sorted(set().union(*self._held.values()))

    def changed_hosts(self) -> set[str]:
        """The hosts whose own keys changed since this was last asked; an empty name stands for the run's keys."""
        changed, self._changed = self._changed, set()
        return changed

    def _change(self, record: Record) -> Delta:
        host = RUN if record["scope"] == "run" else intern(record["host"])
        key = intern(record["key"])
        held = self._held_by(host)
        before = held.get(key)
        version = before.version + 1 if before else 1
        after = json_text(record["after"])
        held[key] = Entry(after, version)
        self._changed.add(host)
        self.seq += 1
        return Delta(
            self.run_id,
            self.seq,
            record["time"],
            host,
            record["step"],
            record["attempt"],
            record["scope"],
            key,
            version,
            record["based_on"],
            before.text if before else None,
            after,
            record["who"],
            record["based_on"] != version - 1,
        )

    def _held_by(self, host: str) -> dict[str, Entry]:
        held = self._held.get(host)
        if held is None:
            held = self._held[host] = {}
            self._hosts.setdefault(host)
        return held

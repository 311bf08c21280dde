# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the writers of a key know of it: each stage counts the versions that it sees, and others write meanwhile."""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.plugin_utils.context.context_model import HeldValue

MOST = 256  # earlier values of one key that are known in a stage

Place = tuple[str, str]  # host, or an empty text for the run, and key
Record = dict[str, Any]


class Known(NamedTuple):
    """What a host in a stage knows of a key, where it counts its versions otherwise than the context does.

    Its `local` version is the context's `version`. `text` is the value that it has under it, None for the same one.
    """

    stage: int
    local: int
    version: int
    text: str | None


class WriterVersions:
    """What the hosts know whose writes `met` others, by key. One that begins another stage knows what is held then."""

    __slots__ = ("met",)

    def __init__(self) -> None:
        self.met: dict[Place, dict[str, Known]] = {}

    def of(self, place: Place, record: Record) -> Known | None:
        """What the writer of a record knew of the key; None where it counts the versions as the context does."""
        known = self.met.get(place, {}).get(record["host"])
        is_that = known and (known.stage, known.local) == (record["stage"], record["based_on"])
        return known if is_that else None

    def wrote(self, place: Place, record: Record, version: int, text: str | None) -> None:
        """From now on the writer has `text` under its next version, which is the context's `version`."""
        local = record["based_on"] + 1
        if local != version or text is not None:
            self.met.setdefault(place, {})[record["host"]] = Known(record["stage"], local, version, text)
        elif place in self.met:
            self.met[place].pop(record["host"], None)


class Bases:
    """The earlier values of keys in the stage that runs: the one at its beginning, and the last few.

    Hosts do a stage before any of them begins the next one, so none can know an older value.
    """

    __slots__ = ("_left", "_stage")

    def __init__(self) -> None:
        self._stage = 0
        self._left: dict[Place, list[HeldValue]] = {}

    def add(self, stage: int, place: Place, entry: HeldValue) -> None:
        """An entry is replaced by another one."""
        if stage != self._stage:
            self._stage = stage
            self._left.clear()
        left = self._left.setdefault(place, [])
        left.append(entry)
        if len(left) > 2 * MOST:
            del left[1 : -MOST + 1]

    def text(self, stage: int, place: Place, version: int) -> str | None:
        """The value of an earlier version; None where there was none, or where nobody knows it any more."""
        left = self._left.get(place, []) if stage == self._stage else []
        return next((entry.text for entry in left if entry.version == version), None)

# SPDX-License-Identifier: GPL-3.0-or-later

"""The values that the context holds, their changes, and which version of a key a writer knew when it wrote.

A host counts versions from the context that its stage began with. Where another host writes the same key meanwhile,
that count no longer is the context's, so the difference is remembered here until the host begins another stage.

A record with `"exact": true` names a version of the context itself: the context server wrote it, which knows them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

KEPT, REFUSED, MERGED = "kept", "refused", "merged"  # the outcomes of a conflict


class HeldValue(NamedTuple):
    """The value under one key of one host, or of the run: its JSON text, and how often it was set.

    `host` and `step` are those that set it last, and `time` says when where a conflict about the key is told of.
    """

    text: str
    version: int
    host: str = ""
    step: str = ""
    time: str = ""


class Delta(NamedTuple):
    """One change of one key, or a write of it that was refused.

    `seq` numbers the changes of a run from 1. `host` is empty for a key of the run. `before` and `after` are JSON
    text, `before` None for a first value. `based_on` is the version that the writer knew, 0 for none.

    `conflict` is true where another write had changed the key since that version. Then `policy` decided, and `outcome`
    says how. `kept`: the write replaced the other value. `refused`: `before`, `after` and `version` are those of the
    value that is still held. `merged`: `after` was made of both. `other` is the JSON text of the value that is neither
    `before` nor `after`. `both` has the paths of fields that both writes had changed; the later change was taken.
    `base` is the value that the writer knew, where the policy needs it.
    """

    run: str
    seq: int
    time: str
    host: str
    step: str
    attempt: int
    scope: str
    key: str
    version: int
    based_on: int
    before: str | None
    after: str
    who: str
    conflict: bool
    policy: str = ""
    outcome: str = ""
    other: str | None = None
    both: tuple[str, ...] = ()
    base: str | None = None


MAX_VALUES = 256  # earlier values of one key that are kept during a stage
MAX_BYTES = 16 * 1024 * 1024  # of these values
HostKey = tuple[str, str]  # host, or an empty text for the run, and key
Record = dict[str, Any]


class KnownVersion(NamedTuple):
    """The newest version of a key that a host knows in a stage, where its count differs from the context's.

    What the host counts as version `local` is `version` in the context. `text` is the value that the host has under
    it, as JSON; None where the context has the same value.
    """

    stage: int
    local: int
    version: int
    text: str | None


class WriterVersions:
    """The hosts whose count of versions differs from the context's: by key and host, what they know."""

    __slots__ = ("differing",)

    def __init__(self) -> None:
        self.differing: dict[HostKey, dict[str, KnownVersion]] = {}

    def known_by(self, place: HostKey, record: Record) -> KnownVersion | None:
        """The version that the writer of a record knew; None where it counts as the context does."""
        if record.get("exact") is True:
            return None
        known = self.differing.get(place, {}).get(record["host"])
        still_holds = known and (known.stage, known.local) == (record["stage"], record["based_on"])
        return known if still_holds else None

    def note_write(self, place: HostKey, record: Record, version: int, text: str | None) -> None:
        """Remember what the writer of a record knows from now on.

        Its next version is `version` in the context, and has the value `text` (None for the context's own value).
        """
        if record.get("exact") is True:
            return
        local = record["based_on"] + 1
        if local != version or text is not None:
            self.differing.setdefault(place, {})[record["host"]] = KnownVersion(record["stage"], local, version, text)
        elif place in self.differing:
            self.differing[place].pop(record["host"], None)


class EarlierValues:
    """The values that keys had earlier in the stage that is running: the first one, and the last few.

    No host begins a stage before all hosts have ended the one before, so no writer can know an older value.
    """

    __slots__ = ("_bytes", "_stage", "_values")

    def __init__(self) -> None:
        self._stage = 0
        self._bytes: Counter[HostKey] = Counter()
        self._values: dict[HostKey, list[HeldValue]] = {}

    def add(self, stage: int, place: HostKey, entry: HeldValue) -> None:
        """Keep a value that is about to be replaced."""
        if stage != self._stage:
            self._stage = stage
            self._values.clear()
            self._bytes.clear()
        values = self._values.setdefault(place, [])
        values.append(entry)
        self._bytes[place] += len(entry.text)
        if len(values) > 2 * MAX_VALUES or self._bytes[place] > 2 * MAX_BYTES:
            del values[1 : len(values) // 2 + 1]
            self._bytes[place] = sum(len(value.text) for value in values)

    def text(self, stage: int, place: HostKey, version: int) -> str | None:
        """The value of an earlier version as JSON; None where there was none, or where it is no longer kept."""
        values = self._values.get(place, []) if stage == self._stage else []
        return next((entry.text for entry in values if entry.version == version), None)

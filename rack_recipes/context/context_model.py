# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values that the context holds, and their changes."""

from __future__ import annotations

from typing import NamedTuple

KEPT, REFUSED, MERGED = "kept", "refused", "merged"  # the outcomes of a conflict


class HeldValue(NamedTuple):
    """The value under one key of one host, or of the run: its JSON text, and how often it was set.

    `host` and `step` are those that set it last.
    """

    text: str
    version: int
    host: str = ""
    step: str = ""


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

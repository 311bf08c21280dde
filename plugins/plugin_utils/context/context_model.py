# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the context is made of: one held value, and one change of it."""

from __future__ import annotations

from typing import NamedTuple

KEPT, REFUSED, MERGED = "kept", "refused", "merged"  # what becomes of a write that met another one


class HeldValue(NamedTuple):
    """What is held under one key of one host (or of the run): the value as JSON text, and how often it was set.

    `host` and `step` are those that set it last.
    """

    text: str
    version: int
    host: str = ""
    step: str = ""


class Delta(NamedTuple):
    """One change of one key, or a write of it that was refused.

    `seq` numbers a run's changes from 1; `host` is empty for a key of the run; `before` and `after` are JSON
    text, `before` None for a first value; `based_on` is the version that the writer knew, 0 for none.

    `conflict` tells that another write had come between. Then `policy` decided, and `outcome` is what became of it:
    `kept`, it replaced the other value; `refused`, `before`, `after` and `version` are what is still held; `merged`,
    `after` is made of both. `other` is the JSON text of the value that stands in neither. `both` names the fields that
    both writes had changed, of which the later one was taken. `base` is the value that the writer knew, where that is
    asked for.
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

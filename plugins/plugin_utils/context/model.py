# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the context is made of: one held value, and one change of it."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """What is held under one key of one host (or of the run): the value as JSON text, and how often it was set."""

    text: str
    version: int


class Delta(NamedTuple):
    """One change of one key.

    `seq` numbers a run's changes from 1; `host` is empty for a key of the run; `before` and `after` are JSON
    text, `before` None for a first value; `based_on` is the version that the writer knew, 0 for none;
    `conflict` tells that another write had come between.
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

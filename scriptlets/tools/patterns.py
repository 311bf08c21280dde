# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Regular expressions that a scriptlet takes as arguments, and looks for in what tools and services print."""

from __future__ import annotations

import re

from ansible_collections.rack.recipes.plugins.module_utils.time_limit import time_limit

PATIENCE = 5.0  # seconds: some expressions take years on a text of thirty characters


def check_pattern(name, pattern, group=""):
    """Raises ValueError if the argument `name` is no regular expression, or lacks a group that it must have."""
    if pattern is None:
        return
    try:
        groups = re.compile(pattern).groupindex
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{name}: {pattern!r} is no regular expression: {error}") from None
    if group and group not in groups:
        raise ValueError(f"{name}: expected a group (?P<{group}>...) in {pattern!r}")


def search(name, pattern, text):
    """Where a pattern is first found in a text; `^` and `$` mean lines. Raises ValueError where that takes too long."""
    try:
        with time_limit(PATIENCE):
            return re.search(pattern, text, re.MULTILINE)
    except TimeoutError as error:
        raise ValueError(f"{name}: {pattern!r} {error} on {len(text)} characters: say it simpler") from None

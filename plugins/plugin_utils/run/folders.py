# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders of runs on the controller."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError


def journal_of(runs: Path, start: str = "") -> Path:
    """The journal of the run whose id begins with `start`, of the newest without one.

    Raises UsageError for none and for several.
    """
    found = sorted(path for path in runs.glob("*/journal.jsonl") if path.parent.name.startswith(start))
    exact = [path for path in found if path.parent.name == start]
    if not found:
        raise UsageError(f"there is no run {start!r} in {runs}" if start else f"there are no runs in {runs}")
    if start and not exact and len(found) > 1:
        names = ", ".join(path.parent.name for path in found[:5])
        raise UsageError(f"{len(found)} runs begin with {start!r}: {names}")
    return exact[0] if exact else found[-1]

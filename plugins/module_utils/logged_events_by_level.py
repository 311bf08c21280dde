# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much the log of a run shows, by its level."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# For each level the events that it shows, beside those of the levels after it. An attempt ends by its verdict.
LEVELS: dict[str, tuple[str, ...]] = {
    "debug": ("stdout", "variables"),
    "info": ("start", "set", "attach", "process", "end"),
    "warning": ("stderr", "end marginal"),
    "error": ("end failed", "end error"),
}


def log_level(request: dict[str, Any]) -> str:
    """The level of a request's log; empty where it has none. Its `debug` stands for everything."""
    level: str = "debug" if request.get("debug") else request.get("log_level") or ""
    return level


def logged_events(request: dict[str, Any]) -> frozenset[str]:
    """The events that a request's log shows: words of LEVELS."""
    level, names = log_level(request), list(LEVELS)
    shown = names[names.index(level) :] if level else []
    return frozenset(event for name in shown for event in LEVELS[name])

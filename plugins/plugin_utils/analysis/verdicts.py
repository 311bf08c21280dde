# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a verdict means to whoever counts or sorts it."""

from __future__ import annotations

SEVERITY = ("failed", "error", "unreachable", "blocked", "skipped", "marginal", "waived", "cached", "passed")
"""Every verdict, the gravest first."""

LEFT_OUT = frozenset({"blocked", "skipped"})
"""Verdicts that say nothing about what is under test: its author, or another result, decided them."""

UNTIMED = LEFT_OUT | {"unreachable", "cached"}
"""Verdicts whose seconds say nothing about the step."""

_RANKS = {verdict: number for number, verdict in enumerate(SEVERITY)}


def rank(verdict: str) -> int:
    """Place in `SEVERITY`; a verdict that is not in it comes first, so that nobody overlooks it."""
    return _RANKS.get(verdict, -1)

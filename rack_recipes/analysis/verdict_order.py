# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which verdicts are shown."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS

SEVERITY = tuple(VERDICTS)
"""Every verdict, the gravest first."""

_RANKS = {verdict: number for number, verdict in enumerate(SEVERITY)}


def rank(verdict: str) -> int:
    """Place in `SEVERITY`; a verdict that is not in it comes first, so that nobody overlooks it."""
    return _RANKS.get(verdict, -1)

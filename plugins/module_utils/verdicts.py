# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which verdicts let a step that depends on them run, and which of several counts for all."""

from __future__ import annotations

PASSING = frozenset(("passed", "marginal", "cached", "waived"))
# The worst first. Of several, one that was skipped counts only where all were.
ORDER = ("error", "failed", "unreachable", "blocked", "marginal", "waived", "passed", "cached", "skipped")

# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions of the tasks in a compiled playbook."""

from __future__ import annotations

STAGE = "rack.recipes.stage"
FLUSH = "rack.recipes.flush"
REPORT = "rack.recipes.report"
VERDICT = "rack.recipes.verdict"

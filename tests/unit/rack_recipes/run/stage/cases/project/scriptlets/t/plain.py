# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Plain(Scriptlet):
    """Does nothing."""

    options = {}
    reads = ()

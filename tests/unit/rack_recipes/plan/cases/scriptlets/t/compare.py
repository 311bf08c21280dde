# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Compare(Scriptlet):
    """Compares all hosts."""

    scope = "run"
    options = {}
    reads = ("link.limits_v1",)
    writes = ("link.compared_v1",)

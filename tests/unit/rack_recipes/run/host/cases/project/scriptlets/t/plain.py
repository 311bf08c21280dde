# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet


class Plain(Scriptlet):
    """Does nothing."""

    options = {}
    reads = ()

# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start a node of a virtual rack anew: new processes, a new root, a new boot id, the same cables."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError
from ansible_collections.rack.recipes.plugins.plugin_utils.virtual_rack import rack_process
from ansible_collections.rack.recipes.plugins.plugin_utils.virtual_rack.rack_state import RackState, save

SPEC = "spec.json"


def reboot(state: RackState, node: str) -> RackState:
    """Restart a node and wait until it is up; returns the new state. Raises RackError where it does not start.

    What was broken in the node itself is healed by that, but stays noted until `rack heal`.
    """
    words = (sys.executable, "-I", rack_process.__file__, str(state.folder / SPEC), node, str(state.nodes[node]))
    answer = json.loads(state.run("", shlex.join(words)) or "{}")
    if "up" not in answer:
        raise RackError(f"{node} does not start again: {answer.get('error') or 'no reason is known'}")
    return save(replace(state, nodes={**state.nodes, **answer["up"]}))

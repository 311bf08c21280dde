# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Switch the power of a node of a virtual rack, from outside of the rack."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rack_recipes.errors import RackError
from rack_recipes.lab.bmc import power
from rack_recipes.lab.rack_state import SPEC, RackState


def switch(state: RackState, node: str, action: str) -> str:
    """Do one of `power.ACTIONS` with a node; returns whether it is `on` or `off` then.

    What was broken in a node is healed when it goes off. Raises RackError where the node does not start.
    """
    answer = json.loads(state.run("", shlex.join(command(state.folder, node, action))) or "{}")
    if "power" not in answer:
        raise RackError(f"the power of {node} is not switched: {answer.get('error') or 'no reason is known'}")
    return str(answer["power"])


def command(folder: Path, node: str, action: str) -> Sequence[str]:
    """The command that switches the power of a node, to be run inside of the rack."""
    return sys.executable, "-I", "-m", power.__name__, str(folder / SPEC), node, action

# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether Slurm gives jobs to a node."""

from __future__ import annotations

import os

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import run_json

# scontrol(1), "NODES - SHOW DATA FIELDS", State: the states and flags of a node that takes jobs, or will when one ends
WELL = {
    "IDLE", "ALLOCATED", "MIXED", "COMPLETING", "PLANNED", "RESERVED", "BLOCKED", "CLOUD", "DYNAMIC_NORM",
    "DYNAMIC_FUTURE", "PERFCTRS",
}  # fmt: skip
ADVICE = {
    "DOWN": "read /var/log/slurm/slurmd.log on the node, then `scontrol update nodename={node} state=resume`",
    "DRAIN": "do what its reason asks for, then `scontrol update nodename={node} state=resume`",
    "NOT_RESPONDING": "start slurmd on the node, and look whether the controller reaches its port",
    "FAIL": "do what its reason asks for, then `scontrol update nodename={node} state=resume`",
    "INVALID_REG": "compare the node with its line in slurm.conf (`slurmd -C`): memory, cores or GPUs are missing",
    "UNKNOWN": "start slurmd on the node",
}


class SlurmNode(Scriptlet):
    """Whether Slurm gives jobs to a node, by the states that `scontrol show node` tells.

    A node that is full of jobs is well. One that is drained, down, in maintenance or does not answer is not.
    """

    options = {
        "node": {
            "type": "str",
            "default": "",
            "description": "The name of the node in Slurm; by default the host's own, up to its first dot",
        },
        "allowed": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Further states that are well, such as DRAIN for a node that is being tested",
        },
        "timeout": {"type": "float", "default": 60, "description": "How long scontrol may take", "unit": "s"},
    }
    reads = ()
    writes = {"slurm.node_v1": "`node`, its `states` as Slurm names them, and the `reason` that somebody gave"}
    needs = ("scontrol of Slurm 20.11 or newer, with its JSON plugin (Debian: slurm-client)",)
    verdicts = {
        "failed": "Slurm gives no jobs to the node",
        "error": "the controller does not answer, or does not know the node",
    }
    example = """
        - name: slurm
          module: slurm.node
          args: {allowed: [DRAIN]}
    """

    def run(self, ctx, params):
        name = params["node"] or os.uname().nodename.split(".", 1)[0]
        told = run_json(("scontrol", "show", "node", name, "--json"), seconds=params["timeout"]) or {}
        node = next((each for each in told.get("nodes") or () if each.get("name") == name), None)
        if node is None:
            raise ValueError(f"Slurm knows no node {name}: give its name in slurm.conf as `node`")
        found = states(node)
        reason = " ".join(str(node.get("reason") or "").split())
        ctx.set("slurm.node_v1", {"node": name, "states": found, "reason": reason})
        bad = [state for state in found if state not in WELL | {each.upper() for each in params["allowed"]}]
        if ctx.check("states_without_jobs", len(bad), "states", max=0) == "failed":
            action = next(
                (ADVICE[state] for state in bad if state in ADVICE), "wait until it is over, or ask who did that"
            )
            because = f" ({reason})" if reason else ""
            raise Failed(f"Slurm gives {name} no jobs, it is {'+'.join(bad)}{because}: {action.format(node=name)}")


def states(node):
    """The states of a node: a list since Slurm 23.02, before that a word in `state` and a list of flags.

    Raises ValueError where there is none.
    """
    state = node.get("state")
    found = [state] if isinstance(state, str) else list(state or ())
    found += node.get("state_flags") or ()
    if not found:
        raise ValueError("scontrol tells no state of the node")
    return [str(each).upper() for each in found]

# SPDX-License-Identifier: GPL-3.0-or-later

"""A condition of a node in Kubernetes, as node-problem-detector sets them: its status is True while there is a fault.

It cordons nothing by itself: what acts on conditions of nodes does.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from rack_recipes.integrations.sinks.json_server import JsonServer

CONDITION = "RackRecipesFault"
PATCH = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class NodeCondition:
    """`server` is the API of a cluster, with a token that may patch `nodes/status`."""

    server: JsonServer
    name: str = "kubernetes"

    def plan(self, host: str, told: str) -> str:
        """The condition in words."""
        return f"condition {CONDITION}=True of node {host}: {told}"

    def apply(self, host: str, told: str) -> str:
        """Set the condition. Raises UsageError where the API refuses it."""
        moment = f"{now()[:19]}Z"
        condition = {
            "type": CONDITION, "status": "True", "reason": "FailedTest", "message": told,
            "lastHeartbeatTime": moment, "lastTransitionTime": moment,
        }  # fmt: skip
        self.server.ask("PATCH", f"/api/v1/nodes/{host}/status", {"status": {"conditions": [condition]}}, PATCH)
        return f"condition {CONDITION} is True"

# SPDX-License-Identifier: GPL-3.0-or-later

"""A condition of a node in Kubernetes, as node-problem-detector sets them: its status is True while there is a fault.

It cordons nothing by itself: what acts on conditions of nodes does.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from rack_recipes.integrations.sinks.json_client import JsonServer

CONDITION = "RackRecipesFault"
PATCH = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class NodeCondition:
    """`server` is the API of a cluster, with a token that may get `nodes` and patch `nodes/status`."""

    server: JsonServer
    name: str = "kubernetes"

    def plan(self, host: str, told: str) -> str:
        """The condition in words."""
        return f"condition {CONDITION}=True of node {host}: {told}"

    def apply(self, host: str, told: str) -> str:
        """Set the condition. Raises UsageError where the API refuses it."""
        self._set(host, status="True", reason="FailedTest", message=told)
        return f"condition {CONDITION} is True"

    def undo(self, host: str, mark: str, *, is_dry: bool) -> str:
        """Set the condition to False where its message begins so. Raises UsageError where the API refuses it."""
        node = self.server.ask("GET", f"/api/v1/nodes/{host}")
        status = node.get("status") if isinstance(node, dict) else None
        found = [one for one in (status or {}).get("conditions") or () if one.get("type") == CONDITION]
        own = [one for one in found if one.get("status") == "True" and str(one.get("message")).startswith(mark)]
        if not own:
            return ""
        if not is_dry:
            self._set(host, status="False", reason="TakenBack", message=f"{mark}taken back")
        return f"condition {CONDITION}=False of node {host} ({own[0]['message']})"

    def _set(self, host: str, **told: str) -> None:
        moment = f"{now()[:19]}Z"
        condition = {"type": CONDITION, **told, "lastHeartbeatTime": moment, "lastTransitionTime": moment}
        self.server.ask("PATCH", f"/api/v1/nodes/{host}/status", {"status": {"conditions": [condition]}}, PATCH)

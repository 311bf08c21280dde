# SPDX-License-Identifier: GPL-3.0-or-later

"""What Slurm says of a node and of its controllers (`captured/README-slurm.md`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

CAPTURED = Path(__file__).parent / "captured"
Run = Callable[..., Any]


@pytest.fixture
def run(scriptlet: Any, prints: Any, rack_context: Any) -> Run:
    """A function that runs a scriptlet on what scontrol printed; `changed` says what it printed instead."""

    def run(name: str, text: str, changed: tuple[str, str] = ("", ""), **params: Any) -> Any:
        module = scriptlet(name)
        text = (CAPTURED / f"scontrol-{text}.json").read_text(encoding="utf-8") if text[0].isdigit() else text
        assert changed[0] in text
        prints(module, {"scontrol": text.replace(*changed)})
        return rack_context.run(module.SlurmNode if name == "slurm.node" else module.SlurmControllers, params)

    return run


class TestNode:
    def test_a_node_that_takes_jobs(self, run, rack_context):
        assert run("slurm.node", "24.11-v42-idle", node="node1").verdict == "passed"
        assert rack_context["slurm.node_v1"]["states"] == ["IDLE"]

    @pytest.mark.parametrize("version", ["22.05", "24.11-v40"])
    def test_a_drained_node(self, run, rack_context, version):
        outcome = run("slurm.node", f"{version}-drained", node="node1")
        assert outcome.reason == (
            "Slurm gives node1 no jobs, it is DRAIN (swap the riser): do what its reason asks for, then "
            "`scontrol update nodename=node1 state=resume`"
        )
        assert rack_context["slurm.node_v1"]["states"] == ["IDLE", "DRAIN"]
        assert run("slurm.node", f"{version}-drained", node="node1", allowed=["drain"]).verdict == "passed"

    @table("state", "says")
    def test_states(self, run, state, says):
        outcome = run("slurm.node", "24.11-v42-idle", ('"IDLE"', state), node="node1")
        assert outcome.verdict == ("failed" if says else "passed")
        assert says in outcome.reason

    @table("text", "says")
    def test_what_is_not_told_is_an_error(self, run, text, says):
        outcome = run("slurm.node", text, node="node1")
        assert (outcome.verdict, says in outcome.reason) == ("error", True)


class TestControllers:
    @pytest.mark.parametrize("version", ["24.11", "24.11-v40"])
    def test_one_that_answers(self, run, rack_context, version):
        assert run("slurm.controllers", f"{version}-ping-up").verdict == "passed"
        assert rack_context["slurm.controllers_v1"] == {"head1": {"mode": "primary", "answers": True}}

    @table("text", "params", "says")
    def test_too_few(self, run, text, params, says):
        outcome = run("slurm.controllers", text, **params)
        assert (outcome.verdict, outcome.reason[: len(says)]) == ("failed", says)

    def test_no_controller_is_an_error(self, run):
        outcome = run("slurm.controllers", '{"pings": []}')
        assert (outcome.verdict, "look at SlurmctldHost in slurm.conf" in outcome.reason) == ("error", True)

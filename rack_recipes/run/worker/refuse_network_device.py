# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers for a network device, which starts no programs: for such a host Ansible silently runs them on the controller.

The steps that nothing keeps from being started are errors. None is started.
"""

from __future__ import annotations

from collections.abc import Callable

from rack_recipes.run.delegates import needs_delegate
from rack_recipes.run.stage.host_answer import HostAnswer
from rack_recipes.run.stage.request.request import Request
from rack_recipes.run.worker.ansible_module_step import run_here
from rack_recipes.run.worker.host_stage_request import HostStage, request_of


def refuse_stage(stage: HostStage, halted: Callable[[], str]) -> HostAnswer:
    """The answer to a stage of scriptlets for a network device. `halted` returns why the steps must stop, or empty."""
    reason = needs_delegate(str(stage.action._connection.ansible_name))
    message = request_of(stage, None).message
    steps = [{**step, "invalid": step.get("invalid", reason)} for step in message["steps"]]
    request = Request({**message, "steps": steps, "locks": {}, "check": False}, ())
    return run_here(request, stage.run, halted, check=stage.is_check)

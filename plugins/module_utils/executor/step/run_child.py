# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One child of a step, or of a hook, from its start to its end."""

from __future__ import annotations

import os
import time

from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, Callable, Union

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.cgroup_usage import Cgroup
    from ansible_collections.rack.recipes.plugins.module_utils.executor.shared_by_steps import StageState

    Record = dict[str, Any]
    Step = dict[str, Any]
    # What is waited for: a child, or a moment of the monotonic clock.
    Moments = Generator[Union[Attempt, float], None, Attempt]


class InvalidStep(Exception):
    """The step cannot be tried: its arguments do not fit, or there is no room for a child."""


def run_child(
    state: StageState,
    step: Step,
    ctx: ContextView,
    params: Record,
    change: Callable[[Record], None],
    method: str = "run",
) -> Moments:
    """Start a child, wait for its end and return the attempt. Raises InvalidStep if it cannot start."""
    attempt = Attempt(step.get("timeout"), change, state.secrets.register)
    ctx.send_to(attempt.receive)
    ctx.keep_on(state.launcher.shelf)
    observer = state.observer(step)
    group = _group() if step.get("limits") else None
    try:
        stdin, program = state.launcher.start({**step, "group": group} if group else step, ctx, params, method)
        attempt.start(stdin, program, state.marks.put())
    except (ValueError, OSError) as error:
        if group:
            group.end()
        raise InvalidStep(_error_text(error)) from None
    if "sandbox" in step:
        attempt.ask = state.launcher.sandbox.ask
    if "processes" in step.get("limits", ()):
        from ansible_collections.rack.recipes.plugins.module_utils.executor.child.resource_limits import (
            around,
            too_many,
        )

        more = around(step)
        attempt.inspect_by(lambda: too_many(step["limits"], attempt, more))
    yield attempt
    if attempt.stopped:
        from ansible_collections.rack.recipes.plugins.module_utils.executor.process.reaper import sweep

        left = yield from sweep(range(attempt.mark, attempt.mark + 1), attempt.pid)
        attempt.stopped += f"; could not be ended: {left}" if left else ""
    attempt.finish()
    for event in observer.processes(attempt.pid) if observer else ():
        attempt.receive(event)
    if group:
        attempt.group = group.end()
    refused = state.launcher.sandbox.refused(attempt, state.records.mask) if "sandbox" in step else ""
    if refused:
        raise InvalidStep(refused)
    return attempt


def _group() -> Cgroup | None:
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.cgroup_usage import create_cgroup

    return create_cgroup(f"rack-recipes-{os.getpid()}-{time.monotonic_ns()}")


def _error_text(error: ValueError | OSError) -> str:
    """The error for people, as a shell would say it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)

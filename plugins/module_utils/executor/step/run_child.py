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

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import View
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.cgroup import Group
    from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_state import Bench

    Record = dict[str, Any]
    Step = dict[str, Any]
    # What is waited for: a child, or a moment of the monotonic clock.
    Moments = Generator[Union[Attempt, float], None, Attempt]


class Unfit(Exception):
    """The step cannot be tried: its arguments do not fit, or there is no room for a child."""


def conduct(
    bench: Bench, step: Step, ctx: View, params: Record, change: Callable[[Record], None], method: str = "run"
) -> Moments:
    """Start a child and wait for its end; gives the attempt, after its end. Raises Unfit where it cannot start."""
    attempt = Attempt(step.get("timeout"), change, bench.secrets.register)
    ctx.send_to(attempt.take)
    ctx.keep_on(bench.launcher.shelf)
    group = _group() if step.get("limits") else None
    try:
        stdin, program = bench.launcher.start({**step, "group": group} if group else step, ctx, params, method)
        attempt.start(stdin, program, bench.marks.put())
    except (ValueError, OSError) as error:
        if group:
            group.end()
        raise Unfit(_told(error)) from None
    if "sandbox" in step:
        attempt.ask = bench.launcher.sandbox.ask
    if "processes" in step.get("limits", ()):
        from ansible_collections.rack.recipes.plugins.module_utils.executor.child.resource_limits import too_many

        attempt.inspect_by(lambda: too_many(step["limits"], attempt, sandboxed="sandbox" in step))
    yield attempt
    if attempt.stopped:
        from ansible_collections.rack.recipes.plugins.module_utils.executor.process.reaper import sweep

        left = yield from sweep(range(attempt.mark, attempt.mark + 1), attempt.pid)
        attempt.stopped += f"; could not be ended: {left}" if left else ""
    attempt.finish()
    if group:
        attempt.group = group.end()
    refused = bench.launcher.sandbox.refused(attempt, bench.records.mask) if "sandbox" in step else ""
    if refused:
        raise Unfit(refused)
    return attempt


def _group() -> Group | None:
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.cgroup import made

    return made(f"rack-recipes-{os.getpid()}-{time.monotonic_ns()}")


def _told(error: ValueError | OSError) -> str:
    """The error for people, as a shell would say it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)

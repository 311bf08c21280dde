# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decorators for authors of Python scriptlets."""

from __future__ import annotations

import functools
import resource
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, TypeVar

    from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet

    Class = TypeVar("Class", bound=type[Scriptlet])

REGISTRY: dict[str, type] = {}


def register_scriptlet(scriptlet: Class) -> Class:
    """Mark a class as a scriptlet, also where it derives from none."""
    REGISTRY[scriptlet.__name__] = scriptlet
    return scriptlet


def track_resources(run: Callable[..., Any]) -> Callable[..., Any]:
    """Log to stderr how long the decorated method took and how much the process's peak memory grew."""

    @functools.wraps(run)
    def wrapper(self: Any, ctx: Any, params: Any) -> Any:
        before, started = _peak(), time.monotonic()
        try:
            return run(self, ctx, params)
        finally:
            seconds, grown = time.monotonic() - started, (_peak() - before) / 1024
            sys.stderr.write(
                "[resource] step=%s duration_sec=%.3f memory_diff=%.1fMB\n" % (type(self).__name__, seconds, grown)
            )

    return wrapper


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

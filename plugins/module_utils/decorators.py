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

    Class = TypeVar("Class", bound=type)

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
                f"[resource] step={type(self).__name__} duration_sec={seconds:.3f} memory_diff={grown:.1f}MB\n"
            )

    return wrapper


def _peak() -> int:
    """The largest memory so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

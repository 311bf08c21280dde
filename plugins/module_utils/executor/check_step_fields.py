# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of a step in a request: a field that nothing here acts on must not pass unnoticed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

# `cache` is whether the result is kept under a name, `invalid` why the step cannot be run.
OF_STEP = (
    *("name", "args", "depends_on", "after", "scope", "timeout", "parallel", "success", "when", "loop", "matrix"),
    *("retry", "repeat", "continue_on_fail", "always", "priority", "tags", "locks", "limits", "sandbox", "skip"),
    *("cache", "invalid"),
)
OF_PROGRAM = (
    *("kind", "options", "reads", "digest", "module", "function", "file", "flags", "class", "call"),
    *("reads_results", "reads_history", "library", "live"),
)
FIELDS = frozenset((*OF_STEP, *OF_PROGRAM))


def check_fields(steps: Iterable[dict[str, Any]]) -> None:
    """Raise ValueError for a field of a step that is unknown here."""
    for step in steps:
        if not step.keys() <= FIELDS:
            unknown = ", ".join(sorted(step.keys() - FIELDS))
            raise ValueError(f"step {step['name']!r} has fields that this executor does not know: {unknown}")

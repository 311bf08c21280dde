# SPDX-License-Identifier: GPL-3.0-or-later

"""The traceback of a scriptlet, with the frames of its author first. Only a failure needs this."""

from __future__ import annotations

import traceback

OURS = ("ansible_collections.rack.recipes.plugins.module_utils.", "rack_recipes.")


def traceback_of(error: BaseException, *, is_debug: bool = False) -> str:
    """The traceback with the frames of scriptlets, and a line that says how many of ours are left out.

    With `is_debug` these follow at its end. Where all frames are ours, the traceback is as Python writes it.
    """
    told = traceback.TracebackException.from_exception(error)
    ours = traceback.StackSummary()
    _take_out(told, error, ours)
    lines = [*told.format()]
    if not ours:
        return "".join(lines)
    count = f"{len(ours)} frame{'s' if len(ours) > 1 else ''} of rack.recipes"
    if is_debug:
        return "".join([*lines, f"{count}:\n", *ours.format()])
    lines.insert(-len([*told.format_exception_only()]), f"  {count}\n")
    return "".join(lines)


def _take_out(
    told: traceback.TracebackException | None, error: BaseException | None, ours: traceback.StackSummary
) -> None:
    """Move our frames out of the traceback of an error, and of those that it came from."""
    if told is None or error is None:
        return
    _take_out(told.__cause__, error.__cause__, ours)
    _take_out(told.__context__, error.__context__, ours)
    are_ours = [
        str(frame.f_globals.get("__name__", "")).startswith(OURS)
        for frame, _line in traceback.walk_tb(error.__traceback__)
    ]
    if not all(are_ours):
        ours += [summary for summary, is_ours in zip(told.stack, are_ours) if is_ours]
        told.stack[:] = [summary for summary, is_ours in zip(told.stack, are_ours) if not is_ours]

# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base class of Python scriptlets, and the exceptions by which a step fails or is skipped."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView


class Failed(Exception):
    """What is under test is not as it must be: the step's verdict is `failed`, not `error`."""


class Skipped(Exception):
    """There is nothing to test here, such as no such hardware: the step's verdict is `skipped`, with this reason."""


class Scriptlet:
    """A reusable test step.

    `options` is an Ansible argument spec, or None to take any argument; `reads` and `writes` are tuples of context
    keys (`reads = None`: not declared), and `writes` may be a mapping that says what each key holds; `scope = "run"`
    marks a scriptlet for steps that run once for the run; `reads_results` and `reads_history` let such a one read the
    results of the run, and the values that these measurements and keys had in earlier runs; `live` is whether it
    uses the live bus, `ctx.live`; `deprecated` says what to use instead of one that should not be used any more. For
    readers there are `needs` (tools, devices and rights), `verdicts` (which ones a step gets besides `passed`, and
    when) and `example` (steps of a recipe, as YAML). All of them are literals: the controller reads them without
    running the file.
    """

    options: dict[str, Any] | None = None
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | dict[str, str] = ()
    scope: str = "host"
    reads_results: bool = False
    reads_history: tuple[str, ...] = ()
    live: bool = False
    deprecated: str = ""
    needs: tuple[str, ...] = ()
    verdicts: dict[str, str] | None = None
    example: str = ""

    def validate(self, ctx: ContextView, params: dict[str, Any]) -> None:
        """Check cheaply what `options` cannot say; raise ValueError with a clear reason."""

    def run(self, ctx: ContextView, params: dict[str, Any]) -> int | None:
        """Do the work, and say with `ctx.check` whether what was found is as it must be.

        Return nothing, or print an envelope and return an exit code; raise to end with a reason.
        """
        raise NotImplementedError(f"{type(self).__name__} has no run method")

# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Types that the modules of a step share; nothing here exists at run time."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, Protocol, Union

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
    from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import Attempt
    from ansible_collections.rack.recipes.plugins.module_utils.executor.shared_by_steps import StageState
    from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope

    Record = dict[str, Any]
    Step = dict[str, Any]
    # The verdict of a step, and its reason.
    Outcome = tuple[str, str]
    # Gives what has to be waited for: a child, or a moment of the monotonic clock. Returns the outcome.
    StepGenerator = Generator[Union[Attempt, float], None, Outcome]

    class StepRun(Protocol):
        """A step that is being tried, as its retries, its hooks and check mode see it."""

        step: Step
        state: StageState
        passes_dependents: bool
        attempts: list[Record]
        measurements: list[Record]
        hooked: list[Record]
        tries: int
        more: Record
        about: Record
        ctx: ContextView
        scope: Scope

        def round(self, params: Record | None, place: Record) -> StepGenerator:
            """Try until a try counts, or there were enough."""

        def attempt(self, params: Record | None, place: Record) -> StepGenerator:
            """Try once."""

        def count_secrets(self, attempt: Attempt) -> None:
            """Note how many secrets an attempt has registered."""

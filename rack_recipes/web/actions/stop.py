# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stop a run that goes on, by a form on its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rack_recipes.run.stop_run import stop_run
from rack_recipes.server.access.caller import OPERATOR
from rack_recipes.web.actions.action_log import log_path, logged
from rack_recipes.web.page_model import Asked, Form, NoSuchPageError, Page, at, check_confirmed, confirmation

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource


WHAT = "Steps that run are ended on their hosts, what is left is not tried, and closing steps do not run."


def stop_form(run_id: str, asked: Asked) -> Form | None:
    """The form that stops a run; None for those who may not."""
    if not asked.caller.has_role(OPERATOR):
        return None
    fields = [confirmation("End it now", WHAT, asked)]
    return Form("stop", "Stop it", at("runs", run_id, "stop"), "Stop this run", fields=fields)


def stop(source: PageSource, asked: Asked) -> Page:
    """Stop a run as Ctrl-C does; its journal says who asked for it. A program is not asked once more.

    Raises NoSuchPageError, FormError, UsageError.
    """
    live = source.live(asked.names["run"])
    if live is None:
        raise NoSuchPageError(f"run {asked.names['run'][:80]} does not go on here, so there is nothing to stop")
    if not asked.as_data:
        check_confirmed(asked, WHAT)
    with logged(log_path(source.runs), asked.caller, "stop", {"run": live.run_id}):
        stop_run(source.runs / live.run_id, asked.caller.name)
    return Page("Stop", moved_to=at("runs", live.run_id), data={"run_id": live.run_id, "stopping": True})

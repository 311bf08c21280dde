# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell an address that a run has ended. Whatever becomes of it, the run ends as it would have ended without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rack_recipes.errors import RackError

if TYPE_CHECKING:
    from rack_recipes.run.current_run import Run

NOT_TOLD = "the end of this run was not told"


def tell_end(run: Run, *, was_interrupted: bool = False) -> str:
    """Tell the address of the setting `notify_url` how a run has ended; returns why that failed, else "".

    A run that was interrupted is told of once, and not analysed: somebody waits for it to end. Nothing is raised.
    """
    settings = run.settings
    if not settings.notify_url:
        return ""
    # only a run that tells somebody pays for these imports
    from rack_recipes.integrations.monitoring.run_notice import build_notice
    from rack_recipes.integrations.monitoring.signed_post import post, target_of

    try:
        target = target_of(settings)
        post(target, build_notice(run, was_interrupted=was_interrupted), is_last_moment=was_interrupted)
    except RackError as error:
        return f"{NOT_TOLD}: {error}"
    except Exception as error:  # a fault here must not change how the run ends
        return f"{NOT_TOLD}: {type(error).__name__}"
    return ""

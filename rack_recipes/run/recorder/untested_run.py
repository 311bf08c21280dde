# SPDX-License-Identifier: GPL-3.0-or-later

"""A run of which tags and conditions have left nothing to test: Ansible itself ends it with exit code 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rack_recipes.plan.compile.action_names import FLUSH, REPORT, STAGE, VERDICT
from rack_recipes.run.current_run import Part, Run, counts_of, run_status
from rack_recipes.run.recorder.play_outline import all_tasks, tags_of_stages

if TYPE_CHECKING:
    from ansible.playbook.play import Play

OURS = (STAGE, VERDICT, FLUSH, REPORT)


def why_untested(run: Run, plays: Sequence[Play]) -> str:
    """Why all steps of a run were skipped, with the tags that there are; empty for another run.

    Also for one that a verdict judges, which fails its hosts and says the same.
    """
    if run_status(run) != "failed" or counts_of(run).keys() - {"skipped"} or _is_judged(plays):
        return ""
    # only such a run pays for this import
    from rack_recipes.run.unknown_tags import unknown_tag

    known = tags_of_stages(plays)
    found = (unknown_tag(option, run.inputs.options.get(option) or (), known) for option in ("tags", "skip_tags"))
    return "; ".join(filter(None, [f"nothing was tested: {Part(run).nothing()}", *found]))


def _is_judged(plays: Sequence[Play]) -> bool:
    """Whether a verdict on the whole run is given."""
    tasks = ((task, play) for play in plays for task in all_tasks(play) if task.resolved_action == VERDICT)
    return any(
        not task.args.get("stages") and task.evaluate_tags(play.only_tags, play.skip_tags, {}) for task, play in tasks
    )


def chose_other_tasks(plays: Sequence[Play]) -> bool:
    """Whether --tags names a task of the playbook that is none of ours: then it was not the test that was asked for."""
    tasks = ((task, play) for play in plays for task in all_tasks(play) if task.resolved_action not in OURS)
    return any({*task.tags} & {*play.only_tags} - {"all", "always"} for task, play in tasks)

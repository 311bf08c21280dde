# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the recorder does at each of Ansible's events; the callback plugin only passes them on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.view import now
from ansible_collections.rack.recipes.plugins.plugin_utils import settings as project
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError, StoreError, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.run.beginning.begin import begin
from ansible_collections.rack.recipes.plugins.plugin_utils.run.beginning.means import means_of
from ansible_collections.rack.recipes.plugins.plugin_utils.run.beginning.plays import (
    STAGE,
    is_of,
    select_by_tags,
    stage_tasks,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current import (
    RUN_HOST,
    Planned,
    Run,
    refuse,
    set_current,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.run.ids import REFUSED
from ansible_collections.rack.recipes.plugins.plugin_utils.run.outcome import (
    EXIT_CODES,
    checks_of,
    counts_of,
    status_of,
)
from ansible_collections.rack.recipes.plugins.plugin_utils.run.performing.part import ANSIBLE
from ansible_collections.rack.recipes.plugins.plugin_utils.run.performing.result import no_result
from ansible_collections.rack.recipes.plugins.plugin_utils.run.reusing.cached import cached_offers
from ansible_collections.rack.recipes.plugins.plugin_utils.run.storing.client import Storing
from ansible_collections.rack.recipes.plugins.plugin_utils.run.telling.trace import lines_of
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request import prepare
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.text import packed, unpacked

FLUSH = "rack.recipes.flush"
NO_RESULT = "it gave no result"


class Recorder:
    """One `ansible-playbook`. `warn` and `show` show a line to the user; `failures` keeps what went wrong in a hook."""

    def __init__(self, warn: Callable[[str], None], show: Callable[[str], None]) -> None:
        self.warn = warn
        self.show = show
        self.run: Run | None = None
        self.storing: Storing | None = None
        self.failures: list[str] = []
        self.refused = 0
        self._plays: Sequence[Any] = ()
        self._counts: dict[str, int] = {}
        self._said: dict[tuple[int, str], str] = {}
        self._variables: Any = None
        self._hosts: dict[str, Any] = {}

    def playbook_starts(self, playbook: Any) -> None:
        """Know all plays before the first of them starts: a run has several."""
        self._plays = playbook.get_plays()

    def play_starts(self, play: Any) -> None:
        """Begin the run at its first play with stages; patterns and tags are resolved here, once for all plays.

        A play in batches starts once a batch, each time with a copy that has the same tasks.
        """
        if self.run is not None or self.refused or not stage_tasks(play):
            return
        self._variables = play.get_variable_manager()
        settings = project.load(self._variables.extra_vars)
        plays = [each for each in self._plays if stage_tasks(each) and is_of(each, play)] or [play]
        self.run = run = begin(plays, settings, means_of(play))
        self._hosts = {name: self._variables._inventory.get_host(name) for name in run.hosts}
        run.left_out.update(name for each in plays for name in select_by_tags(each))
        set_current(run)
        self._tell_what_is_left_out(run)
        self._find_cached(run)
        self._set_facts(run, run.hosts)
        self.storing = Storing(run)

    def _tell_what_is_left_out(self, run: Run) -> None:
        names = [step.name for step in run.steps.values() if not step.hosts]
        if names:
            self.warn(f"rack.recipes.recorder: left out, as no host of this run is theirs: {', '.join(names)}")
        if run.given.recipe.get("canary") and not run.given.canary:
            self.warn("rack.recipes.recorder: no host of this run is its canary, so none goes first")

    def _find_cached(self, run: Run) -> None:
        """A store that is away holds up no run: everything is done anew."""
        try:
            cached = cached_offers(run.settings.db, run.steps.values())
        except StoreError as error:
            self.warn(f"rack.recipes.recorder: nothing cached is used: {error}")
        else:
            run.reusable.cached = cached

    def task_starts(self, task: Any) -> None:
        """Before Ansible forks the workers: make the payload that all of them send, bring the store up to date."""
        if self.storing is None or self.run is None:
            return
        if task.resolved_action == STAGE:
            steps = unpacked(task.args["steps"])  # of a batch before this one
            self._prepare(self.run, steps)
            task.args = {**task.args, "steps": packed(steps)}
        elif task.resolved_action == FLUSH:
            self._complete(self.run)
            self.run.stored = self.storing.flush()

    def _prepare(self, run: Run, steps: Sequence[Any]) -> None:
        if run.reusable.earlier is not None:
            run.reusable.earlier.catch_up()  # with what workers have collected
        scriptlets = [step for step in steps if step.get("type") != ANSIBLE]
        if not scriptlets:  # for all workers at once
            import ansible_collections.rack.recipes.plugins.plugin_utils.run.performing.module  # noqa: F401
        with suppress(RackError):  # each host's stage will tell it
            prepare(scriptlets, tuple(map(Path, run.settings.scriptlets)), run.given.recipe)

    def task_ended(self, result: Any) -> None:
        """Follow the journal after each host's stage: the first host's next task has its variables early."""
        if self.run is None or result.task.resolved_action != STAGE:
            return
        host = RUN_HOST if result.task.run_once else result.host.name
        number = int(result.task.args["number"])
        self._said[number, host] = str(result.result.get("msg", ""))
        self._catch_up(self.run)
        self._set_facts(self.run, self.run.context.changed_hosts())

    def _catch_up(self, run: Run) -> None:
        run.catch_up(lambda record: [self.show(line) for line in lines_of(record, run.run_id)])

    def exit_code(self) -> int | None:
        """End the run; returns the exit code to end with, None to leave Ansible's own."""
        code: int | None = self.guarded(self._ends)
        return StoreError.exit_code if code is None and self.failures else code

    def _ends(self) -> int | None:
        if self.run is None or self.storing is None:
            return self.refused or None
        self._complete(self.run)
        problem = self.storing.finish()
        if problem or self.failures:
            self.warn(_not_stored(self.run, "; ".join([problem, *self.failures] if problem else self.failures)))
            return StoreError.exit_code
        return None

    def _complete(self, run: Run) -> None:
        """Each planned step has a verdict on each of its hosts, also where no result of it came."""
        self._catch_up(run)
        append(run.path, [self._without_result(run, step, host) for step, host in run.missing()])
        self._catch_up(run)
        self._end(run)

    def _without_result(self, run: Run, step: Planned, host: str) -> dict[str, Any]:
        if step.name in run.left_out:
            return no_result(step.stage, step.name, host, "skipped", "left out by its tags", blocks=False)
        said = run.given.mask.mask(self._said.get((step.stage, host)) or NO_RESULT)
        return no_result(step.stage, step.name, host, "error", said, blocks=not step.optional)

    def _end(self, run: Run) -> None:
        """The last record; written before the report is, which shows it."""
        counts = counts_of(run)
        if counts != self._counts:
            status = status_of(counts, checks_of(run))
            end = {"kind": "end", "time": now(), "status": status, "exit_code": EXIT_CODES[status], "counts": counts}
            append(run.path, [end])
            self._counts = counts

    def _set_facts(self, run: Run, hosts: Iterable[str]) -> None:
        """The host's context as `ansible_facts.rack_recipes`, whole: a fact cache may hold an older run's."""
        for name in hosts:
            if name in self._hosts:
                keys = {key: value for key, (_version, value) in run.context.held(name).items()}
                facts = {"rack_recipes": {"run_id": run.run_id, "context": keys}}
                self._variables.set_host_facts(name, facts)

    def guarded(self, call: Callable[..., Any], *args: Any) -> Any:
        """Ansible would only warn of an exception in a callback, and end with exit code 0."""
        try:
            return call(*args)
        except RackError as error:
            if self.run is None and error.exit_code == UsageError.exit_code:
                self._refuse(error)
            else:
                self._failed(str(error))
        except Exception as error:  # whatever it is, the run must not look recorded
            self._failed(f"{type(error).__name__}: {error}")
        return None

    def _refuse(self, error: RackError) -> None:
        self.refused = error.exit_code
        refuse(error)
        self.warn(f"{REFUSED}{'; '.join(str(error).splitlines())}")

    def _failed(self, text: str) -> None:
        self.failures.append(text)
        self.warn(f"rack.recipes.recorder: {text}")


def _not_stored(run: Run, problem: str) -> str:
    where = run.path.absolute()
    return f"the results are not in the store ({problem}); they are safe in {where}: rack-recipes flush {run.run_id}"

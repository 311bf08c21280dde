# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the recorder does at each of Ansible's events; the callback plugin only passes them on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.view import now
from ansible_collections.rack.recipes.plugins.plugin_utils import settings as project
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import RackError, StoreError, UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.journal.append import append
from ansible_collections.rack.recipes.plugins.plugin_utils.run.begin import STAGE, begin, stage_tasks
from ansible_collections.rack.recipes.plugins.plugin_utils.run.current import RUN_HOST, Run, refuse, set_current
from ansible_collections.rack.recipes.plugins.plugin_utils.run.ids import REFUSED
from ansible_collections.rack.recipes.plugins.plugin_utils.run.outcome import EXIT_CODES, counts_of, status_of
from ansible_collections.rack.recipes.plugins.plugin_utils.run.perform import no_result
from ansible_collections.rack.recipes.plugins.plugin_utils.run.storing import Storing
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request import prepare

FLUSH = "rack.recipes.flush"


class Recorder:
    """One `ansible-playbook`. `warn` shows a line to the user; `failures` keeps what went wrong in a hook."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.warn = warn
        self.run: Run | None = None
        self.storing: Storing | None = None
        self.failures: list[str] = []
        self.refused = 0
        self._counts: dict[str, int] = {}
        self._said: dict[tuple[int, str], str] = {}
        self._variables: Any = None
        self._hosts: dict[str, Any] = {}

    def play_starts(self, play: Any) -> None:
        """Begin the run at its first play with stages; pattern and tags are resolved here, once."""
        if self.run is not None or self.refused or not stage_tasks(play):
            return
        self._variables = play.get_variable_manager()
        inventory = self._variables._inventory
        settings = project.load(self._variables.extra_vars)
        self.run = run = begin(play, settings, lambda pattern: [host.name for host in inventory.get_hosts(pattern)])
        self._hosts = {name: inventory.get_host(name) for name in run.hosts}
        run.unselected = _unselected(run, play)
        set_current(run)
        self._set_facts(run, run.hosts)
        self.storing = Storing(run)

    def task_starts(self, task: Any) -> None:
        """Before Ansible forks the workers: make the payload that all of them send, bring the store up to date."""
        if self.storing is None or self.run is None:
            return
        if task.resolved_action == STAGE:
            with suppress(RackError):  # each host's stage will tell it
                prepare(task.args["steps"], tuple(map(Path, self.run.settings.scriptlets)))
        elif task.resolved_action == FLUSH:
            self._complete(self.run)
            self.run.stored = self.storing.flush()

    def task_ended(self, result: Any) -> None:
        """Follow the journal after each host's stage: the first host's next task has its variables early."""
        if self.run is None or result.task.resolved_action != STAGE:
            return
        self.run.catch_up()
        self._set_facts(self.run, self.run.context.changed_hosts())
        host = RUN_HOST if result.task.run_once else result.host.name
        self._said[int(result.task.args["number"]), host] = str(result.result.get("msg", ""))

    def ends(self) -> int | None:
        """Write the end of the run; returns the exit code to end with, None to leave Ansible's own."""
        if self.run is None or self.storing is None:
            return self.refused or (StoreError.exit_code if self.failures else None)
        self._complete(self.run)
        problem = self.storing.finish()
        if problem or self.failures:
            self.warn(_not_stored(self.run, "; ".join([problem, *self.failures] if problem else self.failures)))
            return StoreError.exit_code
        return None

    def _complete(self, run: Run) -> None:
        """Each planned step has a verdict on each of its hosts, also where no result of it came."""
        run.catch_up()
        records = []
        for step, host in run.missing():
            left_out = (step.name, host) in run.unselected
            said = self._said.get((step.stage, host)) or "it gave no result"
            verdict = ("skipped", "left out by its tags") if left_out else ("error", said)
            records.append(no_result(step.stage, step.name, host, *verdict))
        append(run.path, records)
        run.catch_up()
        self._end(run)

    def _end(self, run: Run) -> None:
        """The last record; written before the report is, which shows it."""
        counts = counts_of(run)
        if counts != self._counts:
            status = status_of(counts)
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
        except UsageError as error:
            self.refused = error.exit_code
            refuse(error)
            self.warn(f"{REFUSED}{error}")
        except RackError as error:
            self._failed(str(error))
        except Exception as error:  # whatever it is, the run must not look recorded
            self._failed(f"{type(error).__name__}: {error}")
        return None

    def _failed(self, text: str) -> None:
        self.failures.append(text)
        self.warn(f"rack.recipes.recorder: {text}")


def _unselected(run: Run, play: Any) -> set[tuple[str, str]]:
    """The steps that --tags or --skip-tags leave out, by Ansible's own rules for a task with that tag.

    A stage keeps the tags of the other steps only: one skipped step must not take its whole stage along.
    """
    left_out: set[tuple[str, str]] = set()
    for task in stage_tasks(play):
        probe = task.copy()
        selected = []
        for name in (str(step["name"]) for step in task.args["steps"]):
            probe.tags = [name]
            if probe.evaluate_tags(play.only_tags, play.skip_tags, {}):
                selected.append(name)
            else:
                left_out.update((name, host) for host in run.steps[name].hosts)
        if selected:
            task.tags = selected
    return left_out


def _not_stored(run: Run, problem: str) -> str:
    where = run.path.absolute()
    return f"the results are not in the store ({problem}); they are safe in {where}: rack-recipes flush {run.run_id}"

# SPDX-License-Identifier: GPL-3.0-or-later

"""What the recorder does at each of Ansible's events; the callback plugin only passes the events on."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ansible_collections.rack.recipes.plugins.module_utils.context_view import now
from rack_recipes import settings as project
from rack_recipes.errors import JournalError, RackError, StoreError, UsageError
from rack_recipes.journal.append import append
from rack_recipes.journal.record_fields import RunStep, log_record_lines
from rack_recipes.journal.step_results_and_end_status import EXIT_CODES, INTERRUPTED, was_cut_off
from rack_recipes.plan.compile.action_names import FLUSH, REPORT, STAGE, VERDICT
from rack_recipes.run.current_run import (
    LEFT_OUT,
    NOT_IN_STORE,
    REFUSED,
    RUN_HOST,
    GroupMeeting,
    Run,
    counts_of,
    refuse,
    run_status,
    set_current,
    set_pending,
    status_of_results,
)
from rack_recipes.run.host.bypass_ansible_templating import pack_steps, unpack_steps
from rack_recipes.run.host.find_python import FACT
from rack_recipes.run.host.host_request import ANSIBLE, prepare
from rack_recipes.run.host.module_answers import missing_on_controller
from rack_recipes.run.missing_results_and_artifacts import (
    NOT_PASSED,
    PYTHONS,
    UNPLANNED,
    UNRECORDED,
    failed_task,
    missing_result,
)
from rack_recipes.run.processes import ANSIBLE_LOG, BY_SIGNAL
from rack_recipes.run.recorder import start_server_and_store_writer
from rack_recipes.run.recorder.ansible_api import AnsibleApi, ansible_api_of, fill_caches, make_params_data
from rack_recipes.run.recorder.ansible_warnings import ansible_warnings
from rack_recipes.run.recorder.begin_run import EmptyPartError, begin_run
from rack_recipes.run.recorder.cached_results_and_waivers import cached_offers
from rack_recipes.run.recorder.copy_inputs_to_run_folder import write_snapshot
from rack_recipes.run.recorder.echo_journal import JournalEcho
from rack_recipes.run.recorder.end_run_on_signal import SignalGuard
from rack_recipes.run.recorder.hosts_of_run import start_warnings
from rack_recipes.run.recorder.misspelt_variables import misspelt_variables
from rack_recipes.run.recorder.play_outline import (
    checkpoints,
    delegate_finder,
    is_checkpoint,
    select_by_tags,
    stage_tasks,
)
from rack_recipes.run.recorder.stages_in_one_process import (
    STRATEGIES,
    Recap,
    look_less_often,
    run_between_hosts,
    run_in_one_process,
)
from rack_recipes.run.recorder.start_server_and_store_writer import StoreWriterClient
from rack_recipes.run.recorder.undeclared_keys import declared_keys, undeclared_keys
from rack_recipes.run.recorder.untested_run import chose_other_tasks, why_untested
from rack_recipes.run.recorder.verdict_tasks import judged_stages

if TYPE_CHECKING:
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

    from rack_recipes.recipe.scriptlet_entry import ScriptletEntry


class TellEnd(Protocol):
    """Tells others of the end of a run; returns a warning, or "" where nothing went wrong."""

    def __call__(self, run: Run, *, was_interrupted: bool) -> str:
        """Tell them."""


NO_RESULT = "it gave no result"
UNFILLED = "parameter {!r}: its value has a template that is not filled in, since values of parameters are data"
NO_STAGE = "no run has begun: no play of this playbook has had a stage yet"


class Recorder:
    """Records the playbooks of one `ansible-playbook`, each as a run of its own.

    `warn` and `show` show a line to the user, `detail` one to a user who asks for details. `guard` has the run closed
    where the playbook does not come to its end. `tell_end` tells others of the end of a run, if anybody does.
    `failures` holds what went wrong at an event.
    """

    def __init__(
        self,
        warn: Callable[[str], None],
        show: Callable[[str], None],
        guard: SignalGuard | None = None,
        tell_end: TellEnd | None = None,
        detail: Callable[[str], object] = str,
    ) -> None:
        self._warn = warn
        self._detail = detail
        self._tell_end = tell_end
        self.show = show
        self.guard = guard
        self.run: Run | None
        self.store_writer: StoreWriterClient | None
        self.echo: JournalEcho | None = None
        self.failures: list[str] = []
        self.refused = 0  # the exit code of an error for which no run begins
        self._variables: Any = None
        self._reset()

    def _reset(self) -> None:
        """Forget the run, as before the first one."""
        self.run = None
        self.store_writer = None
        self._plays: Sequence[Any] = ()
        self._unfilled: tuple[str, ...] = ()  # parameters whose values look like templates
        self._checkpoints: frozenset[str] = frozenset()
        self._ended_with: tuple[dict[str, int], str] | None = None  # counts and status
        self._messages: dict[tuple[int, str], str] = {}  # of failed tasks, by stage and host
        self._failed_tasks: dict[str, str] = {}  # the last one of each host that is no stage, in words
        self._untested = ""  # why nothing was tested
        self._hosts: dict[str, Any] = {}
        self._declared: dict[str, tuple[ScriptletEntry, tuple[str, ...]]] = {}
        set_current(None)
        set_pending(None)

    def warn(self, text: str) -> None:
        """Show a warning. Where nobody can read it any more, what is left to do is still done."""
        with suppress(OSError):
            self._warn(text)

    def playbook_starts(self, playbook: Any) -> None:
        """Note all plays before the first of them starts: a run has several."""
        self._plays = playbook.get_plays()
        self._unfilled = make_params_data(self._plays)
        refuse(UsageError(NO_STAGE))
        set_pending(lambda: self.guarded(self._begin_early))

    def _begin_early(self) -> None:
        """Begin the run before its first play starts, whose hosts are found by the run itself."""
        first = next((play for play in self._plays if stage_tasks(play)), None)
        if first is not None:
            self.play_starts(first)

    def play_starts(self, play: Play) -> None:
        """Begin the run at its first play with stages; patterns and tags are resolved here, once for all plays.

        A play in batches starts once for each batch, with a copy of the play that has the same tasks.
        """
        if self.run is not None:
            self.run.play = play
        if self.run is not None or self.refused or not stage_tasks(play):
            return
        set_pending(None)
        self._variables = play.get_variable_manager()
        settings = project.load(self._variables.extra_vars)
        plays = [each for each in self._plays if stage_tasks(each)] or [play]
        self._checkpoints = checkpoints(self._plays or [play])
        if self.guard:
            self.guard.watch(self.interrupted)
        api = ansible_api_of(play)
        if settings.serve:
            start_server_and_store_writer.check_packages()
        self.run = run = _begun(plays, settings, api)
        self._hosts = {name: self._variables._inventory.get_host(name) for name in run.hosts}
        write_snapshot(run, plays, self._hosts)
        run.left_out.update(name for each in plays for name in select_by_tags(each))
        run.delegates.find = delegate_finder(plays, api)
        run.play, run.verdicts = play, judged_stages(plays)
        look_less_often()
        stages = [*run_in_one_process(run, plays, api)]
        run.together = {stage.id: stage.as_written for stage in stages if not stage.why}
        run.between = dict(run_between_hosts(plays))
        if self.guard:
            self.guard.most_hosts = len(run.hosts) if run.together or run.between else 1
        for stage in stages:
            self._detail(f"rack.recipes.recorder: {stage}")
        set_current(run)
        self.echo = JournalEcho.begin(run.path, self.show)
        misspelt = misspelt_variables(self._plays or plays, run.hosts, api)
        for text in (*start_warnings(run, self._hosts.values()), *map(UNFILLED.format, self._unfilled), *misspelt):
            self._record_warning(run, text)
        self._find_cached(run)
        self._set_facts(run, run.hosts)
        if settings.serve:
            start_server_and_store_writer.start_server(run)
        self.store_writer = StoreWriterClient(run)
        if run.inputs.group:
            self.store_writer.flush_soon()  # the group knows of this part, even if its controller is killed
        fill_caches()
        gc.freeze()  # a search for garbage in what Ansible has loaded would copy that memory in each worker

    def _record_warning(self, run: Run, text: str) -> None:
        """Show a warning and write it to the journal: few look at what Ansible prints."""
        self.warn(f"rack.recipes.recorder: {text}")
        append(run.path, [{"kind": "warning", "time": now(), "text": text}])

    def _find_cached(self, run: Run) -> None:
        """Look up cached results. A store that is away does not hold up the run: every step is run then."""
        try:
            cached = cached_offers(run.settings.db, run.steps.values())
        except StoreError as error:
            self._record_warning(run, f"nothing cached is used: {error}")
        else:
            run.reusable.cached = cached

    def task_starts(self, task: Task) -> None:
        """Before Ansible forks the workers: make the payload that all of them send, or bring the store up to date."""
        if self.store_writer is None or self.run is None:
            if task.resolved_action == STAGE and not self.refused:
                raise UsageError(UNPLANNED)
            return
        if task.resolved_action == STAGE and task._uuid in self.run.stages:
            if self.run.meeting:
                self._meet(self.run, self.run.meeting, task)
            steps = unpack_steps(task.args["steps"])  # an earlier batch has packed them
            self._prepare(self.run, steps)
            task.args = {**task.args, "steps": pack_steps(steps)}
        elif task.resolved_action in (FLUSH, REPORT):
            self._catch_up(self.run)
            if self._is_behind_stages(self.run, task):
                self._stages_are_over()
                self._complete(self.run)
            elif not self.run.missing():
                self._end(self.run)
            self.run.stored = self.store_writer.flush()

    def _is_behind_stages(self, run: Run, task: Task) -> bool:
        """Whether no stage follows a task on any host: other hosts may be at an earlier task, or in a later batch."""
        if is_checkpoint(task, self._checkpoints):
            return False
        here = {int(stage.args["number"]) for stage in stage_tasks(run.play)}
        waiting = {host for step, host in run.missing() if step.stage in here}
        if run.play.strategy in STRATEGIES:
            waiting -= {RUN_HOST, *(host.name for host in self._variables._inventory.get_hosts())}  # those of the batch
        return not waiting

    def _meet(self, run: Run, meeting: GroupMeeting, task: Task) -> None:
        """Meet the other parts of the group before a stage that needs them."""

        def is_ending() -> bool:
            return bool(self.guard and self.guard.is_ending)

        self._catch_up(run)
        meeting.begin_behind_canary(run, task._uuid, is_ending)
        meeting.begin_stage(run, int(task.args["number"]), is_ending)
        self._catch_up(run)
        self._set_facts(run, run.context.changed_hosts())

    def _tell_group(self, tell: Callable[..., str], run: Run, *about: Any) -> None:
        """Tell the other parts something. Where that is not possible, they find out that this part is gone."""
        if problem := tell(run, *about):
            self._record_warning(run, f"the other parts of the group were not told: {problem}")

    def _prepare(self, run: Run, steps: Sequence[Any]) -> None:
        if run.reusable.earlier is not None:
            run.reusable.earlier.catch_up()  # with what workers have collected
        scriptlets = [step for step in steps if step.get("type") != ANSIBLE]
        if not scriptlets:  # imported here once, and not in each worker
            import rack_recipes.run.stage.ansible_module_step  # noqa: F401
        with suppress(RackError):  # the stage of each host reports it
            folders = tuple(map(Path, run.settings.scriptlets))
            prepare(scriptlets, folders, run.inputs.recipe)
            self._declared.update(declared_keys(scriptlets, folders))

    def task_failed(self, result: object) -> None:
        """The same; where Ansible could not even begin the task, its result itself does not say that it failed."""
        self.task_ended(result, has_failed=True)

    def task_ended(self, result: Any, *, has_failed: bool = False) -> None:
        """Follow the journal after each host's stage: the first host's next task has its variables early."""
        if self.run is None:
            return
        if result.task._uuid in self.run.together:
            self._together_ended(self.run, result, has_failed=has_failed)
            return
        if result.task.resolved_action != STAGE:
            if has_failed and result.task.resolved_action == VERDICT:
                self.run.failed_verdicts[str(result.result.get("msg", ""))] = None
            if (has_failed and not result.task.ignore_errors) or result.result.get("unreachable"):
                self._failed_tasks[result.host.name] = failed_task(result)
            return
        host = RUN_HOST if result.task.run_once else result.host.name
        number = int(result.task.args["number"])
        group = self.run.delegates.of(number, host)
        is_bad = has_failed or result.result.get("failed") or result.result.get("unreachable")
        is_planned = result.task._uuid in self.run.stages
        text = str(result.result.get("msg", ""))
        bad = dict.fromkeys(group.hosts if group else [host], text) if is_bad and is_planned else {}
        self._stage_ended(self.run, number, result.result, bad)
        if self.run.meeting:
            self._tell_group(self.run.meeting.stage_ended, self.run, number)

    def _together_ended(self, run: Run, result: Any, *, has_failed: bool) -> None:
        """The same for a stage that one process has run on all of its hosts."""
        number, told = int(result.task.args["number"]), result.result
        planned = {host for step in run.steps.values() if step.stage == number for host in step.hosts}
        gone = {RUN_HOST, *getattr(run.play, "_removed_hosts", ())}
        batch = [host.name for host in self._variables._inventory.get_hosts()]  # Ansible restricts it to these
        hosts = [host for host in batch if host in planned - gone]
        is_known = NOT_PASSED in told and UNRECORDED not in told  # else the task itself has failed, for all hosts
        bad = told[NOT_PASSED] if is_known else dict.fromkeys(hosts if has_failed else (), str(told.get("msg", "")))
        for python, found in (told.get(PYTHONS) or {}).items():
            for host in found:
                self._variables.set_host_facts(host, {FACT: python})
        recap = Recap()
        first = result.host.name
        recap.count({host for host in hosts if host != first}, "ok")
        recap.count(bad.keys() - {first}, "ignored")
        if has_failed and first not in bad:
            recap.take_back(first, "ignored")
        self._stage_ended(run, number, told, bad)

    def _stage_ended(self, run: Run, number: int, told: Mapping[str, object], bad: Mapping[str, str]) -> None:
        """Follow the journal. `told` is the result of a task, `bad` has the hosts that did not pass, and why."""
        self._messages.update({(number, host): missing_on_controller(text) or text for host, text in bad.items()})
        if told.get(UNRECORDED) and not run.unwritable:
            text = str(told["msg"])
            run.unwritable = missing_on_controller(text) or text
            self._fail(run.unwritable)
        self._catch_up(run)
        for host in () if run.unwritable else bad:
            self._record_unbegun(run, number, host)
        self._set_facts(run, run.context.changed_hosts())

    def _record_unbegun(self, run: Run, number: int, host: str) -> None:
        """Give the steps of a stage that failed before it began their verdict now: other hosts may wait for it.

        It fails so where a variable of its `delegate_to` is not defined.
        """
        ended, steps = run.results.ended, run.steps.values()
        open_steps = [step for step in steps if step.stage == number and (step.name, host) not in ended]
        missing = [self._missing_result(run, step, host) for step in open_steps if host in step.hosts]
        if missing:
            self._record(run, missing)

    def task_skipped(self, result: Any) -> None:
        """Record the steps that a condition of a stage task leaves out on a host."""
        if self.run is None or result.task._uuid not in self.run.stages or "false_condition" not in result.result:
            return
        number, hosts = int(result.task.args["number"]), (result.host.name, RUN_HOST)
        reason = self.run.hidden(f"left out by its task: when: {result.result['false_condition']}")
        missing = [(step, host) for step, host in self.run.missing() if step.stage == number and host in hosts]
        self._record(
            self.run,
            [missing_result(step.stage, step.name, host, "skipped", reason, blocks=False) for step, host in missing],
        )
        if self.run.meeting:
            self._tell_group(self.run.meeting.stage_ended, self.run, number)

    def _record(self, run: Run, records: Iterable[dict[str, object]]) -> None:
        append(run.path, records)
        self._catch_up(run)

    def _catch_up(self, run: Run) -> None:
        """Fold what the journal gained, and append the records that follow from it, until none follow."""

        def show(record: Mapping[str, object]) -> None:
            for line in log_record_lines(record, run.run_id):
                self.show(line)

        run.catch_up(show)
        while more := run.to_append():
            append(run.path, more)
            run.catch_up(show)

    def exit_code(self, *, has_failed: bool = False) -> int | None:
        """End the run of a playbook; returns the exit code to end with, None to leave Ansible's own.

        `has_failed` says whether that is another than 0, since a host has failed.
        """
        self._stages_are_over()
        code: int | None = self.guarded(self._finish)
        if self.echo:
            self.echo.end()
        if self.guard:
            self.guard.release()
        code = StoreError.exit_code if code is None and self.failures else code
        if code is None and self._untested and not has_failed and not chose_other_tasks(self._plays):
            code = EXIT_CODES["failed"]
        self._reset()
        return code

    def _stages_are_over(self) -> None:
        if self.guard:
            self.guard.only_storing()

    def _finish(self) -> int | None:
        if self.run is None or self.store_writer is None:
            return self.refused or None
        self._attempt(self._complete, self.run)  # also after an error, what is in the journal is stored
        return self._store_and_tell(self.run, was_interrupted=False)

    def _store_and_tell(self, run: Run, *, was_interrupted: bool) -> int | None:
        """Store what the journal has, and tell others of the end; returns the exit code of results that are not stored.

        Where nobody can be told, there is only a warning, also in the journal.
        """
        problem = self.store_writer.finish() if self.store_writer else "there was no time to open it"
        run.stored = "; ".join(filter(None, [problem, *self.failures]))
        if self._tell_end and (warning := self._tell_end(run, was_interrupted=was_interrupted)):
            with suppress(RackError, OSError):
                self._record_warning(run, warning)
        if not run.stored:
            return None
        self.warn(_not_stored(run, run.stored))
        return StoreError.exit_code

    def interrupted(self, number: int) -> None:
        """Close the run of a playbook that ends early, by the signal with that number or, with 0, by a fault."""
        self.guarded(self._close_interrupted, number)
        if self.echo:
            self.echo.end()

    def _close_interrupted(self, number: int) -> None:
        if self.run is not None:
            is_whole = self._attempt(self._end_interrupted, self.run, number)
            self._store_and_tell(self.run, was_interrupted=not is_whole)

    def _end_interrupted(self, run: Run, number: int) -> bool:
        """End the run; returns whether the signal came when all that was planned had come to its own end."""
        self._catch_up(run)
        if number and not run.missing() and not any(was_cut_off(end._asdict()) for end in run.results.ended.values()):
            self._complete(run)
            return True
        self._note_ansible_warnings(run)
        stopped = run.stopped or ({"by": f"a signal ({signal.Signals(number).name})", "time": now()} if number else {})
        why = f"ended by {signal.Signals(number).name}" if number else "ansible-playbook ended early"
        why = f"{run.stopped['by']} has stopped the run" if run.stopped else why
        self._close_open(run, f"not run: {why}")
        code = BY_SIGNAL + number if number else EXIT_CODES[INTERRUPTED]
        end = _end_record(INTERRUPTED, code, counts_of(run))
        append(run.path, [{**end, "stopped": stopped} if stopped else end])
        return False

    def _complete(self, run: Run) -> None:
        """Give each planned step a verdict on each of its hosts, also where no result of it came; end the run."""
        self._catch_up(run)
        self._close_open(run)
        self._note_ansible_warnings(run)
        if not self._untested and not run.failed_verdicts and (why := why_untested(run, self._plays)):
            self._untested = why
            self._record_warning(run, run.hidden(why))
        passed = {cell.step for cell, end in run.results.ended.items() if end.verdict == "passed"}
        for text in undeclared_keys(self._declared, run.written, passed) if not self._ended_with else ():
            self._record_warning(run, run.hidden(text))
        self._end(run)

    def _note_ansible_warnings(self, run: Run) -> None:
        """Write to the journal what Ansible has warned of, once: nothing is written behind the end of a run."""
        if not self._ended_with:
            for text in run.failed_verdicts if status_of_results(run) == "passed" else ():
                append(run.path, [{"kind": "warning", "time": now(), "text": run.hidden(text)}])
            found = ansible_warnings(run.folder / ANSIBLE_LOG, run.hosts)
            append(run.path, [{"kind": "warning", "time": now(), "text": run.hidden(text)} for text in found])

    def _close_open(self, run: Run, why: str = NO_RESULT) -> None:
        """Give each planned step without a verdict one, and leave the group."""
        self._record(run, [self._missing_result(run, step, host, why) for step, host in run.missing()])
        if run.meeting:
            self._tell_group(run.meeting.leave, run)

    def _missing_result(self, run: Run, step: RunStep, host: str, why: str = NO_RESULT) -> dict[str, Any]:
        if step.name in run.left_out:
            return missing_result(step.stage, step.name, host, "skipped", LEFT_OUT, blocks=False)
        failed = self._failed_tasks.get(host, "") if why == NO_RESULT else ""
        reason = run.hidden(self._messages.get((step.stage, host)) or f"{why}{failed}")
        return missing_result(step.stage, step.name, host, "error", reason, blocks=not step.optional)

    def _end(self, run: Run) -> None:
        """Append the end record; again where the verdicts have changed since. The report, written later, shows it."""
        counts, status = counts_of(run), run_status(run)
        if counts and (counts, status) != self._ended_with:
            append(run.path, [_end_record(status, EXIT_CODES[status], counts)])
            self._ended_with = (counts, status)

    def _set_facts(self, run: Run, hosts: Iterable[str]) -> None:
        """Set each host's context as `ansible_facts.rack_recipes`, whole: a fact cache may hold an older run's."""
        for name in hosts:
            if name in self._hosts:
                keys = {key: value for key, (_version, value) in run.context.held(name).items()}
                facts = {"rack_recipes": {"run_id": run.run_id, "context": keys}}
                self._variables.set_host_facts(name, facts)

    def guarded(self, call: Callable[..., Any], *args: Any) -> Any:
        """Call a method; returns what it returns, None after an error, which is noted and shown.

        Ansible would only warn of an exception in a callback, and end with exit code 0.
        """
        with self.guard.uninterrupted() if self.guard else nullcontext():
            return self._attempt(call, *args)

    def _attempt(self, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return call(*args)
        except RackError as error:
            if self.run is None and error.exit_code == UsageError.exit_code:
                self._refuse(error)
            else:
                self._fail(str(error))
        except Exception as error:  # whatever it is, the run must not look recorded
            self._fail(f"{type(error).__name__}: {error}")
        return None

    def _refuse(self, error: RackError) -> None:
        self.refused = error.exit_code
        refuse(error)
        self.warn(f"{REFUSED}{'; '.join(str(error).splitlines())}")

    def _fail(self, text: str) -> None:
        if text not in self.failures:
            self.failures.append(text)
        if self.run is not None:
            self.run.stored = text
        self.warn(f"rack.recipes.recorder: {text}")


def _begun(plays: Sequence[Play], settings: project.Settings, api: AnsibleApi) -> Run:
    """The run that has begun. Raises RackError as `begin_run` does, and UsageError where nothing can be written."""
    try:
        return begin_run(plays, settings, api)
    except EmptyPartError as error:
        if problem := StoreWriterClient(error.run).finish():
            raise UsageError(f"{error}; but {_not_stored(error.run, problem)}") from None
        raise
    except OSError as error:
        raise UsageError(f"no run can be recorded: {error.filename or settings.runs}: {error.strerror}") from error
    except JournalError as error:
        raise UsageError(f"no run can be recorded: {error}") from error


def _end_record(status: str, code: int, counts: Mapping[str, int]) -> dict[str, Any]:
    return {"kind": "end", "time": now(), "status": status, "exit_code": code, "counts": counts}


def _not_stored(run: Run, problem: str) -> str:
    where = run.path.absolute()
    if run.unwritable:
        more = f"what is not in {where} is kept by the hosts for a day: rack-recipes run --resume {run.run_id}"
        return f"{NOT_IN_STORE} ({problem}); {more}"
    return f"{NOT_IN_STORE} ({problem}); they are safe in {where}: rack-recipes flush {run.run_id}"

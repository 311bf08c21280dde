# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a step that is a module or an action of Ansible's, by the executor in Ansible's worker.

And refuse scriptlets on a network device, which starts no programs: steps that would start there are errors instead.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn, TextIO

import ansible.release
from ansible import constants
from ansible.errors import AnsibleAction, AnsibleActionFail, AnsibleActionSkip, AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import transform_to_native_types

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LONGEST_MESSAGE
from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import Launcher
from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import StageRun
from rack_recipes.errors import CatalogError
from rack_recipes.recipe.recipe_model import ResultPart
from rack_recipes.recipe.steps_to_and_from_data import parts_written
from rack_recipes.run.current_run import Run
from rack_recipes.run.delegates import needs_delegate
from rack_recipes.run.host.host_answer import HostAnswer, refusal
from rack_recipes.run.host.host_request import PayloadFiles, Program, Request
from rack_recipes.run.host.module_answers import (
    AnswerRules,
    answer_rules,
    missing_on_controller,
    part_of,
    readable,
    unknown_module,
)
from rack_recipes.run.host.project_files import check_pinned, digest_of, is_pinned
from rack_recipes.run.host.remote_executor import USUAL_TMP
from rack_recipes.run.missing_results_and_artifacts import FOLDER
from rack_recipes.run.stage.host_stage_request import HostStage, request_of
from rack_recipes.run.trust.trust_request import file_run_by_module, in_project

Result = dict[str, Any]
Emit = Callable[[dict[str, Any]], None]
NORMAL = "ansible.legacy.normal"
FILE_PROBLEMS = ("temporary directory", "No space left", "failed to transfer file", "failed to open file")
PROBE = 'f={folder}/probe-$$; mkdir -p "$f" && head -c 65536 /dev/zero >"$f/x"; s=$?; rm -rf "$f"; exit $s'
VERDICTS = ("unreachable", "failed", "skipped")  # fields of a result; the first that is true is the verdict
EARLY_ENDS = {"failed": AnsibleActionFail, "skipped": AnsibleActionSkip}


def as_module(stage: HostStage, *, secret: bool) -> Program:
    """The program of the step: the executor calls it in a child process, which uses the connection of the stage's task.

    With `secret` the module logs none of its arguments on the host.
    """
    action = stage.action
    all_rules = answer_rules(stage.run.settings.module_errors)

    def program(step: Mapping[str, Any], payload_files: PayloadFiles) -> Result:
        payload_files.digests.update(_files(step.get("args") or {}))
        name, parts = str(step["module"]), parts_written(step.get("writes"))
        rules = all_rules.of(_names(action, name))

        def run(params: Result, ctx: ContextView) -> tuple[str, str]:
            if not _is_known(action, name):
                return "error", unknown_module(name)
            handler = _handler(action, name, params, secret=secret)
            if unlocked := _unlocked(handler, name, params):
                return "error", unlocked
            result = _to_json(_execute(handler, stage.task_vars))
            verdict = next((word for word in VERDICTS if result.get(word)), "passed")
            said = rules.error_in(result) if verdict == "passed" else ""
            missing = "" if verdict == "skipped" else _set_parts(ctx, parts, result)
            if verdict == "passed" and missing and not said:
                return "error", missing
            return ("failed", said) if said else (verdict, _reason(result))

        def call(params: Result, ctx: ContextView, emit: Emit) -> NoReturn:
            _leave_ansible(action)
            verdict, reason = _verdict(lambda: run(params, ctx), action)
            missing = missing_on_controller(reason)
            if missing:
                verdict, reason = "error", missing
            elif verdict in ("failed", "error") and stage.tests_from_outside and rules.is_unreachable(reason):
                verdict = "unreachable"
            sys.stdout.flush()
            sys.stderr.flush()
            emit({"kind": "ending", "verdict": verdict, "reason": reason[:LONGEST_MESSAGE]})
            os._exit(verdict not in ("passed", "skipped"))

        digest = _digest(action, name, rules, parts)
        return {"kind": "call", "call": call, "options": None, "reads": [], "digest": digest}

    return program


def _set_parts(ctx: ContextView, parts: tuple[ResultPart, ...], result: Result) -> str:
    """Set each key to its part of a result; returns why some have none, empty where all have."""
    missing = []
    for part in parts:
        try:
            ctx.set(part.key, part_of(result, part))
        except ValueError as error:
            missing.append(f"{part.key}: {error}")
    return "; ".join(missing)


def _names(action: ActionBase, name: str) -> tuple[str, ...]:
    """The name of a module as the recipe has it, and its full name."""
    found = action._shared_loader_obj.module_loader.find_plugin_with_context(name)
    return name, str(found.resolved_fqcn or name)


def _is_known(action: ActionBase, name: str) -> bool:
    """Whether there is a module or an action of this name: where none is, a network OS would run another action."""
    loaders = action._shared_loader_obj
    return bool(loaders.module_loader.find_plugin_with_context(name).resolved or loaders.action_loader.has_plugin(name))


def _leave_ansible(action: ActionBase) -> None:
    """Send what Ansible shows to the step's own output, and find files by paths relative to the project.

    Ansible's queue of what workers show has a lock, which a child that is killed would keep.
    """
    Display()._final_q = None
    action._loader.set_basedir(str(Path.cwd()))
    sys.stdout, sys.stderr = map(_stream, (1, 2))


def _stream(number: int) -> TextIO:
    return os.fdopen(number, "w", 1, errors="backslashreplace", closefd=False)


def _verdict(run: Callable[[], tuple[str, str]], action: ActionBase) -> tuple[str, str]:
    try:
        return run()
    except AnsibleError as error:
        return _verdict_of_error(error, action)
    except BaseException as error:  # a plugin may raise anything, and nothing else catches it here
        traceback.print_exc()
        return "error", f"{type(error).__name__}: {error}"


def _verdict_of_error(error: AnsibleError, action: ActionBase) -> tuple[str, str]:
    """Verdict and reason where Ansible raised an error instead of running the module to its end."""
    text = str(error)
    if any(sign in text for sign in FILE_PROBLEMS):
        problem = _folder_problem(action)
        if problem:
            return "error", problem
    refused = refusal(error)
    if refused:
        return "error", refused
    if isinstance(error, AnsibleConnectionFailure):
        return "unreachable", f"{text.rstrip()} ssh did not say why" if text.rstrip().endswith("ssh:") else text
    traceback.print_exc()
    return "error", f"{type(error).__name__}: {text}"


def _folder_problem(action: ActionBase) -> str:
    """Why Ansible cannot put files into its temporary folder, which its own error says only with -vvv; else empty."""
    try:
        folder = action._remote_expand_user(str(action.get_shell_option("remote_tmp", default=USUAL_TMP)), False)
        done = action._low_level_execute_command(PROBE.format(folder=shlex.quote(folder)), sudoable=False)
    except AnsibleError:
        return ""
    message = (str(done["stderr"]).strip() or str(done["stdout"]).strip()).rpartition("\n")[2].rpartition(": ")[2]
    return f"the temporary folder {folder} of Ansible's modules cannot be used: {message}" if done["rc"] else ""


def _handler(action: ActionBase, name: str, params: Result, *, secret: bool) -> ActionBase:
    """The action plugin that runs a module, chosen as Ansible does it for a task."""
    task = action._task.copy()
    task.action, task.args = name, params
    if secret:
        task.no_log = action._play_context.no_log = True  # at -vvv Ansible shows what a module answers
    loaders = action._shared_loader_obj
    return loaders.action_loader.get(
        _handler_name(name, loaders),
        task=task,
        connection=action._connection,
        play_context=action._play_context,
        loader=action._loader,
        templar=action._templar,
        shared_loader_obj=loaders,
    )


def _handler_name(name: str, loaders: Any) -> str:
    module = loaders.module_loader.find_plugin_with_context(name)
    if module.resolved and module.action_plugin:
        return str(module.action_plugin)
    collection, dot, last = name.rpartition(".")
    group = last.split("_")[0]  # network modules share an action plugin
    names = [name, *([f"{collection}{dot}{group}"] if group in constants.NETWORK_GROUP_MODULES else [])]
    return next((each for each in names if loaders.action_loader.has_plugin(each)), NORMAL)


def _unlocked(handler: ActionBase, name: str, params: Result) -> str:
    """Why the lock file does not allow the file that a module runs; empty where it does, and without a lock file."""
    file, folder = file_run_by_module(name, params)
    if not file or not is_pinned():
        return ""
    try:
        path = str(handler._find_needle(folder, file))
        check_pinned(in_project(path), Path(path).read_bytes(), required=True)
    except CatalogError as error:
        return str(error)
    except (AnsibleError, OSError):  # the module itself says so
        return ""
    return ""


def _execute(handler: ActionBase, task_vars: Mapping[str, object]) -> Result:
    try:
        found: Result = handler.run(task_vars=task_vars)
    except AnsibleAction as error:  # a plugin ended early; in newer versions the result does not say how
        found = {**{word: True for word, kind in EARLY_ENDS.items() if isinstance(error, kind)}, "msg": str(error)}
        found |= error.result
    finally:
        handler.cleanup()
    return found


def _files(args: Mapping[str, object]) -> dict[str, str]:
    """The digest of the project's file that `src` names; files that Ansible finds elsewhere have none."""
    src = args.get("src")
    exists = isinstance(src, str) and Path(src).is_file()
    return {str(src): digest_of(Path(str(src)))} if exists else {}


def _to_json(result: Result) -> Result:
    """The result as JSON values, without Ansible's own fields."""
    native = transform_to_native_types(result)
    fields = {key: value for key, value in native.items() if key != "invocation" and not key.startswith("_ansible_")}
    for empty in [name for name in ("warnings", "deprecations") if not fields.get(name)]:
        fields.pop(empty, None)
    converted: Result = json.loads(json.dumps(fields, default=str))
    return converted


def _reason(result: Result) -> str:
    return readable(str(result.get("msg") or result.get("skip_reason") or result.get("skipped_reason") or ""))


def _digest(action: ActionBase, name: str, rules: AnswerRules, parts: tuple[ResultPart, ...]) -> str:
    """The digest of the module's and the action plugin's files, of Ansible's version, and of how results are read."""
    loaders = action._shared_loader_obj
    found = (
        loaders.module_loader.find_plugin_with_context(name),
        loaders.action_loader.find_plugin_with_context(_handler_name(name, loaders)),
    )
    digest = sha256(f"{name} {ansible.release.__version__}".encode())
    for each in found:
        if each.resolved:
            digest.update(Path(each.plugin_resolved_path).read_bytes())
    if rules.errors:
        digest.update(repr((rules.errors, rules.no_errors)).encode())
    if not all(part.is_whole for part in parts):
        digest.update(repr(parts).encode())
    return f"sha256:{digest.hexdigest()}"


def run_here(request: Request, run: Run, halted: Callable[[], str], *, check: bool) -> HostAnswer:
    """Run a stage by the executor in this process; the answer has its records, as the answer of a host would.

    `halted` returns why the steps must stop, empty where they may go on. With `check` the steps block no others:
    Ansible skips a module that has no check mode.
    """
    records: list[Result] = []
    with TemporaryDirectory(dir=run.folder) as folder:
        work = str(Path(folder).absolute())
        _unpack(request, work)
        launcher = Launcher(request.message, work, work, str(run.folder.absolute() / FOLDER))
        StageRun(request.message, launcher, records.append, lambda: not halted(), halted).run()
    for n, record in enumerate(records, start=1):
        record["n"] = n
        if check:
            record.pop("blocks", None)
    return HostAnswer("ended", 0, tuple(records), concealed=tuple(launcher.secrets.entries))


def _unpack(request: Request, work: str) -> None:
    """Unpack the files of hooks where the executor looks for them; Python finds modules there, too.

    `sys.path` is not restored: this process runs only one task.
    """
    for name, path in request.files:
        target = Path(work, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    sys.path.insert(0, work)


def refuse_network_device(stage: HostStage, halted: Callable[[], str]) -> HostAnswer:
    """The answer to a stage of scriptlets for a network device. `halted` returns why the steps must stop, or empty."""
    reason = needs_delegate(str(stage.action._connection.ansible_name))
    message = request_of(stage, None).message
    steps = [{**step, "invalid": step.get("invalid", reason)} for step in message["steps"]]
    request = Request({**message, "steps": steps, "locks": {}, "check": False}, ())
    return run_here(request, stage.run, halted, check=stage.is_check)

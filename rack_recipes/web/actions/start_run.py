# SPDX-License-Identifier: GPL-3.0-or-later

"""Start a recipe of the project, by a form made from its parameters: `rack-recipes run` as a process of its own.

Pages tell what became of it, and what else was done by pages.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.rack.recipes.plugins.module_utils.file_descriptors import in_memory
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from rack_recipes import settings
from rack_recipes.errors import UsageError
from rack_recipes.integrations.awx.survey import CHOICE, PASSWORD, TEXT, TEXTAREA, question_of
from rack_recipes.private_files import FILE_MODE, make_private
from rack_recipes.recipe.load import load
from rack_recipes.recipe.param_values import KINDS, MASK, WrongError, unknown_params, value_of, values_of_params
from rack_recipes.recipe.recipe_model import Param
from rack_recipes.report.table_model import Column
from rack_recipes.run.launcher.ansible_playbook import names_hosts
from rack_recipes.run.processes import MADE, RUN_ID, STARTED_BY, new_run_id
from rack_recipes.run.start_python import CALL, PYTHON, python_environment
from rack_recipes.server.access.caller import OPERATOR
from rack_recipes.server.problems import Problem
from rack_recipes.web.actions.action_log import log_action, log_path, log_refusals, read_log
from rack_recipes.web.page_model import (
    Asked,
    Field,
    Form,
    FormError,
    NoSuchPageError,
    Page,
    Section,
    page_address,
    table,
)
from rack_recipes.web.sign_in import FIELD

if TYPE_CHECKING:
    from rack_recipes.recipe.gallery.entry_and_search import GalleryEntry
    from rack_recipes.web.page_source import PageSource
OF_PARAM = "param."  # before the name of a parameter, in the name of its field
KIND_OF = {TEXT: "text", TEXTAREA: "area", PASSWORD: "password", CHOICE: "choice"}  # all others are numbers
STEP_OF = {"integer": "1", "float": "any"}
LOGS = "server/starts"  # beside the folder of runs
MOST_STARTED = 4  # runs that pages have started and that go on
LIMIT = "limit"
LONGEST_LIMIT = 500  # characters
PATTERN = re.compile(r"[\w.,:!&*?~^$+()|\[\]\\ -]*")  # names of hosts and groups, regular expressions behind `~`
PARTS = re.compile(r"[,:!&\s]+")
NO_PATTERN = (
    f"expected a pattern of hosts, at most {LONGEST_LIMIT} characters: names and groups, and , : ! & * ? [ ] between "
    "them; no @FILE, no path, no option, no template"
)
ROOM = 2**20  # bytes: less than a run writes at its begin
SHOWN = 20_000  # bytes of a log, from its end
ALLOW = "`serve --web --allow-run` starts those in the folder recipes/ of its project: ask who runs the server"
AGAIN = 2  # seconds until the page of a start loads again
PROJECT = "project"


def start_form(source: PageSource, entry: GalleryEntry, asked: Asked) -> Form | None:
    """The form that starts a recipe of the project. Raises RecipeErrors.

    It is None for other recipes, without --allow-run, and for those who may not.
    """
    if not source.may_run or entry.source != PROJECT or not asked.caller.has_role(OPERATOR):
        return None
    fields = [_field(param, asked) for param in _params(entry, _secret_names()).values()]
    limit = Field(LIMIT, "Only on these hosts", value=asked.form.get(LIMIT, ""), about="a pattern of Ansible's without "
                  "@FILE; empty for all of the recipe", error=asked.errors.get(LIMIT, ""))  # fmt: skip
    where = ", ".join(source.inventory) or "the inventory of the project"
    return Form("start", "Start it", page_address("recipes", entry.name, "runs"), "Start this recipe",
                f"It runs on {where}.", [*fields, limit], asked.errors.get("", ""))  # fmt: skip


def _secret_names() -> SecretNames:
    return SecretNames(settings.load().secret_keys)


def _params(entry: GalleryEntry, names: SecretNames) -> dict[str, Param]:
    """The parameters of a recipe; those with the name of a secret are secret, too."""
    found = load(str(entry.path)).params
    return {name: replace(param, secret=param.secret or names.match(name)) for name, param in found.items()}


def _field(param: Param, asked: Asked) -> Field:
    """The field of a parameter, from the same question that AWX asks for it."""
    question = question_of(param)
    name, kind = f"{OF_PARAM}{param.name}", KIND_OF.get(question["type"], "number")
    choices = [(one, one) for one in question.get("choices", ())]
    limits: dict[str, str] = {word: str(question[word]) for word in ("min", "max") if word in question}
    step = STEP_OF.get(question["type"])
    given = asked.form.get(name, str(question.get("default", "")))
    return Field(
        name,
        question["question_name"],
        kind,
        "" if kind == "password" else given,
        question["question_description"],
        asked.errors.get(name, ""),
        param.required,
        choices if param.required else [("", "the recipe's default"), *choices],
        {**limits, **({"step": step} if step else {})},
    )


def start(source: PageSource, entry: GalleryEntry, asked: Asked) -> Page:
    """Start a recipe; the run's record says who did it. Raises FormError, RecipeErrors, Problem."""
    limit = asked.form.get(LIMIT, "").strip()
    about = {"recipe": str(entry.path), "limit": limit[:LONGEST_LIMIT]}
    with source.starting:  # so that of several at once no more begin than may
        with log_refusals(log_path(source.runs), asked.caller, "start", about):
            _check(source, entry)
            names = _secret_names()
            declared = _params(entry, names)
            given = _given(declared, asked.form)
        run_id = new_run_id()
        public = {name: MASK if declared[name].secret else value for name, value in given.items()}
        shown = names.mask_named(public, [])
        with log_action(log_path(source.runs), asked.caller, "start", {**about, "run": run_id, "params": shown}):
            _launch(source, entry, run_id, given, limit, asked.caller.name)
    return Page(
        "Start",
        moved_to=page_address("starts", run_id),
        data={"run_id": run_id, "address": page_address("runs", run_id)},
    )


def _check(source: PageSource, entry: GalleryEntry) -> None:
    """Raise Problem where nothing can be started, or not now."""
    if not source.may_run or entry.source != PROJECT:
        why = f"{entry.name} is not a recipe of this project" if source.may_run else "this server starts no runs"
        raise Problem("not-allowed", why, ALLOW)
    if len(source.running()) >= MOST_STARTED:
        raise Problem(
            "too-many", f"{MOST_STARTED} runs that pages have started go on", "wait until one has ended, or stop one"
        )
    for folder in (source.runs, source.runs.parent / LOGS):
        _check_room(folder)


def _check_room(folder: Path) -> None:
    """Raise Problem for a folder on a full disk: a run that is started there could not even say so."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    disk = os.statvfs(there)
    if disk.f_bavail * disk.f_frsize < ROOM or (disk.f_files and not disk.f_favail):
        raise Problem(
            "disk-full", f"{folder}: the disk has no room for a run", f"make room on the disk of {there.absolute()}"
        )


def _given(declared: Mapping[str, Param], form: Mapping[str, str]) -> dict[str, Any]:
    """The values of the parameters that a form has, of their types. Raises FormError, by the names of its fields."""
    texts = {name.removeprefix(OF_PARAM): text for name, text in form.items() if name.startswith(OF_PARAM) and text}
    errors = {"": "; ".join(wrong)} if (wrong := [*unknown_params(declared, texts)]) else {}
    others = (name for name in form if name not in (LIMIT, FIELD) and not name.startswith(OF_PARAM))
    errors |= dict.fromkeys(others, "this form has no such field")
    errors |= {LIMIT: NO_PATTERN} if not _is_pattern(form.get(LIMIT, "").strip()) else {}
    found: dict[str, Any] = {}
    for name, param in declared.items():
        if name not in texts:
            errors |= {f"{OF_PARAM}{name}": f"expected {KINDS[param.type]}, got nothing"} if param.required else {}
            continue
        try:
            found[name] = value_of(param, texts[name], texts=True)
        except WrongError as error:
            errors[f"{OF_PARAM}{name}"] = str(error)
    if not errors:
        try:
            values_of_params(declared, found, texts=False)
        except UsageError as error:
            errors[""] = str(error)
    if errors:
        raise FormError(errors)
    return found


def _is_pattern(limit: str) -> bool:
    """Whether it can only mean hosts: Ansible reads a file for `@FILE`, and takes `-x` for an option."""
    return (
        (not limit or names_hosts(limit))
        and len(limit) <= LONGEST_LIMIT
        and bool(PATTERN.fullmatch(limit))
        and not any(part.startswith("-") for part in PARTS.split(limit))
    )


def _launch(
    source: PageSource, entry: GalleryEntry, run_id: str, given: Mapping[str, object], limit: str, who: str
) -> None:
    """Start the command. Its words are fixed; values go through memory, so that no process list shows them.

    Raises Problem.
    """
    path = _log(source.runs, run_id)
    try:
        make_private(path.parent)
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_APPEND, FILE_MODE)
    except OSError as error:
        raise Problem("cannot-write", f"{path.parent}: {error.strerror}", "see to that folder") from error
    values_of = in_memory(json.dumps(given, ensure_ascii=False).encode())
    hosts = [*(f"--inventory={one}" for one in source.inventory), *([f"--limit={limit}"] if limit else [])]
    words = ["run", str(entry.path), f"--param-file=/dev/fd/{values_of}", *hosts]
    env = {**python_environment(), RUN_ID: run_id, STARTED_BY: who, "RACK_RECIPES_DB": source.db}
    try:
        child = subprocess.Popen(
            [*PYTHON, "-c", CALL, *words], cwd=source.project, env=env, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, pass_fds=[values_of], start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(values_of)
        os.close(log)
    source.started[run_id] = child


def _log(runs: Path, run_id: str) -> Path:
    return runs.parent / LOGS / f"{run_id}.log"


def one_start(source: PageSource, asked: Asked) -> Page:
    """A run that a page has started, until it has a page of its own: what the command has said so far."""
    run_id = asked.names["run"]
    path = _log(source.runs, run_id)
    if not MADE.fullmatch(run_id) or not path.is_file():
        raise NoSuchPageError(f"no page has started a run {run_id[:80]}")
    child = source.started.get(run_id)
    code = child.poll() if child else None
    has_page = source.live(run_id) is not None or (code is not None and source.has_run(run_id))
    if has_page:
        return Page(
            "Start",
            moved_to=page_address("runs", run_id),
            data={"run_id": run_id, "address": page_address("runs", run_id)},
        )
    text = path.read_bytes()[-SHOWN:].decode("utf-8", "replace")
    goes_on = child is not None and code is None
    about = "It is starting; this page goes on to the run." if goes_on else f"It has ended with exit code {code}."
    if child is None:
        about = f"It was started before this server: /runs/{run_id} is its page."
    section = Section("said", "What the command has said", about, text=text or "nothing yet", open=True)
    data = {"run_id": run_id, "exit_code": code}
    return Page(f"Start of {run_id}", sections=[section], data=data, above=(("Runs", "/runs"),), again=AGAIN * goes_on)


ACTIONS = (
    Column("time", "When (UTC)", "time"),
    Column("who", "Who"),
    Column("role", "Role"),
    Column("action", "What"),
    Column("about", "With what"),
    Column("state", "How it ended"),
)


def list_actions(source: PageSource, asked: Asked) -> Page:
    """The last actions, the newest first."""
    rows = [
        {**row, "about": json.dumps(row.get("about"), ensure_ascii=False)} for row in read_log(log_path(source.runs))
    ]
    listed = table("actions", "Actions", ACTIONS, rows, {})
    about = "Each action has a line when it begins, and one when it has ended."
    return Page("Actions", sections=[Section("actions", "What was done by pages", about, listed)])

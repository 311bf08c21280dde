# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody wants to run, in the form that the policy and the lock file are checked against."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rack_recipes.context.merge_policies import hook_of, hooks_in
from rack_recipes.plan.compile.action_names import CONTROLLER
from rack_recipes.plan.plan_model import Plan
from rack_recipes.recipe.catalog.scriptlet_files import Candidate, drop_in_folders, find_candidates
from rack_recipes.recipe.param_values import is_open
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry
from rack_recipes.run.host.project_files import project_files, runs_files
from rack_recipes.run.trust.find_ansible_module import BUILTIN, LEGACY, full_name, names_of
from rack_recipes.settings import Settings

FOLDERS = {"script": "files", "template": "templates"}  # where Ansible looks first for what these modules run
RUN, DEBUG = "run", "debug"  # actions; DEBUG is also the folder of the command's recipes, beside the runs


@dataclass(frozen=True, slots=True)
class Use:
    """A scriptlet or Ansible module that runs as some user on some hosts.

    `become` is empty for the user who is logged in. `hosts` is None if the hosts are not known yet. `unsure` says why
    it may run as another user than `become`, and is empty if it cannot.
    """

    name: str
    become: str = ""
    hosts: tuple[str, ...] | None = None
    unsure: str = ""


@dataclass(frozen=True, slots=True)
class TrustRequest:
    """A recipe that is to be run with all that it uses, or for the action `debug` a single scriptlet.

    `digest` and `files` belong to the recipe; a playbook that was compiled earlier knows only the digest. `entries` are
    the scriptlets, including hooks. `modules` are the full names of Ansible modules. `merges` are the files of merge
    hooks. `suites` are the files of the project that scriptlets run, by what names them.
    """

    action: str
    recipe: str = ""
    uses: tuple[Use, ...] = ()
    digest: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    entries: tuple[ScriptletEntry, ...] = ()
    modules: tuple[str, ...] = ()
    merges: tuple[Candidate, ...] = ()
    suites: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)


def request_of_plan(plan: Plan, settings: Settings) -> TrustRequest:
    """Return the request for a run of a plan whose hosts are not known yet."""
    hooks = [planned.entry for planned in plan.hooks]
    users = dict.fromkeys(planned.become for planned in plan.steps)
    steps = [
        (name, planned.become)
        for planned in plan.steps
        for name in ((planned.entry.name,) if planned.entry else names_of(planned.module))
    ]
    serving = [(each.serve.entry, each.become) for each in plan.steps if each.serve and each.serve.entry]
    steps += [(entry.name, become) for entry, become in serving]
    uses = dict.fromkeys([*steps, *((entry.name, become) for entry in hooks for become in users)])
    entries = [planned.entry for planned in plan.steps if planned.entry is not None]
    entries += [entry for entry, _become in serving]
    merges = merge_hooks((*plan.recipe.merge.items(), *settings.merge), settings)
    return TrustRequest(
        action=action_on(plan.recipe.path, settings),
        recipe=plan.recipe.path,
        uses=(*(Use(*use) for use in uses), *uses_of_merge_hooks(merges)),
        digest=plan.recipe.digest,
        files=plan.recipe.files,
        entries=distinct_entries([*entries, *hooks]),
        modules=tuple(dict.fromkeys(full_name(each.module) for each in plan.steps if each.entry is None)),
        merges=merges,
        suites=suites_of((planned.entry or planned.module, planned.args) for planned in plan.steps),
    )


def suites_of(users: Iterable[tuple[ScriptletEntry | str, Mapping[str, object]]]) -> dict[str, Mapping[str, Path]]:
    """The files that scriptlets or Ansible modules with these arguments run, by what names them.

    A path that a template or a reference decides is known only when it is sent. Raises UsageError where a file is not
    there, and CatalogError where it is not trusted.
    """
    found: dict[str, Mapping[str, Path]] = {}
    for user, args in users:
        if isinstance(user, str):
            name, files = user, _files_of_module(user, args)
        elif runs_files(user.options) and "{{" not in str(args.get("src")):
            name, files = user.name, project_files(args)
        else:
            continue
        if files:
            found[f"{args['src'] if isinstance(user, ScriptletEntry) else next(iter(files))} (run by {name})"] = files
    return found


def file_run_by_module(module: str, args: Mapping[str, object]) -> tuple[str, str]:
    """The file of the controller that an Ansible module runs, and the folder in which Ansible looks for it first.

    Both are empty where it runs none. `template` runs the Jinja in its file.
    """
    name = module.removeprefix(BUILTIN).removeprefix(LEGACY)
    try:
        words = shlex.split(str(args.get("_raw_params") or args.get("cmd") or "")) if name == "script" else ()
    except ValueError:  # Ansible says so
        words = ()
    files = {"script": next(iter(words), ""), "template": str(args.get("src") or "")}
    return files.get(name, ""), FOLDERS.get(name, "")


def _files_of_module(module: str, args: Mapping[str, object]) -> Mapping[str, Path]:
    """The file that a module runs, if it is there. Where a template decides it, the worker looks."""
    name, folder = file_run_by_module(module, args)
    places = (Path(folder, name), Path(name)) if name and not is_open(name) else ()
    return {in_project(str(place)): place.absolute() for place in [*filter(Path.is_file, places)][:1]}


def in_project(path: str) -> str:
    """Return a path relative to the project's folder, which is the current one; a path outside of it stays absolute."""
    whole = os.path.abspath(path)  # noqa: PTH100 - it keeps links, whose names people know
    return os.path.relpath(whole) if Path(whole).is_relative_to(Path.cwd()) else whole


def action_on(recipe: str, settings: Settings) -> str:
    """Return the action for a recipe: `debug` if the command `debug` has made it, otherwise `run`."""
    made_there = Path(recipe).resolve().parent == (Path(settings.runs).parent / DEBUG).resolve()
    return DEBUG if made_there else RUN


def merge_hooks(rules: Iterable[tuple[str, str]], settings: Settings) -> tuple[Candidate, ...]:
    """Return the files of the merge hooks that rules name; the run itself reports a missing file."""
    folders = drop_in_folders([*map(Path, settings.scriptlets)])
    names = [hook_of(policy).split(".") for policy in hooks_in(rules)]
    found = (
        [one for folder in folders for one in find_candidates(folder, name) if one.kind == "python"] for name in names
    )
    return tuple(files[0] for files in found if files)


def uses_of_merge_hooks(merges: Iterable[Candidate]) -> Iterator[Use]:
    """Yield the uses of merge hooks: they run on the controller."""
    return (Use(candidate.name, hosts=(CONTROLLER,)) for candidate in merges)


def distinct_entries(entries: Iterable[ScriptletEntry]) -> tuple[ScriptletEntry, ...]:
    """Return each scriptlet once, whichever of its classes is used: the lock file is about files."""
    return tuple({(entry.name, entry.kind): entry for entry in entries}.values())

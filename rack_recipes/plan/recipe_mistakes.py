# SPDX-License-Identifier: GPL-3.0-or-later

"""Mistakes and notices of a recipe that show only with its scriptlets found or its whole graph known."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.rack.recipes.plugins.module_utils.argument_spec import (
    WrongError,
    converted,
    find_wrong_names,
    spec_of,
)
from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from ansible_collections.rack.recipes.plugins.module_utils.executor.child.program_by_scriptlet_kind import has_secret
from ansible_collections.rack.recipes.plugins.module_utils.language.references import (
    REFERENCE,
    keys_in,
    keys_of_others,
    parse_reference,
)
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import SecretNames
from rack_recipes import settings
from rack_recipes.collection_path import COLLECTION
from rack_recipes.errors import MOST_NAMED, CatalogError, Place, RecipeError, nearest
from rack_recipes.plan.dependency_graph import AFTERWARDS, CONTEXT, PARTS
from rack_recipes.plan.plan_model import Plan, PlannedHook
from rack_recipes.recipe.catalog.find_scriptlet import find_scriptlet, is_missing_builtin, nearest_builtin
from rack_recipes.recipe.catalog.scriptlet_files import find_merge_hook
from rack_recipes.recipe.catalog.undeclared_keys import in_words, undeclared_in_code
from rack_recipes.recipe.param_values import MASK, is_open
from rack_recipes.recipe.recipe_model import Condition, Hook, KeyUsage, Param, Recipe, Serve, Step, Success
from rack_recipes.recipe.recipe_model import Path as ValuePath
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry
from rack_recipes.recipe.shell_texts import commands
from rack_recipes.recipe.trusted_files import is_there, source_files
from rack_recipes.recipe.values_in_messages import shown
from rack_recipes.recipe.yaml.values_and_positions import KEY
from rack_recipes.settings import HOOK

ScriptletUser = Step | Hook
DATA = "data/"  # the folder of the collection with files for our recipes
ScriptletName = tuple[str, str, str, str]  # a module, its function, its type, and what the step says of its envelope
# Statements of Ansible's playbooks, which run nothing on a host.
STATEMENT_WORDS = ("import_playbook", "import_role", "import_tasks", "include_role", "include_tasks", "meta")
STATEMENTS = frozenset(f"ansible.builtin.{word}" for word in STATEMENT_WORDS)
RANGE_OR_TEMPLATE = re.compile(r"\[[^\]]*\]|\{\{.*?\}\}")  # what is between its brackets separates no patterns
COMBINED_PATTERNS = re.compile(r"[,:]|^[!&]")


class PlanProblem(NamedTuple):
    """One mistake in a step or hook, or in the recipe as a whole (`owner` is None).

    `path` leads to the wrong value inside of the owner. Where that value has no place, the next one around it has.
    """

    owner: ScriptletUser | None
    path: ValuePath
    expected: str
    got: str = ""
    near: str = ""


@dataclass(slots=True)
class Scriptlets:
    """The scriptlets that the steps and hooks of a recipe use, as far as they were found.

    A step that is a module of Ansible's has None. `serving` has the serving sides of steps.
    `cache` has each scriptlet that was looked for, or why there is none.
    """

    folders: Sequence[Path]
    of_steps: dict[str, ScriptletEntry | None] = field(default_factory=dict)
    of_hooks: list[PlannedHook] = field(default_factory=list)
    serving: dict[str, Serve] = field(default_factory=dict)
    cache: dict[ScriptletName, ScriptletEntry | CatalogError] = field(default_factory=dict)

    def find(self, user: ScriptletUser) -> ScriptletEntry | CatalogError:
        """The scriptlet that a step or a hook names, or why there is none."""
        name = (user.module, user.function, user.type, getattr(user, "envelope", ""))
        entry = self.cache.get(name)
        if entry is None:
            try:
                entry = find_scriptlet(*name[:3], self.folders, name[3])
            except CatalogError as error:
                entry = error
            self.cache[name] = entry
        return entry


def problems(recipe: Recipe, scriptlets: Scriptlets) -> Iterator[PlanProblem]:
    """The mistakes in the steps, hooks and options of a recipe; fills `scriptlets` with those that are found."""
    for step in recipe.steps:
        yield from _ansible_problems(step) if step.type == "ansible" else _step_problems(step, scriptlets)
        scriptlets.of_steps.setdefault(step.name, None)
    for when, hooks in (("pre_step", recipe.pre_step), ("post_step", recipe.post_step)):
        for hook in hooks:
            yield from _hook_problems(when, hook, scriptlets)
    yield from _canary_problems(recipe)
    yield from _merge_problems(recipe, scriptlets.folders)


def problems_of_keys(steps: Iterable[Step], data: Mapping[str, KeyUsage]) -> Iterator[PlanProblem]:
    """Steps that compare a key which they write themselves with other hosts, where it may not be written yet.

    Before a step runs, the key may be that of another step that writes it; when it is judged, it is its own.
    """
    comparing = [step for step in steps if data[step.name].elsewhere & data[step.name].writes]
    writers = Counter(key for keys in data.values() if comparing for key in keys.writes)
    for step in comparing:
        parts = {name: keys_of_others(part(step)) & data[step.name].writes for name, part in PARTS.items()}
        own = {key: name for name, keys in parts.items() for key in keys if name in AFTERWARDS or writers[key] == 1}
        for key, part in sorted(own.items()):
            expected = f"a later step that compares hosts: others may still be writing {key} when this one has"
            yield PlanProblem(step, (part,), expected, f"{key}@ in the step that writes it")


def located(recipe: Recipe, found: Iterable[PlanProblem]) -> list[RecipeError]:
    """The problems as errors with their places. A step or hook is recognized by the place where it is written."""
    lists: dict[ValuePath, int] = {
        ("steps",): len(recipe.steps),
        ("hooks", "pre_step"): len(recipe.pre_step),
        ("hooks", "post_step"): len(recipe.post_step),
    }
    paths = ((*start, number) for start, length in lists.items() for number in range(length))
    roots: dict[Place, ValuePath] = {recipe.places[path]: path for path in paths if path in recipe.places}
    errors = (_located(recipe, roots, problem) for problem in found)
    return [*{error.args: error for error in errors}.values()]  # a recipe may be included twice


def _located(recipe: Recipe, roots: Mapping[Place, ValuePath], problem: PlanProblem) -> RecipeError:
    owner = problem.owner
    place = owner.place if owner else Place(recipe.path)
    included: ValuePath = ("included", owner.name) if isinstance(owner, Step) else ()
    root = roots.get(place, included) if owner else ()
    paths = ((*root, *problem.path[:length]) for length in range(len(problem.path), 0, -1))
    found = next((recipe.places[path] for path in paths if path in recipe.places), place)
    return RecipeError(found, problem.expected, problem.got, problem.near)


def _step_problems(step: Step, scriptlets: Scriptlets) -> Iterator[PlanProblem]:
    entry = scriptlets.find(step)
    if isinstance(entry, CatalogError):
        yield PlanProblem(step, ("module",), f"a scriptlet for step {step.name!r}: {entry}")
    else:
        scriptlets.of_steps[step.name] = entry
        if (entry.scope, step.scope) == ("run", "host"):
            yield PlanProblem(step, ("scope",), f"scope: run, for which {entry.name} is meant", repr(step.scope))
        yield from _argument_problems(step, entry)
    yield from _file_problems(step)
    if step.serve:
        yield from _serving_problems(step, step.serve, scriptlets)


def _serving_problems(step: Step, serve: Serve, scriptlets: Scriptlets) -> Iterator[PlanProblem]:
    server = replace(step, module=serve.module, type=serve.type, function=serve.function, args=serve.args, serve=None)
    entry = scriptlets.find(server)
    if isinstance(entry, CatalogError):
        yield PlanProblem(step, ("serve", "module"), f"a serving side of step {step.name!r}: {entry}")
        return
    scriptlets.serving[step.name] = replace(serve, entry=entry)
    for problem in (*_argument_problems(server, entry), *_file_problems(server)):
        yield problem._replace(owner=step, path=("serve", *problem.path))


def _hook_problems(when: str, hook: Hook, scriptlets: Scriptlets) -> Iterator[PlanProblem]:
    entry = scriptlets.find(hook)
    if isinstance(entry, CatalogError):
        yield PlanProblem(hook, ("module",), f"a scriptlet for {when}: {entry}")
    else:
        scriptlets.of_hooks.append(PlannedHook(when, hook, entry))
        yield from _argument_problems(hook, entry)
    yield from _file_problems(hook)


def _ansible_problems(step: Step) -> Iterator[PlanProblem]:
    """Ansible itself checks a module's arguments, and whether a collection has it: this machine may not have that."""
    if step.module in STATEMENTS:
        yield PlanProblem(
            step, ("module",), "a module or an action", f"{step.module!r}, a statement of Ansible's playbooks"
        )
    elif is_missing_builtin(step.module):
        near = nearest_builtin(step.module)
        yield PlanProblem(step, ("module",), "a module that Ansible has", repr(step.module), near)
    whole = [(place, part.key) for place, part in enumerate(step.writes) if part.is_whole]
    for place, extra in whole[1:2]:
        yield PlanProblem(step, ("writes", place), "at most one key, which takes the module's result", repr(extra))


def _argument_problems(user: ScriptletUser, entry: ScriptletEntry) -> Iterator[PlanProblem]:
    """Arguments that the scriptlet does not know or would refuse, and required ones that are missing."""
    if entry.options is None:
        return
    options = dict(entry.options)
    for name, _problem in find_wrong_names(options, user.args):
        if name in user.args:
            near = nearest(name, [*options])
            known = "" if near else f" ({', '.join(options) or 'it takes none'})"
            yield PlanProblem(user, ("args", name, KEY), f"an argument of {entry.name}{known}", repr(name), near)
        else:
            said = (spec_of(options, name) or {}).get("description")
            what = f" ({said.rstrip('.')})" if isinstance(said, str) and said else ""
            yield PlanProblem(user, ("args",), f"the argument {name!r}, which {entry.name} requires{what}")
    for name, value in user.args.items():
        spec = spec_of(options, name)
        if spec is not None and value is not None and not is_open(value):
            yield from _value_problems(user, entry, name, spec)


def _value_problems(
    user: ScriptletUser, entry: ScriptletEntry, name: str, spec: Mapping[str, object]
) -> Iterator[PlanProblem]:
    """What the scriptlet would say of a value that is known already."""
    try:
        converted(name, spec, user.args[name])
    except WrongError as error:
        got = MASK if has_secret(dict(spec)) or _names_secret(error.name) else error.got
        yield PlanProblem(user, ("args", name), f"{error.expected} for {error.name!r} of {entry.name}", got)
    except ValueError as error:
        yield PlanProblem(user, ("args", name), f"a value that {entry.name} takes ({error})")


def _names_secret(path: str) -> bool:
    """Whether the argument at a path, or one around it, has the name of a secret."""
    names = SecretNames(settings.load().secret_keys)
    return any(names.match(name) for name in re.split(r"[.\[]", path))


def _file_problems(user: ScriptletUser) -> Iterator[PlanProblem]:
    """A relative `src` is a file of the project, as in Ansible's copy, or with a slash at its end a folder."""
    src = user.args.get("src")
    if not isinstance(src, str) or not src or src.startswith("/") or is_open(src):
        return
    if ".." in Path(src).parts:
        yield PlanProblem(user, ("args", "src"), "a path inside the project", repr(src))
    elif not is_there(src):
        expected = "a file of the project (an absolute path names a file of the host)"
        if is_there(f"{src}/"):
            expected = "a file of the project (a folder is sent with its files where src ends with a slash)"
        shown = f"{src[:100]!r}{'...' if len(src) > 100 else ''}"
        yield PlanProblem(user, ("args", "src"), expected, f"{shown}, which is not there{_where_to_get(src)}")
    elif problem := _why_untrusted(src):
        expected = "files that can be sent" if src.endswith("/") else "a file that is the project's own"
        yield PlanProblem(user, ("args", "src"), expected, problem)


def _where_to_get(src: str) -> str:
    """How to get a file that comes with our recipes; an empty text for any other."""
    file = COLLECTION / src
    is_ours = src.startswith(DATA) and file.is_file()
    return f": `mkdir -p {Path(src).parent} && cp {file} {src}` copies ours" if is_ours else ""


def _why_untrusted(src: str) -> str:
    """Why the project's files may not be sent to a host; empty where they may."""
    try:
        source_files(src)
    except CatalogError as error:
        return str(error)
    return ""


def _merge_problems(recipe: Recipe, folders: Sequence[Path]) -> Iterator[PlanProblem]:
    """Merge hooks are files that have to exist. Whether they work shows only when a run loads them."""
    for keys, policy in recipe.merge.items():
        if policy.startswith(HOOK):
            try:
                find_merge_hook(policy.removeprefix(HOOK), folders)
            except CatalogError as error:
                yield PlanProblem(None, ("context", "merge", keys), f"a merge hook: {error}")


def _canary_problems(recipe: Recipe) -> Iterator[PlanProblem]:
    """A canary has to be one pattern: Ansible's patterns have no brackets, so several cannot be taken or left out."""
    pattern = recipe.canary.hosts if recipe.canary else ""
    if COMBINED_PATTERNS.search(RANGE_OR_TEMPLATE.sub("", pattern)):
        yield PlanProblem(None, ("canary", "hosts"), "one host, group or pattern, not several", repr(pattern))


CHECKS_NOTHING = (
    "the criterion for {} checks nothing, since that is the same in each run: let it refer to a value, such as "
    "${{numbers.stats_v1.mean}}"
)
EXACTLY = (
    "the criterion for {} holds only for exactly {}: what is measured seldom is, so say by how much it may differ, "
    "with within"
)
NO_CRITERIA = "it checks nothing, so it will be an error: give it success criteria, or say success: none"
NO_LIMIT = (
    "it checks nothing without {}, so it will be an error: give it that or success criteria, or say success: none"
)
ONLY_THE_LAST = (
    "each instance of its loop writes {}, so other steps and reports get only what the last one wrote: let each "
    "measure what it finds, since the measurements of all are kept"
)
NO_TIMEOUT = (
    "no timeout, in {}: where such a step hangs, its host waits for ever; give it one, or all that have none by the "
    "setting step_timeout"
)
RUN_BY_SHELL = "the shell runs what {} holds, too, such as $(reboot): {}"
AS_WORD = "let ansible.builtin.command take it as a word of its argv"
QUOTED = "{}, or write {{{{ lookup('rack.recipes.context', '{}'){} | quote }}}} without quotes around it"
QUOTE_IT = "{}, or end the template with | quote, without quotes around it"
TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
STATEMENT = re.compile(r"\{%.*?%\}", re.DOTALL)
IS_QUOTED = re.compile(r"\|\s*(?:ansible\.builtin\.)?quote\b")
OWN_NAMES = ("host", "index", "step")  # words of a reference whose values the recipe itself gives
NUMBERS = ("bool", "float", "int")  # types of parameters that have nothing for a shell


class PlanNotice(NamedTuple):
    """A notice about what is at a place, such as a step."""

    place: Place
    text: str


def plan_notices(plan: Plan) -> Iterator[PlanNotice]:
    """The notices about a plan's steps, in the order in which these run."""
    read = {key for step in plan.steps for key in step.keys.reads}
    found = [notice for step in plan.steps for notice in _of_step(step, plan.recipe.params, read, plan.recipe.limits)]
    for limit in plan.recipe.limits:
        if remark := limit.get("remark"):
            where = f"{limit['measurement']} in step {limit.get('step', '*')}"
            found.append(PlanProblem(None, ("limits",), f"{where}: {remark}"))
    found += _matching_nothing(plan)
    yield from (PlanNotice(one.place, one.expected) for one in located(plan.recipe, found))


def _matching_nothing(plan: Plan) -> Iterator[PlanProblem]:
    """The patterns of `persist` that match none of the keys which steps say they set: most likely a typing error."""
    keys = {key for step in plan.steps for key in step.keys.writes}
    for place, pattern in enumerate(plan.recipe.persist):
        bare = pattern.removeprefix("!")
        if not any(fnmatchcase(key, bare) or fnmatchcase(bare, key) for key in keys):
            near = nearest(bare, sorted(keys))
            hint = f" (did you mean {near!r}?)" if near else ""
            yield PlanProblem(None, ("context", "persist", place), f"no step says that it sets a key {bare!r}{hint}")


def timeout_notices(plan: Plan, step_timeout: float) -> Iterator[PlanNotice]:
    """The notice about steps without a timeout, at the first of them, where the setting `step_timeout` gives none."""
    endless = [] if step_timeout else [step for step in plan.steps if step.timeout is None]
    names = first_few([step.name for step in endless], MOST_NAMED)
    found = [PlanProblem(step, (), NO_TIMEOUT.format(names)) for step in endless[:1]]
    yield from (PlanNotice(one.place, one.expected) for one in located(plan.recipe, found))


def host_notices(plan: Plan, texts: Mapping[str, str]) -> Iterator[PlanNotice]:
    """Notices about the hosts of steps, by the names of these, and about those of the canary, by an empty name."""
    found = [PlanProblem(step, ("hosts",), texts[step.name]) for step in plan.steps if step.name in texts]
    found += [PlanProblem(None, ("canary", "hosts"), texts[""])] if "" in texts else []
    yield from (PlanNotice(one.place, one.expected) for one in located(plan.recipe, found))


def _of_step(
    step: Step, params: Mapping[str, Param], read: Collection[str], limits: Collection[object]
) -> Iterator[PlanProblem]:
    yield from _of_scriptlet(step, step.entry) if step.entry else ()
    for criterion in step.success.values:
        if not is_open(criterion["value"]):
            yield PlanProblem(step, (), CHECKS_NOTHING.format(shown(criterion["value"])))
        for number in _exact_numbers(criterion)[:1]:
            yield PlanProblem(step, (), EXACTLY.format(shown(criterion["value"]), number))
    if step.type == "ansible" and step.success == Success():
        yield PlanProblem(step, (), NO_CRITERIA)
    if not limits and step.success == Success() and (lacking := _judging_options(step)):
        yield PlanProblem(step, (), NO_LIMIT.format(lacking))
    own = {*step.success.ctx_has_keys, *keys_in(step.success.values)}
    lost = [key for key in _written_by_each_instance(step) if key in read or key not in own]
    if lost:
        yield PlanProblem(step, (), ONLY_THE_LAST.format(", ".join(lost)))
    for path, text in commands(step.type, step.module, step.args):
        for value, cure in (*_references(text, step, params), *_templates(text)):
            yield PlanProblem(step, path, RUN_BY_SHELL.format(value, cure))


def _of_scriptlet(step: Step, entry: ScriptletEntry) -> Iterator[PlanProblem]:
    if entry.deprecated:
        yield PlanProblem(step, (), f"{step.uses} is deprecated: {entry.deprecated}")
    keys = undeclared_in_code(entry) if entry.source == "project" else []
    if more := [key for key in keys if key not in step.keys.writes]:
        yield PlanProblem(step, (), in_words(f"step {step.name}", more, entry.name, entry.writes))


def _judging_options(step: Step) -> str:
    """The options that are not given and by which alone the scriptlet judges, as its text on `failed` says."""
    entry = step.entry
    text = entry.verdicts.get("failed", "") if entry else ""
    open_options = [
        name
        for name, option in ((entry.options if entry else None) or {}).items()
        if name not in step.args and not option.get("required") and option.get("default") is None
    ]
    named = [[name for name in open_options if name in part.split()] for part in re.split(r",|;|\bor\b", text)]
    return " and ".join(dict.fromkeys(name for names in named for name in names)) if all(named) else ""


def _exact_numbers(criterion: Condition) -> list[float]:
    """The numbers with decimals that a criterion demands exactly, of a value that the run measures."""
    given = [criterion.get("eq"), *(criterion["one_of"] if isinstance(criterion.get("one_of"), (list, tuple)) else ())]
    return [each for each in given if isinstance(each, float) and not each.is_integer()]


def _written_by_each_instance(step: Step) -> list[str]:
    """The keys that each instance of a loop sets anew; a key whose name is a pattern may be another in each."""
    loop = step.loop
    is_one = isinstance(loop, (list, tuple)) and len(loop) < 2
    if is_one or not (loop or step.matrix):
        return []
    return [key for key in sorted(step.keys.writes) if not set("*?[") & set(key)]


def _references(text: str, step: Step, params: Mapping[str, Param]) -> Iterator[tuple[str, str]]:
    """The references in a command whose values may hold more than the recipe says, each with what to do."""
    for found in re.finditer(REFERENCE, text):
        word, path, host = parse_reference(found) or ("step", [], "")
        if not _is_known(word, path, step, params):
            at = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path)
            is_key = not host and word not in ("item", "matrix", "params")
            yield found[0], QUOTED.format(AS_WORD, word, at) if is_key else AS_WORD


def _is_known(word: str, path: list[str], step: Step, params: Mapping[str, Param]) -> bool:
    """Whether the recipe itself says what a reference may become."""
    if word == "params":
        param = params.get(path[0])
        return param is not None and (param.type in NUMBERS or bool({"eq", "one_of"} & param.limits.keys()))
    loop: Any = {"item": step.loop, "matrix": [*step.matrix.values()]}.get(word)
    if word in ("item", "matrix"):
        return not isinstance(loop, str) and not is_open([*map(_as_list, loop or ())])
    return word in OWN_NAMES


def _as_list(value: object) -> Any:
    return [*value] if isinstance(value, tuple) else value


def _templates(text: str) -> Iterator[tuple[str, str]]:
    """The templates in a command that take values of the context and do not quote them, each with what to do."""
    is_in_statement = any(CONTEXT.search(statement) for statement in STATEMENT.findall(text))
    for template in TEMPLATE.findall(text):
        if (is_in_statement or CONTEXT.search(template)) and not IS_QUOTED.search(template):
            yield template, QUOTE_IT.format(AS_WORD)

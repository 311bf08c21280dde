# SPDX-License-Identifier: GPL-3.0-or-later

"""The outline of the compiled plays as Ansible has loaded them.

Their stage tasks, the steps, their hosts and the delegates of these.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError

from ansible_collections.rack.recipes.plugins.module_utils.language.references import keys_of_others
from rack_recipes.errors import UsageError
from rack_recipes.journal.record_fields import RunStep
from rack_recipes.plan.compile.action_names import RECIPE_VARIABLE, STAGE
from rack_recipes.recipe.recipe_model import BETWEEN, CacheKey
from rack_recipes.recipe.steps_to_and_from_data import check_step, dependencies, from_data
from rack_recipes.run.current_run import RUN_HOST
from rack_recipes.run.delegates import FindDelegates, Variables
from rack_recipes.run.host.bypass_ansible_templating import TEMPLATE_MARKS, unpack_steps
from rack_recipes.run.host.host_request import check_stage, serving_step
from rack_recipes.run.recorder.ansible_api import AnsibleApi, Resolve
from rack_recipes.run.recorder.ansible_warnings import shown

if TYPE_CHECKING:
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

OWN = "a playbook's own"
LOOP = "give its steps a `loop` of their own"
RETRY = "give its steps a `retry` of their own, such as `retry: {max: 3, delay_sec: 5}`"
ONCE = {"loop_with": LOOP, "loop": LOOP, "until": RETRY, "retries": RETRY}
"""Words of a task that have Ansible run it several times, and what to write instead."""
Step = Mapping[str, Any]
Hosts = tuple[str, ...]


@dataclass(slots=True)
class PlayOutline:
    """The outline of all plays.

    `hosts` are in order. `patterns` has the hosts of each pattern that a step names. `stages` has the names of the
    steps by the number of their stage, `tasks` the ids of the stage tasks. `judged` has the host that a policy was
    asked about for each stage and host, where there is a policy.
    """

    hosts: dict[str, None] = field(default_factory=dict)
    steps: dict[str, RunStep] = field(default_factory=dict)
    patterns: dict[str, frozenset[str]] = field(default_factory=dict)
    stages: dict[int, list[str]] = field(default_factory=dict)
    tasks: set[str] = field(default_factory=set)
    judged: dict[tuple[int, str], str] = field(default_factory=dict)

    @property
    def left_out(self) -> list[str]:
        """The steps that are for none of the hosts of this run."""
        return [step.name for step in self.steps.values() if not step.hosts]


def stage_tasks(play: Play) -> list[Any]:
    """The stage tasks of an Ansible play, in order, without what is included only while it runs."""
    return [task for task in all_tasks(play) if task.resolved_action == STAGE]


def steps_of(plays: Iterable[Play]) -> Iterator[tuple[Task, Step]]:
    """Each step of the stages of these plays, with the task that runs it; a serving side is a step of its own."""
    for task in (task for play in plays for task in stage_tasks(play)):
        for step in unpack_steps(task.args["steps"]):
            yield task, step
            if step.get("serve"):
                yield task, serving_step(step)


def first_task_of_each_role(play: Play) -> dict[str, Any]:
    """By name the roles of an Ansible play, without what is included only while it runs."""
    found: dict[str, Any] = {}
    for task in all_tasks(play):
        if task._role:
            found.setdefault(task._role.get_name(), task)
    return found


def checkpoints(plays: Iterable[Play]) -> frozenset[str]:
    """The ids of the tasks before the last stage, also of those that include others: a flush there ends nothing."""
    tasks = [task for play in plays for task in all_tasks(play, with_rescue=True)]
    last = max((place for place, task in enumerate(tasks) if task.resolved_action == STAGE), default=0)
    return frozenset(task._uuid for task in tasks[:last])


def is_checkpoint(task: Task, before_last: Collection[str]) -> bool:
    """Whether a task, or what has included it, is one of these."""
    return any(each._uuid in before_last for each in (task, *parents(task)))


def parents(task: Any) -> Iterator[Any]:
    """The blocks that a task stands in, and the tasks that have included it."""
    while (task := task._parent) is not None:
        yield task


def all_tasks(play: Play, *, with_rescue: bool = False) -> Iterator[Any]:
    """All tasks in the order in which Ansible runs them: the roles that a play lists come before its own tasks."""
    listed = (role for role in play.roles if not role.from_include)
    blocks = (*play.pre_tasks, *(block for role in listed for block in _role_blocks(role)), *play.tasks)
    for block in (*blocks, *play.post_tasks):
        yield from _tasks(block, with_rescue=with_rescue)


def _role_blocks(role: Any) -> Iterator[Any]:
    for needed in role.get_direct_dependencies():
        yield from _role_blocks(needed)
    yield from role.get_task_blocks()


def _tasks(item: Any, *, with_rescue: bool) -> Iterator[Any]:
    """The tasks of a block. Those for its failure (`rescue`) are no part of a plan."""
    if not hasattr(item, "block"):
        yield item
        return
    for inner in (*item.block, *(item.rescue if with_rescue else ()), *item.always):
        yield from _tasks(inner, with_rescue=with_rescue)


def outline(plays: Sequence[Play], resolve: Resolve) -> PlayOutline:
    """The outline of these plays. A stage may be in several: in that of the canary, and in that of the other hosts.

    Raises UsageError for a task that is no stage or would run more than once, for a field that no step has, for a
    number or a step that two stages have, for a stage that stands twice for a host, and for plays of two recipes.
    """
    found, places = PlayOutline(), defaultdict[int, set[str]](set)
    tasks: dict[str, Task] = {}
    _check_recipe(plays)
    for play in plays:
        here = tuple(resolve(play.hosts))
        found.hosts.update(dict.fromkeys(here))
        for task in stage_tasks(play):
            check_stage(task.args)
            for step in task.args["steps"]:
                check_step(step)
            _check_once(task)
            is_new = task._uuid not in found.tasks
            _add_stage(found, task)
            _check_place(task, here if is_new else (), places[int(task.args["number"])])
            for step in task.args["steps"]:
                _check_name(str(step["name"]), task, tasks)
                _add(found, int(task.args["number"]), step, _hosts_of(found, step, here, resolve))
    return found


def _check_recipe(plays: Sequence[Play]) -> None:
    """Playbooks may be imported into one another, but a run is of one recipe. Raises UsageError."""
    described = [play.vars.get(RECIPE_VARIABLE) or {} for play in plays]
    recipes = {recipe.get("digest"): str(recipe.get("path") or OWN) for recipe in described}
    if len(recipes) > 1:
        raise UsageError(
            f"a playbook runs one recipe, and this has stages of {' and of '.join(recipes.values())}: put each into a "
            "playbook of its own, and run `ansible-playbook FIRST SECOND`, or include one recipe in the other"
        )


def _check_once(task: Task) -> None:
    """Raise UsageError for what would be run several times, a stage or a step: a run has one result of it on a host."""
    names = Counter(str(step["name"]) for step in task.args["steps"])
    if twice := next((name for name, number in names.items() if number > 1), None):
        raise UsageError(f"{_place(task)}the stage {task.args['number']} has two steps {twice}: give one another name")
    for word, instead in ONCE.items():
        if getattr(task, word):
            written = f"with_{task.loop_with}" if word == "loop_with" else word
            steps = ", ".join(names)
            raise UsageError(f"{_place(task)}the stage of {steps} has `{written}`, but a stage runs once: {instead}")


def _check_name(name: str, task: Task, tasks: dict[str, Task]) -> None:
    """Raise UsageError for a name that two steps have: one's result would hide the other's. `tasks` is by step."""
    first = tasks.setdefault(name, task)
    if (one := int(first.args["number"])) == (two := int(task.args["number"])):
        return
    places = f"({_place(first)}stage {one}; {_place(task)}stage {two})"
    what = f"two stages have a step {name}, and a run has each step once"
    if task._role:
        raise UsageError(f"{what}: use the role {task._role.get_name()} in another `ansible-playbook` {places}")
    raise UsageError(f"{what}: give the second another name {places}")


def _place(task: Task) -> str:
    """Where a task stands, to be put before what is wrong with it; empty where nobody knows."""
    return f"{shown(place)}: " if (place := task.get_path()) else ""


def _check_place(task: Task, hosts: Hosts, before: set[str]) -> None:
    """Raise UsageError for a stage that another task has for a host: it would show the results of that one."""
    if twice := next((host for host in hosts if host in before), None):
        steps = ", ".join(str(step["name"]) for step in task.args["steps"])
        if task._role:
            raise UsageError(
                f"the role {task._role.get_name()} is used twice for {twice}, and a run has each step once: use it a "
                "second time in another `ansible-playbook`; in this one only for other hosts"
            )
        raise UsageError(
            f"the stage {task.args['number']} ({steps}) stands twice for {twice}, and a run has each step once: give "
            "the second stage a number and steps of its own"
        )
    before.update(hosts)


def _add_stage(found: PlayOutline, task: Task) -> None:
    """Add a stage. Raises UsageError where another one has its number: their results could not be told apart."""
    number, names = int(task.args["number"]), [str(step["name"]) for step in task.args["steps"]]
    same = found.stages.setdefault(number, names)
    if same != names:
        raise UsageError(f"two stages have the number {number}, those of {same[0]} and {names[0]}: give each its own")
    found.tasks.add(task._uuid)


def _add(found: PlayOutline, stage: int, step: Step, hosts: Hosts) -> None:
    name = str(step["name"])
    if step.get("scope") in BETWEEN:
        found.steps[name] = replace(_run_step(name, stage, step, (RUN_HOST,) if hosts else ()), members=hosts)
        return
    if name in found.steps:
        before = found.steps[name]
        found.steps[name] = replace(before, hosts=tuple(dict.fromkeys((*before.hosts, *hosts))))
        return
    found.steps[name] = _run_step(name, stage, step, hosts)


def _run_step(name: str, stage: int, step: Step, hosts: Hosts) -> RunStep:
    cache = from_data(CacheKey, step.get("cache_key") or "")
    return RunStep(
        name,
        stage,
        int(step.get("idx", 0)),
        str(step.get("scope", "host")),
        hosts,
        elsewhere=frozenset(keys_of_others(step)),
        optional=bool(step.get("continue_on_fail")),
        cache_key=cache.key,
        expires_sec=cache.expires_sec,
        always=bool(step.get("always")),
    )


def _hosts_of(found: PlayOutline, step: Step, hosts: Hosts, resolve: Resolve) -> Hosts:
    """The hosts of its play that a step runs on. Adds all patterns that the step names to `found`."""
    for need in dependencies(step):
        _match(found, need.hosts, resolve)
    if step.get("scope") == "run":
        return (RUN_HOST,) if hosts else ()
    return _of_pattern(found, step, hosts, resolve)


def _of_pattern(found: PlayOutline, step: Step, hosts: Hosts, resolve: Resolve) -> Hosts:
    named = _match(found, step.get("hosts") or "", resolve)  # a text of our own would be no template to Ansible
    return hosts if named is None else tuple(host for host in hosts if host in named)


def _match(found: PlayOutline, pattern: str, resolve: Resolve) -> frozenset[str] | None:
    """The hosts that match a pattern; None for a pattern that leaves out no host."""
    if pattern in ("", "all"):
        return None
    if pattern not in found.patterns:
        found.patterns[pattern] = frozenset(resolve(pattern))
    return found.patterns[pattern]


def select_by_tags(play: Play) -> Iterator[str]:
    """The steps that --tags or --skip-tags leave out, by Ansible's rules for a task with a step's name and tags.

    The stage's task keeps only the tags of its other steps. Otherwise one skipped step would skip the whole stage.
    """
    for task in {task._uuid: task for task in stage_tasks(play)}.values():  # a role that two others need comes twice
        if not _is_whole(task, play):
            yield from _left_out(task, play)


def _is_whole(task: Task, play: Play) -> bool:
    """Whether all steps of a stage run, since neither the user nor a step uses tags."""
    is_asked = set(play.only_tags) != {"all"} or bool(play.skip_tags)
    is_tagged = any(step.get("tags") for step in task.args["steps"])
    return not is_asked and not is_tagged and bool(task.evaluate_tags(play.only_tags, play.skip_tags, {}))


def _left_out(task: Task, play: Play) -> Iterator[str]:
    """The steps of one stage that are left out."""
    probe, selected = task.copy(), list[str]()
    for name, tags in _tags_of_steps(task).items():
        probe.tags = tags
        if probe.evaluate_tags(play.only_tags, play.skip_tags, {}):
            selected += tags
        else:
            yield name
    if selected:
        task.tags = list(dict.fromkeys(selected))


def tags_of_stages(plays: Iterable[Play]) -> list[str]:
    """The tags by which the steps of these plays can be selected, also those of their blocks, roles and plays."""
    # a run without tags does not pay for this import
    from rack_recipes.plan.compile.playbook import RESERVED

    found: dict[str, None] = {}
    for task in (task for play in plays for task in stage_tasks(play)):
        probe = task.copy()
        for tags in _tags_of_steps(task).values():
            probe.tags = tags
            found.update(dict.fromkeys(map(str, probe.tags)))
    return [tag for tag in found if tag not in RESERVED]


def _tags_of_steps(task: Task) -> dict[str, list[str]]:
    """By step its name, its tags, and those that the stage was given for all of its steps.

    The task of a compiled stage has all that its steps have, which is not for all of them.
    """
    # a run without tags does not pay for this import
    from rack_recipes.plan.compile.playbook import RESERVED

    steps = {str(step["name"]): step for step in unpack_steps(task.args["steps"])}  # a task that has begun packed them
    own = {name: [*({name} - {*RESERVED}), *map(str, step.get("tags") or ())] for name, step in steps.items()}
    given = [*map(str, task.copy(exclude_parent=True, exclude_tasks=True).tags)]
    if steps.keys() - {*RESERVED} <= {*given}:
        of_steps = {each for tags in own.values() for each in tags}
        given = [tag for tag in given if tag not in of_steps]
    return {name: [*tags, *given] for name, tags in own.items()}


def delegate_finder(plays: Iterable[Play], api: AnsibleApi) -> FindDelegates:
    """The function that finds delegates in these plays. It takes a millisecond for a host."""
    tasks = {int(task.args["number"]): (task, play) for play in plays for task in stage_tasks(play) if task.delegate_to}

    def find(number: int, hosts: Sequence[str]) -> Iterator[tuple[str, str, Variables]]:
        task, play = tasks[number]
        for host in hosts:
            variables = api.vars_of(host, play, hosts)
            yield host, _filled(api, task.delegate_to, variables), variables

    return find


def _filled(api: AnsibleApi, delegate_to: str, variables: Variables) -> str:
    """The name of the delegate; empty where it cannot be found, which the host's own task reports."""
    if not any(opening in delegate_to for opening in TEMPLATE_MARKS):
        return delegate_to
    try:
        found = api.fill(delegate_to, variables)
    except AnsibleError:
        return ""
    return str(found) if isinstance(found, str) else ""

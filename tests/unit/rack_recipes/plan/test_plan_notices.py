# SPDX-License-Identifier: GPL-3.0-or-later

"""Notices about recipes that run: values in a command for a shell, steps that check nothing, loops that overwrite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rack_recipes.plan.compile.playbook_file import plan_of
from rack_recipes.plan.recipe_mistakes import plan_notices
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry
from rack_recipes.run.recorder.undeclared_keys import undeclared_keys
from rack_recipes.settings import Settings

pytestmark = pytest.mark.usefixtures("own_folder")

SHELL, COMMAND = "ansible.builtin.shell", "ansible.builtin.command"
LOOKUP = "lookup('rack.recipes.context', 't.x_v1')"
AS_WORD = "let ansible.builtin.command take it as a word of its argv"
OR_QUOTED = f"{AS_WORD}, or write {{{{{{{{ {LOOKUP}{{}} | quote }}}}}}}} without quotes around it"
PARAMS = {
    "name": {"default": "a"},
    "number": {"type": "int", "default": 1},
    "one": {"default": "a", "one_of": ["a"]},
    "names": {"type": "list", "default": [1]},
}


def told(module: str, args: dict[str, Any], **fields: Any) -> list[str]:
    """The notices about a recipe with a step of Ansible's."""
    step = {"name": "a", "type": "ansible", "module": module, "args": args, "reads": ["t.x_v1"], "success": "none"}
    recipe = {"test_meta": {"test_id": "T"}, "params": PARAMS, "steps": [{**step, **fields}]}
    Path("r.yml").write_text(json.dumps(recipe, indent=0))
    return [notice.text for notice in plan_notices(plan_of("r.yml", Settings()))]


@pytest.mark.parametrize(
    ("module", "args", "value", "cure"),
    [
        (SHELL, {"cmd": "echo ${t.x_v1}"}, "${t.x_v1}", OR_QUOTED.format("")),
        (SHELL, {"_raw_params": "echo '${t.x_v1.names.0}'"}, "${t.x_v1.names.0}", OR_QUOTED.format(".names[0]")),
        ("ansible.legacy.shell", {"cmd": "echo ${t.x_v1@leaf1}"}, "${t.x_v1@leaf1}", AS_WORD),
        ("ansible.builtin.raw", {"_raw_params": "echo ${params.name}"}, "${params.name}", AS_WORD),
        ("ansible.builtin.script", {"cmd": "a.sh ${t.x_v1}"}, "${t.x_v1}", OR_QUOTED.format("")),
        ("ansible.builtin.cron", {"name": "a", "job": "echo ${t.x_v1}"}, "${t.x_v1}", OR_QUOTED.format("")),
        (COMMAND, {"cmd": "/bin/bash -ec 'echo ${params.name}'"}, "${params.name}", AS_WORD),
        (COMMAND, {"argv": ["env", "sh", "-c", "echo ${params.name}"]}, "${params.name}", AS_WORD),
        (
            SHELL,
            {"cmd": f"echo {{{{ {LOOKUP} }}}}"},
            f"{{{{ {LOOKUP} }}}}",
            f"{AS_WORD}, or end the template with | quote, without quotes around it",
        ),
        (
            SHELL,
            {"cmd": f"{{% for x in {LOOKUP} %}}echo {{{{ x }}}};{{% endfor %}}"},
            "{{ x }}",
            f"{AS_WORD}, or end the template with | quote, without quotes around it",
        ),
    ],
)
def test_a_shell_runs_what_is_in_a_value(module: str, args: dict[str, Any], value: str, cure: str):
    assert told(module, args) == [f"the shell runs what {value} holds, too, such as $(reboot): {cure}"]


@pytest.mark.parametrize(
    ("module", "args"),
    [
        (SHELL, {"cmd": "echo ${HOME} ${step.name} ${params.number} ${params.one} {{ inventory_hostname }}"}),
        (SHELL, {"cmd": f"echo {{{{ {LOOKUP}.a | quote }}}}"}),
        (SHELL, {"cmd": "cat", "stdin": "${t.x_v1}", "chdir": "${t.x_v1}"}),
        (COMMAND, {"argv": ["echo", "${t.x_v1}"]}),
        (COMMAND, {"argv": ["sh", "-c", 'echo "$1"', "sh", "${t.x_v1}"]}),
        (COMMAND, {"cmd": "echo ${t.x_v1}"}),
        ("ansible.builtin.debug", {"msg": "${t.x_v1}"}),
    ],
)
def test_what_no_shell_runs(module: str, args: dict[str, Any]):
    assert told(module, args) == []


@pytest.mark.parametrize(
    ("loop", "is_told"),
    [(["a", "b"], False), (["a", "${t.x_v1}"], True), ([{"name": "{{ x }}"}], True), ("${t.x_v1}", True)],
)
def test_items_are_the_recipe_s_own_or_they_are_not(loop: Any, is_told: bool):
    assert bool(told(SHELL, {"cmd": "echo ${index} ${item}"}, loop=loop)) == is_told
    assert bool(told(SHELL, {"cmd": "echo ${matrix.a}"}, matrix={"a": loop})) == is_told


def test_a_scriptlet_that_is_given_the_words_of_a_shell():
    assert told("generic.command", {"argv": ["sh", "-c", "echo ${params.name}"]}, type="python")
    assert not told("generic.command", {"argv": ["sh", "-c", "echo $1", "sh", "${params.name}"]}, type="python")


def test_its_place_is_that_of_the_command():
    told(SHELL, {"cmd": "echo ${t.x_v1}"}, delegate_to="localhost")
    [notice] = plan_notices(plan_of("r.yml", Settings()))
    line = Path("r.yml").read_text().splitlines()[notice.place.line - 1]
    assert line[notice.place.column - 1 :].startswith('"echo ${t.x_v1}"')


def test_also_in_a_recipe_that_is_included():
    told(SHELL, {"cmd": "echo ${t.x_v1}"})
    Path("r.yml").rename("part.yml")
    Path("r.yml").write_text("test_meta: {test_id: T}\nsteps: [{name: inner, include: part.yml}]\n")
    [notice] = plan_notices(plan_of("r.yml", Settings()))
    assert (notice.place.file, notice.place.line > 1) == ("part.yml", True)


def test_a_module_of_ansible_that_checks_nothing():
    [told_] = told(COMMAND, {"cmd": "true"}, success={})
    assert told_ == "it checks nothing, so it will be an error: give it success criteria, or say success: none"


@pytest.mark.parametrize(
    ("module", "args", "success", "lacking"),
    [
        ("disk.usage", {}, {}, "max_percent"),
        ("disk.usage", {"max_percent": 90}, {}, ""),
        ("disk.usage", {}, "none", ""),
        ("link.bond", {"names": ["bond0"]}, {}, ""),  # it judges more than `ports`
    ],
)
def test_a_scriptlet_without_the_option_by_which_alone_it_judges(
    module: str, args: dict[str, Any], success: Any, lacking: str
):
    kind = "shell" if module == "disk.usage" else "python"
    what = f"it checks nothing without {lacking}, so it will be an error: give it that or success criteria, or say "
    assert told(module, args, type=kind, success=success) == ([f"{what}success: none"] if lacking else [])


@pytest.mark.parametrize(
    ("loop", "success", "is_told"),
    [
        ([1, 2], "none", True),
        ("${params.names}", "none", True),
        ([1], "none", False),
        ([1, 2], {"values": [{"value": "${t.out_v1}", "eq": 1}]}, False),  # each instance is judged by its own value
    ],
)
def test_a_key_that_each_instance_of_a_loop_writes(loop: Any, success: Any, is_told: bool):
    found = told(COMMAND, {"cmd": "true"}, loop=loop, success=success, writes={"t.out_v1": {"at": "rc"}})
    assert [text.partition(", so")[0] for text in found] == ["each instance of its loop writes t.out_v1"] * is_told


def test_a_pattern_of_stored_keys_that_matches_nothing() -> None:
    step = {"name": "a", "type": "ansible", "module": "ansible.builtin.ping", "writes": ["link.speed_v1"]}
    persist = ["link.*", "lnk.speed_v1", "!raw.*"]
    recipe = {"test_meta": {"test_id": "T"}, "context": {"persist": persist}, "steps": [step | {"success": "none"}]}
    Path("r.yml").write_text(json.dumps(recipe, indent=0))
    assert [notice.text for notice in plan_notices(plan_of("r.yml", Settings()))] == [
        "no step says that it sets a key 'lnk.speed_v1' (did you mean 'link.speed_v1'?)",
        "no step says that it sets a key 'raw.*'",
    ]


CODE = """
from rack_recipes import Scriptlet


class Odd(Scriptlet):
    writes = {writes}

    def run(self, ctx, params):
        ctx.set("t.totla_v1", 3)
        ctx.set("t.total_v1", 3)
        ctx.options.set("no key", 1)


class Other:
    def run(self, ctx):
        ctx.set("t.other_v1", 3)
"""


@pytest.mark.parametrize(
    ("writes", "more", "is_told"),
    [
        ('("t.total_v1",)', {}, True),
        ('{"t.total_v1": "the sum"}', {}, True),
        ("()", {}, False),
        ('("t.total_v1",)', {"writes": ["t.totla_v1"]}, False),
    ],
)
def test_a_key_that_a_scriptlet_sets_and_does_not_declare(writes: str, more: dict[str, Any], is_told: bool):
    folder = Path("scriptlets/t")
    folder.mkdir(parents=True)
    (folder / "odd.py").write_text(CODE.format(writes=writes))
    found = [text for text in told("t.odd", {}, type="python", **more) if "does not declare" in text]
    assert bool(found) == is_told, found
    assert all("sets t.totla_v1, which t.odd does not declare" in text for text in found)


def test_a_key_that_a_step_has_set_and_its_scriptlet_does_not_declare():
    entry = ScriptletEntry("t.odd", "python", Path("odd.py"), "", "project", writes=("t.total_v1",))
    declared = {"a": (entry, ("t.total_v1", "t.of_x_v1"))}
    written = {("a", "t.total_v1"), ("a", "t.of_x_v1"), ("b", "t.any_v1"), ("a[x]", "t.totla_v1")}
    [text] = undeclared_keys(declared, written)
    assert text.startswith("step a sets t.totla_v1, which t.odd does not declare in `writes` (only t.total_v1, ")


SETS_NONE = "class Odd(Scriptlet):\n    writes = ('t.total_v1',)\n\n    def run(self, ctx):\n        return 1\n"


@pytest.mark.parametrize(
    ("name", "text", "is_told"),
    [
        ("odd.sh", "#!/bin/sh\ntrue\n", True),
        ("odd.sh", "#!/bin/sh\n[ -e /proc/mdstat ] && rack_set t.total_v1 3\n", False),  # only sometimes
        ("odd.py", SETS_NONE, True),
        ("odd.py", CODE.format(writes='("t.total_v1",)'), False),
        ("odd.py", "from scriptlets.t.more import More\n" + SETS_NONE, False),
    ],
)
def test_a_step_that_has_passed_and_set_no_key_at_all(own_folder: Path, name: str, text: str, is_told: bool):
    Path(name).write_text(text)
    kind: Any = "python" if name.endswith(".py") else "shell"
    entry = ScriptletEntry("t.odd", kind, Path(name), "", "project", writes=("t.total_v1",))
    declared = {"a": (entry, entry.writes)}
    told = [*undeclared_keys(declared, [], {"a"})]
    assert len(told) == is_told
    assert all("step a passed and set no key: t.odd declares t.total_v1, and never names it" in each for each in told)
    assert not [*undeclared_keys(declared, [], ())]  # it was skipped, or has failed
    assert not [*undeclared_keys(declared, [("a[x]", "t.total_v1")], {"a"})]

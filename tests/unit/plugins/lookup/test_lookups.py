# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookups as Ansible runs them: in a run, and where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.run_playbooks import HEAD, Ended, keep, play
from rack_recipes.plan.compile.playbook_file import compile_to_file

CFG = "[defaults]\ncallbacks_enabled = rack.recipes.recorder\ninject_facts_as_vars = false\n"
SCRIPT = """\
#!/bin/sh
echo '{"status": "ok", "outputs": {"t.name_v1": {"of": "'$RACK_HOST'", "list": [1, 2]}, "t.null_v1": null}}'
"""
TOTAL = """\
class Total(Scriptlet):
    scope = "run"

    def run(self, ctx, params):
        ctx.set("t.total_v1", sorted(ctx.values("t.name_v1")))
        ctx.set("t.name_v1", "of the run")
"""
RECIPE = """\
test_meta: {test_id: T-1}
steps:
  - {name: a, type: shell, module: t.name, hosts: r1, success: {ctx_has_keys: [t.name_v1]}}
  - {name: total, module: t.total, scope: run, success: none}
  - {name: b, type: shell, module: t.fail, hosts: r2, success: none}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a recipe; it is the working folder of this file's tests."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "scriptlets/t").mkdir(parents=True)
    (folder / "ansible.cfg").write_text(CFG)
    for name, text in (("name", SCRIPT), ("fail", "#!/bin/sh\nexit 3\n")):
        (folder / f"scriptlets/t/{name}.sh").write_text(text)
        (folder / f"scriptlets/t/{name}.yml").write_text("description: A step\n")
    (folder / "scriptlets/t/total.py").write_text(
        "from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet\n\n\n" + TOTAL
    )
    (folder / "r.yml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def in_a_run(folder: Path) -> Ended:
    stages, _other, _rest = compile_to_file("r.yml").read_text().partition("- name: Close")
    tasks = [
        keep("own", "{{ lookup('rack.recipes.context', 't.name_v1') }}"),
        keep("inside", "{{ lookup('rack.recipes.context', 't.name_v1', host='r1').list[1] }}"),
        keep("run", "{{ lookup('rack.recipes.context', 't.total_v1') }}"),
        keep("both", "{{ query('rack.recipes.context', 't.total_v1', 't.name_v1', host='r1') }}"),
        keep("null", "{{ lookup('rack.recipes.context', 't.null_v1', host='r1', default=1) is none }}"),
        keep("absent", "{{ lookup('rack.recipes.context', 't.absent_v1') }}"),
        keep("default", "{{ lookup('rack.recipes.context', 't.absent_v1', default={'x': 1}) }}"),
        keep("none", "{{ lookup('rack.recipes.context', 't.absent_v1', default=none) is none }}"),
        keep("not_passed", "{{ query('rack.recipes.not_passed', 'all') }}"),
        keep("fact", "{{ ansible_facts.rack_recipes.context | default({}) }}"),
    ]
    return play(stages + HEAD + "".join(tasks))


def test_values_of_the_context(in_a_run: Ended):
    own = {"of": "r1", "list": [1, 2]}
    assert in_a_run.found["r1"]["own"] == own
    assert in_a_run.found["r1"]["inside"] == 2
    assert in_a_run.found["r1"]["run"] == ["r1"]
    assert in_a_run.found["r1"]["both"] == [["r1"], own]
    assert in_a_run.found["r1"]["null"] is True
    assert in_a_run.found["r1"]["fact"] == {"t.name_v1": own, "t.null_v1": None}


def test_a_key_that_is_not_set(in_a_run: Ended):
    assert "the context has no key t.absent_v1 for r1" in in_a_run.found["r1"]["absent"]
    assert in_a_run.found["r1"]["default"] == {"x": 1}
    assert in_a_run.found["r1"]["none"] is True


def test_the_hosts_that_did_not_pass(in_a_run: Ended):
    assert in_a_run.found["r1"]["not_passed"] == ["r2"]


@pytest.fixture(scope="module")
def without_a_run(folder: Path) -> Ended:
    (folder / "broken.yml").write_text("test_meta: {test_id: T-1}\nsteps: [{name: a, type: shell, module: t.nam}]\n")
    tasks = [
        keep("context", "{{ lookup('rack.recipes.context', 't.name_v1') }}"),
        keep("default", "{{ lookup('rack.recipes.context', 't.name_v1', default=1) }}"),
        keep("not_passed", "{{ query('rack.recipes.not_passed', 'all:!r2') }}"),
        keep("playbook", "{{ lookup('rack.recipes.playbook', 'r.yml') }}"),
        keep("elsewhere", "{{ lookup('rack.recipes.playbook', 'r.yml') }}").replace(
            "      register", "      vars: {rack_recipes_runs: kept/runs}\n      register", 1
        ),
        keep("broken", "{{ lookup('rack.recipes.playbook', 'broken.yml') }}"),
        keep("only", "{{ lookup('rack.recipes.playbook', 'r.yml') }}").replace(
            "      register", "      vars: {rack_recipes_only: a, rack_recipes_stepwise: true}\n      register", 1
        ),
        keep("seed", "{{ lookup('rack.recipes.playbook', 'r.yml') }}").replace(
            "      register", "      vars: {rack_recipes_seed: many}\n      register", 1
        ),
        keep("setting", "{{ lookup('rack.recipes.playbook', 'r.yml') }}").replace(
            "      register", "      vars: {rack_recipes_slots: many}\n      register", 1
        ),
    ]
    (folder / "ansible.cfg").write_text("[defaults]\n")
    return play(HEAD + "".join(tasks), hosts="r1,")


NO_RUN = "no run is being recorded: set `callbacks_enabled = rack.recipes.recorder` in the section [defaults]"


@pytest.mark.parametrize("name", ["context", "default"])
def test_without_a_recorder_it_is_said_what_to_do(without_a_run: Ended, name: str):
    assert NO_RUN in without_a_run.found["r1"][name]


def test_a_syntax_check_finds_a_pattern(without_a_run: Ended):
    assert without_a_run.found["r1"]["not_passed"] == ["all:!r2"]


def test_a_recipe_is_compiled_to_a_file(without_a_run: Ended, folder: Path):
    path = Path(without_a_run.found["r1"]["playbook"])
    assert path.parent == folder / ".rack-recipes/compiled"
    assert path.read_text().startswith("# Compiled by rack-recipes")
    assert Path(without_a_run.found["r1"]["elsewhere"]).parent == folder / "kept/compiled"


def test_a_faulty_recipe_or_setting_is_told(without_a_run: Ended):
    assert "broken.yml:2:40: expected a scriptlet for step 'a'" in without_a_run.found["r1"]["broken"]
    assert "(did you mean 't.name'?)" in without_a_run.found["r1"]["broken"]
    assert "rack_recipes_slots (how many parallel steps" in without_a_run.found["r1"]["setting"]


def test_extra_vars_choose_what_is_compiled(without_a_run: Ended):
    text = Path(without_a_run.found["r1"]["only"]).read_text()
    assert "name: a" in text
    assert "name: total" not in text
    assert (
        "rack_recipes_seed (the order of independent steps): expected a whole number, got 'many'"
        in (without_a_run.found["r1"]["seed"])
    )

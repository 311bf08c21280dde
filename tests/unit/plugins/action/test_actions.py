# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions as Ansible runs them: where there is no run, and at the end of one."""

from __future__ import annotations

import re

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.run_playbooks import HEAD, Ended, attempt, play
from rack_recipes.plan.compile.playbook_file import compile_to_file

CFG = "[defaults]\ncallbacks_enabled = rack.recipes.recorder\ninject_facts_as_vars = false\n"
NO_RUN = "no run is being recorded: set `callbacks_enabled = rack.recipes.recorder` in the section [defaults]"
NOT_A_STAGE = "a stage needs its number and its steps, as a compiled recipe has them"
STEP = "{name: a, type: shell, module: t.step}"
ATTEMPTS = {
    "stage": (f"rack.recipes.stage: {{number: 1, steps: [{STEP}]}}", NO_RUN),
    "no_steps": ("rack.recipes.stage: {number: 1, steps: []}", NOT_A_STAGE),
    "steps_missing": ("rack.recipes.stage: {number: 1}", NOT_A_STAGE),
    "no_number": (f"rack.recipes.stage: {{number: one, steps: [{STEP}]}}", NOT_A_STAGE),
    "flush": ("rack.recipes.flush:", NO_RUN),
    "flush_argument": ("rack.recipes.flush: {now: true}", "Unsupported parameters"),
    "verdict": ("rack.recipes.verdict:", NO_RUN),
    "verdict_argument": ("rack.recipes.verdict: {hosts: all}", "Unsupported parameters"),
}


@pytest.fixture(scope="module")
def without_a_run(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("without"))
        return play(HEAD + "".join(attempt(name, task) for name, (task, _text) in ATTEMPTS.items()), hosts="r1,")


@pytest.mark.parametrize("name", ATTEMPTS)
def test_what_an_action_refuses(without_a_run: Ended, name: str):
    assert ATTEMPTS[name][1] in without_a_run.found["r1"][name]


SCRIPT = """\
#!/bin/sh
test $RACK_HOST = r1 || { echo '{"status": "failed", "reason": "the link is down"}'; exit; }
echo '{"status": "ok"}'
"""
RECIPE = """\
test_meta: {test_id: T-1}
steps: [{name: a, type: shell, module: t.step, success: {values: [{value: 1, eq: 1}]}}]
"""


@pytest.fixture(scope="module")
def a_run(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    folder = tmp_path_factory.mktemp("project")
    (folder / "scriptlets/t").mkdir(parents=True)
    (folder / "scriptlets/t/step.sh").write_text(SCRIPT)
    (folder / "scriptlets/t/step.yml").write_text("description: A step\n")
    (folder / "ansible.cfg").write_text(CFG)
    (folder / "r.yml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        stages, _other, _rest = compile_to_file("r.yml").read_text().partition("- name: Close")
        tasks = attempt("verdict", "rack.recipes.verdict:"), attempt("flush", "rack.recipes.flush:")
        return play(stages + HEAD + "".join(tasks))


def test_a_stage_tells_its_steps(a_run: Ended):
    """One process runs it on both hosts. It is not headed `ok`, and the recap counts each host for itself."""
    assert '"msg": "2 hosts: 1 failed, 1 passed (r2: a failed: the link is down (1 failed))"' in a_run.output
    headings = re.findall(r"^(\w+): \[(r1 -> localhost|r2)", a_run.output.partition("TASK [")[2], re.MULTILINE)
    assert headings[0] == ("fatal", "r1 -> localhost")
    recap = dict(re.findall(r"^(r\d) .*ignored=(\d)", a_run.output, re.MULTILINE))
    assert recap == {"r1": "0", "r2": "2"}  # its verdict is ignored here, too


def test_the_verdict_is_the_host_s(a_run: Ended):
    assert a_run.found["r1"]["verdict"] == "every step passed"
    assert a_run.found["r2"]["verdict"] == "a failed: the link is down"


def test_a_flush_brings_the_results_into_the_store(a_run: Ended):
    [journal] = (a_run.folder / ".rack-recipes/runs").glob("*/journal.jsonl")
    said = a_run.found["r1"]["flush"]
    assert (said["run_id"], said["journal"]) == (journal.parent.name, str(journal.relative_to(a_run.folder)))
    assert (a_run.folder / ".rack-recipes/results.db").is_file()

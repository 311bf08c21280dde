# SPDX-License-Identifier: GPL-3.0-or-later

"""A role with a recipe of several stages inside, in playbooks as a team writes them, where a host fails early."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from call_rack_recipes import LOCAL, Done, answer, call, results, shell, write_recipe
from rack_recipes.plan.compile.action_names import STAGE
from rack_recipes.plan.compile.playbook_file import plan_of
from role_tasks import tasks_of

GOOD, BAD, AWAY = "a-good", "b-bad", "c-away"
HOSTS = {
    GOOD: {},
    BAD: {},
    AWAY: {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh", "ansible_ssh_retries": 0},
}
# A step that fails on one host; one that runs once and needs it on all hosts; what comes later.
STEPS = [
    shell("first", "ok"),
    shell("broken", "fail", hosts=BAD),
    shell("once", "ok", scope="run", depends_on=[{"step": "broken", "hosts": "all"}]),
    shell("last", "ok"),
]
ROLE = {"name": "part"}
# A single stage, in which no host needs another one.
ALONE = [shell("only", "ok"), shell("torn", "fail", hosts=BAD)]
# No host has what it tests.
IDLE = [shell("idle", "ok", when="{{ idle_ports | default([]) | length > 0 }}")]
TASK = {"name": "Use the host", "ansible.builtin.debug": {"msg": "used"}}


def write(path: str, content: Any) -> str:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")
    return path


def title(task: Mapping[str, Any]) -> str:
    return f"Test {task[STAGE]['number']}"


@pytest.fixture(autouse=True)
def _role(steps: Path) -> None:
    """The roles `part`, `alone` and `idle`, and an inventory."""
    for number, (role, own) in enumerate({"part": STEPS, "alone": ALONE, "idle": IDLE}.items(), 5):
        write(f"roles/{role}/tasks/main.yml", tasks_of(plan_of(write_recipe(own)), 100 * number + 1, title))
    write("inventory.json", {"all": {"hosts": HOSTS, "vars": LOCAL}})


def ansible(*words: str, tasks: Any = None, hosts: str = f"{GOOD}:{BAD}", **keywords: Any) -> Done:
    """Run a play with the role, or with these tasks."""
    inside = {"roles": ["part"]} if tasks is None else {"tasks": tasks}
    play = {"name": "Play", "hosts": hosts, "gather_facts": False, **inside, **keywords}
    site = write("site.yml", [play])
    enabled = {"ANSIBLE_CALLBACKS_ENABLED": "rack.recipes.recorder"}
    return call("ansible-playbook", "-i", "inventory.json", site, *words, **enabled)


def recap(done: Done, host: str, word: str) -> int:
    """A number of Ansible's recap."""
    found = re.search(rf"^{host} .*\b{word}=(\d+)", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return int(found[1])


def test_all_stages_run_on_the_others_and_the_end_is_a_failure_of_that_host_alone() -> None:
    done = ansible()
    assert done.code == 2, done.stdout
    verdicts = results().verdicts()
    assert verdicts["broken", BAD] == "failed"
    assert verdicts["once", ""] == "blocked"
    assert {host: verdicts["last", host] for host in (GOOD, BAD)} == {GOOD: "passed", BAD: "passed"}
    assert (recap(done, GOOD, "failed"), recap(done, BAD, "failed")) == (0, 1)
    assert "broken failed: the link is down" in done.stdout
    assert results().run["test_id"] == "part"


IDLE_SAYS = "no step of the role idle passed (idle: when: {{ idle_ports | default([]) | length > 0 }} is false)"


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize("roles", [["alone", "idle"], ["idle", "alone"]], ids=str)
def test_each_role_judges_its_own_stages_and_takes_no_host_from_the_next_one(roles: list[str]) -> None:
    done = ansible(roles=roles)
    assert done.code == 2, done.stdout
    assert results().verdicts() == {
        **{("only", host): "passed" for host in (GOOD, BAD)},
        **{("idle", host): "skipped" for host in (GOOD, BAD)},
        ("torn", BAD): "failed",
    }
    told = dict(re.findall(r'fatal: \[(.*)\]: FAILED! => .*"msg": "(.*?)"', done.stdout))
    both = {"idle": IDLE_SAYS, "alone": "torn failed: the link is down"}
    assert told == {GOOD: IDLE_SAYS, BAD: "; ".join(both[role] for role in roles)}
    assert "WARNING" not in done.stderr


def test_a_run_in_which_one_role_tested_nothing_is_stored_as_failed_with_the_reason() -> None:
    done = ansible(roles=["alone", "idle"], hosts=GOOD)
    assert done.code == 2, done.stdout
    found = results()
    assert {*found.verdicts().values()} == {"passed", "skipped"}
    assert found.run["status"] == "failed"
    told = "nothing failed, but no step of the recipe or of a role passed"
    assert told in call("rack-recipes", "show", "last").stdout
    call("rack-recipes", "report", "last", "--out", "r.html")
    assert f"Nothing failed on 1 host, but {told[20:]}" in Path("r.html").read_text(encoding="utf-8")


@pytest.mark.repeats(one_in=3)
@pytest.mark.parametrize(
    "keywords",
    [
        {"roles": ["idle"], "tasks": [TASK, {"name": "Alone", "ansible.builtin.import_role": {"name": "alone"}}]},
        {"roles": ["idle", {"role": "alone", "when": "true"}]},
        {"roles": ["idle", "alone"], "any_errors_fatal": True},
    ],
    ids=["task between", "condition", "any_errors_fatal"],
)
def test_a_role_fails_its_hosts_at_once_where_a_later_verdict_may_be_too_late(keywords: dict[str, Any]) -> None:
    done = ansible(**keywords)
    assert done.code == 2, done.stdout
    assert results().verdicts()["only", GOOD] == "error"
    assert "used" not in done.stdout


def test_a_role_is_a_test_and_a_playbook_may_name_its_own() -> None:
    """So they have a history and a baseline, which they share with nothing else."""
    alone = {"name": "Alone", "ansible.builtin.import_role": {"name": "alone"}}
    for tasks, words, name in (
        ([alone], (), "alone"),
        ([alone, {"name": "Part", "ansible.builtin.import_role": ROLE}], (), "alone + part"),
        ([alone], ("-e", "rack_recipes_test_id=NIGHT"), "NIGHT"),
        ([alone], (), "alone"),
    ):
        ansible(*words, tasks=tasks, hosts=GOOD)
        assert results().run["test_id"] == name
    assert answer("baseline", "accept", "--force")["test_id"] == "alone"
    assert call("rack-recipes", "baseline", "compare", "last~3").code == 0, "the other run of the role"
    assert "there is no baseline of NIGHT" in call("rack-recipes", "baseline", "compare", "last~1").stderr


def test_a_host_that_cannot_be_reached_ends_as_such_and_the_others_run() -> None:
    done = ansible(hosts=f"{GOOD}:{AWAY}")
    assert done.code == 4, done.stdout
    verdicts = results().verdicts()
    assert verdicts["last", GOOD] == "passed"
    assert verdicts["last", AWAY] == "unreachable"
    assert recap(done, GOOD, "failed") == 0


def test_a_rescue_is_for_the_hosts_that_failed() -> None:
    kept = {"name": "Keep", "ansible.builtin.set_fact": {"found": "{{ ansible_failed_result.steps }}"}}
    block = {"name": "Test", "block": [{"name": "Role", "ansible.builtin.import_role": ROLE}], "rescue": [kept]}
    told = "{{ inventory_hostname }}: {{ found | default('none') }}"
    last = {"name": "After", "ansible.builtin.debug": {"msg": told}}
    done = ansible(tasks=[block, last])
    assert done.code == 0, done.stdout
    assert f"{GOOD}: none" in done.stdout
    assert "failed      broken  the link is down" in done.stdout


def test_a_play_that_ignores_errors_does_not_ignore_the_end() -> None:
    done = ansible(hosts=f"{GOOD}:{BAD}:{AWAY}", ignore_errors=True, ignore_unreachable=True)
    assert done.code != 0, done.stdout
    assert (recap(done, BAD, "failed"), recap(done, AWAY, "unreachable")) == (1, 1)


def test_hosts_that_are_left_out_are_not_waited_for() -> None:
    done = ansible("--limit", GOOD)
    assert done.code == 0, done.stdout
    assert results().verdicts() == {("first", GOOD): "passed", ("once", ""): "passed", ("last", GOOD): "passed"}


def test_in_check_mode_nothing_is_run_and_nothing_fails() -> None:
    done = ansible("--check")
    assert done.code == 0, done.stdout
    assert {*results().verdicts().values()} == {"skipped"}


def test_tags_may_leave_out_the_whole_role() -> None:
    other = {"name": "Other", "ansible.builtin.debug": {"msg": "done"}, "tags": ["other"]}
    done = ansible("--tags", "other", post_tasks=[other])
    assert done.code == 0, done.stdout
    assert {*results().verdicts().values()} == {"skipped"}


def test_hosts_that_take_turns_are_refused_before_anything_runs() -> None:
    done = ansible(serial=1)
    assert done.code == 2
    assert "`serial" in done.stdout + done.stderr
    assert "step once runs once for all hosts" in done.stdout + done.stderr
    assert not Path(".rack-recipes/runs").exists()


@pytest.mark.repeats(one_in=4)
@pytest.mark.parametrize("keywords", [{}, {"strategy": "free"}, {"serial": 2}, {"serial": 1}], ids=str)
def test_a_role_of_one_stage_says_of_each_host_what_became_of_it(keywords: dict[str, Any]) -> None:
    done = ansible(hosts=f"{GOOD}:{BAD}:{AWAY}", roles=["alone"], **keywords)
    assert done.code != 0
    found = results()
    assert found.verdicts() == {
        ("only", GOOD): "passed",
        ("only", BAD): "passed",
        ("torn", BAD): "failed",
        # Ansible ends a play of which a whole batch has failed.
        ("only", AWAY): "error" if keywords == {"serial": 1} else "unreachable",
    }
    assert found.run["status"] == "failed"

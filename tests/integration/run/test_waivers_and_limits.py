# SPDX-License-Identifier: GPL-3.0-or-later

"""Waived failures, limits that are judged again, and runs that are worse than those before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from call_rack_recipes import call, rack_recipes, results, run_recipe, shell, write_recipe

LATER = "until: 2099-12-31"
MODULE = {"type": "ansible", "module": "ansible.builtin.command", "args": {"cmd": "false"}, "success": "none"}
STEPS = [
    shell("ok"),
    shell("fail"),
    shell("after", "ok", depends_on=["fail"]),
    shell("hang", timeout=1),
    {"name": "asked", **MODULE, "depends_on": ["after"]},
    shell("once", "fail", scope="run"),
    shell("last", "ok", depends_on=["asked", "once"]),
]


def waive(*entries: str) -> None:
    Path("waivers.yml").write_text("waivers:\n" + "".join(f"  - {{{entry}, who: alice}}\n" for entry in entries))


def test_a_run_whose_only_failures_are_waived_passes(steps: Path, rack: Any):
    waive(
        f"step: fail, reason: RMA 1, {LATER}",
        f"step: hang, reason: slow, verdicts: [error], {LATER}",
        f"step: asked, reason: known, {LATER}",
        f"step: once, reason: known, {LATER}",
        "step: ok, reason: never needed, until: 2020-01-01",
    )
    hosts = rack.hosts[:3]
    words = ("run", write_recipe(STEPS), "-i", rack.inventory, "--limit", ",".join(hosts))
    done = rack_recipes(*words)
    number = 3 * len(hosts) + 1
    assert (done.code, done.answer["counts"]["waived"]) == (0, number), done.stderr
    assert f"{number} failures are waived: fail on " in done.stderr
    assert "waivers of this recipe are over and change nothing: ok (2020-01-01)" in done.stderr
    found = results(done.answer["run_id"])
    host = hosts[0]
    assert found.steps["fail", host]["reason"] == "waived by alice until 2099-12-31: RMA 1; failed: the link is down"
    assert found.steps["hang", host]["reason"].endswith("; error: timed out after 1 s")
    assert {found.steps[name, host]["verdict"] for name in ("after", "last", "ok")} == {"passed"}
    assert found.steps["once", ""]["verdict"] == "waived"
    again = rack_recipes(*words, "--resume", done.answer["run_id"])
    assert again.answer["counts"] == done.answer["counts"]
    resumed = results(again.answer["run_id"])
    assert "reused from" in resumed.steps["ok", host]["reason"]
    assert "reused from" not in resumed.steps["fail", host]["reason"]
    Path("waivers.yml").unlink()
    last = rack_recipes(*words, "--resume", done.answer["run_id"])
    assert (last.code, "waived" in last.answer["counts"]) == (1, False)
    assert results(last.answer["run_id"]).steps["after", host]["verdict"] == "blocked"


def test_only_the_hosts_of_the_waiver_and_passes_lift_it(steps: Path, rack: Any):
    one, other = rack.hosts[:2]
    waive(f"step: fail, hosts: {one}, reason: RMA 1, passes: 1")
    recipe = write_recipe([shell("fail")])
    done = run_recipe(recipe, on=rack, hosts=f"{one},{other}")
    found = done.results
    assert (found.steps["fail", one]["verdict"], found.steps["fail", other]["verdict"]) == ("waived", "failed")
    write_recipe([shell("fail", "ok")])
    assert run_recipe(recipe, on=rack, hosts=one).code == 0
    write_recipe([shell("fail")])
    assert run_recipe(recipe, on=rack, hosts=one).code == 1
    listed = rack_recipes("waivers", "list", "--json").answer["waivers"]
    assert [(waiver["state"], waiver["used"], waiver["runs"]) for waiver in listed] == [("lifted", 1, 3)]


def test_of_hosts_that_one_host_tests_together_only_those_of_the_waiver(steps: Path, rack: Any):
    """The delegate gets one request for all hosts; each of them keeps its own waivers."""
    through, *tested = rack.hosts[:4]
    waive(f"step: probe, hosts: {tested[0]}, reason: RMA 1, {LATER}", f"step: port*, reason: known, {LATER}")
    probe = shell("probe", "fail", delegate_to=through)
    ports = shell("port", "fail", delegate_to=through, loop=["eth0", "eth1"])
    recipe = write_recipe([probe, ports, shell("after", "ok", depends_on=["port"])])
    done = run_recipe(recipe, on=rack, hosts=tested)
    assert done.code == 1, done.stderr
    found = done.results
    assert {host: found.steps["probe", host]["verdict"] for host in tested} == {
        tested[0]: "waived",
        **dict.fromkeys(tested[1:], "failed"),
    }
    assert {found.steps["probe", host]["through"] for host in tested} == {through}
    assert {found.steps[name, host]["verdict"] for name in ("port", "port[eth0]") for host in tested} == {"waived"}
    assert {found.steps["after", host]["verdict"] for host in tested} == {"passed"}


def test_a_changed_waiver_is_not_refused_by_the_lock_file_and_the_record_tells_it(steps: Path, rack: Any):
    """Waivers change no input of a step: who may write them is a matter of the policy (`waive`)."""
    host, recipe = rack.hosts[0], write_recipe([shell("fail")])
    waive(f"step: fail, reason: RMA 1, {LATER}")
    assert rack_recipes("lock", recipe).code == 0
    digests = []
    for reason in ("RMA 1", "RMA 2"):
        waive(f"step: fail, reason: {reason}, {LATER}")
        done = run_recipe(recipe, "--locked", on=rack, hosts=host)
        assert done.code == 0, done.stderr
        assert done.results.steps["fail", host]["reason"].startswith(f"waived by alice until 2099-12-31: {reason};")
        digests.append(rack_recipes("show", done.answer["run_id"], "--json").answer["run"]["waivers"]["digest"])
    assert len(set(digests)) == 2


@pytest.mark.parametrize(("verdicts", "code"), [("", 3), (", verdicts: [unreachable]", 0)])
def test_a_host_that_cannot_be_reached(steps: Path, verdicts: str, code: int):
    Path("away.yml").write_text("all: {hosts: {away: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    waive(f"step: ok, reason: moved, {LATER}{verdicts}")
    done = run_recipe([shell("ok")], on="away.yml")
    assert done.code == code, done.stderr


LIMITS = """\
limits:
  - {measurement: used, max: 0}
"""
RECIPE = """\
test_meta: {test_id: USED-1}
hosts: all
steps:
  - name: disk
    type: shell
    module: disk.usage
    args: {path: /}
    success: {values: [{name: used, value: "${disk.usage_v1.used_percent}", max: 100, unit: "%"}]}
"""


def test_a_run_is_judged_again_and_no_host_is_touched(project: Path, rack: Any):
    Path("used.yml").write_text(RECIPE)
    Path("limits.yml").write_text(LIMITS)
    done = run_recipe("used.yml", on=rack)
    assert done.code == 0, done.stderr
    run_id, hosts = done.answer["run_id"], len(rack.hosts)
    judged = rack_recipes("rejudge", run_id, "--limits", "limits.yml", "--json", "--exit-code")
    assert (judged.code, judged.answer["counts"], judged.answer["worse"]) == (1, {"failed": hosts}, hosts)
    shown = rack_recipes("show", run_id, "--json").answer
    assert {row["verdict"] for row in shown["measurements"] if row["name"] == "used"} == {"passed"}
    assert len(shown["judgements"]) == 1
    mutated = rack_recipes("mutate", run_id, "--json").answer
    (disk,) = mutated["steps"]
    assert disk["host"] in rack.hosts
    assert 0 < disk["noticed"] < disk["mutants"]
    missed = {(one["name"], one["what"]) for one in disk["unnoticed"]}
    assert ("disk.usage_v1.used_percent", "/ 2") in missed  # at most 100 % is all that is asked
    assert ("disk.usage_v1.used_percent", "null") not in missed
    covered = rack_recipes("coverage", "--json", "-i", str(rack.inventory)).answer
    (step,) = covered["steps"]
    assert (step["results"], step["failed"], step["never_on"], covered["hosts_without_run"]) == (hosts, 0, [], [])


CRITERION = {"name": "mean", "value": "${numbers.stats_v1.mean}", "unit": "us", "max": 100}
STEP = {
    "name": "compute_numbers",
    "type": "python",
    "module": "rack.recipes.numbers_stats",
    "args": {"src": "${params.src}"},
    "success": {"values": [CRITERION]},
}


def test_a_run_that_is_worse_closes_the_gate_and_says_what_changed(project: Path) -> None:
    recipe = {"test_meta": {"test_id": "NIGHT"}, "params": {"src": {"type": "str"}}, "steps": [STEP]}
    Path("night.yml").write_text(json.dumps(recipe))
    files = [project / "good.csv", project / "worse.csv"]
    for file, shift in zip(files, (0, 60), strict=True):
        file.write_text("".join(f"{value + shift}\n" for value in (49, 50, 51)))
    Path("playbook.yml").write_text(rack_recipes("compile", "night.yml").stdout)
    here = ("-i", "localhost,", "-c", "local", "-e", f"src={files[0]}")
    nights = call("ansible-playbook", *here, *["playbook.yml"] * 4)  # each is a run
    assert nights.code == 0, nights.stdout + nights.stderr
    last_good, *_between, first_good = (row["run_id"] for row in rack_recipes("runs", "--json").answer["runs"])
    assert rack_recipes("baseline", "compare", "--exit-code").code == 0, "there is no baseline yet"
    assert rack_recipes("baseline", "accept", first_good, "--note", "new rack").code == 0
    gate = rack_recipes("baseline", "compare", "--exit-code")
    assert (gate.code, gate.stderr) == (0, "")

    done = run_recipe("night.yml", "--param", f"src={files[1]}")
    assert done.code == 1, done.stderr
    gate = rack_recipes("baseline", "compare", "--exit-code")
    assert gate.code == 1
    assert "worse: compute_numbers on localhost: passed -> failed" in gate.stderr
    assert "worse: mean of compute_numbers on localhost: passed -> failed" in gate.stderr
    assert "worse.csv" in gate.stdout

    titles = {one["title"]: one for one in rack_recipes("analyse", "--json").answer["findings"]}
    last = next(one for title, one in titles.items() if title.startswith("This test last passed"))
    assert f"in run {last_good}, 1 run before this one; since then changed: params src (" in last["title"]
    baseline = next(one for one in titles.values() if one["kind"] == "baseline")
    assert baseline["advice"].startswith("Look first at what changed since the baseline: params src (")
    usual = "mean of compute_numbers (localhost) is 110 us; 4 earlier runs had 50 us"
    assert titles[usual]["grade"] == "problem"

    shown = rack_recipes("show", done.run_id).stdout.splitlines()
    assert any(line.startswith("problem") and first_good in line for line in shown[1:6])
    told = rack_recipes("trend", "numbers.stats_v1.mean", "--json").answer["series"][0]
    assert [one["value"] for one in told["values"]] == [50, 50, 50, 50, 110]

# SPDX-License-Identifier: GPL-3.0-or-later

"""Waivers in whole runs, on real hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from call_rack_recipes import rack_recipes, results, shell, write_recipe

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
    done = rack_recipes("run", recipe, "-i", rack.inventory, "--limit", f"{one},{other}")
    found = results(done.answer["run_id"])
    assert (found.steps["fail", one]["verdict"], found.steps["fail", other]["verdict"]) == ("waived", "failed")
    write_recipe([shell("fail", "ok")])
    assert rack_recipes("run", recipe, "-i", rack.inventory, "--limit", one).code == 0
    write_recipe([shell("fail")])
    assert rack_recipes("run", recipe, "-i", rack.inventory, "--limit", one).code == 1
    listed = rack_recipes("waivers", "list", "--json").answer["waivers"]
    assert [(waiver["state"], waiver["used"], waiver["runs"]) for waiver in listed] == [("lifted", 1, 3)]


def test_of_hosts_that_one_host_tests_together_only_those_of_the_waiver(steps: Path, rack: Any):
    """The delegate gets one request for all hosts; each of them keeps its own waivers."""
    through, *tested = rack.hosts
    waive(f"step: probe, hosts: {tested[0]}, reason: RMA 1, {LATER}", f"step: port*, reason: known, {LATER}")
    probe = shell("probe", "fail", delegate_to=through)
    ports = shell("port", "fail", delegate_to=through, loop=["eth0", "eth1"])
    recipe = write_recipe([probe, ports, shell("after", "ok", depends_on=["port"])])
    done = rack_recipes("run", recipe, "-i", rack.inventory, "--limit", ",".join(tested))
    assert done.code == 1, done.stderr
    found = results(done.answer["run_id"])
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
        done = rack_recipes("run", recipe, "-i", rack.inventory, "--limit", host, "--locked")
        assert done.code == 0, done.stderr
        assert (
            results(done.answer["run_id"])
            .steps["fail", host]["reason"]
            .startswith(f"waived by alice until 2099-12-31: {reason};")
        )
        digests.append(rack_recipes("show", done.answer["run_id"], "--json").answer["run"]["waivers"]["digest"])
    assert len(set(digests)) == 2


@pytest.mark.parametrize(("verdicts", "code"), [("", 3), (", verdicts: [unreachable]", 0)])
def test_a_host_that_cannot_be_reached(steps: Path, verdicts: str, code: int):
    Path("away.yml").write_text("all: {hosts: {away: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    waive(f"step: ok, reason: moved, {LATER}{verdicts}")
    done = rack_recipes("run", write_recipe([shell("ok")]), "-i", "away.yml")
    assert done.code == code, done.stderr

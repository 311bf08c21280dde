# SPDX-License-Identifier: GPL-3.0-or-later

"""A host lets us log in and then never answers, or answers without an end: it is unreachable, and all else goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.rack.recipes.tests.integration.faults.own_project import own_project
from call_rack_recipes import COMMAND, Done, Results, environment, results, shell, write_inventory, write_recipe
from ssh_hosts import Rack

CASES = Path(__file__).parent / "cases" / "hung_hosts"
ANSWER_TIMEOUT = 6  # seconds; with those that it may wait, and those for the request, a busy machine has 13
RECONNECT_TIMEOUT = 12
ROOM = 4 * 64 * 1024  # KiB for an answer of 64 MiB, its copy while more is added to it, and Ansible itself

# What hosts do in place of what they are asked for; the last four hang or stop only later.
ONCE = 'echo >>"$HOME/logins"; [ $(wc -l <"$HOME/logins") = 1 ] || exec sleep 3600; eval "$SSH_ORIGINAL_COMMAND"'
OBEYS = 'if [ -e "$HOME/hung" ]; then exec sleep 3600; fi; eval "$SSH_ORIGINAL_COMMAND"'
HUNG = {
    "sleeps": "sleep 3600",
    "drips": "while :; do printf .; sleep 1; done",
    "greets": "while :; do echo Welcome; echo Welcome >&2; sleep 0.1; done",
    "floods": "yes",
    "echoes": "cat",
    "once": ONCE,
    "later": OBEYS,
    "polled": OBEYS,
    "stops": OBEYS,
}
WITHOUT_END = {way: f"{sys.executable} {CASES}/answer_without_end.py {way}" for way in ("answer", "journal")}
LOGINS = HUNG | WITHOUT_END
NAMES = ("fine", *LOGINS)
PEAK = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([done.returncode, done.stdout, done.stderr, peak]))
"""


class Ran(NamedTuple):
    """How a run ended, its results, how long it took in seconds, and the most memory of one of its processes in KiB."""

    done: Done
    found: Results
    seconds: float
    peak: int

    def said(self, step: str, host: str) -> tuple[str, str]:
        """Verdict and reason of a step."""
        row = self.found.steps[step, host]
        return row["verdict"], row["reason"] or ""


@pytest.fixture(scope="module")
def hung() -> Iterator[Rack]:
    """A host that obeys, and others that do not."""
    with Rack(len(NAMES), first_address="127.0.9.1") as made:
        members = dict(zip(NAMES, made.hosts, strict=True))
        for name, command in LOGINS.items():
            conf = made.folder / f"{members[name]}.conf"
            conf.write_text(f"{conf.read_text()}ForceCommand {command}\n")
        made.kill(*made.hosts)
        made.revive(*made.hosts)
        yield made


def inventory(rack: Rack, *names: str) -> str:
    known = {name: rack.variables(rack.hosts[NAMES.index(name)]) for name in names}
    write_inventory(known)
    return "inventory.yml"


def ran(*words: str, limit: float = ANSWER_TIMEOUT) -> Ran:
    """Run to the end, which comes: a run that does not end fails this test within minutes."""
    env = environment(
        ANSIBLE_FORKS=20, RACK_RECIPES_ANSWER_TIMEOUT=limit, RACK_RECIPES_RECONNECT_TIMEOUT=RECONNECT_TIMEOUT
    )
    began, command = time.monotonic(), [sys.executable, "-c", PEAK, sys.executable, "-c", COMMAND, "run", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600, env=env)
    code, stdout, stderr, peak = json.loads(done.stdout)
    return Ran(Done(code, stdout, stderr), results(), time.monotonic() - began, peak)


def steps_of(server: int) -> list[dict[str, Any]]:
    """Two stages, and between them one that runs once. `server` is the SSH server of the host that stops it."""
    hangs = {"module": "h.hang", "success": {"ctx_has_keys": ["h.hang_v1"]}}
    stops = {"module": "h.stop", "success": {"ctx_has_keys": ["h.stop_v1"]}, "args": {"server": server}}
    ping = {"name": "ping", "type": "ansible", "module": "ansible.builtin.ping", "timeout": 10}
    return [
        {**ping, "name": "before", "hosts": "fine:drips"},
        shell("one", "ok", timeout=5),
        shell("visit", hosts="once"),
        shell("through", "ok", hosts="fine", delegate_to="drips"),
        shell("hangs", hosts="later", **hangs),
        shell("slow", hosts="polled", args={"seconds": 8}, **hangs),
        shell("stops", hosts="stops", **stops),
        shell("gate", "ok", scope="run"),
        shell("two", "ok", timeout=5),
        {**ping, "hosts": "fine:sleeps"},
        shell("closes", "ok", always=True, hosts="fine"),
    ]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, hung: Rack) -> Iterator[Ran]:
    """A run with all of these hosts; its project is the working folder."""
    with own_project(tmp_path_factory.mktemp("hung"), CASES / "h"):
        member = hung.hosts[NAMES.index("stops")]
        yield ran(write_recipe(steps_of(hung.pids()[member])), "-i", inventory(hung, "fine", *HUNG))


def test_the_run_ends_and_the_other_hosts_do_not_notice(first: Ran):
    assert first.done.code == 1, first.done.stderr  # some steps are errors
    assert {place: row["verdict"] for place, row in first.found.steps.items() if place[1] in ("fine", "")} == {
        **{(step, "fine"): "passed" for step in ("before", "one", "two", "ping", "closes")},
        ("through", "fine"): "unreachable",
        ("gate", ""): "passed",
    }
    assert first.peak < ROOM


@pytest.mark.parametrize("host", ["sleeps", "drips", "greets", "floods"])
def test_a_host_that_never_answers_is_unreachable_and_named(first: Ran, host: str):
    for step in ("one", "two"):
        verdict, reason = first.said(step, host)
        assert (verdict, reason.startswith(f"no answer from {host} ")) == ("unreachable", True), reason
        assert f"`ssh {host} true`" in reason
    assert (" that ends: 64 MiB have come" in first.said("one", host)[1]) is (host == "floods")


def test_so_is_one_that_runs_steps_for_others(first: Ran):
    verdict, reason = first.said("through", "fine")
    assert (verdict, reason.startswith("no answer from drips within ")) == ("unreachable", True), reason
    assert reason.endswith("(through drips)")


def test_a_host_that_echoes_is_told_apart(first: Ran):
    verdict, reason = first.said("one", "echoes")
    assert (verdict, reason.startswith("the host sends back what it is sent")) == ("error", True), reason


def test_a_host_that_hangs_later_keeps_what_it_had_finished(first: Ran):
    for host in ("later", "polled"):
        assert first.said("one", host) == ("passed", "")
    assert first.said("hangs", "later") == ("passed", "")
    for step, host in (("two", "later"), ("slow", "polled"), ("two", "polled")):
        verdict, reason = first.said(step, host)
        assert (verdict, reason.startswith(f"no answer from {host} within ")) == ("unreachable", True), reason


def test_a_host_whose_server_stops_is_lost_as_before(first: Ran):
    verdict, reason = first.said("stops", "stops")
    assert (verdict, reason.startswith("lost, and not back within ")) == ("unreachable", True), reason


def test_a_module_is_ended_by_its_step_s_timeout_and_not_begun_on_a_host_that_hung_before(first: Ran):
    assert first.said("before", "drips") == ("error", "timed out after 10 s")
    verdict, reason = first.said("ping", "sleeps")
    assert (verdict, reason.startswith("no answer from sleeps ")) == ("unreachable", True), reason


def test_a_file_that_is_not_sent_is_missing_and_its_step_has_its_result(first: Ran):
    assert first.said("visit", "once")[0] == "passed"
    assert "no answer from once within " in first.done.stdout + first.done.stderr
    assert first.said("two", "once")[0] == "unreachable"


def test_a_resumed_run_collects_what_was_finished(first: Ran, hung: Rack):
    """On hosts that have come back. One that still hangs is as before, and the run ends."""
    run_id, back = first.found.run["run_id"], ("polled", "stops")
    (hung.folder / hung.hosts[NAMES.index("polled")] / "hung").unlink()
    for pid in hung.processes():
        os.kill(pid, signal.SIGCONT)
    words = ("--resume", run_id, "-i", inventory(hung, "fine", *HUNG), "--limit", f"fine,sleeps,{','.join(back)}")
    again = ran(*words)
    assert again.done.code == 3, again.done.stderr
    for step, host in (("slow", "polled"), ("stops", "stops"), ("one", "stops")):
        assert again.said(step, host) == ("passed", f"reused from {run_id}")
    assert [again.said("two", host)[0] for host in ("fine", *back)] == ["passed"] * 3
    assert again.said("one", "sleeps")[1].startswith("no answer from sleeps within ")


@pytest.mark.repeats
@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("answer", ("unreachable", "no answer from answer that ends: 64 MiB have come")),
        ("journal", ("error", "journal sends results without an end: more than 576 MiB in one stage")),
    ],
)
def test_records_without_an_end(tmp_path_factory: pytest.TempPathFactory, hung: Rack, way: str, said: tuple[str, str]):
    """In one answer, or in many of which each has an end."""
    with own_project(tmp_path_factory.mktemp(way)):
        found = ran(write_recipe([shell("one", "ok")]), "-i", inventory(hung, "fine", way))
        verdict, reason = found.said("one", way)
        assert (verdict, reason.partition("; ")[0]) == said
        assert found.said("one", "fine") == ("passed", "")
        assert found.done.code == {"unreachable": 3, "error": 1}[verdict]
        assert found.peak < ROOM

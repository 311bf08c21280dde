# SPDX-License-Identifier: GPL-3.0-or-later

"""One runner for many hosts: a process for each, so many at a time, one journal."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.runner import hosts_of_delegate
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import (
    OK,
    children_of,
    has_died,
    step,
    wait_for,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.runner.runner_process import Host, pack

NAMES = ("bmc1", "bmc2", "bmc3")
SCRIPTLET = """
import json, http.client
from random import random
import not_there.at_all
"""
PYTHON = """
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet

class Probe(Scriptlet):
    def run(self, ctx, params):
        import http.client
        assert "same_v1" not in ctx
        ctx.set("name_v1", params["name"])
        ctx.set("same_v1", 1)
        ctx.secret("s-" + params["name"])
"""


@pytest.fixture
def delegate(tmp_path):
    """The machine that all hosts are tested through; nothing of it runs on after the test."""
    made = Host(tmp_path)
    yield made
    made.stop()


def start(delegate, *steps, files=None, names=NAMES, at_once=32, own=None, **fields):
    """Start steps for some hosts. `own` gives fields of the request by host."""
    hosts = [{"host": name, **(own or {}).get(name, {})} for name in names]
    return delegate.start(*steps, files=files, hosts=hosts, at_once=at_once, **fields)


def script(text, name="script", **fields):
    return step(name, kind="shell", file=f"{name}.sh", **fields), {f"{name}.sh": f"#!/bin/sh\n{text}\n{OK}"}


def verdicts(answer):
    found = [record for record in answer.records if record["kind"] == "step"]
    return {record["host"]: (record["verdict"], record["reason"]) for record in found}


def test_each_host_has_its_own_records_numbers_arguments_and_folder(delegate):
    text = """[ ! -e mine ] || exit 9
echo "$RACK_HOST $RACK_PARAM_NAME" >mine; sleep 0.2; cat mine
"""
    probe, files = script(text)
    own = {name: {"steps": [{**probe, "args": {"name": f"n-{name}"}}]} for name in NAMES}
    answer = start(delegate, probe, files=files, own=own)
    assert (answer.state, answer.reason) == ("ended", "")
    assert verdicts(answer) == dict.fromkeys(NAMES, ("passed", ""))
    printed = {record["host"]: record["attempts"][0]["stdout"].split("\n")[0] for record in answer.records}
    assert printed == {name: f"{name} n-{name}" for name in NAMES}
    assert [record["n"] for record in answer.records] == [1, 1, 1]
    assert answer.offset == os.path.getsize(delegate.base / "stage1" / "journal.jsonl")
    assert not (delegate.base / "stage1" / "work").exists()


def test_a_python_class_runs_for_each_host_and_its_secrets_come_back(delegate):
    name = "ansible_collections.rack.recipes.plugins.modules.probe"
    probe = step("probe", kind="python", module=name, function="Probe", digest="1")
    own = {name: {"steps": [{**probe, "args": {"name": name}}]} for name in NAMES}
    files = {f"{name.replace('.', '/')}.py": PYTHON}
    answer = start(delegate, probe, files=files, own=own, seal="00" * 32, at_once=2, lease=2)
    assert verdicts(answer) == dict.fromkeys(NAMES, ("passed", ""))
    deltas = {
        (record["host"], record["key"]): record["after"] for record in answer.records if record["kind"] == "delta"
    }
    assert deltas == {(name, key): value for name in NAMES for key, value in (("name_v1", name), ("same_v1", 1))}
    assert answer.concealed


def test_only_so_many_hosts_run_at_once(delegate):
    names = [f"bmc{number}" for number in range(7)]
    probe, files = script(
        "mkdir -p ../../../now; touch ../../../now/$$; ls ../../../now | wc -l; sleep 0.2; rm ../../../now/$$"
    )
    answer = start(delegate, probe, files=files, names=names, at_once=3)
    assert (answer.lost, verdicts(answer)) == (None, dict.fromkeys(names, ("passed", "")))
    seen = [int(record["attempts"][0]["stdout"].split("\n")[0]) for record in answer.records]
    assert max(seen) == 3


def test_no_host_is_taken_twice(delegate):
    names = [f"bmc{number}" for number in range(300)]
    probe, files = script('echo "$RACK_HOST" >>../../../taken')
    answer = start(delegate, probe, files=files, names=names, at_once=8)
    assert (answer.lost, verdicts(answer)) == (None, dict.fromkeys(names, ("passed", "")))
    assert sorted((delegate.base / "taken").read_text().split()) == sorted(names)


def test_the_end_of_the_stage_ends_all_hosts_and_starts_no_other(delegate):
    probe, files = script("sleep 60")
    assert start(delegate, probe, files=files, at_once=2, attach=0).state == "running"
    steps_of_hosts(delegate, 2)
    answer = delegate.ask({"id": "stage1", "offset": 0, "attach": 60, "end": "the user has had enough"})
    assert answer.state == "ended"
    found = verdicts(answer)
    assert [found[name] for name in NAMES[:2]] == [("error", "stopped: the user has had enough")] * 2
    assert found["bmc3"] == ("error", "not run: the user has had enough")


def test_the_end_of_the_lease_ends_all_hosts(delegate):
    probe, files = script("sleep 60")
    start(delegate, probe, files=files, at_once=2, attach=0, lease=1)
    until = time.monotonic() + 60
    while not (delegate.base / "stage1" / "ended").exists():  # a poll would renew the lease
        assert time.monotonic() < until
        time.sleep(0.1)
    answer = delegate.poll()
    assert set(verdicts(answer)) == set(NAMES)
    assert {verdict for verdict, _reason in verdicts(answer).values()} == {"error"}


def steps_of_hosts(delegate, count):
    """The steps that run by now, by the process of their host, once there are so many of both."""

    def steps():
        found = {host: children_of(host) for runner in delegate.runners() for host in children_of(runner)}
        return found if sum(map(len, found.values())) == len(found) == count else None

    return wait_for(steps)


def test_a_host_whose_process_is_killed_is_told_and_the_others_go_on(delegate):
    probe, files = script('[ "$RACK_HOST" != bmc2 ] || { : >../../../reached; exec sleep 60; }')
    assert start(delegate, probe, files=files, at_once=1, attach=0).state == "running"
    wait_for((delegate.base / "reached").exists)
    ((killed, (left,)),) = steps_of_hosts(delegate, 1).items()
    os.kill(killed, signal.SIGKILL)
    answer = delegate.poll()
    assert answer.state == "ended"
    assert verdicts(answer) == {"bmc1": ("passed", ""), "bmc3": ("passed", "")}
    assert answer.lost == {"bmc2": hosts_of_delegate.KILLED}
    assert has_died(left)


def test_the_hosts_end_with_their_runner(delegate):
    probe, files = script("sleep 60")
    assert start(delegate, probe, files=files, attach=0).state == "running"
    running = steps_of_hosts(delegate, 3)
    (runner,) = delegate.runners()
    os.kill(runner, signal.SIGKILL)
    assert delegate.poll().state == "killed"
    assert all(map(has_died, [*running, *(step for steps in running.values() for step in steps)]))


def test_a_host_that_cannot_be_run_says_why(delegate):
    probe, files = script("true")
    answer = start(delegate, probe, files=files, own={"bmc2": {"steps": [{**probe, "unheard_of": 1}]}})
    assert set(verdicts(answer)) == {"bmc1", "bmc3"}
    assert "unheard_of" in answer.lost["bmc2"]


def test_only_the_standard_library_is_imported_beforehand():
    assert hosts_of_delegate._imported(SCRIPTLET.encode()) == ["json", "http.client", "random", "not_there.at_all"]


def test_what_many_hosts_need_is_imported_once_and_no_scriptlet(tmp_path, monkeypatch):
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "installed_here.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    source = "import socket, json\nimport mailbox\nimport installed_here\nraise OSError('it was run')\n"
    payload = tmp_path / "payload.zip"
    payload.write_bytes(pack({"scriptlets/probe.py": source}))
    for name in ("encodings.idna", "mailbox"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    request = {"steps": [step("a", kind="python", module="scriptlets.probe", function="A")], "hosts": []}
    paths = list(sys.path)
    hosts_of_delegate.import_once(request, str(payload))
    assert {"encodings.idna", "mailbox"} <= sys.modules.keys()
    assert not {"installed_here", "scriptlets.probe"} & sys.modules.keys()
    assert sys.path == paths

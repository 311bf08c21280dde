# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of real runs, told to the webhook source of Event-Driven Ansible itself, which checks the signature."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eda_webhook_source import listening

from call_rack_recipes import COMMAND, SUCCESS, TIMEOUT, environment, rack_recipes, write_scriptlet

SECRET = "e4d909c290d0fb1ca068ffaddf22cbd0"
PASSWORD = "hunter2-of-the-bmc"
INVENTORY = "all: {hosts: {h1: {ansible_connection: local}, h2: {ansible_connection: local}}}\n"
STEPS = [
    {"name": "ok", "type": "shell", "module": "t.ok", "success": SUCCESS["ok"]},
    {"name": "leak", "type": "shell", "module": "t.leak", "args": {"word": "${params.word}"}, "success": "none"},
]
RECIPE = {
    "test_meta": {"test_id": "T-1", "labels": {"site": "lab"}},
    "params": {"word": {"type": "str", "secret": True}},
    "steps": STEPS,
}
LEAK = 'echo "{\\"status\\": \\"failed\\", \\"reason\\": \\"cannot log in with $RACK_PARAM_WORD\\"}"'


@pytest.fixture
def shop(project: Path) -> Path:
    """A project with a recipe that fails on both hosts, and says a secret in its reason."""
    folder = project / "scriptlets" / "t"
    folder.mkdir(parents=True)
    (folder / "ok.sh").write_text('#!/bin/sh\necho \'{"status": "ok", "outputs": {"t.ok_v1": 1}}\'\n')
    (folder / "ok.yml").write_text("description: Passes.\nwrites: [t.ok_v1]\n")
    (folder / "leak.sh").write_text(f"#!/bin/sh\n{LEAK}\n")
    (folder / "leak.yml").write_text("description: Fails.\noptions: {word: {type: str, no_log: true}}\n")
    (project / "inventory.yml").write_text(INVENTORY)
    (project / "recipe.yml").write_text(json.dumps(RECIPE))
    (project / "params.yml").write_text(f"word: {PASSWORD}\n")
    return project


@pytest.fixture(scope="module")
def source() -> Iterator[tuple[str, Any]]:
    with listening(SECRET) as found:
        yield found


def run(url: str, **env: str) -> Any:
    words = ("recipe.yml", "-i", "inventory.yml", "--param-file", "params.yml", "--json", "--notify", url)
    return rack_recipes("run", *words, RACK_RECIPES_NOTIFY_TIMEOUT=TIMEOUT, **env)


def test_event_driven_ansible_takes_the_end_of_a_run(shop: Path, source: tuple[str, Any]):
    url, events = source
    done = run(url, RACK_RECIPES_NOTIFY_SECRET=SECRET)
    assert (done.code, done.answer.get("warnings")) == (1, None), done.stderr
    event = next(events)
    told = event["payload"]
    assert event["meta"]["endpoint"] == "rack"
    assert (told["event"], told["run_id"], told["status"]) == ("run_ended", done.answer["run_id"], "failed")
    assert (told["test_id"], told["labels"], told["counts"]) == ("T-1", {"site": "lab"}, done.answer["counts"])
    assert (told["failing_hosts"], told["failing_hosts_total"], told["hosts"]) == (["h1", "h2"], 2, 2)
    assert told["findings"][0]["grade"] == "problem"
    assert (told["is_stored"], told["group"], told["report"]) == (True, None, [])
    assert PASSWORD not in json.dumps(event)
    assert SECRET not in "".join(
        path.read_text(errors="replace") for path in shop.rglob("*") if path.is_file() and path.suffix != ".db"
    )


def test_a_run_that_is_interrupted_is_told_of_too(shop: Path, source: tuple[str, Any]):
    url, events = source
    write_scriptlet(
        "t.ok",
        '#!/bin/sh\ntouch "$RACK_PARAM_HERE"\nsleep 600\n',
        "description: Hangs.\noptions: {here: {type: str}}\n",
        shop / "scriptlets",
    )
    mark = shop / "begun"
    steps = [{"name": "ok", "type": "shell", "module": "t.ok", "args": {"here": str(mark)}, "success": "none"}]
    (shop / "recipe.yml").write_text(json.dumps({"test_meta": {"test_id": "T-2"}, "steps": steps}))
    words = [sys.executable, "-c", COMMAND, "run", "recipe.yml", "--json", "--notify", url]
    env = environment(RACK_RECIPES_NOTIFY_SECRET=SECRET, RACK_RECIPES_NOTIFY_TIMEOUT=TIMEOUT)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        until = time.monotonic() + TIMEOUT
        while not mark.exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        process.terminate()
        told = next(events)["payload"]
        assert process.wait(TIMEOUT) == 143
    assert (told["test_id"], told["status"], told["counts"]) == ("T-2", "interrupted", {"error": 1})


def test_a_wrong_secret_is_a_warning_and_changes_nothing_else(shop: Path, source: tuple[str, Any]):
    url, _events = source
    done = run(url, RACK_RECIPES_NOTIFY_SECRET="another secret of 24 c")
    [warning] = done.answer["warnings"]
    assert (done.code, done.answer["status"]) == (1, "failed")
    assert warning.startswith("the end of this run was not told: 127.0.0.1:")
    assert warning.endswith("answered with HTTP 401")

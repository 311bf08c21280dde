# SPDX-License-Identifier: GPL-3.0-or-later

"""The form that starts recipes, filled in by somebody who wants more than a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import faulty_disks
from ansible_collections.rack.recipes.tests.integration.web.web_server import WebServer, web_server
from controller_process import wait_for

LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
WAIT = {"name": "wait", "type": "shell", "module": "t.wait", "success": "none"}
RECIPE = {"test_meta": {"test_id": "WAIT"}, "params": {"words": {"type": "str", "default": ""}}, "steps": [WAIT]}
PLACE = "/recipes/recipes%2Fwait.yml"
OBJECTION = faulty_disks.objection()


def project(folder: Path) -> Path:
    """A project with a recipe that waits until there is a file `open`."""
    for name in ("recipes", "scriptlets/t"):
        (folder / name).mkdir(parents=True)
    script = f'#!/bin/sh\nuntil [ -e {folder}/open ]; do sleep 0.1; done\necho \'{{"status": "ok"}}\'\n'
    (folder / "scriptlets/t/wait.sh").write_text(script)
    (folder / "scriptlets/t/wait.yml").write_text("description: Waits.\n")
    (folder / "recipes/wait.yml").write_text(json.dumps(RECIPE))
    (folder / "ansible.cfg").write_text("[defaults]\ninject_facts_as_vars = false\n")
    (folder / "inventory.json").write_text(json.dumps({"all": {"hosts": {"h1": LOCAL, "h2": LOCAL}}}))
    (folder / "secret").write_text("root-4711-of-a-file\n")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[WebServer]:
    with web_server(folder, "--allow-run", "-i", "inventory.json") as server:
        yield server
        (folder / "open").touch()


def actions(folder: Path) -> list[dict[str, Any]]:
    path = folder / ".rack-recipes/server/actions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


LIMITS = [
    ",",
    " : , ",
    "@{folder}/secret", "h1,@{folder}/secret", "h1:@{folder}/secret", "h1 , @{folder}/secret", "h1 @{folder}/secret",
    "!@{folder}/secret", "&@secret", "-i", "--inventory=x", "h1,-h2", "/etc/passwd", "../secret", "h1/h2", "~/.ssh/id",
    "h1\nh2", "h1\x00", "h1\x1b[2J", "h1\u202eh2", "{{ lookup('file', '/etc/passwd') }}", "{% raw %}", "{# x #}",
    "${{params.words}}", "h1;id", "`id`", "h" * 501,
]  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS, ids=lambda text: ascii(text)[:30])
def test_a_limit_is_a_pattern_of_hosts_and_nothing_else(server: WebServer, folder: Path, limit: str):
    before = len(actions(folder))
    answer = server.send(f"{PLACE}/runs?format=json", {"limit": limit.replace("{folder}", str(folder))})
    assert answer.status == 400, answer.text
    assert "limit" in answer.data["errors"]
    assert "root-4711" not in answer.text
    [row] = actions(folder)[before:]
    assert (row["action"], row["state"][:8], row["about"]["recipe"]) == ("start", "refused:", "recipes/wait.yml")


@pytest.mark.parametrize("field", ["inventory", "only", "skip", "tags", "params", "label", "recipe", "param_file", "x"])
def test_the_form_has_no_other_fields(server: WebServer, folder: Path, field: str):
    answer = server.send(f"{PLACE}/runs?format=json", {field: "@/etc/passwd"})
    assert (answer.status, "this form has no such field" in answer.data["errors"][field]) == (400, True), answer.text
    assert actions(folder)[-1]["state"].startswith("refused:")


def test_ten_starts_at_once_are_four_runs(server: WebServer, folder: Path):
    with ThreadPoolExecutor(10) as senders:
        asked = [senders.submit(server.send, f"{PLACE}/runs?format=json", {"limit": "h1:!h2"}) for _each in range(10)]
        answers = [each.result() for each in asked]
    assert sorted(each.status for each in answers) == [200] * 4 + [429] * 6
    states = [row["state"] for row in actions(folder) if row["about"].get("limit") == "h1:!h2"]
    assert sorted(states) == ["begun"] * 4 + ["done"] * 4 + ["refused: 4 runs that pages have started go on"] * 6
    (folder / "open").touch()
    for answer in answers:
        if answer.status == 200:
            ended = f"/starts/{answer.data['run_id']}?format=json"
            wait_for("the end of a run", lambda ended=ended: server.ask(ended).data.get("address"), 120)


@pytest.mark.skipif(bool(OBJECTION), reason=OBJECTION)
@pytest.mark.parametrize("full", ["runs", pytest.param("server", marks=pytest.mark.repeats)])
def test_a_start_on_a_full_disk_says_which_folder_is_full(tmp_path: Path, full: str):
    project(tmp_path)
    with faulty_disks.apart():
        disk = faulty_disks.Disk(tmp_path / ".rack-recipes" / full, "1m")
        with web_server(tmp_path, "--allow-run", "-i", "inventory.json") as server:
            disk.fill()
            answer = server.send(f"{PLACE}/runs?format=json", {})
            assert (answer.status, f".rack-recipes/{full}" in answer.data["detail"]) == (507, True), answer.text
            page = server.send(f"{PLACE}/runs", {})
            assert (page.status, f".rack-recipes/{full}" in page.text) == (507, True), page.text

# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source of Event-Driven Ansible, called as ansible-rulebook calls it, and a real server of pages."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from contextlib import chdir, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.integration.web.test_pages import make_project
from ansible_collections.rack.recipes.tests.integration.web.web_server import TIMEOUT, WebServer, web_server
from call_rack_recipes import rack_recipes

SOURCE = Path(__file__).resolve().parents[3] / "extensions/eda/plugins/event_source/runs.py"
RECIPE = """\
test_meta: {test_id: DISK, labels: {site: lab}}
steps:
  - {name: disk, type: shell, module: disk.usage, args: {path: /, max_percent: 0}, timeout: 60}
"""


@pytest.fixture(scope="module")
def source() -> ModuleType:
    spec = importlib.util.spec_from_file_location("runs", SOURCE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_project(tmp_path_factory.mktemp("eda"))
    (made / "recipes/disk.yml").write_text(RECIPE)
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[WebServer]:
    with web_server(folder) as started:
        yield started


def hear(source: ModuleType, args: dict[str, Any], act: Any, kinds: int) -> list[dict[str, Any]]:
    """The events up to the last of so many of the kind `run`, while `act` is done in a thread."""

    async def listen() -> list[dict[str, Any]]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        telling = asyncio.create_task(source.main(queue, {"interval": 0.5, **args}))
        await asyncio.sleep(3)  # it has asked for the first time
        await asyncio.to_thread(act)
        events: list[dict[str, Any]] = []
        while sum(event["kind"] == "run" for event in events) < kinds or not queue.empty():
            events.append(await asyncio.wait_for(queue.get(), TIMEOUT))
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
        return events

    return asyncio.run(listen())


def test_a_run_that_ends_is_told_with_its_findings(source, folder, server):
    def run() -> None:
        with chdir(folder):
            assert rack_recipes("run", "recipes/disk.yml").code == 1

    args = {"url": server.url, "token": server.token}
    events = hear(source, args, run, 1)
    again = hear(source, {**args, "test": "DISK", "since": newest(server)}, run, 1)
    told = events[0]
    assert (told["kind"], told["test_id"], told["status"], told["labels"]) == ("run", "DISK", "failed", {"site": "lab"})
    assert told["counts"] == {"failed": 1}
    assert told["address"] == f"{server.url}/runs/{told['run_id']}"
    assert told["reasons"], "what failed is in the event"
    assert again[0]["run_id"] > told["run_id"], "what had ended before is told no more"


def newest(server: Any) -> str:
    """The run that has ended last."""
    return str(server.ask("/runs?sort=ended&format=json").data["runs"][0]["run_id"])


def test_what_ended_after_a_run_is_told_at_once(source, server):
    runs = server.ask("/runs?sort=ended&format=json").data["runs"]
    args = {"url": server.url, "token": server.token, "since": runs[3]["run_id"]}
    events = hear(source, args, lambda: None, 3)
    told = [event["run_id"] for event in events if event["kind"] == "run"]
    findings = [event for event in events if event["kind"] == "finding"]
    assert {finding["run_id"] for finding in findings} <= {*told}
    assert all(finding["grade"] and finding["title"] and finding["finding"] for finding in findings)
    assert findings
    assert told == [run["run_id"] for run in reversed(runs[:3])]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"token": "a"}, "expected `url` .* and `token` or `token_file`"),
        ({"url": "https://rack.lab:1"}, "expected `url` .* and `token` or `token_file`"),
        ({"since": "20200101"}, "/runs/20200101: status 404"),
        ({"token": "0" * 40}, "status 401"),
    ],
)
def test_what_is_wrong_ends_the_source_with_an_error(source, server, args, said):
    given = args if said.startswith("expected") else {"url": server.url, "token": server.token, **args}
    with pytest.raises((ValueError, PermissionError), match=said):
        asyncio.run(source.main(asyncio.Queue(), given))


def test_a_server_that_is_away_is_asked_again(source, caplog):
    async def listen() -> None:
        args = {"url": "http://127.0.0.1:9", "token": "a", "interval": 0.1}
        with suppress(TimeoutError):
            await asyncio.wait_for(source.main(asyncio.Queue(), args), 1.0)

    asyncio.run(listen())
    assert len([one for one in caplog.messages if "Connection refused" in one and "asked again in 0.1 s" in one]) > 1


def test_its_documentation_can_be_read(source):
    options = yaml.safe_load(source.DOCUMENTATION)["options"]
    assert set(options) == {"url", "token", "token_file", "ca", "interval", "test", "since"}
    [rulebook] = yaml.safe_load(source.EXAMPLES)
    assert "rack.recipes.runs" in rulebook["sources"][0]

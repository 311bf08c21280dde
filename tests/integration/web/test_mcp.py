# SPDX-License-Identifier: GPL-3.0-or-later

"""`rack-recipes mcp` and a client of the official SDK: the store here, and a server of pages with a token's rights."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from ansible_collections.rack.recipes.tests.integration.web.test_pages import make_project
from ansible_collections.rack.recipes.tests.integration.web.web_server import web_server
from call_rack_recipes import COMMAND, called_here, environment, rack_recipes
from rack_recipes.cli.mcp_server import TOOLS
from rack_recipes.errors import UsageError

Call = tuple[str, dict[str, Any]]


def ask(folder: Path, words: Sequence[str], calls: Sequence[Call], **more: str) -> list[tuple[bool, str]]:
    """What a client hears: for each call whether it is an error, and the text."""

    async def talk() -> list[tuple[bool, str]]:
        program = ["-c", COMMAND, "mcp", *words]
        started = StdioServerParameters(command=sys.executable, args=program, env={**environment(), **more}, cwd=folder)
        async with Client(started) as client:
            tools = (await client.list_tools()).tools
            assert {tool.name for tool in tools} == {*TOOLS, "validate_recipe"}
            assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)
            answers = [await client.call_tool(name, given) for name, given in calls]
            return [(bool(answer.is_error), answer.content[0].text) for answer in answers]

    return anyio.run(talk)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("mcp"))


def test_an_agent_finds_what_failed_and_checks_a_recipe(folder):
    calls: list[Call] = [
        ("list_runs", {"page": 1}),
        ("show_run", {"run": "last"}),
        ("show_run", {"run": "nope"}),
        ("list_scriptlets", {"q": "gpu"}),
        ("validate_recipe", {"text": "steps: 3"}),
    ]
    (_, runs), (_, run), wrong, (_, scriptlets), (_, checked) = ask(folder, (), calls)
    newest = json.loads(runs)["runs"][0]
    shown = json.loads(run)
    assert (shown["run"]["run_id"], shown["status"]) == (newest["run_id"], newest["status"])
    assert wrong == (True, "there is no run 'nope' in the store")
    assert "gpu.health" in {one["name"] for one in json.loads(scriptlets)["scriptlets"]}
    assert json.loads(checked)["problems"][0]["line"] == 1


def test_a_token_says_what_an_agent_may_see(folder):
    with chdir(folder):
        runs = json.loads(rack_recipes("runs", "--json").stdout)["runs"]
        names = [run["run_id"] for run in runs]
        tokens = [
            rack_recipes("token", "create", name, "--role", "viewer", *more).stdout.strip()
            for name, more in (("all", ()), ("one", ("--runs", names[1])))
        ]
    calls: list[Call] = [("list_runs", {}), ("show_run", {"run": names[0]}), ("hosts", {})]
    with web_server(folder) as server:
        words = ("--server", server.url)
        all_of_it, one, unknown = (ask(folder, words, calls, RACK_RECIPES_TOKEN=token) for token in (*tokens, "0" * 40))
    assert [is_error for is_error, _text in all_of_it] == [False, False, False]
    assert [is_error for is_error, _text in one] == [False, True, True]
    assert json.loads(one[0][1])["note"] == f"token:one may see the runs {names[1]}: what rests on others is left out"
    assert [run["run_id"] for run in json.loads(one[0][1])["runs"]] == [names[1]]
    assert f"one may see the runs {names[1]}, not {names[0]}" in one[1][1]
    assert all(is_error and "needs a valid token" in text for is_error, text in unknown)
    [(is_gone, text)] = ask(folder, words, calls[:1], RACK_RECIPES_TOKEN=tokens[0])
    assert is_gone
    assert "the server cannot be reached: Connection refused" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--server", "https://rack.lab:1"), "expected a token in --token-file or RACK_RECIPES_TOKEN"),
        (("--ca", "lab.pem"), "--token-file and --ca are for the server of --server"),
    ],
)
def test_options_that_do_not_fit(folder, words, said):
    with chdir(folder), pytest.raises(UsageError, match=said):
        called_here("mcp", *words)

# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools of `rack-recipes mcp`: one for each page that programs can read, its arguments, answers that fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import RUNS, URL
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import (
    FIRST,
    LAST,
    NO_DATA,
    night,
    store_runs,
)
from rack_recipes.cli.mcp_server import LARGEST, TOOLS, answer_call, fit
from rack_recipes.errors import StoreError, TrustError, UsageError
from rack_recipes.server.access.caller import VIEWER, Caller
from rack_recipes.web.page_routes import GET, ROUTES
from rack_recipes.web.page_source import PageSource
from rack_recipes.web.read_pages import page_of_store

NOT_FOR_AGENTS = {
    *NO_DATA, "/runs/{run}/rack", "/starts/{run}", "/actions", "/shapes", "/keys", "/keys/{key}"
}  # fmt: skip


def test_each_page_with_data_has_a_tool_that_names_what_its_path_names():
    pages = {route.path for route in ROUTES if route.method == GET} - NOT_FOR_AGENTS
    assert {tool.path for tool in TOOLS.values()} == pages
    for tool in TOOLS.values():
        assert re.findall(r"\{(\w+)\}", tool.path) == [*tool.names]


@pytest.fixture
def source(project) -> Iterator[PageSource]:
    store_runs(night(is_bad=False), night())
    source = PageSource(URL, RUNS)
    yield source
    source.close()


def test_what_a_caller_may_not_see_is_an_error_or_is_said(source):
    one = partial(page_of_store, source, Caller("ci", VIEWER, runs=(FIRST,)))
    listed = answer_call(one, "list_runs", {})
    assert [run["run_id"] for run in listed["runs"]] == [FIRST]
    assert listed["note"] == f"ci may see the runs {FIRST}: what rests on others is left out"
    for name, given in (("show_run", {"run": LAST}), ("hosts", {}), ("diff_runs", {"first": FIRST, "second": LAST})):
        with pytest.raises(TrustError, match=f"ci may see the runs {FIRST}"):
            answer_call(one, name, given)
    keys = partial(page_of_store, source, Caller("ci", VIEWER, keys=("power.*",)))
    result = answer_call(keys, "result", {"run": "last", "host": "r0", "step": "uplink"})
    assert result["note"] == "ci may see the keys power.*: what rests on others is left out"
    assert "findings" not in result
    everything = answer_call(partial(page_of_store, source, Caller("me")), "show_run", {"run": "last"})
    assert everything["status"] == "failed"
    assert "note" not in everything


def test_no_store_is_a_problem_and_not_no_runs(project):
    read = partial(page_of_store, PageSource(URL, RUNS), Caller("me"))
    assert "there is no store" in answer_call(read, "list_runs", {})["problem"]
    with pytest.raises(StoreError, match="there is no store"):
        answer_call(read, "show_run", {"run": "last"})


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("delete_run", {}, "there is no tool delete_run: there are list_runs, show_run"),
        ("show_run", {}, "show_run: run is missing; this tool takes run"),
        ("show_run", {"run": ""}, "show_run: run is missing; this tool takes run"),
        (
            "trend",
            {"key": "rate", "since": "x"},
            "trend: since is unknown; this tool takes key, [host], [step], [last]",
        ),
        ("show_run", {"run": ["a"]}, "run: expected a text, found list"),
        ("list_recipes", {"q": "a"}, "list_recipes: q is unknown; this tool takes nothing"),
        ("show_run", {"run": "2031"}, "there is no run '2031' in the store"),
        ("list_runs", {"page": 7}, "page=7: expected a whole number from 1 to 1"),
    ],
)
def test_a_wrong_call_says_what_is_there(source, name, given, said):
    with pytest.raises(Exception, match=re.escape(said)) as caught:
        answer_call(partial(page_of_store, source, Caller("me")), name, given)
    assert type(caught.value).__module__.startswith("rack_recipes.")


def test_a_recipe_is_checked_and_not_run(project):
    def read(*_words: object) -> dict[str, object]:
        raise AssertionError("a page was read")

    good = answer_call(
        read,
        "validate_recipe",
        {"text": "test_meta: {test_id: A}\nsteps:\n- {name: a, type: shell, module: disk.usage, timeout: 9}\n"},
    )
    assert (good["status"], good["problems"]) == ("ok", [])
    wrong = answer_call(read, "validate_recipe", {"text": "stepps: []"})
    assert "got 'stepps' (did you mean 'steps'?)" in wrong["problems"][-1]["text"]
    with pytest.raises(UsageError, match="validate_recipe: text is missing"):
        answer_call(read, "validate_recipe", {})


def test_an_answer_fits_and_says_what_it_leaves_out():
    rows = [{"host": f"h{number}", "reason": "no carrier" * 20} for number in range(900)]
    text = fit({"hosts": {"rows": rows}, "log": "x" * 9000})
    shown = json.loads(text)
    assert len(text) <= LARGEST
    assert shown["hosts"]["left_out"] == {"rows": 900 - len(shown["hosts"]["rows"])}
    assert shown["log"].endswith("[cut: 9,000 characters in all]")
    assert json.loads(fit({"a": [{"b": ["x" * 4000] * 9}] * 9}))["left_out"].startswith("all of it")
    assert json.loads(fit({"few": [1, 2], "none": None})) == {"few": [1, 2], "none": None}

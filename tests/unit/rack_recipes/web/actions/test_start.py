# SPDX-License-Identifier: GPL-3.0-or-later

"""The forms that start recipes: made from their parameters, and checked before anything is started."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import ServedSite
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import HOSTILE
from rack_recipes.web.actions import start_run

RECIPE = """\
test_meta: {test_id: BURN, description: "Burn"}
params:
  minutes: {type: int, description: "How long", min: 1, max: 60}
  target: {type: float, default: 9.5}
  mode: {one_of: [slow, fast], default: slow}
  deep: {type: bool, default: false}
  nodes: {type: list, default: [a, b]}
  api_password: {type: str, default: "", description: "Of the switch"}
  pin: {secret: true}
steps:
  - {name: usage, type: shell, module: disk.usage, args: {path: /, max_percent: 95}}
"""
GIVEN = {"param.minutes": "5", "param.pin": "4711", "param.nodes": "[c, {d: 1}]", "param.mode": "fast"}
PLACE = "/recipes/recipes%2Fburn.yml"


@pytest.fixture
def served(project) -> Iterator[ServedSite]:
    Path("recipes").mkdir()
    Path("recipes/burn.yml").write_text(RECIPE)
    with ServedSite(may_run=True) as served:
        yield served


@pytest.fixture
def started(monkeypatch) -> list[dict[str, object]]:
    """What would have been started: its words, its environment, and the values that it is handed."""
    calls: list[dict[str, object]] = []

    class Child:
        def __init__(self, words, **more):
            [values] = more["pass_fds"]
            calls.append({"words": words, **more, "values": os.pread(values, 65536, 0)})

        def poll(self):
            return None

    real = start_run.subprocess.Popen  # which tries a pattern, in a thread
    monkeypatch.setattr(
        start_run.subprocess, "Popen", lambda words, **more: (Child if "pass_fds" in more else real)(words, **more)
    )
    return calls


def test_the_form_has_a_field_for_each_parameter(served):
    text = served.signed_in("operator").ask(PLACE).text.decode()
    for part in (
        '<label for="start-param.minutes">How long *</label>',
        'name="param.minutes" type="number" value="" autocomplete="off" spellcheck="false" min="1" max="60" step="1"',
        'name="param.target" type="number" value="9.5"',
        '<option value="slow" selected>slow</option><option value="fast">fast</option>',
        '<textarea id="start-param.nodes"',
        'name="param.pin" type="password" value="" autocomplete="new-password"',
        'name="param.api_password" type="password"',
        'name="limit" type="text"',
    ):
        assert part in text, part


def test_a_recipe_is_started_with_fixed_words_and_values_in_memory(served, started):
    served.source.inventory = ("inventory.yml",)
    answer = served.send(f"{PLACE}/runs?format=json", {**GIVEN, "limit": "~web[0-9]:&db:!x-1, h (a|b)"}, "operator")
    run = answer.data["run_id"]
    [call] = started
    words = call["words"][4:]
    assert call["words"][3].endswith("main()")
    assert [words[0], words[1], *words[3:]] == [
        "run",
        "recipes/burn.yml",
        "--inventory=inventory.yml",
        "--limit=~web[0-9]:&db:!x-1, h (a|b)",
    ]
    assert words[2].startswith("--param-file=/dev/fd/")
    assert json.loads(call["values"]) == {"minutes": 5, "pin": "4711", "nodes": ["c", {"d": 1}], "mode": "fast"}
    env = call["env"]
    assert (env["RACK_RECIPES_RUN_ID"], env["RACK_RECIPES_STARTED_BY"]) == (run, "token:operator")
    told = served.data("/actions")["actions"]["rows"][0]
    assert (told["who"], told["action"], told["state"]) == ("token:operator", "start", "done")
    assert ("4711" in told["about"], '"pin": "********"' in told["about"]) == (False, True)
    assert "4711" not in json.dumps([*map(str, call["words"])])


def test_a_browser_goes_on_to_the_start(served, started):
    answer = served.signed_in("operator").send(f"{PLACE}/runs", GIVEN)
    assert answer.status == 303
    page = served.signed_in("operator").ask(answer.headers["location"])
    assert (page.status, b'http-equiv="refresh"' in page.text) == (200, True)
    assert served.data(f"{answer.headers['location']}", "operator")["exit_code"] is None


@pytest.mark.parametrize(
    ("form", "field", "message"),
    [
        ({"param.minutes": ""}, "param.minutes", "expected a whole number, got nothing"),
        ({"param.minutes": "x"}, "param.minutes", "expected a whole number, got"),
        ({"param.minutes": "61"}, "param.minutes", "expected at most 60, got"),
        ({"param.minutes": HOSTILE}, "param.minutes", "expected a whole number, got"),
        ({"param.mode": "quick"}, "param.mode", "expected one of 'slow', 'fast', got 'quick'"),
        ({"param.nodes": "{a: 1}"}, "param.nodes", "expected a list, got"),
        ({"param.pin": ""}, "param.pin", "expected text, got nothing"),
        ({"param.minuets": "5"}, "", "got 'minuets' (did you mean 'minutes'?)"),
        ({"limit": "a\nb"}, "limit", "expected a pattern of hosts"),
        ({"limit": "h1,@/etc/passwd"}, "limit", "no @FILE, no path, no option, no template"),
        ({"inventory": "@/etc/passwd"}, "inventory", "this form has no such field"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field_and_nothing_starts(served, started, form, field, message):
    answer = served.send(f"{PLACE}/runs?format=json", {**GIVEN, **form}, "operator")
    assert (answer.status, started) == (400, [])
    assert message in answer.data["errors"][field]
    assert served.data("/actions")["actions"]["rows"][0]["state"].startswith("refused: ")
    shown = served.signed_in("operator").send(f"{PLACE}/runs", {**GIVEN, **form})
    assert (shown.status, b"<img" in shown.text, b"4711" in shown.text) == (400, False, False)
    assert f'id="start-{field}-error"'.encode() in shown.text or field in ("", "inventory")


def test_without_the_option_nothing_can_be_started(served, started):
    served.source.may_run = False
    assert b"Start this recipe" not in served.signed_in("admin").ask(PLACE).text
    answer = served.send(f"{PLACE}/runs?format=json", GIVEN, "admin")
    assert (answer.status, answer.data["detail"], started) == (403, "this server starts no runs", [])


@pytest.mark.parametrize("name", ["recipes%2Fnone.yml", "..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "-i"])
def test_only_recipes_of_the_project_are_started(served, started, name):
    answer = served.send(f"/recipes/{name}/runs?format=json", GIVEN, "admin")
    assert (answer.status in (400, 404), "there is no recipe" in answer.data["detail"], started) == (True, True, [])


def test_a_recipe_of_the_collection_is_not_started(served, started):
    names = [row["name"] for row in served.data("/recipes")["recipes"] if row["source"] != "project"]
    answer = served.send(f"/recipes/{names[0].replace('/', '%2F')}/runs?format=json", {}, "admin")
    assert (answer.status, "is not a recipe of this project" in answer.data["detail"], started) == (403, True, [])


def test_only_so_many_go_on_at_once(served, started):
    for _number in range(start_run.MOST_STARTED):
        assert served.send(f"{PLACE}/runs?format=json", GIVEN, "operator").status == 200
    answer = served.send(f"{PLACE}/runs?format=json", GIVEN, "operator")
    assert (answer.status, len(started)) == (429, start_run.MOST_STARTED)


@pytest.mark.parametrize("run", ["20261129-101500-abcdef", "..", "..%2F..%2Ftokens", "x"])
def test_a_start_that_never_was_has_no_page(served, run):
    answer = served.ask(f"/starts/{run}?format=json", "operator")
    assert (answer.status, "no page has started a run" in answer.data["detail"]) == (404, True)

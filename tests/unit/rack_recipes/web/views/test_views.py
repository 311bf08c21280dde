# SPDX-License-Identifier: GPL-3.0-or-later

"""What single pages put on the screen and into their data, of a store that is empty, small, hostile or large."""

from __future__ import annotations

import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import URL
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import (
    FIRST,
    HOSTILE,
    LAST,
    NO_DATA,
    addresses,
    night,
    store_runs,
    wrong_fields,
)
from rack_recipes.store.database_engine import connect_store
from rack_recipes.web.page_model import page_address
from rack_recipes.web.page_routes import POST, ROUTES
from rack_recipes.web.views import run_detail_pages
from rack_recipes.web.views.json_schemas_and_metrics import SHAPES, schema_of

MANY = 300


class _Markup(HTMLParser):
    """Collects what no page of ours has: elements that load something, and handlers of events."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        is_foreign = tag in ("img", "iframe", "object", "embed") or any(name.startswith("on") for name, _text in attrs)
        self.found += [f"{tag} {attrs}"] if is_foreign else []


def markup_in(text: str) -> list[str]:
    parser = _Markup()
    parser.feed(text)
    return parser.found


def empty_store() -> None:
    connect_store(URL).dispose()


def test_every_page_that_is_data_has_a_shape():
    assert {route.path for route in ROUTES} == {*SHAPES, *NO_DATA}
    for path in SHAPES:
        Draft202012Validator.check_schema(schema_of(path))


def test_without_a_store_pages_say_so(served):
    assert b"there is no store yet" in served.ask("/runs", "viewer").text
    for path, place in addresses().items():
        answer = served.ask(f"{place}{'&' if '?' in place else '?'}format=json", "admin")
        needs_no_store = path in ("/runs", "/actions", "/shapes") or path.startswith(("/recipes", "/scriptlets"))
        assert answer.status == (200 if needs_no_store else 503), path


def test_an_empty_store_has_pages(served):
    empty_store()
    assert b"There are no runs yet: rack-recipes run RECIPE makes the first one." in served.ask("/runs", "viewer").text
    for place in ("/runs", "/hosts", "/keys", "/trends", "/actions"):
        data = served.data(place)
        assert wrong_fields(place, data) == []
        assert [row for table in data.values() if isinstance(table, dict) for row in table["rows"]] == []
        assert place == "/runs" or b"There is nothing to show yet." in served.ask(place, "admin").text
    assert served.ask(f"/runs/{LAST}?format=json", "admin").data["detail"] == f"there is no run '{LAST}' in the store"


def test_one_run_is_on_every_page(served):
    store_runs(night(is_bad=False), night())
    for path, place in addresses().items():
        assert wrong_fields(path, served.data(place)) == []
        answer = served.ask(place, "admin")
        assert answer.status == 200, place
        assert answer.text.count(b"<h1>") == 1, place

    run = served.data(f"/runs/{LAST}")
    assert (run["status"], run["counts"]) == ("failed", [
        {"verdict": "failed", "results": 1, "share": 16.67}, {"verdict": "passed", "results": 5, "share": 83.33}
    ])  # fmt: skip
    assert run["hosts_not_passed"] == [{"host": "r0", "verdict": "failed"}]
    hosts = served.data(f"/runs/{LAST}/hosts")["hosts"]["rows"]
    assert [(row["host"], row["verdict"], row["bad"]) for row in hosts] == [
        ("r0", "failed", 1), ("r1", "passed", 0), ("r2", "passed", 0)
    ]  # fmt: skip
    result = served.data(f"/runs/{LAST}/hosts/r0/uplink")
    assert (result["result"]["verdict"], result["result"]["reason"]) == ("failed", "eth1 has no carrier")
    assert result["log-1"] == "eth1: down"
    assert [row["verdict"] for row in result["history"]["rows"]] == ["failed", "passed"]
    rack = served.data(f"/runs/{LAST}/rack")["map"]["rows"]
    assert [row["uplink"] for row in rack].count("failed") == 1
    context = served.data(f"/runs/{LAST}/context")["context"]["rows"]
    assert {(row["key"], row["host"]) for row in context} == {("link.state_v1", f"r{n}") for n in range(3)}
    assert [row["host"] for row in served.data("/hosts")["hosts"]["rows"]] == ["r0", "r1", "r2"]
    assert served.data("/trends/rate?step=throughput")["series"][0]["limits"] == [90]
    changes = served.data(f"/diff/{FIRST}/{LAST}")["changes"]["verdicts"]
    assert [(row["step"], row["host"], row["after"]) for row in changes] == [("uplink", "r0", "failed")]


def test_the_runs_of_a_trend_are_chosen_by_links(served):
    store_runs(*[night(is_bad=False)] * 4)
    here = "/trends/rate?step=throughput"
    last = served.data(f"{here}&last=2")
    assert [one["run_id"][-1] for one in last["series"][0]["values"]] == ["3", "4"]
    page = served.ask(f"{here}&last=2", "admin").text.decode()
    before = "/trends/rate?step=throughput&amp;last=2&amp;until=20261103-220000-000003"
    assert f'<a href="{before}">2 runs before</a>' in page
    assert 'href="/trends/rate?step=throughput&amp;last=50">50 runs</a>' in page
    assert "The newest" not in page
    earlier = served.data(before.replace("&amp;", "&"))
    assert [one["run_id"][-1] for one in earlier["series"][0]["values"]] == ["2", "3"]
    assert (
        'href="/trends/rate?step=throughput&amp;last=2">The newest</a>'
        in served.ask(before.replace("&amp;", "&"), "admin").text.decode()
    )
    assert "runs before" not in served.ask(here, "admin").text.decode()
    assert served.ask(f"{here}&until=2099", "admin").status == 404


def test_a_picture_of_values_has_a_table_behind_it(served):
    store_runs(night(is_bad=False), night())
    place = f"/runs/{LAST}/rack?measurement=rate&step=throughput"
    data = served.data(place)
    assert wrong_fields("/runs/{run}/rack", data) == []
    assert [(row["host"], row["value"], row["limits"]) for row in data["values"]["rows"]] == [
        (f"r{n}", 97.5, "min 90") for n in range(3)
    ]
    assert f'href="/runs/{LAST}/hosts/r0/throughput"' in served.ask(place, "admin").text.decode()


def test_hostile_text_adds_no_markup_to_any_page(served):
    store_runs(night(is_bad=False), night(text=HOSTILE))
    own = f"r0 {HOSTILE}"
    for path, place in addresses(own, HOSTILE).items():
        answer = served.ask(place, "admin")
        assert answer.status == 200, place
        text = answer.text.decode()
        assert markup_in(text) == [], place
        assert "\u202e" not in text, place
        assert wrong_fields(path, served.data(place)) == []
    seen = served.ask(page_address("runs", LAST, "hosts", own, "uplink"), "admin").text.decode()
    assert "&lt;img src=x onerror=alert(1)&gt;" in seen


def test_many_hosts_are_listed_in_part_and_are_all_data(served):
    store_runs(night(is_bad=False), night(MANY))
    for place, table in ((f"/runs/{LAST}/hosts", "hosts"), (f"/runs/{LAST}/rack", "places"), ("/hosts", "hosts")):
        rows = served.data(place)[table]["rows"]
        assert len(rows) == MANY, place
        shown = served.ask(place, "viewer").text.count(b"<tr")
        assert 0 < shown <= MANY + 2, place
    assert len(served.data(f"/runs/{LAST}/rack")["map"]["rows"]) == MANY
    results = served.ask(f"/runs/{LAST}/tables/verdicts", "viewer").data
    assert results["rows"] == 2 * MANY


def test_a_large_context_is_shown_in_part_and_is_all_data(served, monkeypatch):
    monkeypatch.setattr(run_detail_pages, "MOST_ROWS", 5)
    place = f"/runs/{LAST}/context"
    store_runs(night(), night(5))
    assert "The context as the run left it." in served.ask(place, "viewer").text.decode()
    empty_store()
    shutil.rmtree(".rack-recipes/runs")  # a finished run gains nothing
    store_runs(night(), night(6))
    page = served.ask(place, "viewer").text.decode()
    assert "The first 5 of 6 values. The page as data has all of them." in page
    assert page.count("<tr") == 6
    assert len(served.data(place)["context"]["rows"]) == 6


def test_a_run_that_is_left_in_a_journal_is_named_with_what_to_do(served):
    empty_store()
    Path(f".rack-recipes/runs/{LAST}").mkdir(parents=True)
    detail = served.ask(f"/runs/{LAST}?format=json", "viewer").data["detail"]
    assert f"but in a journal: `rack-recipes flush {LAST}` brings it there" in detail


def test_forms_are_told_apart_from_pages():
    assert {route.path for route in ROUTES if route.method == POST} <= {*SHAPES}


@pytest.mark.parametrize("path", ["recipes/broken.yml", "recipes/broken.yaml", "orchestrator/recipes/broken.yaml"])
def test_a_recipe_with_an_error_is_listed_with_it(path, served):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("test_meta: {test_id: X}\nsteps: 7\n")
    first = served.data("/recipes")["recipes"][0]
    assert first["name"] == path
    assert first["sentence"].startswith(f"error: {path}:2:8: expected ")
    page = served.ask("/recipes", "viewer").text
    assert f"{path}:2:8".encode() in page
    assert f'href="/recipes/{path}"'.encode() not in page


@pytest.mark.parametrize("path", ["recipes/one.yaml", "orchestrator/recipes/one.yaml"])
def test_a_recipe_has_its_page_whatever_its_suffix_and_folder(path, served):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(
        "test_meta: {test_id: X, description: Tells one}\n"
        "steps:\n  - {name: one, type: shell, module: disk.usage, success: none}\n"
    )
    assert served.data("/recipes")["recipes"][0]["name"] == path
    assert b"Tells one" in served.ask(f"/recipes/{path}", "viewer").text

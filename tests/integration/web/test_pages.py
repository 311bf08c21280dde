# SPDX-License-Identifier: GPL-3.0-or-later

"""The pages in a real Chromium: links, filters, live updates, accessibility, and text that wants to do harm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import chdir
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin

import pytest

from ansible_collections.rack.recipes.tests.integration.accessibility import violations
from ansible_collections.rack.recipes.tests.integration.web.ten_runs import id_of, store_ten_runs
from ansible_collections.rack.recipes.tests.integration.web.web_server import TIMEOUT, WebServer, web_server
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import Writer
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import BYTES
from rack_recipes.run.run_folders import hold_run
from rack_recipes.web.page_routes import GET, ROUTES

WIDE, NARROW = {"width": 1340, "height": 900}, {"width": 400, "height": 800}
LAST = id_of(10)
RECIPE = """\
test_meta: {test_id: RACK-ACCEPTANCE, description: "Eight servers behind three leaves"}
params: {target: {type: float, default: 90, description: "Least throughput", min: 1}}
steps:
  - {name: usage, type: shell, module: disk.usage, args: {path: /, max_percent: 95}}
  - {name: memory, type: shell, module: memory.usage, args: {max_percent: 95}, depends_on: [usage]}
"""
HOSTILE = "</script><img src=x onerror=alert(1)>'\"><svg/onload=alert(2)>\u202e{{7*7}}"
NO_RECIPE = "there is no recipe 'recipes/acceptanse.yml' (did you mean 'recipes/acceptance.yml'?)"
PLACES = (
    "/runs",
    f"/runs/{LAST}",
    f"/runs/{LAST}/findings",
    f"/runs/{LAST}/steps",
    f"/runs/{LAST}/rack",
    f"/runs/{LAST}/rack?measurement=rate&step=throughput",
    f"/runs/{LAST}/context",
    f"/runs/{LAST}/attachments",
    f"/runs/{LAST}/hosts",
    f"/runs/{LAST}/hosts/r3",
    f"/runs/{LAST}/hosts/r3/uplink",
    "/hosts",
    "/hosts/r3",
    "/keys",
    "/keys/link.state_v1",
    "/trends",
    "/trends/rate?step=throughput",
    f"/diff/{id_of(9)}/{LAST}",
    "/recipes",
    "/recipes/recipes/acceptance.yml",
    "/scriptlets",
    "/scriptlets/disk.usage",
    "/actions",
    "/shapes",
)
"""One address of every page."""


def make_project(folder: Path, hostile: str = "") -> Path:
    with chdir(folder):
        Path("ansible.cfg").write_text("[defaults]\n")
        Path("recipes").mkdir()
        Path("recipes/acceptance.yml").write_text(RECIPE)
        store_ten_runs(hostile)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with web_server(make_project(tmp_path_factory.mktemp("pages"))) as started:
        yield started


LINK = re.compile(r'<a [^>]*href="(/[^"]*)"')
SEEN = """[...document.querySelectorAll("#series-1 .said")].filter(
    one => getComputedStyle(one).visibility === "visible").map(one => one.textContent)"""
"""What a chart tells at the moment."""


class Reader:
    """A browser that has signed in; the test fails where a page complains, or wants something from elsewhere."""

    def __init__(self, browser: Any, server: WebServer, **view: Any) -> None:
        self.server = server
        self.noise: list[str] = []
        self.context = browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce", **view})
        self.context.set_default_timeout(TIMEOUT * 1000)
        self.page = self.context.new_page()
        self.page.on("console", lambda said: self.noise.append(said.text) if said.type != "log" else None)
        self.page.on("pageerror", lambda error: self.noise.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.noise.append(dialog.message), dialog.dismiss()))
        self.page.on("request", self._asked)
        self.page.goto(f"{server.url}/sign-in#{server.token}")
        self.page.wait_for_url(f"{server.url}/runs")

    def _asked(self, made: Any) -> None:
        if not made.url.startswith((f"{self.server.url}/", "data:,")):
            self.noise.append(made.url)

    def go(self, place: str) -> Any:
        answer = self.page.goto(self.server.url + place)
        assert answer is None or answer.status == 200, place
        return self.page


@pytest.fixture
def reader(browser: Any, server: WebServer) -> Iterator[Any]:
    """Makes readers."""
    made: list[Reader] = []

    def reader(to: WebServer = server, **view: Any) -> Reader:
        made.append(Reader(browser, to, **view))
        return made[-1]

    yield reader
    for one in made:
        one.context.close()
        assert one.noise == []


def test_every_page_has_an_address_here():
    """The list of places above has one of each row of the table of pages."""
    left_out = {
        BYTES,
        "/metrics",
        "/runs/{run}/tables/{table}",
        "/runs/{run}/report",
        "/runs/{run}/events",
        "/starts/{run}",
    }
    patterns = {
        route.path: re.compile(re.sub(r"\\{\w+\\}", "[^/?]+", re.escape(route.path)) + r"(\?.*)?")
        for route in ROUTES
        if route.method == GET
    }
    patterns["/recipes/{name}"] = re.compile(r"/recipes/[^?]+")  # the name is a path
    assert {path for path, own in patterns.items() if not any(map(own.fullmatch, PLACES))} == left_out


def test_three_clicks_lead_from_ten_runs_to_the_cause_of_the_last_failure(reader):
    """The way that docs/pages.md describes."""
    page = reader().page
    assert page.inner_text("#runs h2") == "10 runs"
    page.click(f"table >> text={LAST}")
    cause = page.inner_text("#wrong .finding .title")
    assert "leaf2" in cause
    assert page.inner_text(".sentence") == "3 of 8 hosts did not pass: 3 of 32 results."
    page.click("#wrong .evidence a >> nth=0")
    assert page.inner_text("h1").split("\n")[-1].endswith("uplink on r3")
    assert f"before that it was passed, in run {id_of(9)}" in page.inner_text("#result .about")
    page.click(".above a >> text=r3")
    assert "leaf2" in page.inner_text("#results .facts")


@pytest.mark.parametrize(
    ("scheme", "viewport", "places"),
    [
        pytest.param("light", WIDE, PLACES[::2], id="light"),
        pytest.param("dark", NARROW, PLACES[1::2], id="dark and narrow"),
        pytest.param("light", WIDE, PLACES[1::2], id="light, the others", marks=pytest.mark.repeats),
        pytest.param("dark", NARROW, PLACES[::2], id="dark and narrow, the others", marks=pytest.mark.repeats),
    ],
)
def test_every_page_is_accessible_quiet_and_fits(reader, scheme, viewport, places):
    one = reader(color_scheme=scheme, viewport=viewport)
    found = {}
    for place in places:
        page = one.go(place)
        if place == f"/runs/{LAST}":
            page.wait_for_selector("html[data-ready]")
        wide = page.evaluate("document.documentElement.scrollWidth")
        found[place] = (violations(page), wide > viewport["width"])
    assert {place: wrong for place, wrong in found.items() if wrong != ([], False)} == {}


def test_every_link_leads_to_a_page_and_every_page_has_its_data(server):
    """Those that a page's script makes are opened by the tests of its results."""
    seen, todo, wrong = set(), [*PLACES], []
    while todo:
        place = todo.pop()
        if place in seen or len(seen) > 130:
            continue
        seen.add(place)
        answer = server.ask(place)
        if answer.status != 200:
            wrong.append((place, answer.status))
        if place in PLACES:
            todo += [urldefrag(urljoin(place, unescape(link))).url for link in LINK.findall(answer.text)]
    assert len(seen) > 100
    assert wrong == []
    for place in PLACES:
        data = server.ask(f"{place}{'&' if '?' in place else '?'}format=json").data
        assert len(data) > 1, place


def test_the_list_of_runs_is_searched_filtered_and_sorted(server):
    def found(query: str) -> list[str]:
        return [run["run_id"] for run in server.ask(f"/runs?{query}&format=json").data["runs"]]

    assert found("")[0] == LAST
    assert found("status=failed") == [LAST]
    assert found("label=shift%3A+night") == [id_of(number) for number in (9, 7, 5, 3, 1)]
    assert found("host=r3&status=failed") == [LAST]
    assert found("host=r99") == []
    assert found("q=000007+acceptance") == [id_of(7)]
    assert found("test=RACK-ACCEPTANCE&page=1") == [id_of(number) for number in range(10, 0, -1)]
    wrong = server.ask("/runs?sort=colour&format=json")
    assert (wrong.status, wrong.data["detail"]) == (
        404, "sort=colour: there are started, ended, duration, test, status"
    )  # fmt: skip


def test_runs_and_results_are_filtered_in_the_page(reader):
    one = reader()
    page = one.page
    page.focus("input[name=q]")
    page.keyboard.type("000007")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs?*q=000007*")
    assert page.inner_text("#runs h2") == "1 run of 10"
    assert page.input_value("input[name=q]") == "000007"
    one.go(f"/runs/{LAST}#results&verdict=blocked")
    page.wait_for_selector("html[data-ready]")
    assert page.inner_text("#results-table [role=status]") == "3 of 32 rows"
    page.fill("#results-table input", "r4")
    assert page.inner_text("#results-table [role=status]") == "1 of 32 rows"
    page.click("#results-table tbody a >> nth=0")
    page.wait_for_url(f"**/runs/{LAST}/hosts/r4/throughput")


def test_a_trend_has_limits_and_its_values(server, reader):
    told = server.ask("/trends/rate?step=throughput&format=json").data
    assert told["run_id"] == LAST
    [series] = told["series"]
    assert (series["limits"], [one["run_id"] for one in series["values"]]) == ([90], [id_of(n) for n in range(1, 11)])
    page = reader().go("/trends/rate?step=throughput")
    assert page.query_selector("#series-1 svg .limit") is not None
    told = [f"{one['value']:g} Gb/s in run {one['run_id']}" for one in series["values"]]
    points = page.locator("#series-1 .point")
    assert page.evaluate(SEEN) == []
    points.nth(2).locator("rect").hover()
    assert page.evaluate(SEEN) == [told[2]]
    page.mouse.move(0, 0)
    points.last.focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(SEEN) == [told[-2]]
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{series['values'][-2]['run_id']}")


def test_a_key_says_who_set_it(server):
    told = server.ask(f"/keys/link.state_v1?run={LAST}&host=r3&format=json").data
    assert [(row["who"], row["host"], row["after"]["up"]) for row in told["history"]["rows"]] == [
        ("collect", "r3", False)
    ]


def test_a_log_is_a_file(server):
    answer = server.ask(f"/runs/{LAST}/hosts/r3/uplink?format=text")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="{LAST}-r3-uplink.log"'


@pytest.mark.parametrize(
    ("place", "status", "detail"),
    [
        ("/nothing", 404, "there is no page /nothing"),
        ("/runs/2099", 404, "there is no run '2099' in the store"),
        (f"/runs/{LAST}/hosts/r99", 404, f"run {LAST} has no host 'r99'"),
        (f"/runs/{LAST}/hosts/r3/none", 404, f"run {LAST} has no step 'none' on 'r3'"),
        ("/hosts/r99", 404, "no run in the store has a host 'r99'"),
        ("/keys/none_v1", 404, "no run in the store has set 'none_v1'"),
        ("/trends/rat", 404, "no run in the store has a measurement or a key 'rat'"),
        ("/recipes/recipes/acceptanse.yml", 404, NO_RECIPE),
        ("/runs?page=0", 404, "page=0: expected a whole number from 1 to 1"),
        ("/static/none.js", 404, "there is no file /static/none.js"),
        (f"/runs/{LAST}/tables/none", 404, "there is no table 'none': there are verdicts, finding_results"),
        ("/runs?q=%ff", 400, "the query cannot be read"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(server, place, status, detail):
    page = server.ask(place)
    assert page.status == status
    assert page.headers["content-type"].startswith("text/html")
    told = server.ask(place, Accept="application/json")
    assert (told.status, told.data["detail"]) == (status, detail)


def test_hostile_text_is_only_text(tmp_path, reader):
    """On a page whose script shows it; tests/unit/rack_recipes/web/views/test_views.py looks at all pages."""
    with web_server(make_project(tmp_path, HOSTILE)) as server:
        one = reader(server)
        for place in (f"/runs/{LAST}/report", f"/runs/{LAST}"):
            page = one.go(place)
            page.wait_for_selector("html[data-ready]")
            forbidden = "document.querySelectorAll('img, iframe, object, embed, [onload], [onerror]').length"
            assert page.evaluate(forbidden) == 0, place
        assert "<img src=x onerror=alert(1)>" in page.evaluate("document.querySelector('h1').textContent")
        assert "\u202e" not in page.content()


def test_a_run_is_live_until_it_ends(tmp_path, reader):
    with chdir(make_project(tmp_path)), web_server(tmp_path) as server:
        run = Writer("20261125-140000-bbbbbb")
        folder = run.path.parent
        folder.mkdir(parents=True)
        with hold_run(folder):
            run.begin("sha256:2", ("wire", "burn"))
            run.step("wire", "leaf1")
            one = reader(server)
            assert one.page.inner_text("tbody tr >> nth=0").startswith("– running")
            page = one.go(f"/runs/{run.run_id}")
            page.wait_for_selector("html[data-live='1']")
            assert page.inner_text("#failures-view") == "Nothing yet."
            assert violations(page) == []
            run.step(
                "wire",
                "leaf2",
                "failed",
                "no carrier <b>",
                attempts=[{"stderr": "eth1: down"}],
                measurements=[{"name": "rate", "value": 97.5, "unit": "Gb/s"}],
            )
            page.wait_for_selector("html[data-live='2']")
            assert "wire on leaf2: no carrier <b>" in page.inner_text("#failures-view")
            assert "eth1: down" in page.inner_text("#failures-view")
            assert page.inner_text("#running").startswith("Now burn: 0 of 2")
            assert page.inner_text("#hosts-view li >> nth=0") == "✗ failed leaf2 1 step left"
            assert page.inner_text("#hosts-view li >> nth=1") == "leaf1 1 step left", "it has not passed yet"
            assert page.inner_text("#measured-view") == "rate 97.5 Gb/s wire on leaf2"
            assert page.inner_text("#stages-view summary") == "Stage 1: goes on, 2 of 4"
            assert server.ask(f"/runs/{run.run_id}?format=json").data["run"]["counts"] == {"passed": 1, "failed": 1}
            run.step("burn", "leaf1")
            run.step("burn", "leaf2", "blocked")
            run.end("failed", 1, failed=1, passed=2, blocked=1)
        page.wait_for_selector("html[data-ready]")
        assert page.inner_text(".status") == "✗ failed"

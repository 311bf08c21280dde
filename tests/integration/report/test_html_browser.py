# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's page in a real browser: it makes no requests, is safe and accessible, and its controls work.

Needs the Python packages playwright and axe-playwright-python (for axe-core, which it carries), and Debian's packages
chromium and fonts-dejavu-core.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_data import RunData, arranged
from ansible_collections.rack.recipes.plugins.plugin_utils.report.tables.all_tables import tables
from ansible_collections.rack.recipes.plugins.plugin_utils.report.writers import html

CHECKOUT = Path(__file__).resolve().parents[3]
CASES = CHECKOUT / "tests" / "unit" / "plugins" / "plugin_utils" / "report" / "cases"
CHROMIUM = "/usr/bin/chromium"
AXE = resources.files("axe_playwright_python") / "axe.min.js"

VIEW = {"viewport": {"width": 1340, "height": 900}, "reduced_motion": "reduce"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open the page of a run; the test fails where the page complains, asks, or wants something from elsewhere."""
    noise: list[str] = []
    contexts = []

    def show(rows: RunData, scheme: str = "light"):
        (path,) = html.write(tables(arranged(rows)), tmp_path)
        contexts.append(browser.new_context(offline=True, color_scheme=scheme, **VIEW))
        page = contexts[-1].new_page()
        page.on("console", lambda message: noise.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("dialog", lambda dialog: (noise.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda made: noise.append(made.url) if made.url.split("#")[0] != path.as_uri() else None)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        return page

    yield show
    for context in contexts:
        context.close()
    assert noise == []


@pytest.fixture(scope="module")
def run() -> RunData:
    return RunData(**json.loads((CASES / "run.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def hostile(run) -> tuple[RunData, dict[str, str]]:
    """The run with a host and a step for each hostile text, which is also its reason and its log."""
    texts = json.loads((CASES / "hostile.json").read_text(encoding="utf-8"))
    failed = next(step for step in run.steps if step["verdict"] == "failed")
    steps = [
        {**failed, "host": name, "step": f"{name}{number}", "reason": text, "stderr": f"{text}\n{text}"}
        for number, text in enumerate(texts.values())
        for name in [text.encode(errors="replace").decode()]
    ]
    return RunData(run={**run.run, "description": texts["script"]}, steps=[*run.steps, *steps]), texts


def visible_rows(page, table: str) -> list[str]:
    return [row.inner_text() for row in page.query_selector_all(f"#{table} tbody tr:not([hidden])")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_quietly(show, run, scheme):
    page = show(run, scheme)
    assert page.title() == "failed: rack1-acceptance"
    assert page.query_selector("h1").inner_text() == "rack1-acceptance"
    colours = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert (
        colours
        == {
            "light": ["rgb(244, 245, 247)", "rgb(26, 29, 33)"],
            "dark": ["rgb(10, 12, 14)", "rgb(230, 232, 235)"],
        }[scheme]
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(show, run, scheme):
    page = show(run, scheme)
    page.evaluate("for (const one of document.querySelectorAll('section')) one.style.contentVisibility = 'visible'")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run(document)).violations")
    assert [(one["id"], one["impact"], [node["target"] for node in one["nodes"]]) for one in found] == []


def test_hostile_text_is_only_text(show, hostile):
    rows, texts = hostile
    page = show(rows)
    page.wait_for_timeout(300)
    words = page.evaluate("document.body.textContent")
    for name in ("script", "comment", "image", "quotes", "entity", "template", "formula", "link", "markdown"):
        assert texts[name] in words
    assert "abc⟨U+202E⟩txt.exe⟨U+2066⟩" in words
    assert (
        page.evaluate("document.querySelectorAll('img, iframe, object, embed, form, meta[http-equiv=refresh]').length")
        == 0
    )


def test_search_shows_the_rows_with_every_word_and_counts_them(show, run):
    page = show(run)
    page.fill("#verdicts input", "U3 blocked")
    assert visible_rows(page, "verdicts") == [row for row in visible_rows(page, "verdicts") if "rack1-u3" in row]
    assert page.inner_text("#verdicts [role=status]") == "1 of 41 rows"
    page.fill("#verdicts input", "")
    assert page.inner_text("#verdicts [role=status]") == "41 rows"


def test_a_head_sorts_one_way_and_then_the_other(show, run):
    page = show(run)
    head = page.query_selector("#steps th:has-text('Longest')")
    ways = []
    for _other in range(2):
        head.query_selector("button").click()
        ways.append((head.get_attribute("aria-sort"), visible_rows(page, "steps")[0].split()[0]))
    assert ways == [("descending", "burn_in"), ("ascending", "compare_hosts")]
    assert len(page.query_selector_all("#steps [aria-sort]")) == 1


def test_verdicts_sort_by_gravity(show, run):
    page = show(run)
    page.click("#verdicts th:has-text('Verdict') button")
    assert page.inner_text("#verdicts tbody tr:first-child td:nth-of-type(2)") == "✗ failed"
    assert page.inner_text("#verdicts tbody tr:last-child td:nth-of-type(2)") == "✓ passed"


def test_the_page_works_by_keyboard(show, run):
    page = show(run)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.focus("#reasons th button")
    page.keyboard.press("Enter")
    assert page.get_attribute("#reasons th", "aria-sort") == "ascending"


def test_a_count_leads_to_its_rows(show, run):
    page = show(run)
    page.click("[data-search=marginal]")
    assert page.input_value("#verdicts input") == '"marginal"'
    assert len(visible_rows(page, "verdicts")) == 1
    page.click("[data-search=error]")
    assert len(visible_rows(page, "not_passed")) == 1


def pointed_at(page, cell):
    """Move the mouse onto a cell until the page tells of it: after a scroll it may not stand still yet."""
    for _turn in range(50):
        box = cell.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 4
        page.mouse.move(x - 1, y)
        page.mouse.move(x, y)
        if page.inner_text("#tip"):
            break
        page.wait_for_timeout(100)
    return x, y


def test_the_heat_map_tells_and_finds_a_cell(show, run):
    page = show(run)
    page.query_selector("#map").scroll_into_view_if_needed()
    x, y = pointed_at(page, page.query_selector("#map path.v-error"))
    assert page.inner_text("#tip") == "rack1-u4 · loopback_rate: error"
    page.mouse.click(x, y)
    found = page.query_selector_all("#verdicts tr.found")
    assert [row.inner_text().split("\t")[:2] for row in found] == [["rack1-u4", "loopback_rate"]]


def test_paper_has_the_causes_and_not_the_raw_tables(show, run):
    page = show(run)
    page.emulate_media(media="print")
    visible = {
        name: page.is_visible(f"#{name}") for name in ("reasons", "not_passed", "map", "steps", "verdicts", "values")
    }
    assert visible == {
        "reasons": True,
        "not_passed": True,
        "map": True,
        "steps": True,
        "verdicts": False,
        "values": False,
    }
    assert page.is_visible(".on-paper")
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_the_page_says_everything_without_script(browser, run, tmp_path):
    (path,) = html.write(tables(arranged(run)), tmp_path)
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.is_hidden("#verdicts .search")
    assert page.is_visible("#not_passed tbody tr")
    context.close()

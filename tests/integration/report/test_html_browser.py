# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's page in a real browser: it makes no requests, is safe and accessible, and its controls work.

Needs the Python packages playwright and axe-playwright-python (for axe-core, which it carries), and Debian's packages
chromium and fonts-dejavu-core.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.integration.accessibility import violations
from ansible_collections.rack.recipes.tests.unit.rack_recipes.report.conftest import HOSTILE, saying
from rack_recipes.analysis.findings import Finding, ResultId
from rack_recipes.analysis.run_data import RunData, arrange_run
from rack_recipes.report.table_model import Table
from rack_recipes.report.tables.all_tables import tables
from rack_recipes.report.writers import html

WIDE, NARROW = {"width": 1340, "height": 900}, {"width": 400, "height": 800}
PLACES = (
    "#r8",
    "#host=rack1-u2",
    "#table=values&row=3",
    "#table=context&row=8",
    "#measurements",
    "#context",
    "#results&verdict=passed",
)
"""Every kind of address of the page; what each one opens stays open."""

MARKUP = ("script", "comment", "image", "quotes", "entity", "cdata", "template", "link", "markdown", "bidi", "crlf")


@pytest.fixture(scope="module")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sequence[Table]], Path]:
    """A function that writes the page of a report, once for all tests that look at it."""
    written: dict[int, tuple[Sequence[Table], Path]] = {}

    def page_of(report: Sequence[Table]) -> Path:
        if id(report) not in written:
            (path,) = html.write(report, tmp_path_factory.mktemp("page"))
            written[id(report)] = report, path
        return written[id(report)][1]

    return page_of


@pytest.fixture
def show(browser, page_of):
    """Open the page of a run; the test fails where the page complains, asks, or wants something from elsewhere."""
    noise: list[str] = []
    contexts = []

    def show(report: Sequence[Table], place: str = "", scheme: str = "light", viewport: Any = None):
        path = page_of(report)
        view = {"color_scheme": scheme, "viewport": viewport or WIDE, "reduced_motion": "reduce"}
        contexts.append(browser.new_context(offline=True, **view))
        page = contexts[-1].new_page()
        page.on("console", lambda message: noise.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("dialog", lambda dialog: (noise.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda made: noise.append(made.url) if made.url.split("#")[0] != path.as_uri() else None)
        page.goto(path.as_uri() + place)
        page.wait_for_selector("html[data-ready]")
        return page

    yield show
    for context in contexts:
        context.close()
    assert noise == []


@cache
def many(count: int = 200) -> tuple[Table, ...]:
    """A run of 1,000 hosts in 25 racks, and so many findings."""
    hosts = [(f"r{rack:02}-u{unit:02}", f"r{rack:02}", unit) for rack in range(1, 26) for unit in range(1, 41)]
    steps = [
        {"host": host, "step": f"step{step}", "stage": 1, "idx": step, "scope": "host", "seconds": 0.5, "reason": "",
         "verdict": "failed" if (unit + step) % 13 == 0 else "passed", "started": "2026-11-25T12:00:00.000000Z"}
        for host, _rack, unit in hosts for step in range(20)
    ]  # fmt: skip
    attributes = {host: {"rack": rack, "position": unit} for host, rack, unit in hosts}
    rests = tuple(ResultId(host, "step0") for host, _rack, unit in hosts if unit == 13)
    findings = [
        Finding("cause", "problem", f"Cause {n}", rests, "Look at the fan.", explains=200 - n) for n in range(count)
    ]
    data = RunData(run={"run_id": "R1", "status": "failed"}, steps=steps, attributes=attributes)
    return tables(arrange_run(data), findings)


def drawn(page, place: str) -> list[list[str]]:
    """The cells of the rows that are in the document."""
    script = "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    found: list[list[str]] = page.eval_on_selector_all(f"{place} tbody tr", script)
    return found


def count(page, place: str = "#results-table") -> str:
    return str(page.inner_text(f"{place} [role=status]"))


def test_the_first_screen_says_what_is_wrong_and_what_changed(show, report):
    page = show(report)
    assert page.title() == "failed: rack1-acceptance"
    assert page.query_selector("h1").inner_text() == "rack1-acceptance"
    assert page.inner_text(".sentence") == "5 of 8 hosts did not pass: 9 of 41 results."
    for words in ("#wrong .finding .title", "#wrong .advice", "#since h2", ".racks", ".tiles"):
        box = page.query_selector(words).bounding_box()
        assert box["y"] < 900, words
    assert "nic_model CX-6" in page.inner_text("#wrong .finding .title")
    for place in (".since-when .chart", ".racks"):
        box = page.query_selector(place).bounding_box()
        assert box["y"] + box["height"] < 900, place
    assert page.inner_text(".since-when span").endswith("passed.")
    colours = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    assert page.evaluate(colours) == ["rgb(244, 245, 247)", "rgb(26, 29, 33)"]
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(colours) == ["rgb(10, 12, 14)", "rgb(230, 232, 235)"]


def opened(page) -> Any:
    for place in PLACES:
        page.evaluate("place => { location.hash = place; }", place)
        page.wait_for_timeout(150)
    for place in ("#result .detail", "#host h3", "#table-view .detail", "#measurements-table tr", "#context-table tr"):
        page.wait_for_selector(place)
    return page


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [
        ("light", WIDE),
        ("dark", NARROW),
        pytest.param("dark", WIDE, marks=pytest.mark.repeats),
        pytest.param("light", NARROW, marks=pytest.mark.repeats),
    ],
)
def test_the_page_is_accessible(show, report, scheme, viewport):
    page = opened(show(report, "", scheme, viewport))
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    assert violations(page) == []


@pytest.mark.repeats
def test_many_hosts_are_accessible_too(show):
    assert violations(show(many(20), "#findings")) == []


def test_every_link_leads_somewhere(show, report):
    page = show(report)
    page.wait_for_timeout(100)
    links = set(page.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))"))
    assert {"#r8", "#host=rack1-u2", "#results&verdict=failed", "#table=values"} <= links
    for link in sorted(links):
        page.evaluate("link => { location.hash = link; }", link)
        page.wait_for_timeout(30)
        section = "#" + link[1:].partition("=")[0].partition("&")[0]
        place = {"#host": "#host", "#table": "#table-view table"}.get(section, "#result .detail")
        page.wait_for_selector(
            place
            if (section.startswith("#r") and section != "#results") or ("=" in link and section != "#results")
            else section
        )


@pytest.mark.repeats(one_in=6)
@pytest.mark.parametrize("name", MARKUP)
def test_hostile_text_is_only_text(show, name):
    text = HOSTILE[name]
    page = show(saying(text))
    for place in page.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))"):
        page.evaluate("link => { location.hash = link; }", place)
        page.wait_for_timeout(15)
    forbidden = "document.querySelectorAll('img, iframe, object, embed, form, meta[http-equiv=refresh]').length"
    assert page.evaluate(forbidden) == 0
    addresses = page.eval_on_selector_all("a", "links => links.map(link => link.getAttribute('href') ?? '')")
    assert {address[:1] for address in addresses} == {"#"}
    if name not in ("bidi", "crlf"):
        assert text in page.evaluate("document.querySelector('h1').textContent")
        assert text in page.inner_text("#results-table tbody")


def test_search_shows_the_rows_with_every_word_and_counts_them(show, report):
    page = show(report, "#results")
    page.fill("#results-table input", "U3 blocked")
    assert [row[1:4] for row in drawn(page, "#results-table")] == [["rack1-u3", "rack1", "burn_in"]]
    assert count(page) == "1 of 41 rows"
    assert page.evaluate("location.hash") == "#results&q=U3%20blocked"
    page.fill("#results-table input", "")
    assert count(page) == "41 rows"
    page.fill("#results-table input", '"failed" firmware')
    assert count(page) == "2 of 41 rows"


def test_filters_by_verdict_host_step_and_rack_can_be_kept_as_a_link(show, report):
    page = show(report)
    assert count(page) == "9 of 41 rows"
    labels = page.eval_on_selector_all(
        "#results-table .facet", "all => all.map(one => one.firstChild.textContent.trim())"
    )
    assert labels == ["Verdict", "Rack", "Host", "Step"]
    page.select_option("#results-table .facet:has-text('Verdict') select", "blocked")
    page.select_option("#results-table .facet:has-text('Host') select", "rack1-u2")
    assert count(page) == "3 of 41 rows"
    again = show(report, page.evaluate("location.hash"))
    assert count(again) == "3 of 41 rows"
    again.click("#results-table .clear")
    assert count(again) == "41 rows"


def test_a_result_has_a_permanent_link_with_all_that_is_known_of_it(show, report):
    page = show(report, "#r8")
    assert page.inner_text("#result h3") == "Result 8: check_firmware on rack1-u2"
    assert page.inner_text("#results-table tr.found th") == "rack1-u2"
    assert "firmware 22.31.1014 is older than 22.36.1010" in page.inner_text("#result dl")
    assert "expected at least 22.36.1010" in page.inner_text("#result .log pre")
    assert page.evaluate("document.activeElement.textContent") == page.inner_text("#result h3")
    for place in ("#result h3", "#result .log pre"):
        box = page.query_selector(place).bounding_box()
        assert 0 <= box["y"] < 900, f"{place} can be seen"
    page.click("#result button.clear")
    assert page.query_selector("#result .detail") is None


def test_a_finding_leads_to_its_results(show, report):
    page = show(report)
    page.click("#wrong .evidence a:has-text('rack1-u2')")
    page.wait_for_selector("#result h3:has-text('check_firmware on rack1-u2')")
    page.click("#wrong .evidence a:has-text('Show all 2')")
    page.wait_for_timeout(200)
    assert count(page) == "2 rows of finding 1"


def test_paper_has_the_findings_unfolded_and_what_did_not_pass(show, report):
    page = show(report)
    page.emulate_media(media="print")
    sizes = {
        place: page.evaluate(
            "place => [...document.querySelectorAll(place)].map(one => [one.getBoundingClientRect().height, "
            "parseFloat(getComputedStyle(one).fontSize)])",
            f"#wrong .finding {place}",
        )
        for place in (".advice", ".evidence", ".figures-of dd", ".figures-of dt")
    }
    assert all(height > 0 for found in sizes.values() for height, _size in found)
    next_step = min(size for _height, size in sizes.pop(".advice"))
    assert all(size < next_step for found in sizes.values() for _height, size in found)
    assert not [text for text in page.locator("#wrong .evidence").all_inner_texts() if text.strip().endswith(":")]
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    visible = {
        name: page.is_visible(f"#{name}") for name in ("wrong", "since", "paper", "map", "results-table", "tables")
    }
    assert visible == {
        **dict.fromkeys(("wrong", "since", "paper"), True),
        **dict.fromkeys(("map", "results-table", "tables"), False),
    }
    assert len(page.query_selector_all("#paper tbody tr")) == 9
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_a_host_has_a_section_of_its_own(show, report):
    page = show(report)
    page.click(".racks a[href='#host=rack1-u2']")
    page.wait_for_selector("#host:not([hidden])")
    assert page.inner_text("#host-title") == "Host rack1-u2"
    assert page.eval_on_selector_all("#host h3", "all => all.map(one => one.textContent)") == [
        "Findings about rack1-u2", "Results of rack1-u2", "Measured on rack1-u2", "Context of rack1-u2",
    ]  # fmt: skip
    about = page.query_selector_all("#host .about-this li")[0]
    assert about.inner_text().startswith("problem: 2 results failed together: all their hosts have nic_model CX-6")
    about.query_selector("a").click()
    assert page.evaluate("document.querySelector(':target').id") == "f1"
    page.click("#host .chooser a:has-text('rack1-u1')")
    page.wait_for_selector("#host-title:has-text('rack1-u1')")
    page.fill("#go", "rack1-u4")
    page.keyboard.press("Enter")
    page.wait_for_selector("#host-title:has-text('rack1-u4')")
    assert show(report, "#host=nobody").inner_text("#host-title") == "This run has no host nobody"


def test_a_measurement_is_shown_with_its_earlier_runs(show, report):
    page = show(report, "#measurements")
    page.wait_for_selector("#measurements-table tbody tr")
    place = "#measurements details:has(h3:has-text('rate')) >> nth=0"
    if page.get_attribute(place, "open") is None:
        page.click(f"{place} >> summary >> nth=0")
    picture = page.query_selector(f"{place} >> .charts svg >> nth=0")
    assert picture.is_visible()
    change = picture.query_selector("g:has(.change) title").text_content()
    assert change.endswith("median of 7 hosts: from 97.5 to 92.25")
    page = show(report, "#table=values&row=1")
    page.wait_for_selector("#table-view .detail .part h4:has-text('over runs')")
    assert len(drawn(page, "#table-view .detail .part")) in (11, 12)


def test_a_key_is_shown_with_its_writes_and_its_earlier_runs(show, report):
    page = show(report, "#context")
    page.wait_for_selector("#context-table tr")
    page.click("#context-table tr:has-text('rack.summary_v1') a")
    page.wait_for_selector("#table-view .detail h4:has-text('Writes of rack.summary_v1 on (run)')")
    writes = drawn(page, "#table-view .detail .part")
    assert [(row[3], row[5]) for row in writes] == [("1", "read_inventory"), ("2", "compare_hosts")]
    page.evaluate("location.hash = '#table=context&row=7'")
    page.wait_for_selector("#table-view .detail h4:has-text('Numbers of nic.offset_v1 over runs')")
    assert len(drawn(page, "#table-view .detail .part")) == 12
    page.click("#context details:has(h3:has-text('nic.offset_v1')) summary >> nth=0")
    assert page.query_selector("#context details:has(h3:has-text('nic.offset_v1')) svg").is_visible()


def test_notes_are_one_line_on_the_first_screen(show, rows):
    notes = [Finding("outlier", "note", f"n{n}", advice="Look.") for n in range(30)]
    page = show(tables(arrange_run(rows), [Finding("cause", "problem", "All on leaf3"), *notes]))
    assert page.eval_on_selector_all("#wrong .finding .title", "all => all.map(one => one.textContent.trim())") == [
        "✗ problem All on leaf3"
    ]
    assert page.inner_text("#wrong .notes") == "30 notes: Outliers 30"
    page.click("#wrong .notes a")
    page.click("#findings summary")
    assert page.is_visible("#findings .finding >> nth=29")


def test_a_head_sorts_one_way_and_then_the_other_and_verdicts_by_gravity(show, report):
    page = show(report, "#table=steps")
    head = page.query_selector("#table-view th:has-text('Longest')")
    ways = []
    for _other in range(2):
        head.query_selector("button").click()
        ways.append((head.get_attribute("aria-sort"), drawn(page, "#table-view")[0][1]))
    assert ways == [("descending", "burn_in"), ("ascending", "compare_hosts")]
    assert len(page.query_selector_all("#table-view [aria-sort]")) == 1
    page.evaluate("location.hash = '#results'")
    page.click("#results-table th:has-text('Verdict') button")
    verdicts = [row[4] for row in drawn(page, "#results-table")]
    assert (verdicts[0], verdicts[-1]) == ("! error", "✓ passed")


def test_the_page_works_by_keyboard(show, report):
    page = show(report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.focus("#results-table th button")
    page.keyboard.press("Enter")
    assert page.get_attribute("#results-table th:has(button)", "aria-sort") == "ascending"
    page.focus("#results-table tbody a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#result .detail")


def test_of_a_long_table_only_the_rows_that_can_be_seen_are_drawn(show):
    page = show(many(), "#r12345")
    assert page.inner_text("#results-table tr.found td").strip() == "12,345"
    assert len(drawn(page, "#results-table")) <= 60
    assert page.get_attribute("#results-table table", "aria-rowcount") == "20001"
    assert page.get_attribute("#results-table tr.found", "aria-rowindex") == "12346"
    box, line = (page.query_selector(f"#results-table {part}").bounding_box() for part in (".scroll", "tr.found"))
    assert box["y"] <= line["y"] <= box["y"] + box["height"]
    page.focus("#results-table tr.found a")
    page.evaluate("document.querySelector('#results-table .scroll').scrollTop += 300")
    page.wait_for_timeout(100)
    assert page.evaluate("document.activeElement.textContent") == "12,345"  # drawing again has kept the focus


def test_many_findings_are_behind_the_first_ones(show):
    page = show(many())
    assert len(page.query_selector_all("#wrong .finding")) == 5
    assert page.inner_text("#wrong .more:has-text('finding')") == "195 more findings"
    page.click("#wrong .more:has-text('finding') a")
    page.click("#findings summary")
    assert page.is_visible("#findings .finding >> nth=194")


def test_with_many_hosts_the_heat_map_has_a_row_for_each_rack(show):
    page = show(many(), "#map")
    box = page.query_selector("[data-rows=racks] .cells").bounding_box()
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    page.wait_for_timeout(200)
    assert page.evaluate("location.hash").startswith("#results&rack=r01&step=step0")
    assert page.is_hidden("[data-rows=rows] .cells")
    page.click("#map summary >> nth=1")
    assert page.is_visible("[data-rows=rows] .cells")


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


def test_the_heat_map_tells_and_finds_a_cell(show, report):
    page = show(report, "#map")
    x, y = pointed_at(page, page.query_selector("#map path.v-error"))
    assert page.inner_text("#tip") == "rack1-u4 · loopback_rate: error"
    page.mouse.click(x, y)
    page.wait_for_selector("#result h3:has-text('loopback_rate on rack1-u4')")


def test_paper_has_at_most_1000_rows_and_says_so(show):
    page = show(many())
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert len(page.query_selector_all("#paper tbody tr")) == 1000
    assert "of 1,525 rows are left out here" in page.inner_text("#paper .left-out")


def test_the_page_says_what_is_wrong_without_script(browser, report, page_of):
    path = page_of(report)
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.is_visible("#wrong .finding")
    assert page.is_visible("#results tbody tr")
    assert "This browser runs no scripts" in page.inner_text("main")
    context.close()


def test_a_run_that_passed_has_nothing_to_act_on(show, rows):
    passed = {"status": "passed", "counts": {"passed": 5}}
    steps = [step for step in rows.steps if step["verdict"] == "passed"]
    page = show(tables(arrange_run(replace(rows, run={**rows.run, **passed}, steps=steps))))
    assert page.inner_text(".sentence") == "Nothing failed on 7 hosts."
    assert page.inner_text("#wrong .nothing") == "Nothing to act on was found."
    assert count(page) == "23 rows"
    assert violations(page) == []

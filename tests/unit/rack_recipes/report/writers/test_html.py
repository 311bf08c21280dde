# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

from rack_recipes.analysis.findings import Finding
from rack_recipes.analysis.run_data import RunData, arrange_run
from rack_recipes.report.format_values import visible
from rack_recipes.report.tables.all_tables import tables
from rack_recipes.report.writers import html

ADDRESSES = ("href", "src", "action", "formaction", "data", "poster", "srcset", "xlink:href")


class Page(HTMLParser):
    """The tags of a page with the names of their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _other in attrs)))
        self.addresses += [value or "" for name, value in attrs if name in ADDRESSES]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def policy(page: str) -> dict[str, str]:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert found
    rules = found[1].replace("&#39;", "'").split("; ")
    return dict(rule.split(" ", 1) for rule in rules)


def hash_of(page: str, tag: str) -> str:
    found = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    assert found
    return f"'sha256-{b64encode(sha256(found[1].encode()).digest()).decode()}'"


def test_the_policy_allows_the_own_script_and_style_alone(report):
    page = html.render(report)
    assert policy(page) == {
        "default-src": "'none'",
        "script-src": hash_of(page, "script"),
        "style-src": hash_of(page, "style"),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_page_needs_nothing_else(report):
    page = Page(html.render(report))
    assert page.addresses
    assert all(address.startswith("#") for address in page.addresses)
    assert not [tag for tag, names in page.tags if "style" in names or any(name.startswith("on") for name in names)]


def test_the_order_of_the_rows_changes_nothing(rows, findings, past, report):
    parts = {name: list(reversed(getattr(rows, name))) for name in ("steps", "measurements", "context", "runs")}
    assert html.render(tables(arrange_run(replace(rows, **parts)), findings, past)) == html.render(report)


def test_hostile_text_adds_no_markup_and_hides_nothing(said, hostile):
    # Text with a line end is shown in an element of its own, and long text in a wider column: the harmless text is as
    # long as the hostile one is shown, and ends its lines where that does.
    harmless = "".join("\n" if letter == "\n" else "x" for letter in visible(hostile))
    text = html.render(said(hostile))
    plain, page = Page(html.render(said(harmless))), Page(text)
    assert Counter(page.tags) == Counter(plain.tags)
    assert all(address.startswith("#") for address in page.addresses)
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", text
    )


def test_text_is_there_as_it_was_written(said):
    words = "".join(Page(html.render(said("<b>&amp; 'x'</b>"))).words)
    assert "<b>&amp; 'x'</b>" in words


def test_a_run_without_results(rows):
    page = html.render(tables(arrange_run(RunData(run=rows.run))))
    assert "No result is known yet." in page
    assert "Without rows: " in page
    assert "Nothing to act on was found." not in page


def test_the_bars_are_those_of_planned_steps(outcomes):
    page = html.render(tuple(outcomes.values()))
    bars = page[page.index('class="chart bars"') :].partition("</svg>")[0]
    assert "port: median" in bars
    assert "port[eth1]" not in bars


def test_a_verdict_leads_to_its_results(outcomes):
    page = html.render(tuple(outcomes.values()))
    leads = set(re.findall(r'href="#results&amp;verdict=(\w+)"', page))
    assert leads == set(outcomes["counts"].values("verdict"))


def test_every_finding_leads_to_its_results(report, by_name):
    page = html.render(report)
    places = zip(by_name["verdicts"].values("host"), by_name["verdicts"].values("step"), strict=True)
    numbers = {place: number for number, place in enumerate(places, 1)}
    results = by_name["finding_results"]
    known = [place for place in zip(results.values("host"), results.values("step"), strict=True) if place in numbers]
    assert known
    for host, step in known:
        assert f'<a href="#r{numbers[host, step]}">{host}: {step}' in page


def test_what_has_changed_stands_beside_what_is_wrong(report, rows):
    def since(tables):
        return html.render(tables).partition('id="since"')[2].partition("</section>")[0]

    changed = Finding("regression", "problem", "link_errors passed in the run before")
    both = [changed, Finding("cause", "problem", "leaf2")]
    assert "link_errors passed in the run before" in since(tables(arrange_run(rows), both))
    assert '<b class="c">20261124T120000-004a</b>, 2026-11-24 12:00 UTC, the run before' in since(report)


def test_the_action_stands_on_the_card_of_what_is_no_note(rows):
    found = [Finding("drift", grade, grade, action="monitor", rule=f"why {grade}") for grade in ("problem", "note")]
    page = html.render(tables(arrange_run(rows), found))
    assert '<p class="advice"><b>Action:</b> monitor (why problem)</p>' in page
    assert "monitor (why note)" not in page


def test_every_table_with_rows_is_in_the_page(report):
    page = html.render(report)
    blocks = re.findall(r'<script type="application/gzip;base64" id="data-(\w+)">', page)
    assert blocks == [table.name for table in report if table.rows and table.name not in html.NOT_IN_BLOCKS]


def test_sections_have_headings_and_tables_have_captions(report):
    page = Page(html.render(report))
    tags = [tag for tag, _other in page.tags]
    assert tags.count("table") == tags.count("caption") > 1
    assert tags.count("h1") == 1
    assert tags.count("section") <= tags.count("h2")
    assert all("scope" in names for tag, names in page.tags if tag == "th")


def test_what_has_become_worse_is_what_is_wrong(rows, past):
    worse = Finding("regression", "problem", "r02 failed, and passed before", advice="Look at r02.")
    text = " ".join(Page(html.render(tables(arrange_run(rows), [worse], past))).words)
    wrong, _title, since = text.partition("What is wrong, and where")[2].partition("Since it last was good")
    assert wrong.index("r02 failed, and passed before") < wrong.index("Look at r02.") < wrong.index("Reasons")
    assert "No common cause" not in text
    assert "names nothing that has changed" not in since

# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.analysis.run_data import RunData, arranged
from ansible_collections.rack.recipes.plugins.plugin_utils.report.safe_text import visible
from ansible_collections.rack.recipes.plugins.plugin_utils.report.table_model import Column, named
from ansible_collections.rack.recipes.plugins.plugin_utils.report.tables.all_tables import tables
from ansible_collections.rack.recipes.plugins.plugin_utils.report.writers import html

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


def test_the_order_of_the_rows_changes_nothing(rows, findings, report):
    parts = {name: list(reversed(getattr(rows, name))) for name in ("steps", "measurements", "context", "runs")}
    assert html.render(tables(arranged(replace(rows, **parts)), findings)) == html.render(report)


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


def test_a_table_up_to_the_limit_is_whole(by_name):
    table = replace(by_name["verdicts"], rows=by_name["verdicts"].rows[:1] * html.MOST_ROWS)
    assert html.view(table).left_out == 0


def test_rows_left_out_are_counted_on_the_page(report, by_name):
    many = replace(by_name["verdicts"], rows=by_name["verdicts"].rows * 100)
    page = html.render([many if table.name == "verdicts" else table for table in report])
    assert "3,100 of 4,100 rows are not on this page. The Excel and CSV forms of this report hold all of them." in page


def test_long_logs_leave_rows_out(by_name):
    row = ("failed", "r1", "step", "r" * 5000, 1.0, 1, "s" * 5000)
    view = html.view(replace(by_name["not_passed"], rows=(row,) * 1000))
    assert 100 < len(view.rows) < 300
    assert view.left_out == 1000 - len(view.rows)


@pytest.mark.parametrize(
    ("value", "column", "expected"),
    [
        (None, Column("reason", "Reason"), html.Cell("")),
        ("r1", Column("host", "Host"), html.Cell("r1", "c")),
        (1.5, Column("seconds", "Time", "seconds"), html.Cell("1.500", "n")),
        ("failed", Column("verdict", "Verdict", "verdict"), html.Cell("failed", look="failed")),
        (None, Column("verdict", "Verdict", "verdict"), html.Cell("")),
        ("odd", Column("verdict", "Verdict", "verdict"), html.Cell("odd", look="unreachable")),
        ("a\nb", Column("stderr", "Log", "log"), html.Cell("a\nb", "log", last="b")),
        ("y" * 40, Column("reason", "Reason"), html.Cell("y" * 40, "w")),
    ],
)
def test_cells(value, column, expected):
    assert html.cell(value, column) == expected


def test_a_run_without_results(rows):
    page = html.render(tables(arranged(RunData(run=rows.run))))
    assert "No result is known yet." in page
    assert "Without rows: Causes, Findings, Reasons, Not passed, Skipped and blocked, Hosts, Flakes, Criteria" in page


def test_the_bars_are_those_of_planned_steps(outcomes):
    page = html.render(tuple(outcomes.values()))
    bars = page[page.index('class="chart bars"') :].partition("</svg>")[0]
    assert "port: median" in bars
    assert "port[eth1]" not in bars


def test_a_verdict_leads_to_the_table_that_explains_it(outcomes):
    page = html.render(tuple(outcomes.values()))
    leads = {verdict: table for table, verdict in re.findall(r'href="#(\w+)" data-search="(\w+)"', page)}
    assert leads == {
        **dict.fromkeys(("failed", "error"), "not_passed"),
        **dict.fromkeys(("blocked", "skipped"), "not_run"),
        **dict.fromkeys(("marginal", "cached", "passed"), "verdicts"),
    }


def test_sections_have_headings_and_tables_have_captions(report):
    page = Page(html.render(report))
    shown = [table for name, table in named(report).items() if name in html.TABLES and table.rows]
    tags = [tag for tag, _other in page.tags]
    assert tags.count("table") == tags.count("caption") == len(shown)
    assert tags.count("h1") == 1
    assert all("scope" in names for tag, names in page.tags if tag == "th")

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

from rack_recipes.report.table_model import tail
from rack_recipes.report.writers import markdown

GOLDEN = Path(__file__).parents[1] / "cases"
COMMENT = 65_536


def full(tables):
    return markdown.render(tables, markdown.FULL)


def test_a_run(report, golden):
    golden(GOLDEN / "run" / "report.md", markdown.render(report))
    golden(GOLDEN / "run" / "report-full.md", full(report))


def test_a_run_with_all_that_a_recipe_can_ask_for(outcomes, golden):
    golden(GOLDEN / "outcomes" / "report.md", markdown.render(tuple(outcomes.values())))
    golden(GOLDEN / "outcomes" / "report-full.md", full(tuple(outcomes.values())))


def test_a_pull_request_gets_the_problems_and_the_first_twenty(report):
    text = markdown.render(many(report, 500))
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Summary", "Counts", "What is wrong", "Not passed"]
    assert len(re.findall(r"^\| [^|]+ \| rack1", text, re.MULTILINE)) <= 20
    assert "4,480 of 4,500 rows are left out." in text
    assert len(text) < 20_000


def test_every_problem_of_the_page_is_in_it_and_the_summary(report):
    text = markdown.render(report)
    findings = next(table for table in report if table.name == "findings")
    rows = [*findings.records()]
    wanted = [row["title"] for row in rows if row["grade"] == "problem" or row["kind"] == "Summary"]
    assert wanted
    assert all(markdown.plain(title) in text for title in wanted)
    assert not any(markdown.plain(row["title"]) in text for row in rows if row["title"] not in wanted)


def many(report, number):
    """The same tables with each row so many times."""
    return [table if table.layout == "record" else replace(table, rows=table.rows * number) for table in report]


def test_a_large_run_fits_into_a_comment_and_counts_what_is_left_out(report):
    text = full(many(report, 500))
    assert len(text) <= COMMENT
    lines = [line for line in text.splitlines() if line.startswith("| ✗ failed | rack1")]
    assert len(lines) < 1500
    left_out = re.search(r"## Not passed\n.*?\n\n([0-9,]+) of ([0-9,]+) rows are left out\.", text, re.DOTALL)
    assert left_out
    assert left_out[2] == "4,500"


def test_hostile_text_in_a_large_run_fits_into_a_comment(said, hostile):
    assert len(full(many(said(hostile), 300))) <= COMMENT


def test_hostile_text_stays_in_its_cell(said, hostile):
    unescaped = re.compile(r"(?<!\\)\|")
    for line in full(said(hostile)).splitlines():
        pipes = len(unescaped.findall(line))
        assert pipes == 0 or line.startswith("| ")
        assert not re.search(r"(?<!\\)[`\[<]", line.replace("<!-- -->", ""))
        assert "@" not in line


def test_hostile_text_renders_as_itself(said, hostile):
    command = ["cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough"]
    html = subprocess.run(command, input=full(said(hostile)).encode(), capture_output=True, check=True).stdout.decode()
    assert set(re.findall(r"<(\w+)", html)) <= {
        "h1",
        "h2",
        "p",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "ul",
        "li",
    }


def test_the_end_of_a_log_is_kept():
    lines = [f"line {number} of this very long log" for number in range(60)]
    cell = markdown._cell(tail("\n".join(lines)), "log")
    assert cell.endswith("⏎line 58 of this very long log⏎line 59 of this very long log")
    note, _end, first = cell.partition("⏎")
    assert first.startswith("line 47 of this very long log⏎"), "no line loses its beginning"
    assert note == f"\\[{len('\n'.join(lines[:47])) + 1:,} characters before this are left out\\]"

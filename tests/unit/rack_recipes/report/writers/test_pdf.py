# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.report.table_model import named
from rack_recipes.report.writers import pdf

PDF_PAGE = b"/Type /Page\n"
needs_chromium = pytest.mark.skipif(not any(map(shutil.which, pdf.BROWSERS)), reason="there is no Chromium")


def test_what_is_printed(report):
    printed, whole = named(pdf.keep_printed(report)), named(report)
    assert printed["verdicts"].rows == printed["context"].rows == printed["values"].rows == ()
    for name in ("summary", "counts", "findings", "finding_results", "reasons", "not_passed"):
        assert printed[name] == whole[name]


@needs_chromium
def test_a_run_is_printed_and_stays_the_same(report, tmp_path):
    """With what did not pass: the page's script makes this table as the printing begins."""
    many = [replace(table, rows=table.rows * 30) if table.name == "not_passed" else table for table in report]
    (path,) = pdf.write(many, tmp_path)
    long = path.read_bytes()
    pdf.write(report, tmp_path)
    first = path.read_bytes()
    assert long.count(PDF_PAGE) > first.count(PDF_PAGE) + 3
    assert first.startswith(b"%PDF-")
    assert b"/StructTreeRoot" not in first
    assert pdf.write(report, tmp_path) == [path]
    assert path.read_bytes() == first
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.pdf"]


def test_without_chromium(report, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="a PDF needs Chromium, but there is none of chromium, "):
        pdf.write(report, tmp_path)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo first >&2; echo no display >&2; exit 3", r"made no PDF \(exit code 3\): no display"),
        ("exit 0", "made no PDF"),
    ],
)
def test_a_browser_that_fails(report, tmp_path, monkeypatch, script, said):
    browser = tmp_path / "chromium"
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UsageError, match=said):
        pdf.write(report, tmp_path)


def test_a_browser_that_hangs(report, tmp_path, monkeypatch):
    def hang(command, *, timeout, **_options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(pdf, "find_browser", lambda: "chromium")
    monkeypatch.setattr(pdf.subprocess, "run", hang)
    with pytest.raises(UsageError, match="did not finish the PDF within 120 s"):
        pdf.write(report, tmp_path)


def test_the_time_of_the_run_stands_in_place_of_now(report):
    dated = pdf._dated(b"/CreationDate (D:20991231235959+00'00')", named(report)["summary"])
    assert re.fullmatch(rb"/CreationDate \(D:20261125[0-9]{6}\+00'00'\)", dated)

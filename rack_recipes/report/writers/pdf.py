# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as a PDF: its first screen, the causes, and the results that did not pass, printed by Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rack_recipes.errors import UsageError
from rack_recipes.report.page.templates import PDF_PAGE, Templates
from rack_recipes.report.table_model import Table
from rack_recipes.report.writers.html import render

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 120.0  # seconds
PRINTED = frozenset({
    "summary", "counts", "matrix", "hosts", "past_runs", "causes", "findings", "finding_results", "reasons",
    "not_passed",
})  # fmt: skip
"""Tables of which the page prints something; it says itself what it leaves out. Of all others it needs no rows."""

OPTIONS = (
    "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer", "--disable-pdf-tagging",
    "--disable-background-networking", "--disable-dev-shm-usage", "--hide-scrollbars", "--virtual-time-budget=10000",
)  # fmt: skip
_DATE = re.compile(rb"(?<=Date \(D:)[0-9]{14}(?=[+-][0-9]{2}'[0-9]{2}')")


def write(tables: Sequence[Table], folder: Path, templates: str = "") -> list[Path]:
    """Write `report.pdf` into the folder, of the project's own template for it where there is one.

    Raises UsageError where there is no browser, or where it fails.
    """
    browser = find_browser()
    path = folder / "report.pdf"
    with TemporaryDirectory(prefix=".pdf-", dir=folder) as name:
        page = Path(name, "report.html")
        kept = tables if Templates(templates).has(PDF_PAGE) else keep_printed(tables)
        page.write_text(render(kept, templates, PDF_PAGE), encoding="utf-8", newline="\n")
        _print(browser, page, path)
    path.write_bytes(_dated(path.read_bytes(), next(table for table in tables if table.name == "summary")))
    return [path]


def find_browser() -> str:
    """The path of a Chromium. Raises UsageError where there is none."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise UsageError(f"a PDF needs Chromium, but there is none of {', '.join(BROWSERS)} in PATH")
    return browser


def keep_printed(tables: Sequence[Table]) -> list[Table]:
    """The tables, without the rows of those that are not printed."""
    return [table if table.name in PRINTED else replace(table, rows=()) for table in tables]


def _print(browser: str, page: Path, path: Path) -> None:
    # Chromium's sandbox refuses to work as root; the page runs no script but its own.
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [browser, *OPTIONS, *sandbox, profile, f"--print-to-pdf={path}", page.as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"{browser} did not finish the PDF within {PATIENCE:.0f} s") from error
    if done.returncode or not path.is_file():
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise UsageError(f"{browser} made no PDF (exit code {done.returncode}): {last}")


def _dated(content: bytes, summary: Table) -> bytes:
    """The PDF with the time of the run in place of now, so that the same run gives the same file."""
    run = summary.record()
    digits = re.sub(r"[^0-9]", "", (run["ended"] or run["started"] or "")[:19]).encode()
    return _DATE.sub(digits, content) if len(digits) == 14 else content

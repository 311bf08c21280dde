# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call


def test_the_paths_are_printed(stored: Path):
    done = call("report", "--format", "md", "--to", "out")
    assert (done.code, done.out, done.err) == (0, "out/report.md\n", "")


def test_a_folder_that_cannot_be_written_is_wrong_usage(stored: Path):
    done = call("report", "--to", "/proc/nowhere", "--json")
    assert (done.code, done.answer["exit_code"]) == (2, 2)
    assert done.err == "the report cannot be written to /proc/nowhere: No such file or directory\n"


def test_a_package_that_is_missing_is_named(stored: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    done = call("report", "--format", "xlsx")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("a report cannot be made: ")
    assert done.err.endswith("`pip install rack-recipes` brings it\n")

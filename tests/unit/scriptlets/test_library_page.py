# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page on the library names each argument of what it lists, with its default."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).resolve().parents[3] / "docs/library.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z_.]+)` `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
ROWS = [match.groups() for match in ROW.finditer(PAGE)]


def arguments(options: dict[str, dict[str, Any]]) -> str:
    """The arguments of a scriptlet as its row names them."""
    told = {name: " (required)" if option.get("required") else given(option) for name, option in options.items()}
    return ", ".join(f"`{name}`{default}" for name, default in told.items()) or "none"


def given(option: dict[str, Any]) -> str:
    return f" {json.dumps(option['default'])}" if "default" in option else ""


@pytest.mark.parametrize("row", ROWS, ids=[row[1] for row in ROWS])
def test_a_row_has_the_arguments_that_the_scriptlet_has(scriptlet, row):
    module, function, _checks, told, _tool = row
    assert told == arguments(getattr(scriptlet(module), function).options)


@pytest.mark.parametrize("name", ["golden", "hardware", "kernel_log", "kernel_log_mark", "sensors", "services"])
def test_the_scriptlets_of_this_page_are_on_it(name):
    assert f"host.{name}" in {row[0] for row in ROWS}

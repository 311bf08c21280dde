# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is described once, in a table, stands nowhere else, and all that must follow a table does so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
TABLE = PLUGINS / "module_utils" / "verdicts.py"
SOURCES = sorted(path for path in PLUGINS.rglob("*.py") if path != TABLE)
FEW = 3  # verdicts that one expression may name


def literals(path: Path) -> list[tuple[int, set[str]]]:
    """The line of each tuple, list, set and mapping in a file, and the texts that it names."""
    displays = (ast.Tuple, ast.List, ast.Set, ast.Dict)
    found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, displays)]
    return [
        (node.lineno, {own.value for own in ast.iter_child_nodes(node) if isinstance(own, ast.Constant)})
        for node in found
    ]


def test_no_other_file_has_a_list_of_verdicts():
    lists = [
        f"{path}:{line}: {sorted(names & set(VERDICTS))}"
        for path in SOURCES
        for line, names in literals(path)
        if len(names & set(VERDICTS)) > FEW
    ]
    assert not lists, f"derive these from {TABLE}"


def test_a_verdict_that_nothing_gives_yet_stands_in_the_table_only():
    assert not [path for path in SOURCES if "waived" in path.read_text()]


def test_the_page_on_verdicts_names_those_of_the_table():
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.partition("\n## Verdicts\n")[2].partition("\n## ")[0]
    missing = {name for name in VERDICTS if f"`{name}`" not in section}
    assert not missing, "docs/architecture.md, section Verdicts"


def test_the_report_s_page_colours_no_verdict_that_the_table_lacks():
    style = (PLUGINS / "plugin_utils" / "report" / "writers" / "static" / "report.css").read_text()
    assert set(re.findall(r"\.v-([a-z]+)", style)) <= set(VERDICTS)

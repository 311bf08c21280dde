# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports point one way: each station knows those before it, and what runs on targets knows nothing else of us."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
PACKAGE = "ansible_collections.rack.recipes.plugins"
STATIONS = (
    ("errors", "settings", "version"),
    ("recipe",),
    ("catalog",),
    ("plan",),
    ("compile",),
    ("stage",),
    ("journal",),
    ("context",),
    ("trust",),
    ("store",),
    ("run",),
    ("analysis",),
    ("report",),
    ("archive",),
    ("cli",),
    ("pytest_plugin",),
)
ORDER = {name: number for number, names in enumerate(STATIONS) for name in names}
ON_TARGETS = ("modules", "module_utils")


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((PLUGINS / folder).rglob("*.py"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(PLUGINS))


def imports(path: Path) -> Iterator[str]:
    """Full names of all that a file imports, anywhere in it: `from a.b import c` gives `a.b.c`."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: import by the full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path: Path) -> Iterator[tuple[str, ...]]:
    """What a file imports from the collection, as the parts of its path below plugins/."""
    prefix = f"{PACKAGE}."
    return (tuple(name.removeprefix(prefix).split(".")) for name in imports(path) if name.startswith(prefix))


def station(path: Path) -> str:
    return path.relative_to(PLUGINS / "plugin_utils").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sources("plugin_utils"), ids=name_of)
def test_stations_know_only_those_before_them(path):
    own = station(path)
    known = {parts[1] for parts in ours(path) if parts[0] == "plugin_utils"}
    allowed = {name for name, number in ORDER.items() if number <= ORDER[own]}
    assert known <= allowed


@pytest.mark.parametrize("path", sources(*ON_TARGETS), ids=name_of)
def test_targets_need_the_standard_library_only(path):
    allowed = {*sys.stdlib_module_names, "ansible", "ansible_collections"}
    assert {name.split(".")[0] for name in imports(path)} <= allowed


@pytest.mark.parametrize("path", sources(*ON_TARGETS), ids=name_of)
def test_targets_know_nothing_of_the_controller(path):
    assert {parts[0] for parts in ours(path)} <= {"module_utils"}
    assert all(name.startswith("ansible.module_utils.") for name in imports(path) if name.split(".")[0] == "ansible")


@pytest.mark.parametrize("path", sources("plugin_utils"), ids=name_of)
def test_stations_know_no_plugins(path):
    assert {parts[0] for parts in ours(path)} <= {"module_utils", "plugin_utils"}

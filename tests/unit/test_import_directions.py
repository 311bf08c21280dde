# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports point one way: what runs on hosts knows nothing else of us. For the library import-linter holds it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS, LIBRARY = ROOT / "plugins", ROOT / "rack_recipes"
PACKAGE = "ansible_collections.rack.recipes."
ON_TARGETS = ("modules", "module_utils")
# In module_utils a file or folder may import those in the rows before it, and of its own row only itself.
TARGET_LAYERS = (
    (
        *(
            "author_traceback",
            "check_library",
            "file_descriptors",
            "journal_record",
            "live_client",
            "program_end",
            "read_proc_and_sys",
        ),
        *("scriptlet_imports", "time_limit", "verdicts"),
    ),
    ("check_context_values", "secret_names"),
    ("argument_spec", "mask", "run_analysis"),
    ("artifact_store", "debug_tracing", "language", "stage_secrets"),
    ("context_view", "decorators", "script_library"),
    ("legacy_imports",),
    ("executor",),
    ("scriptlet", "shell"),
    ("runner", "scriptlet_support"),
)
LAYER_OF = {name: number for number, names in enumerate(TARGET_LAYERS) for name in names}
# The folders and the file of run/ whose code runs in one process of a run: the command that starts Ansible, Ansible's
# main process, its forked workers, the process that writes to the store. All else in run/ is shared by several of them.
PROCESSES = ("launcher", "recorder", "worker", "store_writer")
PROCESS_OF_PLUGINS = {"action": "worker", "callback": "recorder", "lookup": "recorder"}  # lookups run in workers, too
ALLOWED = {  # the importing file, and what it has of another process
    (
        "plugins/action/flush.py",
        "rack_recipes.run.store_writer",
    ): "a flush that is a step of the recipe writes to the store in the worker",
}


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Full names of all that a file imports, anywhere in it: `from a.b import c` gives `a.b.c`."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: import by the full name"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(found)


def ours(path: Path) -> Iterator[tuple[str, ...]]:
    """What a file imports of ours, as the parts of its path."""
    return (
        tuple(name.removeprefix(PACKAGE).split("."))
        for name in imports(path)
        if name.startswith((PACKAGE, "rack_recipes."))
    )


@pytest.mark.parametrize("path", sources(*(f"plugins/{name}" for name in ON_TARGETS)), ids=name_of)
def test_targets_need_the_standard_library_only(path):
    allowed = {*sys.stdlib_module_names, "ansible", "ansible_collections"}
    assert {name.split(".")[0] for name in imports(path)} <= allowed


@pytest.mark.parametrize("path", sources(*(f"plugins/{name}" for name in ON_TARGETS)), ids=name_of)
def test_targets_know_nothing_of_the_controller(path):
    assert {parts[:2] for parts in ours(path)} <= {("plugins", "module_utils")}
    assert all(name.startswith("ansible.module_utils.") for name in imports(path) if name.split(".")[0] == "ansible")


def test_the_library_knows_no_plugins():
    known = {(name_of(path), *parts[:2]) for path in sources("rack_recipes") for parts in ours(path)}
    assert not [each for each in known if each[1] != "rack_recipes" and each[1:] != ("plugins", "module_utils")]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PLUGINS / "module_utils").with_suffix("").parts)


@cache
def target_imports() -> dict[str, set[str]]:
    """For each module of module_utils those that it imports, anywhere in it, for type hints too."""
    paths = sources("plugins/module_utils")
    names = {module_of(path) for path in paths}
    found = {}
    for path in paths:
        parts = [each[2:] for each in ours(path) if each[:2] == ("plugins", "module_utils")]
        prefixes = [".".join(each[:length]) for each in parts for length in range(1, len(each) + 1)]
        found[module_of(path)] = {prefix for prefix in prefixes if prefix in names}
    return found


def circle_in(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """The modules of one circle of imports, the first one again at the end; empty where there is none."""
    done: set[str] = set()

    def search(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        circles = (search(imported, [*path, name]) for imported in sorted(graph[name]))
        circle = next(filter(None, circles), [])
        done.add(name)
        return circle

    return next(filter(None, (search(name, []) for name in sorted(graph))), [])


def test_no_circle_inside_of_module_utils():
    assert " -> ".join(circle_in(target_imports())) == ""


@pytest.mark.parametrize(
    ("graph", "circle"),
    [
        ({"a": ["b", "c"], "b": ["c"], "c": []}, []),
        ({"a": ["a"]}, ["a", "a"]),
        ({"a": ["b"], "b": ["c"], "c": ["d", "b"], "d": []}, ["b", "c", "b"]),
    ],
)
def test_a_circle_is_named(graph, circle):
    assert circle_in(graph) == circle


def test_imports_for_type_hints_count(tmp_path):
    (tmp_path / "a.py").write_text("TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from a.b import c\n")
    assert imports(tmp_path / "a.py") == ("a.b.c",)


def test_every_part_of_module_utils_has_a_layer():
    assert {name.split(".")[0] for name in target_imports()} == set(LAYER_OF)


@pytest.mark.parametrize("path", sources("plugins/module_utils"), ids=name_of)
def test_parts_of_module_utils_know_only_the_layers_before_them(path):
    own = module_of(path).partition(".")[0]
    known = {name.split(".")[0] for name in target_imports()[module_of(path)]} - {own}
    assert {name for name in known if LAYER_OF[name] >= LAYER_OF[own]} == set()


def process_of(parts: tuple[str, ...]) -> str | None:
    """The process that a file or a module belongs to, None for one that is shared."""
    if parts[:2] == ("rack_recipes", "run") and parts[2] in PROCESSES:
        return parts[2]
    return PROCESS_OF_PLUGINS.get(parts[1]) if parts[0] == "plugins" else None


def of_other_processes(path: Path) -> set[tuple[str, str]]:
    """The file with each module that it imports of another process."""
    own = process_of(path.relative_to(ROOT).parts)
    of_run = [parts for parts in ours(path) if parts[:2] == ("rack_recipes", "run") and len(parts) > 3]
    modules = {parts[: 4 if (LIBRARY / "run" / parts[2]).is_dir() else 3] for parts in of_run}
    return {(name_of(path), ".".join(parts)) for parts in modules if process_of(parts) not in (None, own)}


def test_a_plugin_knows_the_code_of_its_own_process_and_what_is_shared():
    """Shared code knows no process; `ALLOWED` has the exceptions with their reasons."""
    plugins = sources(*(f"plugins/{name}" for name in PROCESS_OF_PLUGINS))
    assert set().union(*map(of_other_processes, plugins)) == ALLOWED.keys()

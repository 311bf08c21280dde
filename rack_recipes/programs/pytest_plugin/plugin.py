# SPDX-License-Identifier: GPL-3.0-or-later

"""The plugin for pytest: recipe files become tests, and fixtures help to test scriptlets and recipes.

Pytest loads it in every environment that has this package. So slow imports are inside the functions.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rack_recipes.programs.old_import_paths import install_legacy_imports
from rack_recipes.yaml_suffixes import SUFFIXES

if TYPE_CHECKING:
    from rack_recipes.programs.pytest_plugin.context_fixture import RackContext
    from rack_recipes.programs.pytest_plugin.runner_fixtures import RecipeRunner, ScriptletRunner
FILES = "rack_recipes_files"
PATTERNS = [f"*.recipe{suffix}" for suffix in SUFFIXES]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the command line, and the one in pytest's configuration file."""
    group = parser.getgroup("rack.recipes")
    group.addoption(
        "--rack-inventory",
        action="append",
        default=[],
        metavar="PATH",
        help="inventory of the hosts on which recipe files are run; may be repeated (default: as rack-recipes run)",
    )
    group.addoption(
        "--rack-param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the recipe files that have one of this name; may be repeated",
    )
    group.addoption(
        "--rack-limit",
        action="append",
        default=[],
        metavar="PATTERN",
        help="run recipe files only on the hosts of their inventory that match, as --limit of rack-recipes run; may be "
        "repeated",
    )
    parser.addini(FILES, "patterns of the files that are collected as recipes", type="args", default=PATTERNS)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse wrong inventories and parameters before anything is collected. Know the proposal's module names."""
    install_legacy_imports()
    for name in config.getoption("rack_inventory"):
        if "," not in name and not (config.invocation_params.dir / name).exists():
            raise pytest.UsageError(f"--rack-inventory: expected a file, a folder or a list of hosts, got {name!r}")
    for word in config.getoption("rack_param"):
        if "=" not in word:
            raise pytest.UsageError(f"--rack-param: expected NAME=VALUE, got {word!r}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse a parameter that no collected recipe has."""
    files = {item.parent for item in items if hasattr(item, "rack_seconds")}
    declared = {name for file in files for name in file.expectation.params}  # type: ignore[union-attr]
    for word in config.getoption("rack_param") if files else ():
        name = word.partition("=")[0]
        if name not in declared:
            raise pytest.UsageError(f"--rack-param: no recipe here has a parameter {name!r}")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a recipe file: its name matches a pattern, or it is given on the command line."""
    if not _is_recipe(file_path, parent):
        return None
    from rack_recipes.programs.pytest_plugin.collect import RecipeFile

    collector: pytest.Collector = RecipeFile.from_parent(parent, path=file_path)
    return collector


def _is_recipe(path: Path, parent: pytest.Collector) -> bool:
    if path.suffix not in SUFFIXES:
        return False
    if parent.session.isinitpath(path):
        from rack_recipes.recipe.recipe_names import looks_like_recipe

        return looks_like_recipe(path) or _is_named_so(path, parent.config)
    return _is_named_so(path, parent.config)


def _is_named_so(path: Path, config: pytest.Config) -> bool:
    """Whether a pattern matches: one with a slash the path below pytest's root, one without a slash the name."""
    patterns: list[str] = config.getini(FILES)
    below = path.relative_to(config.rootpath) if path.is_relative_to(config.rootpath) else path
    return any(fnmatch(str(below) if "/" in pattern else path.name, pattern) for pattern in patterns)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Report the step's own duration; otherwise the first test of a file would have that of the whole run.

    Of a step that could not be judged report the message of the step.
    """
    report = yield
    seconds = getattr(item, "rack_seconds", None)
    if seconds is not None and call.when != "teardown":
        report.duration = 0.0 if call.when == "setup" and report.passed else seconds
    if call.when == "setup" and report.failed and call.excinfo and hasattr(item, "rack_seconds"):
        report.longrepr = item.repr_failure(call.excinfo)
    return report


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Explain an unexpected verdict with its whole reason."""
    reason = getattr(left, "reason", "")
    if op != "==" or not isinstance(left, str) or not reason:
        return None
    return [f"{str(left)!r} == {right!r}", "", *reason.splitlines()]


@pytest.fixture
def rack_context() -> RackContext:
    """A context without a run and without a host, to run scriptlets with: see docs/authoring.md."""
    from rack_recipes.programs.pytest_plugin.context_fixture import RackContext

    return RackContext()


@pytest.fixture
def run_recipe(request: pytest.FixtureRequest, tmp_path: Path) -> RecipeRunner:
    """A function that runs a recipe, a file or a mapping, with a store of this test's own: see docs/authoring.md."""
    from rack_recipes.programs.pytest_plugin.find_recipe_files import project_of
    from rack_recipes.programs.pytest_plugin.runner_fixtures import RecipeRunner

    return RecipeRunner(tmp_path / "rack-recipes", project_of(request.path, request.config.rootpath))


@pytest.fixture
def run_scriptlet(request: pytest.FixtureRequest, tmp_path: Path) -> ScriptletRunner:
    """A function that runs one scriptlet, the project's or ours, here or on a host: see docs/authoring.md."""
    from rack_recipes.programs.pytest_plugin.find_recipe_files import inventories_of, project_of
    from rack_recipes.programs.pytest_plugin.runner_fixtures import ScriptletRunner

    project = project_of(request.path, request.config.rootpath)
    return ScriptletRunner(tmp_path / "rack-recipes", project, inventories_of(request.config))

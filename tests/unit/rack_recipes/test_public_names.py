# SPDX-License-Identifier: GPL-3.0-or-later

"""The public names: they are cheap to import, they read the store, and their columns are those of the page."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from ansible_collections.rack.recipes import rack_recipes
from ansible_collections.rack.recipes.plugins.module_utils import scriptlet_imports
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import (
    Night,
    latency,
    run_id,
    store_nights,
)
from rack_recipes.store.database_engine import connect_store

DOCS = Path(__file__).parents[3] / "docs"
PAGE, AUTHORS = DOCS / "notebooks.md", DOCS / "authoring.md"
KEY = "numbers.stats_v1"
HEAVY = {"alembic", "ansible", "jinja2", "jsonschema", "numpy", "pandas", "sqlalchemy", "yaml"}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A store with three nights, of which the last lacks a value."""
    found = f"sqlite:///{tmp_path}/results.db"
    store = connect_store(found)
    nights = [
        Night(
            {("ping", "r1"): latency(value), ("ping", "r2"): latency(value + 1)},
            context={("r1", KEY): {"mean": value / 2}},
            attributes={"r1": {"rack": "k1"}},
        )
        for value in (1, 2, 3)
    ]
    store_nights(store, tmp_path, nights)
    store.dispose()
    return found


def imported_by(statement: str) -> set[str]:
    """The packages that a new Python imports for a statement."""
    command = [sys.executable, "-X", "importtime", "-c", statement]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in said.splitlines()}


@pytest.mark.parametrize("statement", ["import rack_recipes", "from rack_recipes import Failed, Scriptlet"])
def test_an_import_costs_little(statement: str) -> None:
    found = imported_by(statement)
    assert {"ansible_collections", "rack_recipes"} <= found
    assert found & HEAVY == set()


def test_every_name_is_there_and_no_other() -> None:
    assert dir(rack_recipes) == sorted(rack_recipes.__all__)
    assert all(getattr(rack_recipes, name) is getattr(rack_recipes, name) for name in rack_recipes.__all__)
    with pytest.raises(AttributeError, match=r"module '.*rack_recipes' has no attribute 'Faild'"):
        rack_recipes.Faild  # type: ignore[attr-defined]  # noqa: B018


def test_checkers_hosts_and_python_know_the_same_names() -> None:
    """What type checkers import, `__all__`, what Python imports, and what hosts have or say that they do not have."""
    tree = ast.parse(Path(rack_recipes.__file__).read_bytes())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    checked = {alias.name: node.module for node in imports for alias in node.names}
    del checked["annotations"], checked["scriptlet_imports"]
    assert checked == rack_recipes._MODULES
    assert sorted(checked) == sorted(rack_recipes.__all__)
    assert sorted(checked) == sorted((*scriptlet_imports.MODULES, *scriptlet_imports.FOR_PROGRAMS))


def test_the_page_for_authors_has_the_names_of_hosts() -> None:
    section = AUTHORS.read_text(encoding="utf-8").partition("### The names\n")[2].partition("\n### ")[0]
    cells = (line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    assert sorted(re.findall(r"`(\w+)`", " ".join(cells))) == sorted(scriptlet_imports.MODULES)


def rows(frame: pd.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return list(frame[list(columns)].itertuples(index=False, name=None))


def test_the_newest_run_as_frames(url: str) -> None:
    run = rack_recipes.load_run(db=url)
    assert run.run["run_id"] == run_id(3)
    assert rows(run.results, "host", "step", "verdict") == [("r1", "ping", "passed"), ("r2", "ping", "passed")]
    assert rows(run.measurements, "host", "name", "value", "number") == [
        ("r1", "latency", 3, 3.0), ("r2", "latency", 4, 4.0),
    ]  # fmt: skip
    assert rows(run.statistics, "name", "count", "mean") == [("latency", 2, 3.5), (f"{KEY}.mean", 1, 1.5)]
    assert rows(run.hosts, "host", "attributes") == [("r1", {"rack": "k1"})]


def test_a_run_by_the_beginning_of_its_id(url: str) -> None:
    assert rack_recipes.load_run(run_id(1)[:10], url).run["run_id"] == run_id(1)


def test_a_run_that_is_not_there(url: str) -> None:
    with pytest.raises(rack_recipes.RackError, match="there is no run 'x' in the store"):
        rack_recipes.load_run("x", url)


def test_a_store_that_is_empty(tmp_path: Path) -> None:
    connect_store(f"sqlite:///{tmp_path}/new.db").dispose()
    with pytest.raises(rack_recipes.RackError, match="there are no runs in the store"):
        rack_recipes.load_run(db=f"sqlite:///{tmp_path}/new.db")


def test_all_runs_the_newest_first(url: str) -> None:
    found = rack_recipes.runs(db=url)
    assert found["run_id"].tolist() == [run_id(3), run_id(2), run_id(1)]
    for ask in (rack_recipes.runs, partial(rack_recipes.measurements, "latency")):
        with pytest.warns(UserWarning, match="^there are no runs in the store of test 'NIGTH'.*'NIGHT") as told:
            assert len(ask(test_id="NIGTH", db=url)) == 0
        assert told[0].filename == __file__


def test_a_measurement_over_runs(url: str) -> None:
    found = rack_recipes.measurements("latency", db=url)
    assert rows(found, "run_id", "host", "number") == [
        (run_id(night), host, night + more) for night in (1, 2, 3) for host, more in (("r1", 0.0), ("r2", 1.0))
    ]
    assert rows(rack_recipes.measurements("latency", last=1, db=url), "run_id", "unit")[0] == (run_id(3), "us")


def test_a_number_in_the_context_over_runs(url: str) -> None:
    found = rack_recipes.measurements(f"{KEY}.mean", db=url)
    assert rows(found, "host", "step", "number") == [("r1", "collect", mean) for mean in (0.5, 1.0, 1.5)]
    with pytest.warns(UserWarning, match="^these 3 runs have no measurement or key '.*maen' .did you mean '.*mean'"):
        assert len(rack_recipes.measurements(f"{KEY}.maen", db=url)) == 0


def test_the_columns_are_those_of_the_page(url: str, request: pytest.FixtureRequest) -> None:
    run = rack_recipes.load_run(db=url)
    frames = {name: getattr(run, name) for name in (field.name for field in fields(run)) if name != "run"}
    frames = {f"load_run().{name}": frame for name, frame in frames.items()}
    frames |= {"runs()": rack_recipes.runs(db=url), "measurements()": rack_recipes.measurements("latency", db=url)}
    lines = [f"| `{name}` | {', '.join(f'`{column}`' for column in frame)} |\n" for name, frame in frames.items()]
    head, rule, _old = re.split(r"(\| frame \| columns \|\n\| --- \| --- \|\n)", PAGE.read_text(encoding="utf-8"))
    if request.config.getoption("--update"):
        PAGE.write_text(head + rule + "".join(lines), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == head + rule + "".join(lines)

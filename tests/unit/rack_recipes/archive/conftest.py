# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs with folders and rows, for what is pruned, packed and verified."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import delta, end, run, whole_run
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import artifact
from ansible_collections.rack.recipes.tests.unit.rack_recipes.store import conftest as stores
from rack_recipes.journal.append import append
from rack_recipes.run.missing_results_and_artifacts import transfer_record
from rack_recipes.store.writing.import_journal import import_journal

Make = Callable[..., Path]

cleared, emptied, opened = stores.cleared, stores.emptied, stores.opened
made_sqlite, made_mariadb, made_postgresql = stores.made_sqlite, stores.made_mariadb, stores.made_postgresql
made, every_database = stores.made, stores.every_database
pytest_generate_tests = stores.pytest_generate_tests


@pytest.fixture
def store(made_sqlite: Path, tmp_path: Path, opened: Callable[..., Engine]) -> Engine:
    """A SQLite store without rows."""
    shutil.copy(made_sqlite, tmp_path / "results.db")
    return opened(f"sqlite:///{tmp_path}/results.db")


@pytest.fixture
def each_store(made: str, every_database: None, opened: Callable[..., Engine]) -> Engine:
    """A store without rows on each database, for statements that only packs and pruning have."""
    return opened(made)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Where the folders of runs are."""
    return tmp_path / "runs"


@pytest.fixture
def make(runs: Path) -> Make:
    """Makes a run of some day, stored where a store is given; returns its journal."""

    def make(run_id: str, day: int = 1, stored: Engine | None = None, **about: Any) -> Path:
        path = runs / run_id / "journal.jsonl"
        records = whole_run(run_id)
        records[0] = run(run_id, time=f"2026-11-{day:02}T12:00:00.000000Z", **about)
        append(path, records)
        (path.parent / "lock").touch()
        if stored:
            import_journal(stored, path)
        return path

    return make


@pytest.fixture
def evidence(runs: Path) -> Path:
    """The journal of a run with all that a pack can hold."""
    path, data = runs / "R1" / "journal.jsonl", b"all the packets"
    conflict = delta(90, "r1", step="late", who="late", key="of.all_v1", after={"ü": 2**62}, based_on=1)
    attached = artifact(data, n=91, step="late")
    append(path, [*whole_run()[:-1], conflict, attached, transfer_record(attached), end()])
    (path.parent / "artifacts").mkdir()
    (path.parent / "artifacts" / attached["sha256"]).write_bytes(data)
    begun = path.parent / "begun"
    (begun / "recipe/recipes").mkdir(parents=True)
    (begun / "recipe/recipes/numbers.yml").write_text("test_meta: {test_id: T-17}\nsteps: []\n")
    (begun / "playbook.yml").write_text("- hosts: all\n")
    (begun / "hosts.json").write_text('{"r1": {"groups": ["all"], "ansible_host": "192.0.2.1"}}\n')
    (begun / "scriptlets.json").write_text('{"steps.compute": "sha256:77"}\n')
    (path.parent / "ansible.log").write_text("what Ansible said")
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The file of a new SSH key."""
    if not shutil.which("ssh-keygen"):
        pytest.skip("ssh-keygen is not installed")
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture
def allowed(key: Path) -> Path:
    """A file with the key's owner as the one who may sign."""
    path = key.with_name("allowed")
    path.write_text(f'lab@example.com namespaces="rack-recipes" {key.with_suffix(".pub").read_text()}')
    return path

# SPDX-License-Identifier: GPL-3.0-or-later

"""Two hosts write one key of the run at the same time: each merge policy, live in the store and from the journal."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from own_project import own_project

from call_rack_recipes import answer, called_here, rack_recipes, results, run_recipe

MEET = Path(__file__).parent / "cases" / "conflicts" / "meet"
HOSTS = ("r01", "r02")
STORE, OTHER = ".rack-recipes/results.db", "other.db"
PLACE = ("journal",)  # of the runs' columns the one that says where the journal is
# For each policy the step that writes a key, and what becomes of the writes.
POLICIES = {
    "last_write": ("last", ["kept"]),
    "fail": ("first", ["refused"]),
    "deep_merge": ("all", ["merged"]),
    "hook meet.join_fields": ("joined", ["kept", "merged"]),
}


def key_of(step: str) -> str:
    return f"power.{step}_v1"


def write_recipe() -> str:
    """A recipe of a step for each policy; the hosts meet in a folder of the step's."""
    steps: list[dict[str, Any]] = []
    for step, _outcomes in POLICIES.values():
        args = {"key": key_of(step), "meet": str(open_folder(step)), "hosts": len(HOSTS)}
        success = {"ctx_has_keys": [key_of(step)]}
        steps.append({"name": step, "module": "meet.write_shared_key", "args": args, "success": success})
    after = {"name": "after", "type": "shell", "module": "t.ok", "depends_on": [{"step": "first", "hosts": "all"}]}
    merge = {key_of(step): policy for policy, (step, _outcomes) in POLICIES.items()}
    recipe = {"test_meta": {"test_id": "MEET"}, "context": {"merge": merge}}
    steps.append({**after, "success": {"ctx_has_keys": ["t.ok_v1"]}})
    Path("recipe.yml").write_text(json.dumps({**recipe, "steps": steps}))
    return "recipe.yml"


def open_folder(step: str) -> Path:
    """An empty folder, for any user: that of the hosts may be another one."""
    folder = Path("meeting", step).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    return folder


def rows(database: str, run_id: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of a run, by table."""
    with closing(sqlite3.connect(database)) as store:
        store.row_factory = sqlite3.Row
        names = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = sorted(name for name in names if not name.startswith(("sqlite", "alembic")))
        found = {name: store.execute(f"SELECT * FROM {name} WHERE run_id = ?", (run_id,)) for name in tables}
        return {
            name: sorted(({key: dict(row)[key] for key in dict(row) if key not in PLACE} for row in each), key=str)
            for name, each in found.items()
        }


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory, rack: Any) -> tuple[Path, str]:
    """The project of a run in which two hosts met, and the run's id."""
    folder = tmp_path_factory.mktemp("meeting")
    with own_project(folder, MEET):
        done = run_recipe(write_recipe(), on=rack, hosts=HOSTS)
        assert done.code == 1, done.stderr
    return folder, done.answer["run_id"]


@pytest.fixture
def run_id(met: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """That run, in its folder."""
    monkeypatch.chdir(met[0])
    return met[1]


@pytest.mark.parametrize("policy", POLICIES)
def test_two_hosts_at_the_same_time(policy: str, run_id: str) -> None:
    step, outcomes = POLICIES[policy]
    shown = answer("show", run_id)
    conflicts = [row for row in shown["conflicts"] if row["key"] == key_of(step)]
    assert [row["outcome"] for row in conflicts] == outcomes
    assert {row["policy"] for row in conflicts} == {policy}
    first, second = HOSTS if conflicts[0]["before"]["common"] == "r01" else reversed(HOSTS)
    assert (
        results(run_id).context[key_of(step), ""]
        == {
            "last_write": {"common": second, second: 1},
            "fail": {"common": first, first: 1},
            "deep_merge": {"common": second, first: 1, second: 1},
            "hook meet.join_fields": {"common": [first, second], first: 1, second: 1},
        }[policy]
    )
    if policy == "fail":
        refused(shown["steps"], first, second)
    else:
        assert {each["verdict"] for each in shown["steps"] if each["step"] == step} == {"passed"}
    assert f"{policy} {outcomes[-1]}" in called_here("show", run_id)[0]
    changes = answer("ctx", "history", key_of(step), run_id)["changes"]
    clocks = [change["clock_offset"] for change in changes if not change["who"].startswith("hook")]
    assert all(abs(offset) < 5 for offset in clocks)  # the hosts are on this machine, and it may be busy


def refused(steps: list[dict[str, Any]], first: str, second: str) -> None:
    """The step of the later writer is an error that blocks what comes after it."""
    found = {(step["step"], step["host"]): step for step in steps}
    how = rf"but first on {first} had set version 1 at [-0-9]+ [:0-9]+ UTC to "
    reason = f"wrote {key_of('first')} based on version 0, {how}"
    last = found["first", second]
    assert (last["verdict"], last["blocks"]) == ("error", True)
    assert re.match(reason, last["reason"]), last["reason"]
    assert last["attempts"]
    assert found["first", first]["verdict"] == "passed"
    assert {found["after", host]["verdict"] for host in HOSTS} == {"blocked"}


def test_from_its_journal_the_store_is_the_same(run_id: str) -> None:
    live = rows(STORE, run_id)
    assert live["conflicts"]
    answer("flush", run_id, "--db", f"sqlite:///{OTHER}")
    assert rows(OTHER, run_id) == live


def test_a_run_starts_with_the_context_of_another(run_id: str, rack: Any) -> None:
    exported = rack_recipes("ctx", "export", run_id)
    Path("before.json").write_text(exported.stdout)
    recipe = write_recipe()
    again = run_recipe(recipe, "--only", "all", "--context", "before.json", on=rack, hosts=HOSTS)
    assert again.code == 0, again.stderr
    changes = answer("ctx", "history", key_of("all"))["changes"]
    assert (changes[0]["who"], changes[0]["after"]) == ("import", exported.answer["run"][key_of("all")])
    assert [change["based_on"] for change in changes[1:]] == [1, 1]
    refused_file = run_recipe(recipe, "--context", "recipe.yml")
    assert (refused_file.code, "expected 'run' and 'hosts', got" in refused_file.stderr) == (2, True)

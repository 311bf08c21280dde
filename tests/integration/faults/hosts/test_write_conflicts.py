# SPDX-License-Identifier: GPL-3.0-or-later

"""Two hosts write one key of the run at the same time: each merge policy, live in the store and from the journal."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from call_rack_recipes import Done, answer, called_here, rack_recipes, results, run_recipe

CASES = Path(__file__).parent / "cases" / "conflicts"
KEY = "power.limits_v1"
HOSTS = ("r01", "r02")
STORE, OTHER = ".rack-recipes/results.db", "other.db"
PLACE = ("journal",)  # of the runs' columns the one that says where the journal is


@pytest.fixture
def meeting(steps: Path) -> Path:
    """A project in which two hosts meet."""
    for name, folder in (("write_shared_key", "t"), ("join_fields", "site")):
        (steps / "scriptlets" / folder).mkdir(exist_ok=True)
        shutil.copy(CASES / f"{name}.py", steps / "scriptlets" / folder)
    meet = steps / "meet"
    meet.mkdir()
    meet.chmod(0o777)  # the hosts' user may be another one
    return meet


def write_recipe(meet: Path, policy: str) -> str:
    share = {
        "name": "share",
        "module": "t.write_shared_key",
        "args": {"meet": str(meet), "hosts": len(HOSTS)},
        "success": "none",
    }
    after = {"name": "after", "type": "shell", "module": "t.ok", "depends_on": [{"step": "share", "hosts": "all"}]}
    checked = {"success": {"ctx_has_keys": ["t.ok_v1"]}}
    recipe = {"test_meta": {"test_id": "MEET"}, "context": {"merge": {"power.*": policy}}}
    Path("recipe.yml").write_text(json.dumps({**recipe, "steps": [share, {**after, **checked}]}))
    return "recipe.yml"


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


def run(rack: Any, meet: Path, policy: str) -> tuple[Done, str]:
    """A run of two hosts with a policy, and its id."""
    done = run_recipe(write_recipe(meet, policy), on=rack, hosts=HOSTS)
    assert done.stdout, done.stderr
    return done, done.answer["run_id"]


@pytest.mark.parametrize(
    ("policy", "code", "outcomes"),
    [
        ("last_write", 0, ["kept"]),
        ("fail", 1, ["refused"]),
        ("hook site.join_fields", 0, ["kept", "merged"]),
    ],
    ids=["last_write", "fail", "hook"],
)
def test_two_hosts_at_the_same_time(policy: str, code: int, outcomes: list[str], meeting: Path, rack: Any) -> None:
    """The policy deep_merge has its run below."""
    done, run_id = run(rack, meeting, policy)
    assert done.code == code, done.stderr
    check_conflicts(run_id, policy, outcomes)


def check_conflicts(run_id: str, policy: str, outcomes: list[str]) -> None:
    """What a run of two hosts that met has in the store, and tells."""
    shown = answer("show", run_id)
    assert [row["outcome"] for row in shown["conflicts"]] == outcomes
    assert {row["policy"] for row in shown["conflicts"]} == {policy}
    first, second = HOSTS if shown["conflicts"][0]["before"]["common"] == "r01" else reversed(HOSTS)
    assert (
        results(run_id).context[KEY, ""]
        == {
            "last_write": {"common": second, second: 1},
            "fail": {"common": first, first: 1},
            "deep_merge": {"common": second, first: 1, second: 1},
            "hook site.join_fields": {"common": [first, second], first: 1, second: 1},
        }[policy]
    )
    if policy == "fail":
        refused(shown["steps"], first, second)
    live = rows(STORE, run_id)
    assert live["conflicts"]
    answer("flush", run_id, "--db", f"sqlite:///{OTHER}")
    assert rows(OTHER, run_id) == live
    assert f"{policy} {outcomes[-1]}" in called_here("show", run_id)[0]
    changes = answer("ctx", "history", KEY, run_id)["changes"]
    clocks = [change["clock_offset"] for change in changes if not change["who"].startswith("hook")]
    assert all(abs(offset) < 5 for offset in clocks)  # the hosts are on this machine, and it may be busy


def refused(steps: list[dict[str, Any]], first: str, second: str) -> None:
    """The step of the later writer is an error that blocks what comes after it."""
    found = {(step["step"], step["host"]): step for step in steps}
    reason = f"wrote {KEY} based on version 0, but {first}/share had set version 1 (merge policy fail)"
    last = found["share", second]
    assert (last["verdict"], last["reason"], last["blocks"]) == ("error", reason, True)
    assert last["attempts"]
    assert found["share", first]["verdict"] == "passed"
    assert {found["after", host]["verdict"] for host in HOSTS} == {"blocked"}


def test_a_run_starts_with_the_context_of_another(meeting: Path, rack: Any) -> None:
    done, run_id = run(rack, meeting, "deep_merge")
    assert done.code == 0, done.stderr
    check_conflicts(run_id, "deep_merge", ["merged"])
    exported = rack_recipes("ctx", "export", run_id)
    Path("before.json").write_text(exported.stdout)
    shutil.rmtree(meeting)
    meeting.mkdir()
    meeting.chmod(0o777)
    again = run_recipe("recipe.yml", "--context", "before.json", on=rack, hosts="r01,r02")
    assert again.code == 0, again.stderr
    changes = answer("ctx", "history", KEY)["changes"]
    assert (changes[0]["who"], changes[0]["after"]) == ("import", exported.answer["run"][KEY])
    assert [change["based_on"] for change in changes[1:]] == [1, 1]
    refused_file = run_recipe("recipe.yml", "--context", "recipe.yml")
    assert (refused_file.code, "expected 'run' and 'hosts', got" in refused_file.stderr) == (2, True)

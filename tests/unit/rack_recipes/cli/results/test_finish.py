# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands about a run in parts: they take the id of its group, and end with the exit code of the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import end, run, step
from rack_recipes.journal.append import append

BOTH = {"hosts": [["r1", "r2"]], "steps": {"compute": 0}}


def part(run_id: str, *hosts: str, has_ended: bool = True, **info: Any) -> None:
    """The journal of a part in this project."""
    group = {"id": "night-42", "part": f"job {run_id}", "info": info}
    ended = [step(2, host, checks=1) for host in hosts] + [end()] if has_ended else []
    append(Path(".rack-recipes/runs", run_id, "journal.jsonl"), [run(run_id, hosts, group=group), *ended])


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    part("A", "r1", whole=BOTH)


def test_all_parts_that_are_here_are_stored_by_the_id_of_the_group():
    part("B", "r2")
    done = call("flush", "night-42")
    assert (done.code, done.answer["run_id"], done.answer["parts"]) == (0, "night-42", ["A", "B"])
    assert [row["run_id"] for row in call("runs", "--json").answer["runs"]] == ["night-42"]
    done = call("finish", "night-42", "--json")
    assert (done.code, done.answer["status"], done.answer["counts"]) == (0, "ok", {"passed": 2})
    assert (done.answer["hosts"], call("finish", "night-42").err) == (
        2, "run night-42 ok: 2 passed on 2 hosts in 2 parts\n",
    )  # fmt: skip


def test_a_host_in_no_part_never_passes():
    call("flush", "night-42")
    done = call("finish", "night-42", "--hosts", "r1", "r9", "--json")
    told = (done.code, done.answer["status"], done.answer["missing"], done.answer["hosts"])
    assert told == (1, "failed", ["r2", "r9"], 1)
    watched = call("watch", "night-42", "--json")
    assert (watched.code, watched.answer) == (1, done.answer)


def test_a_part_that_ended_without_a_word_has_died():
    part("B", "r2", has_ended=False)
    call("flush", "night-42")
    done = call("finish", "night-42", "--json")
    assert [one["state"] for one in done.answer["parts"]] == ["passed", "died"]
    assert done.code == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("finish", "nope"), "there is no group 'nope' in the store"),
        (("finish", "night-42", "--wait", "soon"), "expected a number of seconds from 0 to 86400 (a day), got 'soon'"),
        (("watch", "nope"), "there is no run 'nope' in"),
    ],
)
def test_what_is_wrong_with_a_command(words: tuple[str, ...], reason: str):
    call("flush", "night-42")
    done = call(*words, "--json")
    assert done.code == 2
    assert reason in done.answer["reason"]

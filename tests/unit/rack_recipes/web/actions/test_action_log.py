# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of what pages do."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.server.access.caller import Caller
from rack_recipes.server.problems import Problem
from rack_recipes.web.actions.action_log import log_action, log_path, read_log

ALICE = Caller("token:alice", "author")
LOG = log_path(Path(".rack-recipes/runs"))


def test_an_action_has_a_line_before_and_after_it(project):
    with log_action(LOG, ALICE, "stop", {"run": "R1"}):
        assert [row["state"] for row in read_log(LOG)] == ["begun"]
    newest = read_log(LOG)[0]
    assert newest.pop("time")
    assert newest == {
        "who": "token:alice", "role": "author", "action": "stop", "about": {"run": "R1"}, "state": "done"
    }  # fmt: skip
    assert stat.S_IMODE(LOG.stat().st_mode) == 0o600


def test_what_was_refused_is_told(project):
    with pytest.raises(UsageError), log_action(LOG, ALICE, "stop", {}):
        raise UsageError("it is over\nand done")
    assert [row["state"] for row in read_log(LOG)] == ["refused: it is over\nand done", "begun"]


def test_without_a_line_nothing_is_done(project):
    LOG.mkdir(parents=True)
    with (
        pytest.raises(Problem, match=r"the log of what pages do, cannot be written: Is a directory"),
        log_action(LOG, ALICE, "stop", {}),
    ):
        pytest.fail("it was done")


def test_a_broken_line_hides_no_other(project):
    assert read_log(LOG) == []
    with log_action(LOG, ALICE, "stop", {}):
        LOG.write_text(f"{LOG.read_text()}{{broken\n5\n")
    assert [row["state"] for row in read_log(LOG)] == ["done", "begun"]

# SPDX-License-Identifier: GPL-3.0-or-later

"""Each command that takes a run takes `last`, `last~1` and the beginning of an id."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.cli.command_table import COMMANDS, is_group, parser_of

ELSEWHERE = {"stop", "serve", "mutate", "upload"}  # their runs go on, keep a recipe, or go to a server
NAMES = ("last", "last~1")


def takes_run(name: str) -> bool:
    return not is_group(name) and any(action.metavar == "RUN" for action in parser_of(name)._get_positional_actions())


WITH_RUN = [name for name in COMMANDS if takes_run(name) and name.split()[0] not in ELSEWHERE]


@pytest.mark.parametrize("name", WITH_RUN)
@pytest.mark.parametrize("word", NAMES)
def test_last_is_never_an_unknown_run(name: str, word: str, stored: Path) -> None:
    takes = parser_of(name)._get_positional_actions()
    done = call(*name.split(), *(word if action.metavar == "RUN" else "t.ok_v1" for action in takes))
    for lack in ("there is no run", "there are no runs", "begin with"):
        assert lack not in done.err, done.err


def test_last_is_the_newest_and_the_one_before_it(stored: Path) -> None:
    newest, older = (row["run_id"] for row in call("runs", "--json").answer["runs"][:2])
    assert [call("show", word, "--json").answer["run"]["run_id"] for word in NAMES] == [newest, older]
    assert call("diff", "last~1", "last", "--json").answer["runs"] == [older, newest]
    assert json.loads(call("watch", "last~1", "--json").out)["run_id"] == older
    done = call("show", "last~7")
    assert (done.code, "last~7: there are only 2 runs in the store" in done.err) == (2, True)

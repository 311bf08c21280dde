# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays whose hosts take turns although their stages need them together."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.template import trust_as_template

from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import means, play, task
from rack_recipes.errors import UsageError
from rack_recipes.run.recorder.hosts_of_run import check_turns
from rack_recipes.run.recorder.play_outline import outline

APART: dict[str, dict[str, Any]] = {
    "serial": {"serial": [1]},
    "serial in percent": {"serial": ["50%", "100%"]},
    "a number as it is written": {"serial": 1},
    "a template": {"serial": trust_as_template("{{ 1 }}")},
    "free": {"strategy": "free"},
    "host_pinned": {"strategy": "ansible.builtin.host_pinned"},
}
TOGETHER: dict[str, dict[str, Any]] = {
    "linear": {},
    "serial of all": {"serial": [3]},
    "serial of 100 percent": {"serial": "100%"},
    "no number": {"serial": "some"},
    "one host": {"serial": [1], "strategy": "free", "hosts": "r1"},
}
FIRST = {"name": "a"}
WIDE: dict[str, tuple[dict[str, Any], str]] = {
    "once": ({"name": "b", "scope": "run"}, "step b runs once for all hosts (scope: run)"),
    "all": ({"name": "b", "depends_on": [{"step": "a", "hosts": "all"}]}, "step b needs a on all hosts"),
    "reads": ({"name": "b", "args": {"x": "${fan.rpm_v1@r2}"}}, "step b reads keys of other hosts"),
}


def check(step: dict[str, Any], **words: Any) -> None:
    made = play(task(1, FIRST), task(2, step), hosts=words.pop("hosts", "all"))
    for word, value in words.items():
        setattr(made, word, value)
    api = means()
    check_turns([made], outline([made], api.resolve), api)


@pytest.mark.parametrize("wide", WIDE)
@pytest.mark.parametrize("apart", APART)
def test_what_needs_all_hosts_is_refused_where_they_take_turns(apart: str, wide: str):
    step, why = WIDE[wide]
    with pytest.raises(UsageError) as raised:
        check(step, **APART[apart])
    assert why in str(raised.value)
    assert str(raised.value).endswith("out of the play, or out of ansible.cfg")


@pytest.mark.parametrize("wide", WIDE)
@pytest.mark.parametrize("together", TOGETHER)
def test_it_is_taken_where_they_run_together(together: str, wide: str):
    check(WIDE[wide][0], **TOGETHER[together])


@pytest.mark.parametrize("apart", APART)
def test_what_looks_at_its_own_host_may_take_turns(apart: str):
    check({"name": "b", "depends_on": ["a"]}, **APART[apart])

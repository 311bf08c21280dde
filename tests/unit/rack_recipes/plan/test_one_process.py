# SPDX-License-Identifier: GPL-3.0-or-later

"""Which stages keep a process for each host, in words."""

from __future__ import annotations

import pytest

from rack_recipes.plan.make_plan import make_plan
from rack_recipes.plan.one_process import process_lines
from rack_recipes.recipe.load import parse
from rack_recipes.settings import Settings

RECIPE = """
test_meta: {test_id: T-1}
hosts: all
steps:
  - {name: a, module: host.identity}
  - {name: b, type: ansible, module: ansible.builtin.ping}
  - {name: c, module: host.identity, delegate_to: r9}
  - {name: d, module: host.identity, become: root}
  - {name: e, module: host.identity, always: true}
"""
EACH = "a process for each host in stage"
ALL = f"{EACH} 1, 2, 3, 4, 5"


@pytest.mark.parametrize(
    ("more", "settings", "told"),
    [
        ("", Settings(), [
            "one process for 2 or more hosts in stage 1, 4, 5",
            f"{EACH} 3: it runs through another host",
            f"{EACH} 2: its step is a module of Ansible's",
        ]),
        ("", Settings(one_process_from=0), [f"{ALL}: the setting one_process_from is 0"]),
        ("fail_fast: true", Settings(), [f"{ALL}: the recipe has fail_fast"]),
    ],
)  # fmt: skip
def test_lines(more: str, settings: Settings, told: list[str]):
    plan = make_plan(parse((RECIPE + more).encode(), "r.yml"), ())
    assert [line.rstrip() for line in process_lines(plan, settings)] == told

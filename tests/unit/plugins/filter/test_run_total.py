# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import yaml

from ansible_collections.rack.recipes.plugins.filter import run_total


def test_the_example_is_one_run_of_two_hosts():
    [task] = yaml.safe_load(run_total.EXAMPLES)
    add_up = run_total.FilterModule().filters()["run_total"]
    found = add_up(task["vars"]["parts"], ["leaf1", "leaf2"])
    assert (found["status"], found["counts"], found["hosts"]) == ("passed", {"passed": 4}, 2)

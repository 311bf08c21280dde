# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from fnmatch import fnmatchcase
from types import SimpleNamespace

import pytest

from rack_recipes.run.recorder.hosts_of_run import unmatched_patterns

HOSTS = ["leaf1", "leaf2", "spine1"]
NOBODY = "no host or group of the inventory is"


def resolve(pattern: str) -> list[str]:
    return [host for host in HOSTS if pattern == "all" or fnmatchcase(host, pattern)]


@pytest.mark.parametrize(
    ("hosts", "limit", "told"),
    [
        ("all", "", []),
        ("leaf*,!spine9,&all", "leaf1,@retry.txt", []),
        ("{{ group }}", "leaf1", []),
        ("all", "leaf1,leaf9", [f"--limit: {NOBODY} leaf9 (did you mean 'leaf2'?)"]),
        ("all", "leaf1:xx:yy", [f"--limit: {NOBODY} xx, yy"]),
        ("leaf1,zz*", "leaf1", [f"the recipe's hosts: {NOBODY} zz*"]),
        (["leaf1", "zz"], "zz,leaf1", [f"the recipe's hosts: {NOBODY} zz", f"--limit: {NOBODY} zz"]),
        ("all", ",".join(map(str, range(11))), [f"--limit: {NOBODY} 0, 1, 2, 3, 4, 5, 6, 7 and 3 more"]),
    ],
)
def test_names_that_the_inventory_does_not_know(hosts: str | list[str], limit: str, told: list[str]):
    plays = [SimpleNamespace(hosts=hosts), SimpleNamespace(hosts=hosts)]
    assert [*unmatched_patterns(plays, limit, resolve)] == told

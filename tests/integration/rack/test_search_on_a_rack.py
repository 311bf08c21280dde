# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is to blame on a virtual rack, by groups and by pairs: the uplink of a leaf, and two servers of one leaf."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from virtual_racks import NEEDS_ROOT, virtual_rack

from call_rack_recipes import answer, run_recipe
from rack_recipes.lab.faults import break_rack, heal_rack

pytestmark = NEEDS_ROOT

SIDES = {"peer": "${peer.address}", "port": "${peer.port}", "seconds": 1}
ALL = {"members": "${own.members}"}
STEPS = {
    "pair": {
        "module": "traffic.pair",
        "args": {**SIDES, "min_mbits": 50},
        "serve": {"module": "traffic.serve", "args": {"port": "${own.port}"}},
    },
    "group": {
        "module": "fabric.incast",
        "args": {**SIDES, **ALL, "rank": "${own.rank}", "back": True, "receiver_mbits": 200},
        "serve": {"module": "traffic.serve", "args": {"port": "${own.port}", **ALL}},
    },
}
UPLINK = {"leaf2:swp1": "what joins leaf2 to the others is to blame"}
SERVERS = {f"{server}:eth1": f"{server} is to blame for what failed between hosts" for server in ("server5", "server6")}
CASES = [("group", UPLINK), ("pair", UPLINK), ("group", SERVERS)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """For each case what the findings say first, on a rack in which each leaf has one uplink."""
    folder, titles = tmp_path_factory.mktemp("search"), []
    with chdir(folder), virtual_rack(folder / "rack", spines=1) as state:
        for scope, faults in CASES:
            broken = state
            for where in faults:
                broken, _fault = break_rack(broken, "slow-link", where)
            step = {"name": "search", "scope": scope, "isolate": {"by": "leaf"}, **STEPS[scope], "retry": {"max": 2}}
            Path("recipe.yml").write_text(
                json.dumps({"test_meta": {"test_id": f"T-{scope}"}, "hosts": "servers", "steps": [step]})
            )
            done = run_recipe("recipe.yml", on=folder / "rack" / "inventory.yml")
            problems = [one for one in answer("analyse")["findings"] if one["grade"] == "problem"]
            titles.append((problems, [one["host"] for one in answer("act")["hosts"]], done))
            heal_rack(broken)
        yield titles


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{scope}-{len(faults)}" for scope, faults in CASES])
def test_the_right_thing_is_blamed_and_no_other(found: Any, number: int):
    told, acted, done = found[number]
    titles = [one["title"] for one in told if one["kind"] != "regression"]
    wanted = CASES[number][1].values()
    assert len(titles) == len(wanted), (titles, done.stderr)
    assert all(any(title.startswith(one) for title in titles) for one in wanted), (titles, done.stderr)
    assert sorted(acted) == [where.partition(":")[0] for where in CASES[number][1] if where.startswith("server")]

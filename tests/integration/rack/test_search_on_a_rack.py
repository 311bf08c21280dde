# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is to blame on a virtual rack, by groups and by pairs: the uplink of a leaf, and two servers of one leaf."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from virtual_racks import NEEDS_ROOT, virtual_rack

from call_rack_recipes import answer, run_recipe
from rack_recipes.lab.faults import break_rack, heal_rack
from rack_recipes.lab.rack_state import RackState

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


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RackState]:
    """A rack in which each leaf has one uplink."""
    with virtual_rack(tmp_path_factory.mktemp("search") / "rack", spines=1) as state:
        yield state


@pytest.mark.parametrize(
    ("scope", "faults"),
    [
        pytest.param("group", UPLINK, marks=pytest.mark.repeats),  # by pairs, and two servers by groups
        ("pair", UPLINK),
        ("group", SERVERS),
    ],
)
def test_the_right_thing_is_blamed_and_no_other(
    rack: RackState, project: Path, scope: str, faults: Mapping[str, str]
) -> None:
    broken = rack
    for where in faults:
        broken, _fault = break_rack(broken, "slow-link", where)
    step = {"name": "search", "scope": scope, "isolate": {"by": "leaf"}, **STEPS[scope], "retry": {"max": 2}}
    Path("recipe.yml").write_text(
        json.dumps({"test_meta": {"test_id": f"T-{scope}"}, "hosts": "servers", "steps": [step]})
    )
    try:
        done = run_recipe("recipe.yml", on=rack.folder / "inventory.yml")
    finally:
        heal_rack(broken)
    problems = [one for one in answer("analyse")["findings"] if one["grade"] == "problem"]
    titles = [one["title"] for one in problems if one["kind"] != "regression"]
    wanted = faults.values()
    assert len(titles) == len(wanted), (titles, done.stderr)
    assert all(any(title.startswith(one) for title in titles) for one in wanted), (titles, done.stderr)
    acted = [one["host"] for one in answer("act")["hosts"]]
    assert sorted(acted) == [where.partition(":")[0] for where in faults if where.startswith("server")]

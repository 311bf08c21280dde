# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of controllers, and how hosts and inventory are split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rack_recipes.errors import UsageError
from rack_recipes.integrations.across.controllers_file import Controller, Controllers, read_controllers
from rack_recipes.integrations.across.split_inventory import part_files, part_inventory, split_hosts

CASES = Path(__file__).parent / "cases"
WHOLE: dict[str, Any] = {
    "groups": {
        "all": {"vars": {"site": "north"}, "hosts": [], "children": ["ungrouped", "rack"]},
        "ungrouped": {"vars": {"reach": "by hand"}, "hosts": ["jump"], "children": []},
        "rack": {"vars": {"rack": "r1"}, "hosts": ["r1"], "children": ["deep"]},
        "deep": {"vars": {"pw": "s"}, "hosts": ["r2"], "children": []},
    },
    "hosts": {"r1": {"a": 1}, "r2": {}, "jump": {}},
    "extensions": [".yml", ".yaml", ".json"],
}


@pytest.mark.parametrize("case", yaml.safe_load((CASES / "wrong_files.yml").read_text()), ids=lambda case: case["text"])
def test_a_wrong_file_is_refused_with_all_that_is_wrong(case: dict[str, Any], own_folder: Path):
    Path("c.yml").write_text(case["text"])
    with pytest.raises(UsageError) as error:
        read_controllers("c.yml")
    assert str(error.value).splitlines() == case["said"]


def test_controllers_of_a_file_and_some_of_them(own_folder: Path):
    Path("c.yml").write_text(
        "split: rack\ncontrollers:\n  - {name: a, command: ssh 'a b'}\n  - {name: b, command: [x, 'a \"b\" c']}\n"
    )
    south = Controller("b", ("x", 'a "b" c'))
    assert read_controllers("c.yml") == Controllers("c.yml", (Controller("a", ("ssh", "a b")), south), "rack")
    assert read_controllers("c.yml", "b") == Controllers("c.yml", (south,))
    Path("p.yml").write_text("controllers: [{name: a, command: y, hosts: odd}, {name: b, command: x, hosts: even}]\n")
    assert read_controllers("p.yml", "b") == Controllers("p.yml", (Controller("b", ("x",)),))
    for wrong, hint in (("bb", "did you mean 'b'?"), ("north", "there are a, b")):
        with pytest.raises(UsageError, match=f"^--on: c.yml has no controller '{wrong}'.*{hint}".replace("?", r"\?")):
            read_controllers("c.yml", wrong)
    with pytest.raises(UsageError, match=r"none\.yml: cannot be read: No such file"):
        read_controllers("none.yml")


@pytest.mark.parametrize("case", yaml.safe_load((CASES / "splits.yml").read_text()), ids=lambda case: case["name"])
def test_hosts_are_split(case: dict[str, Any]):
    each = tuple(Controller(name, (), hosts) for name, hosts in case["controllers"].items())
    file = Controllers("c.yml", each, case.get("split"))
    values = {host: {"rack": value} for host, value in case.get("values", {}).items()}
    given = (file, case["hosts"], values, case.get("matched", {}), WHOLE)
    if "problem" in case:
        with pytest.raises(UsageError) as error:
            split_hosts(*given)
        assert str(error.value) == case["problem"]
    else:
        parts = split_hosts(*given)
        assert {part.controller.name: [*part.hosts] for part in parts} == case["parts"]


def test_a_part_has_the_groups_of_all_and_no_host_of_others():
    assert part_inventory(WHOLE, ["r2"]) == {
        "all": {
            "vars": {"site": "north"},
            "hosts": {"r1": {"a": 1}, "jump": {}},
            "children": {
                "ungrouped": {"vars": {"reach": "by hand"}, "hosts": {"jump": {}}, "children": {}},
                "rack": {"vars": {"rack": "r1"}, "hosts": {"r1": {}}, "children": {"deep": {}}},
                "deep": {"vars": {}, "hosts": {}, "children": {}},
            },
        }
    }


VARIABLES = [
    *("group_vars/all.yml", "group_vars/rack.yml", "group_vars/deep/vault", "group_vars/ungrouped", "group_vars/x.yml"),
    *("host_vars/r1.yml", "host_vars/r1.lab.yml", "host_vars/r2", "host_vars/localhost.json", "host_vars/jump/a/b.yml"),
    *("lab/host_vars/r2.yml", "r.yml", "scriptlets/group_vars.sh"),
]


@pytest.mark.parametrize(
    ("left_out", "others"),
    [
        (["r2"], {"group_vars/deep/vault", "host_vars/r2", "lab/host_vars/r2.yml"}),
        (["r1"], {"host_vars/r1.yml"}),  # r2 is in rack by a group in it
        (
            ["r1", "r2"],
            {path for path in VARIABLES if any(word in path for word in ("rack", "deep", "/r1.yml", "/r2"))},
        ),
        ([], set()),
    ],
)
def test_a_part_gets_variables_of_its_own_hosts_and_groups_alone(left_out: list[str], others: set[str]):
    unknown = {"group_vars/x.yml", "host_vars/r1.lab.yml"}
    kept = part_files([*map(Path, VARIABLES)], WHOLE, left_out)
    assert {*VARIABLES} - {*map(str, kept)} == others | unknown

# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from rack_recipes.store.reading.reading_order import by_names, by_step


def step(name: str, host: str = "leaf1", idx: int | None = 1, parent: str | None = None) -> dict[str, Any]:
    return {"step": name, "host": host, "idx": idx, "stage": 1, "parent": parent}


def test_steps_come_as_in_the_recipe_and_hosts_as_people_count():
    rows = [step("a", "leaf10", 2), step("b", "leaf2"), step("a", "leaf2", 2), step("b", ""), step("b", "leaf10")]
    assert [(row["step"], row["host"]) for row in by_step(rows)] == [
        ("b", ""),
        ("b", "leaf2"),
        ("b", "leaf10"),
        ("a", "leaf2"),
        ("a", "leaf10"),
    ]


def test_instances_come_behind_their_step_as_people_count():
    names = ["port", "port[1]", "port[1#2]", "port[2]", "port[10]", "port[eth2]", "port[eth10]"]
    rows = [step("portal"), *(step(name, parent="port" if "[" in name else None) for name in reversed(names))]
    assert [row["step"] for row in by_step(rows)] == [*names, "portal"]


def test_a_step_whose_place_is_not_known_comes_first():
    assert [row["step"] for row in by_step([step("a"), step("z", idx=None)])] == ["z", "a"]


def test_rows_of_one_name_keep_their_order():
    rows = [{"key": key, "host": host, "n": n} for n, (key, host) in enumerate([("b_v10", "h"), ("b_v2", "h")] * 2)]
    assert [(row["key"], row["n"]) for row in by_names(rows, "key", "host")] == [
        ("b_v2", 1),
        ("b_v2", 3),
        ("b_v10", 0),
        ("b_v10", 2),
    ]

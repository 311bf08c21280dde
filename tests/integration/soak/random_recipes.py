# SPDX-License-Identifier: GPL-3.0-or-later

"""Random recipes, such as a person might write. hypothesis reduces a failing one."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

HOSTS = ("r01", "r02")
KEYS = ("a", "b", "c")
Step = dict[str, Any]


def key(name: str) -> str:
    return f"s.{name}_v1"


@st.composite
def values(draw: Any) -> Any:
    """Draw a literal, or a reference to what another step may have set."""
    return draw(st.sampled_from(["1", "2", "[1, 2]", "${params.limit}", *(f"${{{key(name)}}}" for name in KEYS)]))


@st.composite
def conditions(draw: Any) -> Step:
    value = draw(st.sampled_from([f"${{{key(name)}}}" for name in KEYS] + ["${params.limit}", 3]))
    limit = draw(
        st.sampled_from([{"min": 1}, {"max": 1}, {"eq": 2}, {"min": 0, "warn": {"max": 1}}, {"one_of": [1, 3]}])
    )
    return {"value": value, **limit}


@st.composite
def work(draw: Any) -> Step:
    """Draw what a step does."""
    kind = draw(st.sampled_from(["sets", "sets", "sets", "fails", "flaky", "count"]))
    if kind == "sets":
        name = draw(st.sampled_from(KEYS))
        args = {"key": name, "value": draw(values())}
        return {"type": "shell", "module": "s.sets", "args": args, "writes": [key(name)]}
    if kind == "flaky":
        tried = {"args": {"try": draw(st.integers(1, 3))}, "retry": {"max": draw(st.integers(1, 3))}}
        return {"type": "shell", "module": "s.flaky", **tried}
    if kind == "count":
        return {"module": "s.count_hosts", "scope": "run"}
    return {"type": "shell", "module": "s.fails"}


@st.composite
def success(draw: Any) -> Any:
    what = draw(st.sampled_from(["none", "none", "keys", "values", "nothing"]))
    if what == "keys":
        return {"ctx_has_keys": [key(draw(st.sampled_from(KEYS)))]}
    if what == "values":
        plain = [{name: bound for name, bound in one.items() if name != "name"} for one in [draw(conditions())]]
        return {"values": plain}
    return what


def rarely(draw: Any) -> bool:
    return bool(draw(st.integers(0, 5)) == 0)


@st.composite
def step(draw: Any, name: str, earlier: list[Step]) -> Step:
    """One step, which may depend on any of those before it."""
    made = {"name": name, **draw(work())}
    checked = draw(success())
    if checked != "nothing":
        made["success"] = checked
    needed = draw(st.lists(st.sampled_from(earlier), max_size=2, unique_by=lambda one: one["name"])) if earlier else []
    if needed:
        made["depends_on"] = [widened(draw, one) for one in needed]
    if "scope" not in made:
        if rarely(draw):
            made["hosts"] = draw(st.sampled_from(HOSTS))
        if rarely(draw):
            made["loop"] = draw(st.sampled_from([[1, 2], "${params.none}", ["x", {"name": "y"}], "${params.ports}"]))
        if rarely(draw):
            condition = draw(conditions())
            condition.pop("warn", None)
            made["when"] = draw(st.sampled_from([True, False, condition]))
    if rarely(draw):
        made["continue_on_fail"] = True
    if rarely(draw):
        made["repeat"] = {"count": draw(st.integers(1, 3))}
    return made


def widened(draw: Any, needed: Step) -> Any:
    """A dependency on this host, or on all of them."""
    wide = "scope" not in needed and rarely(draw)
    return {"step": needed["name"], "hosts": "all"} if wide else needed["name"]


@st.composite
def recipes(draw: Any) -> dict[str, Any]:
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 7))):
        steps.append(draw(step(f"s{number}", steps)))
    if rarely(draw):
        steps.append({**draw(step("last", [])), "always": True})
    # Without fail_fast: how far the other hosts are when one fails is a matter of time.
    return {
        "test_meta": {"test_id": "GEN"},
        "params": {
            "limit": {"type": "int", "default": 2},
            "ports": {"type": "list", "default": ["p1", "p2"]},
            "none": {"type": "list", "default": []},
        },
        "steps": steps,
    }

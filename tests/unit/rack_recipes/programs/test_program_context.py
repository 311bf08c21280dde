# SPDX-License-Identifier: GPL-3.0-or-later

"""The context of a program: the proposal's own test of it, and what a run's context does besides."""

from __future__ import annotations

import json
import tracemalloc
from threading import Thread

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.programs.program_context import Context, of_journal

TIME = "2026-11-25T12:00:00.123456Z"


def test_set_get_and_history():
    """The proposal's, as it stands."""
    ctx = Context()
    assert ctx.get("foo") is None
    ctx.set("foo", 123, who="step1")
    assert ctx.get("foo") == 123
    hist = ctx.get_history()
    assert len(hist) == 1
    rec = hist[0]
    assert rec["step"] == "step1"
    assert rec["key"] == "foo"
    assert rec["before"] is None
    assert rec["after"] == 123


@pytest.mark.parametrize("name", ["pop_dirty", "pop_dirty_keys"])
def test_keys_that_changed_are_told_once(name):
    ctx = Context()
    ctx.set("b", 1)
    ctx.set("a", 1)
    ctx.set("b", 2)
    assert (getattr(ctx, name)(), getattr(ctx, name)()) == (["b", "a"], [])


def test_the_same_value_is_no_change_and_other_json_is_one():
    ctx = Context()
    for value in (1, 1, 1.0, True, [1], [1]):
        ctx.set("k_v1", value)
    assert ctx.versions("k_v1") == {1: 1, 2: 1.0, 3: True, 4: [1]}
    assert json.dumps(ctx.versions("k_v1")) == '{"1": 1, "2": 1.0, "3": true, "4": [1]}'
    assert [change["version"] for change in ctx.get_history()] == [1, 2, 3, 4]


def test_what_is_read_is_a_copy():
    ctx, value = Context(), {"ports": [1]}
    ctx.set("k_v1", value)
    value["ports"].append(2)
    ctx.get("k_v1")["ports"].append(3)
    ctx.to_dict()["k_v1"]["ports"].append(4)
    assert ctx.get("k_v1") == {"ports": [1]}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("Foo", 1, "expected a key such as numbers.stats_v1, got 'Foo'"),
        ("a b", 1, "expected a key such as numbers.stats_v1, got 'a b'"),
        ("", 1, "expected a key such as numbers.stats_v1, got ''"),
        (1, 1, "expected a key such as numbers.stats_v1, got 1"),
        ("X" * 999, 1, f"expected a key such as numbers.stats_v1, got 'XXX{'X' * 190}"),
        ("k", {"a": [float("nan")]}, "k.a[0]: nan is not a JSON number"),
        ("k", {"a": object()}, "k.a: expected JSON data, got a object"),
        ("k", "x" * 1024 * 1025, "k: 1049602 bytes of JSON, a key can hold 1048576"),
    ],
)
def test_what_a_run_refuses_is_refused_here(key, value, expected):
    ctx = Context()
    with pytest.raises(ValueError) as error:
        ctx.set(key, value)
    assert str(error.value).startswith(expected)
    assert len(str(error.value)) < 300
    assert ctx.keys() == []


@pytest.fixture
def hosts():
    """A context with a key of the run, one of a single host, and one of two."""
    ctx = Context()
    ctx.set("site_v1", "lab")
    ctx.set("only_v1", 1, host="leaf1")
    ctx.set("both_v1", 1, host="leaf1")
    ctx.set("both_v1", 2, host="leaf2")
    return ctx


def test_keys_of_hosts_and_of_the_run(hosts):
    assert (hosts.hosts(), hosts.keys()) == (["leaf1", "leaf2"], ["both_v1", "only_v1", "site_v1"])
    assert (hosts.get("site_v1"), hosts.get("only_v1")) == ("lab", 1)
    assert [hosts.get("both_v1", host=name) for name in ("leaf1", "leaf2", "", "leaf3")] == [1, 2, None, None]
    assert (hosts.get("site_v1", host="leaf1"), hosts.get("only_v1", 7, host="leaf2")) == ("lab", 7)
    assert (hosts.values("both_v1"), hosts.values("site_v1")) == ({"leaf1": 1, "leaf2": 2}, {})
    assert hosts.to_dict("leaf2") == {"both_v1": 2, "site_v1": "lab"}
    assert hosts.to_dict("") == {"site_v1": "lab"}
    assert ("both_v1" in hosts, "x_v1" in hosts) == (True, False)
    assert hosts.versions("both_v1", "leaf2") == {1: 2}
    assert [change["after"] for change in hosts.get_history(host="leaf1")] == [1, 1]
    assert repr(hosts) == "<Context with 3 keys in 4 changes>"


@pytest.mark.parametrize("ask", [Context.get, Context.versions, lambda ctx, _key: ctx.to_dict()])
def test_a_key_that_several_hosts_have_needs_one_named(hosts, ask):
    with pytest.raises(ValueError, match=r"^leaf1, leaf2 have a key both_v1: name one, as in host='leaf2'$"):
        ask(hosts, "both_v1")


def test_a_difference_is_told_by_field(hosts):
    other = hosts.copy()
    other.set("site_v1", "hall")
    other.set("only_v1", {"up": True}, host="leaf2")
    assert hosts.diff(other) == [
        {"key": "site_v1", "host": "", "field": "", "before": "lab", "after": "hall"},
        {"key": "only_v1", "host": "leaf2", "field": "", "after": {"up": True}},
    ]
    third = other.copy()
    third.set("only_v1", {"up": False}, host="leaf2")
    assert other.diff(third) == [{"key": "only_v1", "host": "leaf2", "field": "up", "before": True, "after": False}]
    assert hosts.diff(hosts.copy()) == []


def test_a_merge_takes_over_what_the_other_has_set(hosts):
    other = hosts.copy()
    other.set("only_v1", 5, who="other", host="leaf1")
    other.set("new_v1", 1)
    hosts.set("site_v1", "hall")
    assert hosts.merge(other) == []
    assert hosts.to_dict("leaf1") == {"both_v1": 1, "new_v1": 1, "only_v1": 5, "site_v1": "hall"}
    assert hosts.get_history("only_v1")[-1]["step"] == "other"
    assert hosts.merge(other) == []


DOC = {"psu1": "ok", "psu2": "ok"}


@pytest.mark.parametrize(
    ("policy", "outcome", "value"),
    [
        ("last_write", "kept", {"psu1": "ok", "psu2": "failed"}),
        ("fail", "refused", {"psu1": "off", "psu2": "ok"}),
        ("deep_merge", "merged", {"psu1": "off", "psu2": "failed"}),
    ],
)
def test_two_writes_of_one_key_meet_the_merge_policy_of_a_run(policy, outcome, value):
    ours = Context(merge={"power.*": policy})
    ours.set("power.feeds_v1", DOC)
    theirs = ours.copy()
    ours.set("power.feeds_v1", {**DOC, "psu1": "off"})
    theirs.set("power.feeds_v1", {**DOC, "psu2": "failed"}, who="leaf2")
    (met,) = ours.merge(theirs)
    assert (met["policy"], met["outcome"], met["step"]) == (policy, outcome, "leaf2")
    assert met.get("other") == {"refused": {**DOC, "psu2": "failed"}, "merged": {**DOC, "psu2": "failed"}}.get(outcome)
    assert ours.get("power.feeds_v1") == value
    assert len(ours.versions("power.feeds_v1")) == (2 if outcome == "refused" else 3)


def test_a_context_that_lives_long_forgets_its_oldest_changes():
    ours = Context(most_bytes=4000)
    for number in range(95):
        ours.set("k_v1", number)
    history = ours.get_history()
    assert 5 <= len(history) < 20
    assert (history[-1]["seq"], history[-1]["version"], ours.get("k_v1")) == (95, 95, 94)
    theirs = ours.copy()
    theirs.set("k_v1", "theirs")
    ours.set("new_v1", 1)
    assert ours.merge(theirs) == []
    assert ours.to_dict() == {"k_v1": "theirs", "new_v1": 1}
    for number in range(40):
        ours.set("k_v1", number)
    with pytest.raises(UsageError, match="no change in common that both remember: raise most_bytes"):
        ours.merge(theirs)
    with pytest.raises(UsageError, match="most_bytes: expected a number above 0, or None, got 0"):
        Context(most_bytes=0)


@pytest.mark.parametrize(("text", "kept"), [("x", 4), ("\u00fc", 4), ("\u4e09", 2), ("\U0001f525", 1)])
def test_what_history_may_take_is_counted_in_bytes(text: str, kept: int):
    """However few changes there are; values are never forgotten, nor is the newest change."""
    ours = Context(most_bytes=450_000)
    for number in range(20):
        ours.set(f"k{number % 2}_v1", f"{number}" + text * 100_000)
    tracemalloc.start()
    for number in range(20, 40):
        ours.set(f"k{number % 2}_v1", f"{number}" + text * 100_000)
    held, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(ours.get_history()) == kept
    assert held < 8 * 450_000
    assert (ours.get("k0_v1")[:2], ours.get("k1_v1")[:2]) == ("38", "39")
    assert [change["after"][:2] for change in ours.get_history()] == [str(n) for n in range(40 - kept, 40)]


def test_a_value_may_not_be_too_large():
    ours = Context()
    with pytest.raises(ValueError, match="k_v1: 200000002 bytes of JSON, a key can hold 1048576"):
        ours.set("k_v1", "x" * 200_000_000)
    assert (ours.to_dict(), ours.get_history()) == ({}, [])


def test_two_contexts_of_different_origin_are_merged_too():
    first, second = Context(), Context()
    first.set("k_v1", 1)
    second.set("k_v1", 2)
    second.set("other_v1", 3)
    (met,) = first.merge(second)
    assert (met["before"], met["after"], met["outcome"]) == (1, 2, "kept")
    assert first.to_dict() == {"k_v1": 2, "other_v1": 3}


def test_a_policy_that_is_none():
    with pytest.raises(UsageError) as error:
        Context(merge={"power.*": "deep_murge"})
    assert str(error.value) == (
        "merge: power.*: expected one of last_write, fail, deep_merge, got 'deep_murge' (did you mean 'deep_merge'?)"
    )


def test_several_threads_lose_no_write():
    ctx = Context()
    threads = [Thread(target=lambda n=n: [ctx.set(f"k{n}", count) for count in range(50)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ctx.to_dict() == {f"k{n}": 49 for n in range(4)}
    assert [change["seq"] for change in ctx.get_history()] == [*range(1, 201)]


def test_the_context_of_a_run_has_its_history(tmp_path):
    delta = {"kind": "delta", "stage": 1, "n": 1, "host": "h1", "step": "read", "attempt": 1, "scope": "host"}
    change = {**delta, "key": "k_v1", "after": [1], "based_on": 0, "who": "read", "time": TIME}
    append(tmp_path / "journal.jsonl", [{"kind": "run", "run": "R1", "time": TIME, "hosts": ["h1"]}, change])
    found = of_journal(tmp_path / "journal.jsonl")
    assert found.to_dict() == {"k_v1": [1]}
    assert found.get_history() == [
        {
            "timestamp": TIME,
            "step": "read",
            "key": "k_v1",
            "before": None,
            "after": [1],
            "host": "h1",
            "version": 1,
            "based_on": 0,
            "who": "read",
            "seq": 1,
        }
    ]

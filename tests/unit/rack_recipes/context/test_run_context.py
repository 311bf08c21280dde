# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import LARGEST_VALUE
from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import TIME, delta, end, run, step
from rack_recipes.context.context_model import Delta, HeldValue
from rack_recipes.context.run_context import Context, RefusedWrites, fold_into
from rack_recipes.journal.step_results_and_end_status import Results


def folded(*records: dict[str, Any]) -> Context:
    context = Context()
    for record in records:
        context.fold(record)
    return context


def test_a_delta_tells_the_whole_change() -> None:
    context = folded(run(), delta(1, after=1))
    (second,) = context.fold(delta(2, after={"ü": [1]}, based_on=1, attempt=3, who="somebody"))
    assert second == Delta(
        run="R1",
        seq=2,
        time=TIME,
        host="r1",
        step="compute",
        attempt=3,
        scope="host",
        key="numbers.stats_v1",
        version=2,
        based_on=1,
        before="1",
        after='{"ü":[1]}',
        who="somebody",
        conflict=False,
    )
    assert (second.policy, second.outcome, second.other, second.both, second.base) == ("", "", None, (), None)


def test_a_first_value_has_none_before_it() -> None:
    (first,) = Context("R1").fold(delta(after=None))
    assert (first.before, first.after, first.version) == (None, "null", 1)


@pytest.mark.parametrize("record", [run(), step(), end(), {"kind": "later"}])
def test_other_records_change_nothing(record: dict[str, Any]) -> None:
    context = Context("R1")
    assert context.fold(record) == ()
    assert (context.run_id, context.seq, context.keys()) == ("R1", 0, [])


def test_the_last_write_wins_and_a_conflict_is_told() -> None:
    context = folded(delta(1, scope="run", after="r1"))
    (second,) = context.fold(delta(1, "r2", scope="run", after="r2", based_on=0))
    assert (second.conflict, second.before, second.version) == (True, '"r1"', 2)
    assert (second.policy, second.outcome, second.other) == ("last_write", "kept", None)
    assert context.get("numbers.stats_v1") == "r2"
    (third,) = context.fold(delta(2, "r1", scope="run", after="r1 again", based_on=2))
    assert not third.conflict


KEY = "power.limits_v1"


def with_policy(policy: str, *records: dict[str, Any]) -> Context:
    return folded(run(merge=[{"keys": "power.*", "policy": policy}]), *records)


def write(after: Any, host: str = "r1", n: int = 1, based_on: int = 0, **fields: Any) -> dict[str, Any]:
    return delta(n, host, scope="run", key=KEY, after=after, based_on=based_on, step=f"of_{host}", **fields)


def test_what_a_host_writes_next_in_its_stage_is_based_on_its_own_write() -> None:
    """It counts the versions that it knows: two writers of one key count differently."""
    context = folded(write("r1"), write("r2", "r2"))
    (again,) = context.fold(write("r2 again", "r2", 2, based_on=1))
    assert (again.conflict, again.version, again.based_on) == (False, 3, 1)
    (other,) = context.fold(write("r1 again", "r1", 2, based_on=1))
    assert (other.conflict, other.version) == (True, 4)
    (later,) = context.fold(write("later", "r2", 1, based_on=4, stage=2))
    assert not later.conflict


def test_policy_fail_refuses_the_later_write() -> None:
    context = with_policy("fail", write(1, "r1"))
    (refused,) = context.fold(write(2, "r2"))
    assert (refused.policy, refused.outcome, refused.other) == ("fail", "refused", "2")
    assert (refused.before, refused.after, refused.version, refused.seq) == ("1", "1", 1, 2)
    assert context.entry(KEY) == HeldValue("1", 1, "r1", "of_r1", TIME)
    ruled = context.refusals.final_record(step(host="r2", step="of_r2"))
    expected = (
        f"wrote {KEY} based on version 0, but of_r1 on r1 had set version 1 at 2026-11-25 12:00:00 UTC to 1 "
        "(merge policy fail)"
    )
    assert (ruled["verdict"], ruled["reason"]) == ("error", expected)


def test_a_refusal_shows_the_beginning_of_a_long_value() -> None:
    context = with_policy("fail", write("ä" * 5000, "r1"))
    context.fold(write(2, "r2"))
    reason = context.refusals.final_record(step(host="r2", step="of_r2"))["reason"]
    assert f'UTC to "{"ä" * 199}... (merge policy fail)' in reason


def test_what_rests_on_a_refused_write_is_refused_too() -> None:
    context = with_policy("fail", write(1, "r1"), write(2, "r2"))
    (again,) = context.fold(write(3, "r2", 2, based_on=1))
    assert (again.outcome, context.get(KEY)) == ("refused", 1)
    (other,) = context.fold(write(4, "r1", 2, based_on=1))
    assert (other.outcome, context.get(KEY)) == ("", 4)
    (later,) = context.fold(write(5, "r2", 1, based_on=2, stage=2))
    assert (later.outcome, context.get(KEY)) == ("", 5)


def test_policy_deep_merge_takes_the_changes_of_both() -> None:
    first = {"limit": 10, "psu": {"a": 1, "b": 1}}
    context = with_policy("deep_merge", write(first), write({"limit": 11, "psu": {"a": 2, "b": 1}}, n=2, based_on=1))
    (merged,) = context.fold(write({"limit": 12, "psu": {"a": 1, "b": 5}}, "r2", based_on=1))
    assert context.get(KEY) == {"limit": 12, "psu": {"a": 2, "b": 5}}
    assert (merged.outcome, merged.version, merged.both) == ("merged", 3, ("limit",))
    assert json.loads(merged.other or "") == {"limit": 12, "psu": {"a": 1, "b": 5}}
    assert merged.after == context.entry(KEY).text  # type: ignore[union-attr]


def test_policy_deep_merge_refuses_what_would_be_too_large() -> None:
    """Each of the values may be as large as a key can hold; together they would grow with each host."""
    half = "x" * (LARGEST_VALUE // 2)
    context = with_policy("deep_merge", write({"r1": half}, "r1"))
    (refused,) = context.fold(write({"r2": half}, "r2"))
    assert (refused.policy, refused.outcome, refused.version) == ("deep_merge", "refused", 1)
    assert json.loads(refused.other or "") == {"r2": half}
    assert context.get(KEY) == {"r1": half}
    ruled = context.refusals.final_record(step(host="r2", step="of_r2"))
    would = "merged with what it holds it would have 1048593 bytes of JSON, a key can hold 1048576"
    assert (ruled["verdict"], ruled["reason"]) == ("error", f"wrote {KEY}: {would} (merge policy deep_merge)")
    (small,) = context.fold(write({"r2": "y"}, "r2", 2, based_on=1))
    assert (small.outcome, context.get(KEY)["r2"]) == ("merged", "y")


def test_a_writer_whose_value_was_merged_is_merged_again() -> None:
    """Its next write rests on what it had written, and lacks what came from others."""
    context = with_policy("deep_merge", write({"a": 1}), write({"b": 1}, "r2"))
    (again,) = context.fold(write({"b": 2}, "r2", 2, based_on=1))
    assert (again.outcome, again.both) == ("merged", ())
    assert context.get(KEY) == {"a": 1, "b": 2}


def test_a_merge_that_gives_what_was_written_rests_on_nothing_more() -> None:
    context = with_policy("deep_merge", write(1), write(2, "r2"))
    (again,) = context.fold(write(3, "r2", 2, based_on=1))
    assert (again.conflict, context.get(KEY)) == (False, 3)


def test_an_unknown_base_is_none() -> None:
    context = with_policy("deep_merge", write({"a": 1}), write({"a": 2}, n=2, based_on=1))
    (merged,) = context.fold(write({"a": 1, "b": 1}, "r2", 1, based_on=1, stage=2))
    assert (merged.both, context.get(KEY)) == (("a",), {"a": 1, "b": 1})


def test_a_host_s_own_key_meets_writes_of_steps_beside_each_other() -> None:
    context = with_policy("fail")
    made = [context.fold(delta(n, "r1", key=KEY, after=n, based_on=0, step=f"s{n}"))[0] for n in (1, 2)]
    assert [each.outcome for each in made] == ["", "refused"]
    assert context.get(KEY, "r1") == 1


def test_a_merge_that_came_too_late_changes_nothing() -> None:
    context = with_policy("hook site.merge", write(1), write(2, "r2"))
    merge = {**write(3, "r2", based_on=1), "kind": "merge", "theirs": 1, "who": "hook site.merge"}
    assert context.fold(merge) == ()
    (merged,) = context.fold({**merge, "based_on": 2})
    assert (merged.outcome, merged.policy, merged.other, merged.version) == ("merged", "hook site.merge", "1", 3)
    assert context.get(KEY) == 3


def test_steps_that_are_optional_are_known_from_the_run_s_record() -> None:
    steps = [{"name": "of_r2", "stage": 1, "optional": True}, {"name": "of_r1"}, "foreign"]
    context = folded(run(steps=steps))
    assert context.refusals.optional == {"of_r2"}


def test_what_was_given_to_start_with_is_known_by_who() -> None:
    context = folded(write(1, "", stage=0, who="import") | {"step": ""})
    assert context.entry(KEY) == HeldValue("1", 1, "", "import")


HOSTS = ("r1", "r2", "r3")
POLICIES = ("last_write", "fail", "deep_merge")
WRITES = st.lists(
    st.tuples(
        st.sampled_from(HOSTS), st.integers(0, 2), st.dictionaries(st.sampled_from("ab"), st.integers(0, 3), max_size=2)
    ),
    max_size=12,
)


def stage_of(writes: Sequence[tuple[str, int, dict[str, int]]], stage: int, start: int) -> list[dict[str, Any]]:
    """Writes of a stage that all hosts began at the same time: each counts on from the version it found."""
    count = dict.fromkeys(HOSTS, 0)
    records: list[dict[str, Any]] = []
    for host, key, value in writes:
        count[host] += 1
        record = delta(count[host], host, scope="run", key=f"power.k{key}_v1", after=value, stage=stage)
        own = sum(each["host"] == host and each["key"] == record["key"] for each in records)
        records.append({**record, "based_on": start + own, "step": f"of_{host}"})
    return records


@given(WRITES, st.sampled_from(POLICIES))
def test_the_same_journal_gives_the_same_context(writes: list[tuple[str, int, dict[str, int]]], policy: str) -> None:
    head = run(merge=[{"keys": "*", "policy": policy}])
    records = [head, *stage_of(writes, 1, 0)]
    first, second = Context(), Context()
    made = [first.fold(record) for record in records]
    assert [second.fold(json.loads(json.dumps(record))) for record in records] == made
    assert first.held() == second.held()
    assert all(each[0].conflict == bool(each[0].outcome) for each in made[1:])


@given(WRITES, st.sampled_from(POLICIES))
def test_nothing_that_was_written_is_lost(writes: list[tuple[str, int, dict[str, int]]], policy: str) -> None:
    """Each value is held, was replaced by a change that names it as before, or is the other value of a conflict."""
    context = with_policy(policy)
    for record in stage_of(writes, 1, 0):
        (made,) = context.fold(record)
        assert json.dumps(record["after"], separators=(",", ":")) in (made.after, made.other)


@given(WRITES)
def test_one_writer_never_meets_itself(writes: list[tuple[str, int, dict[str, int]]]) -> None:
    context = with_policy("fail")
    records = stage_of([("r1", key, value) for _host, key, value in writes], 1, 0)
    assert not any(context.fold(record)[0].conflict for record in records)


def test_a_key_of_the_run_belongs_to_no_host() -> None:
    (change,) = Context("R1").fold(delta(host="r1", scope="run"))
    assert (change.host, change.scope) == ("", "run")


def test_a_host_reads_its_own_value_before_that_of_the_run() -> None:
    context = folded(delta(1, after="host"), delta(1, "", scope="run", after="run"))
    assert context.get("numbers.stats_v1", "r1") == "host"
    assert context.get("numbers.stats_v1", "r2") == "run"
    assert context.get("numbers.stats_v1") == "run"


def test_hosts_do_not_see_one_another() -> None:
    context = folded(run(), delta(1, "r1"))
    with pytest.raises(KeyError, match=r"numbers\.stats_v1"):
        context.get("numbers.stats_v1", "r2")
    with pytest.raises(KeyError):
        context.get("numbers.stats_v1")


def test_values_are_copies() -> None:
    context = folded(delta(after=[1]))
    context.get("numbers.stats_v1", "r1").append(2)
    assert context.get("numbers.stats_v1", "r1") == [1]


def test_an_entry_is_of_just_the_host_or_the_run() -> None:
    context = folded(delta(1, "", scope="run", after=5))
    assert context.entry("numbers.stats_v1") == HeldValue("5", 1, "", "compute")
    assert context.entry("numbers.stats_v1", "r1") is None
    assert context.entry("numbers.stats_v1", "unknown") is None


def test_what_a_host_holds_and_what_the_run_holds_are_apart() -> None:
    context = folded(
        delta(1, key="own_v1", after=1),
        delta(2, key="own_v1", after=2, based_on=1),
        delta(3, key="both_v1", after="own"),
        delta(1, "r2", key="other_v1"),
        delta(1, "", scope="run", key="both_v1", after="run"),
        delta(2, "", scope="run", key="run_v1", after=[3]),
    )
    assert context.held("r1") == {"own_v1": [2, 2], "both_v1": [1, "own"]}
    assert context.held("r1", {"own_v1", "other_v1", "unset_v1"}) == {"own_v1": [2, 2]}
    assert context.held("r3") == {}
    assert context.held() == {"both_v1": [1, "run"], "run_v1": [1, [3]]}


def test_hosts_and_keys() -> None:
    context = folded(run(hosts=("r2", "r1")), delta(1, "r9", key="b_v1"), delta(1, "", scope="run", key="a_v1"))
    assert context.hosts() == ["r2", "r1", "r9"]
    assert context.keys() == ["a_v1", "b_v1"]


def test_values_of_one_key_over_all_hosts() -> None:
    context = folded(run(), delta(1, "r2", after=2), delta(1, "r1", after=None), delta(1, "", scope="run", after=9))
    assert context.values("numbers.stats_v1") == {"r1": None, "r2": 2}


def test_changed_hosts_are_told_once() -> None:
    context = folded(run(), delta(1, "r1"), delta(2, "r1"), delta(1, "r2", scope="run"))
    assert context.changed_hosts() == {"r1", ""}
    assert context.changed_hosts() == set()
    context.fold(delta(2, "r2"))
    assert context.changed_hosts() == {"r2"}


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 10**30, 0.1, "\ud800", "a\0b", "🎉", [None, True, {}]])
def test_values_are_exact(value: object) -> None:
    context = folded(delta(after=value))
    assert context.get("numbers.stats_v1", "r1") == value


def test_memory_is_that_of_the_live_keys() -> None:
    """At most 400 bytes a live key beside the text of its value, and nothing for further versions."""
    hosts, keys, versions = 50, 100, 4

    def record(host: int, key: int, version: int) -> str:
        """As JSON, so that no text is shared with what another record held."""
        value = {"version": version, "text": "x" * 50}
        named = delta(key + 1, f"r{host}", key=f"numbers.of_{key}_v1", after=value, based_on=version)
        return json.dumps(named)

    context = Context("R1")
    text = len(json.dumps({"version": 0, "text": "x" * 50}, separators=(",", ":")))
    tracemalloc.start()
    held = []
    for version in range(versions):
        for host in range(hosts):
            for key in range(keys):
                context.fold(json.loads(record(host, key, version)))
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[0] / (hosts * keys) - text < 400
    assert held[-1] - held[0] < 16 * 1024


def test_a_reader_folds_the_context_and_the_results() -> None:
    context, results = Context(), Results()
    writes = [write(1, "r1"), write(2, "r2")]
    handlers = fold_into(context, results)
    for record in (
        run(merge=[{"keys": "*", "policy": "fail"}]),
        *writes,
        step(host="r1"),
        step(host="r2", step="of_r2"),
    ):
        handlers[record["kind"]](record)
    assert context.get(KEY) == 1
    assert {cell: end.verdict for cell, end in results.ended.items()} == {
        ("compute", "r1"): "passed",
        ("of_r2", "r2"): "error",
    }


@pytest.fixture
def refusals() -> RefusedWrites:
    made = RefusedWrites()
    made.add("r1", "compute", "wrote a_v1 too late")
    made.add("r1", "compute", "wrote b_v1 too late")
    return made


@pytest.mark.parametrize("record", [step(host="r2"), step(step="other"), step(final=True)])
def test_other_records_are_the_same(refusals: RefusedWrites, record: dict[str, Any]) -> None:
    assert refusals.final_record(record) is record


def test_without_refusals_nothing_is_looked_at() -> None:
    record = step()
    assert RefusedWrites().final_record(record) is record


def test_the_last_word_has_all_that_the_host_says(refusals: RefusedWrites) -> None:
    record = step(flake=True)
    last = {"n": 0, "final": True, "verdict": "error", "reason": "wrote a_v1 too late", "blocks": True}
    assert refusals.final_record(record) == {**record, **last}


def test_what_else_was_wrong_is_told_too(refusals: RefusedWrites) -> None:
    ruled = refusals.final_record(step(verdict="failed", reason="too hot"))
    assert ruled["reason"] == "wrote a_v1 too late; it ended as failed: too hot"
    assert refusals.final_record(step(verdict="error"))["reason"] == "wrote a_v1 too late; it ended as error"


def test_an_optional_step_blocks_nothing(refusals: RefusedWrites) -> None:
    refusals.optional = frozenset(["compute"])
    assert "blocks" not in refusals.final_record(step())


def test_a_looped_step_ends_as_its_instance(refusals: RefusedWrites) -> None:
    refusals.add("r1", "loop[x]", "wrote c_v1 too late")
    instance = refusals.final_record(step(step="loop[x]", parent="loop"))
    whole = refusals.final_record(step(step="loop", instances=2))
    assert (instance["verdict"], "blocks" in instance) == ("error", False)
    assert (whole["verdict"], whole["reason"]) == ("error", "loop[x] error: wrote c_v1 too late")
    assert whole["blocks"] is True

# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.context.context import Context
from ansible_collections.rack.recipes.plugins.plugin_utils.context.model import Delta, Entry
from ansible_collections.rack.recipes.tests.unit.plugins.plugin_utils.journal.records import TIME, delta, end, run, step


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
    assert context.get("numbers.stats_v1") == "r2"
    (third,) = context.fold(delta(2, "r1", scope="run", after="r1 again", based_on=2))
    assert not third.conflict


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
    assert context.entry("numbers.stats_v1") == Entry("5", 1)
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

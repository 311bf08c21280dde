# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.conftest import Historian
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, latency
from rack_recipes.analysis.values_over_runs import KnownLimits, Series, SeriesLimits, values_by_run

T = Series("read", "t", "C")
NO_LIMITS = SeriesLimits()


def row(limits: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    return {"step": "read", "name": "t", "unit": "C", "limits": limits, **fields}


@pytest.mark.parametrize(
    ("limits", "known"),
    [
        ({"max": 80}, SeriesLimits(high=80, better="lower")),
        ({"min": 5}, SeriesLimits(low=5, better="higher")),
        ({"min": 10, "max": 20}, SeriesLimits(10, 20, "target", 15)),
        ({"within": {"of": 100, "by": 3}}, SeriesLimits(97, 103, "target", 100)),
        ({"within": {"of": 50, "percent": 10}}, SeriesLimits(45, 55, "target", 50)),
        ({"within": {"of": 50}}, NO_LIMITS),
        ({"eq": 4}, SeriesLimits(4, 4, "target", 4)),
        ({"eq": "up"}, NO_LIMITS),
        ({"max": "${key}"}, NO_LIMITS),
        ({"ne": 3, "warn": {"max": 9}}, NO_LIMITS),
        (None, NO_LIMITS),
    ],
    ids=str,
)
def test_what_limits_say(limits: dict[str, Any] | None, known: SeriesLimits) -> None:
    assert KnownLimits([row(limits)]).of(T) == known


def test_the_strictest_limit_of_all_hosts_counts() -> None:
    assert KnownLimits([row({"max": 80}), row({"max": 70})]).of(T) == SeriesLimits(high=70, better="lower")


def test_of_some_hosts_their_own_limits_count() -> None:
    known = KnownLimits([row({"max": 80}, host="r1"), row({"max": 70}, host="r2")])
    highs = [known.of(T, hosts).high for hosts in (["r1"], ["r2"], ["r1", "r2"], ["r3"], ())]
    assert highs == [80, 70, 70, 70, 70]  # of hosts without any those of the others tell what is better


def test_a_value_beyond_an_end_breaks_the_limit() -> None:
    limits = SeriesLimits(0, 10, "target", 5)
    assert [limits.is_broken(value) for value in (-1, 0, 10, 11)] == [True, False, False, True]
    assert not NO_LIMITS.is_broken(1e9)


def test_limits_belong_to_one_name_and_unit_of_a_step() -> None:
    known = KnownLimits([row({"max": 80})])
    others = (Series("read", "t"), Series("read", "u", "C"), Series("other", "t", "C"))
    assert {known.of(other) for other in others} == {NO_LIMITS}
    assert known.of(T._replace(number=2)) == known.of(T)


@pytest.mark.parametrize(
    ("limits", "before", "after", "worse"),
    [
        (SeriesLimits(), 1, 2, None),
        (SeriesLimits(high=9, better="lower"), 1, 2, True),
        (SeriesLimits(high=9, better="lower"), 2, 1, False),
        (SeriesLimits(low=0, better="higher"), 1, 2, False),
        (SeriesLimits(low=0, better="higher"), 2, 1, True),
        (SeriesLimits(0, 10, "target", 5), 4, 7, True),
        (SeriesLimits(0, 10, "target", 5), 3, 6, False),
    ],
    ids=str,
)
def test_whether_a_value_is_worse(limits: SeriesLimits, before: float, after: float, worse: bool | None) -> None:
    assert limits.is_worse(before, after) is worse


NAN = float("nan")


def shown(history: Any) -> dict[Series, dict[str, list[float]]]:
    """The values of each series by host."""
    return {one.series: dict(zip(one.hosts, one.values.tolist(), strict=True)) for one in history.series}


def test_a_series_has_a_row_for_each_host_and_a_column_for_each_run(history_of: Historian) -> None:
    nights = [Night({("ping", "r10"): latency(value), ("ping", "r2"): latency(value + 1)}) for value in (1, 2, 3)]
    found = history_of(nights).series
    assert [one.series for one in found] == [Series("ping", "latency", "us")]
    assert found[0].hosts == ["r2", "r10"]
    assert found[0].values.tolist() == [[2, 3, 4], [1, 2, 3]]
    assert found[0].last.tolist() == [4, 3]
    assert found[0].earlier.tolist() == [[2, 3], [1, 2]]


def test_what_the_last_run_does_not_have_is_left_out(history_of: Historian) -> None:
    first = Night({("ping", "r1"): latency(1), ("ping", "gone"): latency(2), ("old", "r1"): latency(3)})
    second = Night({("ping", "r1"): latency(4), ("ping", "new"): latency(5)})
    found = shown(history_of([first, second]))
    assert np.array_equal(found[Series("ping", "latency", "us")]["new"], [NAN, 5], equal_nan=True)
    assert found[Series("ping", "latency", "us")]["r1"] == [1, 4]
    assert len(found) == 1


def test_measurements_with_the_same_name_are_numbered(history_of: Historian) -> None:
    twice = Night({("ping", host): [*latency(1), *latency(2)] for host in ("r1", "r2")})
    thrice = Night({("ping", "r1"): [*latency(5), *latency(6), *latency(7)], ("ping", "r2"): latency(8)})
    found = shown(history_of([thrice, twice]))
    assert found[Series("ping", "latency", "us", 1)] == {"r1": [5, 1], "r2": [8, 1]}
    assert found[Series("ping", "latency", "us", 2)]["r1"] == [6, 2]
    assert np.isnan(found[Series("ping", "latency", "us", 2)]["r2"][0])


def test_a_unit_makes_another_series(history_of: Historian) -> None:
    last = Night({("ping", "r1"): latency(1)})
    other = Night({("ping", "r1"): latency(1, unit="ms")})
    assert np.isnan(history_of([other, last]).series[0].earlier).all()


def test_values_that_are_no_numbers_are_missing(history_of: Historian) -> None:
    nights = [Night({("ping", "r1"): latency(value)}) for value in ("slow", 1e200, 3.0)]  # type: ignore[arg-type]
    assert np.array_equal(history_of(nights).series[0].values, [[NAN, NAN, 3]], equal_nan=True)


def test_a_series_without_a_number_in_the_last_run_is_left_out(history_of: Historian) -> None:
    assert not history_of([Night({("ping", "r1"): latency(1)}), Night({("ping", "r1"): latency("slow")})]).series  # type: ignore[arg-type]


def test_numbers_inside_of_the_context_are_series_too(history_of: Historian) -> None:
    key = "numbers.stats_v1"
    nights = [Night(context={("r1", key): {"mean": value, "file": "a", "ok": True}}) for value in (1.5, 2.5)]
    found = shown(history_of(nights))
    assert found == {Series("", f"{key}.mean", key=key): {"r1": [1.5, 2.5]}}


def test_a_run_without_numbers_has_no_series(history_of: Historian) -> None:
    assert history_of([Night(verdicts={("ping", "r1"): "failed"})]).series == []


def test_a_name_may_have_the_character_that_stands_between_names_in_the_query(history_of: Historian) -> None:
    measured = latency(1, name="a\x1fb")
    assert [one.series.unit for one in history_of([Night({("ping", "r1"): measured})]).series] == ["b\x1fus"]


HOSTS = [f"h{number}" for number in range(8)]


def night(number: int, again: Sequence[str], about: Mapping[str, Any] | None = None) -> Night:
    """The latency of eight hosts, `again` those whose result of the first night was used again."""
    values = {host: 1.0 if host in again else number + place / 100 for place, host in enumerate(HOSTS)}
    return Night(
        {("ping", host): latency(value) for host, value in values.items()},
        context={(host, "speed_v1"): value for host, value in values.items()},
        fields={("ping", host): {"from": "20261101-220000-000001"} for host in again},
        end={"counts": {"cached": len(again)} if again else {"passed": 8}},
        about=about or {},
    )


def test_a_result_that_was_used_again_is_no_new_value_of_its_host(history_of: Historian) -> None:
    history = history_of([night(1, ()), night(2, HOSTS[:1]), night(3, HOSTS[:1])])
    measured = history.series[0]
    assert np.array_equal(measured.values[:2], [[1, NAN, NAN], [1.01, 2.01, 3.01]], equal_nan=True)
    assert measured.last[:2].tolist() == [1, 3.01]  # among its twins it stays what it is


def test_a_run_that_went_on_from_another_has_copies_under_their_own_verdicts(history_of: Historian) -> None:
    second = replace(night(2, HOSTS, {"resumes": "20261101-220000-000001"}), end={"counts": {"passed": 8}})
    assert np.isnan(history_of([night(1, ()), second]).series[0].values[:, 1]).all()


def test_what_a_step_that_was_used_again_left_in_the_context_is_not_new(history_of: Historian) -> None:
    nights = [replace(one, fields={**one.fields, ("collect", "h0"): {"from": "R"}},
                      verdicts={("collect", "h0"): "cached"})
              for one in (night(2, HOSTS[:1]), night(3, HOSTS[:1]))]  # fmt: skip
    (of_key,) = [one for one in history_of([night(1, ()), *nights]).series if one.series.key]
    assert np.array_equal(of_key.values[:2], [[1, NAN, NAN], [1.01, 2.01, 3.01]], equal_nan=True)
    assert of_key.last[0] == 1


@pytest.mark.parametrize(("again", "rows"), [(HOSTS[:2], [(8, 3)]), (HOSTS[:6], [(1, 4), (1, 4)])])
def test_the_median_of_a_class_is_that_of_half_of_it_at_least(
    again: list[str], rows: list[tuple[int, int]], history_of: Historian
) -> None:
    history = history_of([night(1, ()), night(2, HOSTS[:6]), night(3, ()), night(4, again)])
    runs = [*history.runs, history.run.run]
    found = [one for one in values_by_run(history.series, runs, {}, 2) if one.series.step]
    assert [(len(one.hosts), len(one.values)) for one in found] == rows

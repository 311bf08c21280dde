# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.conftest import Historian
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, latency, run_id
from rack_recipes.analysis import run_data
from rack_recipes.analysis.analyse_run import store_findings
from rack_recipes.analysis.findings import MOST_OF_ONE_KIND, NOTABLE, NOTE, PROBLEM, ResultId
from rack_recipes.analysis.history import History
from rack_recipes.analysis.outliers import findings
from rack_recipes.analysis.values_over_runs import KnownLimits, Series, SeriesValues


def night(
    number: int, hosts: int = 20, far: Mapping[str, float] | None = None, steps: int = 1, **fields: object
) -> Night:
    """A night in which all hosts have about 100 us, some others."""
    noise = random.Random(number)
    values = {
        (f"ping{step}", f"r{host}"): latency((far or {}).get(f"r{host}", noise.gauss(100.0, 1.0)), **fields)
        for step in range(steps)
        for host in range(hosts)
    }
    return Night(values)


def nights(number: int, last: Night, hosts: int = 20, steps: int = 1, **fields: object) -> list[Night]:
    return [*(night(one, hosts, steps=steps, **fields) for one in range(number)), last]


def test_a_host_that_differs_from_its_twins_is_named(history_of: Historian) -> None:
    history = history_of(nights(12, night(99, far={"r7": 140.0})))
    (found,) = findings(history.run, history)
    assert found.title == "latency of ping0: r7 (1 of 20 twins): 140 instead of 99.8 us"
    assert (found.kind, found.grade) == ("outlier", NOTABLE)
    assert found.results == (ResultId("r7", "ping0", "latency"),)
    assert found.figures["hosts"][0]["earlier runs"] == 12
    assert "GESD" in found.method
    assert "r7" in found.advice


@pytest.mark.parametrize(("own", "grade"), [({"max": 200}, NOTABLE), ({"max": 120}, PROBLEM)])
def test_a_host_is_judged_by_its_own_limit(history_of: Historian, own: dict[str, float], grade: str) -> None:
    others = night(99, far={"r7": 140.0}, limits={"max": 120}).measured
    last = Night({**others, ("ping0", "r7"): latency(140.0, limits=own)})
    history = history_of(nights(12, last))
    assert [one.grade for one in findings(history.run, history)] == [grade]


@pytest.mark.parametrize(
    ("value", "limits", "name", "grade"),
    [
        (140.0, {"max": 500}, "power", PROBLEM),
        (140.0, {"min": 0, "max": 200}, "power", PROBLEM),
        (60.0, {"max": 500}, "power", NOTABLE),
        (140.0, {}, "power", NOTABLE),
        (105.0, {"max": 500}, "power", NOTABLE),  # what noise with long tails may do
        (140.0, {"max": 500}, "latency", NOTABLE),  # noise by nature
        (140.0, {"max": 120}, "latency", PROBLEM),
    ],
)
def test_limits_and_the_kind_of_the_value_grade(
    history_of: Historian, value: float, limits: dict[str, float], name: str, grade: str
) -> None:
    about = {"name": name, "unit": {"power": "W", "latency": "us"}[name]}
    history = history_of(nights(12, night(99, far={"r7": value}, limits=limits, **about), **about))
    assert [one.grade for one in findings(history.run, history)] == [grade]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 999),
    hosts=st.sampled_from([6, 20]),
    runs=st.sampled_from([0, 12]),
    far=st.integers(-40, 40),
    limits=st.sampled_from([{"max": 125}, {"min": 75}, {"min": 75, "max": 125}, {"within": {"of": 100, "by": 60}}]),
)
def test_a_criterion_never_hides_a_finding(seed: int, hosts: int, runs: int, far: float, limits: dict[str, Any]):
    values = np.random.default_rng(seed).normal(100, 1, (hosts, runs + 1))
    values[2, -1] += far
    series = SeriesValues(Series("psu", "power", "W"), [f"r{host}" for host in range(hosts)], values)
    rows = [{"step": "psu", "name": "power", "unit": "W", "limits": each} for each in (None, limits)]
    named = []
    for row in rows:
        history: Any = SimpleNamespace(series=[series], limits=KnownLimits([row]))
        found = findings(run_data.RunData({"run_id": "R"}), history)
        named.append([(one.kind, one.results) for one in found])
    assert named[0] == named[1]


def test_what_was_as_far_out_before_is_a_note(history_of: Historian) -> None:
    earlier = [night(number, far={"r7": 140.0}) for number in range(12)]
    history = history_of([*earlier, night(99, far={"r7": 140.0})])
    assert [one.grade for one in findings(history.run, history)] == [NOTE]


def test_a_known_outlier_does_not_hide_the_next_one_whoever_looked(history_of: Historian) -> None:
    nights_before = [night(number) for number in range(11)]
    history = history_of([*nights_before, night(11, far={"r7": 140.0}), night(99, far={"r3": 140.0})])
    assert [one.grade for one in findings(history.run, history)] == [NOTABLE]
    known = History(history.engine, run_data.load_run_data(history.engine, run_id(12)))
    store_findings(history.engine, run_id(12), [*findings(known.run, known)])
    again = History(history.engine, history.run)
    assert [one.grade for one in findings(again.run, again)] == [NOTABLE]


def test_a_host_that_differs_in_many_measurements_is_one_finding(history_of: Historian) -> None:
    history = history_of(nights(12, night(99, far={"r7": 140.0}, steps=5), steps=5))
    (found,) = findings(history.run, history)
    assert re.fullmatch(
        r"r7 differs from its twins in 5 measurements: latency of ping\d: 140 instead of [\d.]+ us; "
        r"latency of ping\d: 140 instead of [\d.]+ us and 3 more",
        found.title,
    )
    assert found.about == {"host": "r7"}
    assert len(found.results) == 5


@pytest.mark.parametrize(("far", "grade"), [(300.0, NOTABLE), (109.0, NOTE)])
def test_a_small_group_without_history_is_at_most_notable(history_of: Historian, far: float, grade: str) -> None:
    history = history_of([night(99, hosts=5, far={"r3": far})])
    assert [one.grade for one in findings(history.run, history)] == [grade]


def test_three_hosts_are_not_compared(history_of: Historian) -> None:
    history = history_of(nights(12, night(99, hosts=3, far={"r1": 1000.0}), hosts=3))
    assert not [*findings(history.run, history)]


def test_only_hosts_of_one_class_are_compared(history_of: Historian) -> None:
    values = {("ping", f"r{host}"): latency(100.0 + host % 3 + 100 * (host % 2)) for host in range(40)}
    attributes = {f"r{host}": {"class": "ab"[host % 2]} for host in range(40)}
    history = history_of([Night(values, attributes=attributes)])
    assert not [*findings(history.run, history)]


def test_two_groups_are_told_with_the_attribute(history_of: Historian) -> None:
    noise = random.Random(1)
    values = {("ping", f"r{host}"): latency(noise.gauss(100.0, 1.0) + 50 * (host >= 30)) for host in range(40)}
    attributes = {f"r{host}": {"nic": "AB"[host >= 30]} for host in range(40)}
    history = history_of([Night(values, attributes=attributes)])
    (found,) = findings(history.run, history)
    assert (found.kind, found.grade, found.about["attribute"]) == ("groups", NOTABLE, "nic")
    assert found.title.startswith("latency of ping: 40 twins are two groups by nic: 30 up to 10")
    assert {result.host for result in found.results} == {f"r{host}" for host in range(30, 40)}


def counted(name: str, unit: str, usual: float, other: float, hosts: int = 13) -> Night:
    """One host has another number than its twins."""
    values = {
        ("parts", f"r{host}"): [{"name": name, "value": usual if host else other, "unit": unit}]
        for host in range(hosts)
    }
    return Night(values)


@pytest.mark.parametrize(
    ("name", "unit", "usual", "other", "grades", "earlier"),
    [
        ("gpus", "GPUs", 8, 7, [PROBLEM], 0),
        ("gpus", "", 8, 7, [PROBLEM], 0),
        ("gpus", "GPUs", 8, 7, [PROBLEM], 12),
        ("temperature.cpu", "Cel", 25, 26, [], 12),
        ("memory_modules", "", 32, 31, [PROBLEM], 0),
        ("power_supplies", "", 2, 1, [PROBLEM], 0),
        ("speed.eth0", "Mbit/s", 100_000, 25_000, [PROBLEM], 0),
        ("zorks", "", 5, 6, [PROBLEM], 0),
        ("zorks", "", 0, 1, [], 0),
        ("errors.eth0", "frames", 3, 4, [], 0),
        ("retries", "", 2, 1, [], 0),
        ("busy", "processes", 1, 2, [], 0),
        ("uptime", "d", 12, 13, [], 0),
        ("temperature.cpu", "Cel", 25, 26, [], 0),
        ("temperature.cpu", "Cel", 25, 80, [NOTE], 0),
        ("fan.1", "rpm", 9000, 300, [NOTE], 0),
        ("started", "", 1_796_000_000, 1_796_000_001, [], 0),
    ],
)
def test_whole_numbers_that_are_alike_are_settings(
    history_of: Historian, name: str, unit: str, usual: float, other: float, grades: list[str], earlier: int
) -> None:
    history = history_of([*[counted(name, unit, usual, usual)] * earlier, counted(name, unit, usual, other)])
    found = [*findings(history.run, history)]
    assert [one.grade for one in found] == grades
    for one in found if PROBLEM in grades else ():
        assert one.title == f"{name} of parts: r0 (1 of 13 twins): {other} instead of {usual} {unit}".rstrip()


def test_two_models_are_two_groups_and_no_settings(history_of: Historian) -> None:
    values = {("parts", f"r{host}"): [{"name": "gpus", "value": 8 - 4 * (host < 6), "unit": ""}] for host in range(20)}
    attributes = {f"r{host}": {"chassis": "AB"[host < 6]} for host in range(20)}
    history = history_of([Night(values, attributes=attributes)])
    assert [(one.kind, one.about["attribute"]) for one in findings(history.run, history)] == [("groups", "chassis")]


@pytest.mark.parametrize(("key", "grade"), [("host.parts_v1.modules", PROBLEM), ("host.parts_v1.zorks", NOTABLE)])
def test_a_setting_of_the_context_is_a_problem_where_its_name_tells(
    history_of: Historian, key: str, grade: str
) -> None:
    history = history_of([Night(context={(f"r{host}", key): 32 - (host == 4) for host in range(8)})])
    (found,) = findings(history.run, history)
    assert (found.grade, found.title) == (grade, f"{key}: r4 (1 of 8 twins): 31 instead of 32")


def test_few_events_are_no_outliers(history_of: Historian) -> None:
    errors = [0, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 0, 1, 0, 2, 0, 0, 1, 0]
    values = {("read", f"r{host}"): [{"name": "e", "value": e, "unit": "errors"}] for host, e in enumerate(errors)}
    history = history_of([Night(values)])
    assert not [*findings(history.run, history)]


def test_the_list_is_capped_and_says_so(history_of: Historian) -> None:
    values = {
        (f"s{step}", f"r{host}"): latency(9.0 if host == 2 * step else 1.0) for step in range(25) for host in range(60)
    }
    history = history_of([Night(values)])
    found = [*findings(history.run, history)]
    assert len(found) == MOST_OF_ONE_KIND + 1
    assert found[-1].title == "5 further findings of this kind, not listed"


LINK = {"speed": (100, 25, "Gbit/s"), "lanes": (4, 1, "lanes"), "pause": (0, 7, "ms")}
PLACES = {f"h{number}": {"leaf": f"leaf{(number - 1) // 4 + 1}", "nic": f"X{number % 2}"} for number in range(1, 41)}


def behind_leaves(bad: Mapping[str, Sequence[str]], attributes: Mapping[str, Mapping[str, Any]] = PLACES) -> Night:
    """40 hosts behind ten leaves; `bad` has by measurement of the step `link` the hosts that differ."""
    measured = {
        ("link", host): [
            {"name": name, "value": LINK[name][host in hosts], "unit": LINK[name][2]} for name, hosts in bad.items()
        ]
        for host in attributes
    }
    return Night(measured, attributes=attributes)


BEHIND_ONE_LEAF = ("h5", "h6", "h7")
SPEED, LANES = "speed of link: 25 instead of 100 Gbit/s", "lanes of link: 1 instead of 4 lanes"
TOGETHER = "h5, h6, h7 (3 of 4 on leaf2, none elsewhere)"


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (("speed",), f"speed of link: {TOGETHER}: 25 instead of 100 Gbit/s"),
        (
            ("speed", "lanes"),
            f"{TOGETHER} differ from their twins in 2 measurements: {LANES}; {SPEED}",
        ),
        (
            ("speed", "lanes", "pause"),
            f"{TOGETHER} differ from their twins in 3 measurements: {LANES}; {SPEED} and 1 more",
        ),
    ],
    ids=["one", "two", "three"],
)
def test_hosts_that_differ_together_are_one_finding(history_of: Historian, names: Sequence[str], title: str) -> None:
    history = history_of([behind_leaves(dict.fromkeys(names, BEHIND_ONE_LEAF))])
    (found,) = findings(history.run, history)
    assert found.title == title
    assert {result.host for result in found.results} == {*BEHIND_ONE_LEAF}
    assert len(found.results) == 3 * len(names)
    assert (found.about["attribute"], found.about["value"]) == ("leaf", "leaf2")
    assert found.advice == "Check leaf2: its ports to these hosts, its uplinks, and its log."


def test_what_one_of_them_has_beside_that_is_a_finding_of_its_own(history_of: Historian) -> None:
    history = history_of([behind_leaves({"speed": BEHIND_ONE_LEAF, "lanes": BEHIND_ONE_LEAF, "pause": ["h6"]})])
    assert [one.title.partition(":")[0] for one in findings(history.run, history)] == [
        "h5, h6, h7 (3 of 4 on leaf2, none elsewhere) differ from their twins in 2 measurements",
        "pause of link",
    ]


def test_hosts_that_have_nothing_in_common_are_named_without_a_place(history_of: Historian) -> None:
    history = history_of([behind_leaves({"speed": ["h1", "h9", "h30"]})])
    (found,) = findings(history.run, history)
    assert found.title == "speed of link: h1, h9, h30 (3 of 40 twins): 25 instead of 100 Gbit/s"
    assert "attribute" not in found.about


def test_few_hosts_of_one_place_may_be_there_by_chance(history_of: Historian) -> None:
    """Two of four on one of six leaves: likely enough to be said, and not to be believed."""
    some = {host: PLACES[host] for host in [*PLACES][:24]}
    history = history_of([behind_leaves({"speed": ["h5", "h6"]}, some)])
    (found,) = findings(history.run, history)
    assert found.title == (
        "speed of link: h5, h6 (2 of 4 on leaf2, none elsewhere; chance alone cannot be ruled out): "
        "25 instead of 100 Gbit/s"
    )
    assert found.advice.startswith("Compare h5, h6 with a twin")


def test_hosts_above_and_below_their_twins_are_two_findings(history_of: Historian) -> None:
    values = {("ping", f"r{host}"): latency(100.0) for host in range(40)}
    values |= {("ping", "r1"): latency(90.0), ("ping", "r2"): latency(91.0), ("ping", "r3"): latency(400.0)}
    history = history_of([Night(values)])
    assert [one.title for one in findings(history.run, history)] == [
        "latency of ping: r1, r2 (2 of 40 twins): 90 and 91 instead of 100 us",
        "latency of ping: r3 (1 of 40 twins): 400 instead of 100 us",
    ]


def test_a_number_of_the_context_that_a_step_has_measured_too_is_told_once(history_of: Historian) -> None:
    night = behind_leaves({"speed": BEHIND_ONE_LEAF})
    context = {(host, "link.state_v1"): {"speed": rows[0]["value"]} for (_step, host), rows in night.measured.items()}
    history = history_of([replace(night, context=context)])
    assert [one.title for one in findings(history.run, history)] == [
        f"speed of link: {TOGETHER}: 25 instead of 100 Gbit/s"
    ]

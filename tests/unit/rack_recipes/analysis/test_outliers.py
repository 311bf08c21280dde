# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random
from collections.abc import Mapping

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.conftest import Historian
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, latency, run_id
from rack_recipes.analysis.analyse_run import store_findings
from rack_recipes.analysis.findings import MOST_OF_ONE_KIND, NOTABLE, NOTE, PROBLEM, ResultId
from rack_recipes.analysis.outliers import findings

LIMITS = {"limits": {"max": 500}, "verdict": "passed"}


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


def nights(number: int, last: Night, hosts: int = 20, steps: int = 1) -> list[Night]:
    return [*(night(one, hosts, steps=steps) for one in range(number)), last]


def test_a_host_that_differs_from_its_twins_is_named(history_of: Historian) -> None:
    history = history_of(nights(12, night(99, far={"r7": 140.0})))
    (found,) = findings(history.run, history)
    assert found.title == "latency of ping0: r7 (140 us) of 20 twins differs; the median is 99.8 us"
    assert (found.kind, found.grade) == ("outlier", NOTABLE)
    assert found.results == (ResultId("r7", "ping0", "latency"),)
    assert found.figures["hosts"][0]["earlier runs"] == 12
    assert "GESD" in found.method
    assert "r7" in found.advice


def test_where_limits_say_that_it_is_worse_it_is_a_problem(history_of: Historian) -> None:
    history = history_of(nights(12, night(99, far={"r7": 140.0}, **LIMITS)))
    assert [one.grade for one in findings(history.run, history)] == [PROBLEM]


def test_where_limits_say_that_it_is_better_it_is_notable(history_of: Historian) -> None:
    history = history_of(nights(12, night(99, far={"r7": 60.0}, **LIMITS)))
    assert [one.grade for one in findings(history.run, history)] == [NOTABLE]


def test_what_was_as_far_out_before_is_a_note(history_of: Historian) -> None:
    earlier = [night(number, far={"r7": 140.0}) for number in range(12)]
    history = history_of([*earlier, night(99, far={"r7": 140.0})])
    assert [one.grade for one in findings(history.run, history)] == [NOTE]


def test_a_known_outlier_does_not_hide_the_next_one(history_of: Historian) -> None:
    nights_before = [night(number) for number in range(11)]
    history = history_of([*nights_before, night(11, far={"r7": 140.0}), night(99, far={"r3": 140.0})])
    known = history_of([*nights_before, night(11, far={"r7": 140.0})])
    assert [one.grade for one in findings(history.run, history)] == [NOTE]
    store_findings(history.engine, run_id(12), [*findings(known.run, known)])
    again = type(history)(history.engine, history.run)
    assert [one.grade for one in findings(again.run, again)] == [NOTABLE]


def test_a_host_that_differs_in_many_measurements_is_one_finding(history_of: Historian) -> None:
    history = history_of(nights(12, night(99, far={"r7": 140.0}, steps=5), steps=5))
    (found,) = findings(history.run, history)
    assert found.title.startswith("r7 differs from its twins in 5 measurements: latency of ping")
    assert found.about == {"host": "r7"}
    assert len(found.results) == 5


def test_a_small_group_without_history_is_a_note(history_of: Historian) -> None:
    history = history_of([night(99, hosts=5, far={"r3": 300.0})])
    assert [one.grade for one in findings(history.run, history)] == [NOTE]


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


def test_a_vote_names_the_one_that_differs(history_of: Historian) -> None:
    values = {
        ("ports", f"r{host}"): [{"name": "up", "value": 48 if host else 40, "unit": "ports"}] for host in range(9)
    }
    history = history_of([Night(values)])
    (found,) = findings(history.run, history)
    assert found.title == "up of ports: r0 (40 ports) of 9 twins differs; most have 48 ports"
    assert found.grade == NOTE


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

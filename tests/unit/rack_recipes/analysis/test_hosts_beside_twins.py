# SPDX-License-Identifier: GPL-3.0-or-later

"""A host that drifts away from its twins, a rack that is elsewhere since a night, and who looked at it before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.conftest import Historian
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import Night, latency, run_id
from rack_recipes.analysis.analyse_run import analyse_history, store_findings
from rack_recipes.analysis.findings import NOTABLE, PROBLEM, Finding
from rack_recipes.analysis.history import History
from rack_recipes.analysis.hosts_beside_twins import findings
from rack_recipes.analysis.run_data import load_run_data

Shift = Callable[[int, int], float]


def nights(
    number: int, shift: Shift, hosts: int = 12, spread: float = 2.2, seed: int = 1, **fields: object
) -> list[Night]:
    """Nights of twins in racks of four, with a level and noise of their own; `shift` is of a host in a night."""
    chance = np.random.default_rng(seed)
    levels = 100 + chance.normal(0, 3, hosts)
    attributes = {f"h{host}": {"rack": f"r{host // 4}", "serial": f"s{host}"} for host in range(hosts)}
    return [
        Night(
            {
                ("burn", f"h{host}"): latency(levels[host] + chance.normal(0, spread) + shift(night, host), **fields)
                for host in range(hosts)
            },
            attributes=attributes,
        )
        for night in range(number)
    ]


def drifting(night: int, host: int) -> float:
    return 0.5 * night * (host == 5)


def rack_since_17(night: int, host: int) -> float:
    return 10.0 * (night >= 17 and host // 4 == 1)


@pytest.mark.parametrize("number", [21, 30])
def test_a_host_that_drifts_among_twins_that_do_not_is_named(history_of: Historian, number: int) -> None:
    history = history_of(nights(number, drifting))
    (found,) = findings(history.run, history)
    assert (found.kind, found.grade) == ("drift", NOTABLE)
    assert found.title.startswith("latency of burn: h5 rises away from its 11 twins, by 0.")
    assert " us a run over 21 runs (from " in found.title
    assert found.about["host"] == "h5"
    assert [result.host for result in found.results] == ["h5"]


@pytest.mark.repeats(one_in=2)
@pytest.mark.parametrize("night_of_spike", [3, 10, 18, 19, 20])
def test_a_night_in_which_two_of_six_twins_are_far_off_hides_no_drift(
    history_of: Historian, night_of_spike: int
) -> None:
    def moved(night: int, host: int) -> float:
        return 0.8 * night * (host == 2) + 35.0 * (night == night_of_spike and host in (0, 5))

    history = history_of(nights(21, moved, hosts=6, spread=1.0))
    assert [one.about["host"] for one in findings(history.run, history) if one.kind == "drift"] == ["h2"]


def test_hosts_that_all_drift_are_not_named_one_by_one(history_of: Historian) -> None:
    history = history_of(nights(21, lambda night, host: 0.5 * night + 0.02 * host * night))
    assert not [*findings(history.run, history)]


def test_hosts_that_wander_by_themselves_are_not_named(history_of: Historian) -> None:
    walks = np.random.default_rng(3).normal(0, 3, (21, 12)).cumsum(axis=0)
    history = history_of(nights(21, lambda night, host: float(walks[night, host]), spread=0.1))
    assert not [*findings(history.run, history)]


@pytest.mark.repeats(one_in=3)  # the study of tests/integration/soak
@pytest.mark.parametrize("number", [18, 19, 20, 22, 26, 30])
def test_a_rack_that_shifts_is_named_each_night_since(history_of: Historian, number: int) -> None:
    history = history_of(nights(number, rack_since_17, hosts=32, spread=4.0))
    (found,) = findings(history.run, history)
    assert (found.kind, found.grade) == ("change_point", NOTABLE)
    assert found.title.startswith("latency of burn: the 4 hosts of rack r1 went from ")
    assert found.title.endswith(", and the other 28 twins did not")
    assert f" in run {run_id(18)} " in found.title
    assert (found.about["attribute"], found.about["value"]) == ("rack", "r1")
    assert found.advice.endswith(f"alone between the runs {run_id(17)} and {run_id(18)}.")


@pytest.mark.parametrize(("name", "grade"), [("temperature", PROBLEM), ("latency", NOTABLE)])
def test_a_limit_tells_that_a_rack_is_worse(history_of: Historian, name: str, grade: str) -> None:
    about = {"name": name, "unit": "C" if name == "temperature" else "us", "limits": {"max": 200}, "verdict": "passed"}
    history = history_of(nights(28, rack_since_17, hosts=32, spread=4.0, **about))
    (found,) = findings(history.run, history)
    assert found.grade == grade


def test_one_host_that_is_elsewhere_than_before_is_named(history_of: Historian) -> None:
    history = history_of(nights(21, lambda night, host: 9.0 * (host == 2 and night >= 11)))
    (found,) = findings(history.run, history)
    assert found.kind == "change_point"
    assert found.title.startswith("latency of burn: h2 went from ")
    assert f" in run {run_id(12)} (10 runs since), and the other 11 twins did not" in found.title


@pytest.mark.repeats(one_in=5)
@pytest.mark.parametrize("since", [8, 10])
@pytest.mark.parametrize("seed", range(5))
def test_hosts_that_stayed_are_not_named_for_those_that_moved(history_of: Historian, seed: int, since: int) -> None:
    """One of two feeds falls: the hosts of the other one have not risen."""
    chance, feeds = np.random.default_rng(seed), {f"h{host}": {"feed": "AAB"[host % 3]} for host in range(12)}
    history = history_of([
        Night({("burn", f"h{host}"): latency(round(12.05 - 0.95 * (host % 3 == 2 and night >= since)
                                                   + chance.normal(0, 0.005), 2)) for host in range(12) if host != 9},
              attributes=feeds)
        for night in range(11)
    ])  # fmt: skip
    titles = [one.title for one in findings(history.run, history)]
    assert [title.partition(" went from ")[0] for title in titles] == ["latency of burn: the 4 hosts of feed B"]


@pytest.mark.repeats(one_in=5)  # the study of tests/integration/soak
@pytest.mark.parametrize("seed", range(5))
def test_twins_that_do_nothing_are_not_named(history_of: Historian, seed: int) -> None:
    history = history_of(nights(21, lambda _night, _host: 0.0, seed=seed))
    assert not [*findings(history.run, history)]


def test_a_change_as_small_as_the_resolution_is_none(history_of: Historian) -> None:
    history = history_of(nights(21, lambda _night, _host: 0.0, spread=0.0))
    coarse = history_of(
        [
            Night({("burn", f"h{host}"): latency(12.0 + 0.1 * (host == 3 and night > 10)) for host in range(12)})
            for night in range(21)
        ]
    )
    assert not [*findings(history.run, history), *findings(coarse.run, coarse)]


def test_a_host_that_came_late_and_a_night_without_most_hosts_do_no_harm(history_of: Historian) -> None:
    history = history_of([
        Night({place: value for place, value in night.measured.items() if _is_there(number, place[1])},
              attributes=night.attributes)
        for number, night in enumerate(nights(22, drifting))
    ])  # fmt: skip
    (found,) = findings(history.run, history)
    assert found.title.startswith("latency of burn: h5 rises away from its 10 twins")


def _is_there(night: int, host: str) -> bool:
    return host in ("h1", "h2") if night == 9 else host != "h7" or night > 18


def test_the_same_history_gives_the_same_answer_whoever_looked_before(history_of: Historian) -> None:
    """Each night analysed, the last one alone, and twice: what is said follows from the results alone."""
    made = [
        Night(night.measured, {("link", "h1"): "failed" if number % 4 == 1 else "passed"}, attributes=night.attributes,
              fields={("link", "h1"): {"inputs": "one"}})
        for number, night in enumerate(nights(22, lambda night, host: 60.0 * (host == 3 and night in (15, 16, 21))))
    ]  # fmt: skip
    history = history_of(made)
    once = analyse_history(history)
    for number in range(1, 23):
        store_findings(history.engine, run_id(number), _analysed(history, number))
    twice = _analysed(history, 22)
    assert once == twice == _analysed(history, 22)
    assert {"flake", "outlier"} <= {one.kind for one in once}


def _analysed(history: History, number: int) -> list[Finding]:
    return analyse_history(History(history.engine, load_run_data(history.engine, run_id(number))))

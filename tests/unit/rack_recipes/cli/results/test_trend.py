# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.stored_runs import (
    Night,
    latency,
    run_id,
    store_nights,
)
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call, runs_made_in
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import URL
from rack_recipes.store.database_engine import connect_store


def store(nights: Sequence[Night]) -> None:
    """Bring runs into the store of the project that is the working folder."""
    opened = connect_store(URL)
    store_nights(opened, Path(".rack-recipes/runs"), nights)
    opened.dispose()


def steps(values: Sequence[float]) -> list[Night]:
    noise = random.Random(5)
    limits = {"limits": {"max": 200}, "verdict": "passed"}
    return [
        Night({("ping", host): latency(round(value + noise.gauss(0, 1), 2), **limits) for host in ("r1", "r2")})
        for value in values
    ]


@pytest.fixture(scope="module")
def _twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs_made_in(tmp_path_factory.mktemp("twelve"), lambda: store(steps([100.0] * 8 + [130.0] * 4)))


@pytest.fixture
def history(_twelve: Path, project: Path) -> Path:
    """A project in which the latency rises from about 100 us to 130 us, in the last four of twelve runs."""
    shutil.copytree(_twelve, project / ".rack-recipes")
    return project


def test_a_trend_has_the_values_the_changes_and_no_more_than_is_known(history: Path) -> None:
    code, out, err = call("trend", "latency", "--host", "r1")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == "latency of ping, r1, limit 200"
    assert lines[2].split()[0] == run_id(1)
    changed = [line for line in lines if "level" in line]
    assert len(changed) == 1
    assert changed[0].startswith(run_id(9))
    assert "level 1" in changed[0]
    assert re.fullmatch(
        rf"went from 1\S+ us to 13\S+ us \(\+\S+ %\) in run {run_id(9)} \(2026-11-09, 4 runs since\)", lines[-2]
    )
    assert lines[-1] == "no trend since then: fewer than 10 runs"
    assert len(lines) == 16


def test_each_of_few_hosts_has_a_table(history: Path) -> None:
    heads = [line for line in call("trend", "latency").out.splitlines() if line.startswith("latency")]
    assert heads == ["latency of ping, r1, limit 200", "latency of ping, r2, limit 200"]


def test_a_trend_as_json(history: Path) -> None:
    told = json.loads(call("trend", "latency", "--host", "r2", "--json").out)
    (series,) = told["series"]
    assert (told["key"], told["run_id"]) == ("latency", run_id(12))
    assert (series["step"], series["unit"], series["hosts"], series["limits"]) == ("ping", "us", ["r2"], [200])
    assert len(series["values"]) == 12
    assert series["changes"][0]["since"] == run_id(9)
    assert series["trend"]["why_not"] == "fewer than 10 runs"


def test_a_slope_tells_when_it_reaches_the_limit(project: Path) -> None:
    store(steps([150.0 + 2 * night for night in range(20)]))
    last = call("trend", "latency", "--host", "r1").out.splitlines()[-1]
    assert re.fullmatch(
        r"\+(1\.9\d|2\.?\d*) us a run over 20 runs, \+(1\.9\d|2\.?\d*) us a day \(\+1\.\d+ to \+2\.\d+, 95 %\); "
        r"reaches 200 on 2026-11-2\d \(2026-11-2\d to 2026-11-2\d, 90 %\)",
        last,
    )


def test_runs_within_a_day_have_a_slope_a_run_alone(project: Path) -> None:
    nights = steps([150.0 + 2 * night for night in range(20)])
    store([
        Night(night.measured, about={"time": f"2026-11-01T10:{number:02}:00.000000Z"})
        for number, night in enumerate(nights)
    ])  # fmt: skip
    last = call("trend", "latency", "--host", "r1").out.splitlines()[-1]
    assert " us a run over 20 runs" in last
    assert "a day" not in last


def test_a_host_that_drifts_is_told_though_the_median_does_not(project: Path) -> None:
    noise = random.Random(5)
    levels = [[100 + noise.gauss(0, 2.2) + 0.5 * night * (host == 5) for host in range(12)] for night in range(30)]
    store([Night({("burn", f"h{host}"): latency(level) for host, level in enumerate(night)}) for night in levels])
    told = call("trend", "latency", "--last", "30").out.splitlines()
    assert told[0] == "latency of burn, median of 12 hosts"
    assert told[-1].startswith("latency of burn: h5 rises away from its 11 twins, by 0.")
    assert call("trend", "latency", "--host", "h5", "--last", "30").out.splitlines()[-1] == told[-1]
    assert call("trend", "latency", "--host", "h4", "--last", "30").out.splitlines()[-1] != told[-1]
    assert call("trend", "latency").out.startswith("latency of burn, median of 12 hosts; 20 of 30 runs (--last)\n")


def test_only_the_last_runs_up_to_a_run(history: Path) -> None:
    told = json.loads(call("trend", "latency", "--host", "r1", "--last", "3", "--run", run_id(7), "--json").out)
    assert [one["run_id"] for one in told["series"][0]["values"]] == [run_id(5), run_id(6), run_id(7)]


def test_the_trend_of_a_key_of_the_context(project: Path) -> None:
    store([Night(context={("r1", "disk.speed_v1"): {"read": speed, "write": 1}}) for speed in (5, 6.5)])
    assert call("trend", "disk.speed_v1.read").out.splitlines()[2:] == [
        f"{run_id(1)}  2026-11-01T22:00:00.000000Z  5",
        f"{run_id(2)}  2026-11-02T22:00:00.000000Z  6.5",
        "no trend: fewer than 10 runs",
    ]
    whole = call("trend", "disk.speed_v1").out
    assert "disk.speed_v1.read, r1\n" in whole
    assert "disk.speed_v1.write, r1\n" in whole


def test_one_run_has_no_trend(project: Path) -> None:
    store(steps([100.0]))
    assert call("trend", "latency", "--host", "r1").out.splitlines()[-1] == "no trend: fewer than two times"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("latencies",), "no run in the store has a measurement or a key 'latencies' (did you mean 'latency'?)"),
        (("rat",), "a key 'rat'; the newest run has measured latency"),
        ((), "a trend of what; the newest run has measured latency"),
        (("--run", "last"), "a trend of what; the newest run has measured latency"),
        (("latency", "--step", "dns"), f"run {run_id(12)} has no such numbers for 'latency'"),
        (("latency", "--host", "r9"), f"run {run_id(12)} has no 'latency' of host 'r9', only of r1, r2"),
        (("latency", "--host", "r11"), f"run {run_id(12)} has no 'latency' of host 'r11' (did you mean 'r1'?)"),
        (("latenc", "--run", run_id(2)), f"run {run_id(2)} has no such numbers for 'latenc' (did you mean 'latency'?)"),
    ],
)
def test_what_nothing_is_known_of(history: Path, words: tuple[str, ...], says: str) -> None:
    code, out, err = call("trend", *words)
    assert (code, out) == (2, "")
    assert err.rstrip().endswith(says)


def test_a_result_that_was_used_again_is_no_new_point(project: Path) -> None:
    """Ten nights that measure, and ten that use the tenth result again: not twenty quiet ones."""
    again = {
        "fields": {("ping", host): {"from": run_id(10)} for host in ("r1", "r2")}, "end": {"counts": {"cached": 2}},
    }  # fmt: skip
    nights = steps([100.0] * 11)
    store([*nights[:10], *(replace(nights[9], **again) for _copy in range(10))])
    told = call("trend", "latency", "--host", "r1").out.splitlines()
    assert told[11].startswith(run_id(10))
    assert told[12] == "10 runs used an earlier result again and measured nothing anew: not counted"
    store([*nights[:10], *(replace(nights[9], **again) for _copy in range(10)), nights[10]])
    told = call("trend", "latency", "--host", "r1", "--last", "30").out.splitlines()
    assert (told[11].split()[0], told[12].split()[0]) == (run_id(10), run_id(21))
    assert told[13].startswith("10 runs used an earlier result again")
    assert f"run {run_id(20)} has measured no 'latency' itself" in call("trend", "latency", "--run", run_id(20)).err


@pytest.mark.parametrize(
    ("limits", "host", "told"),
    [
        (
            ({"min": 1, "max": 200}, {"min": 2, "max": 300}),
            "",
            "limits that differ by host: min 1 to 2, max 200 to 300",
        ),
        (({"max": 200}, {"max": 300}), "", "limits that differ by host: max 200 to 300"),
        (({"max": 200}, {}), "", "limit 200"),
        (({"max": 200}, {"max": 200.0}), "", "limit 200"),
        (({"min": 1, "max": 200}, {"min": 2, "max": 300}), "r3", "limit 1 to 200"),
        (({"min": 1, "max": 200}, {"min": 2, "max": 300}), "r2", "limit 2 to 300"),
    ],
)
def test_limits_that_differ_among_hosts_are_told_so(
    project: Path, limits: tuple[dict[str, float], ...], host: str, told: str
) -> None:
    own = {f"r{n}": {"limits": limits[n % 2 == 0], "verdict": "passed"} for n in range(1, 6)}
    store([Night({("ping", name): latency(100.0, **more) for name, more in own.items()})] * 5)
    assert call("trend", "latency", "--host", host).out.splitlines()[0].partition(", limit")[2] == told[5:]


def test_each_run_has_its_own_limits(project: Path) -> None:
    """The host's limit was 110, then 200: what was beyond it then is, and is not judged by that of the last run."""
    values = ((100.0, 110, "passed"), (150.0, 110, "failed"), (150.0, 200, "passed"), (205.0, 200, "failed"))
    nights = [{("ping", "r1"): latency(value, limits={"max": most}, verdict=how)} for value, most, how in values]
    store([*map(Night, nights)])
    lines = call("trend", "latency").out.splitlines()
    assert ["beyond the limit" in line for line in lines[2:6]] == [False, True, False, True], lines
    (series,) = call("trend", "latency", "--json").answer["series"]
    assert series["values"][1]["beyond"] == {"r1": {"value": 150.0, "limits": "max 110"}}
    assert series["beyond"] == {"r1": {"value": 205.0, "limits": "max 200"}}


def test_a_value_beyond_its_limit_is_marked_and_said(project: Path) -> None:
    limits = {"limits": {"max": 200}, "verdict": "failed"}
    bad = Night({("ping", f"r{host}"): latency(205.0, **limits) for host in (1, 2)})
    store([*steps([100.0] * 3), bad])
    told = call("trend", "latency", "--host", "r1").out.splitlines()
    assert told[5].endswith("  beyond the limit")
    assert told[6] == "beyond the limit in the last run: r1: 205 us (max 200)"

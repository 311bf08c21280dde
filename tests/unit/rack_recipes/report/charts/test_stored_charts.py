# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from rack_recipes.analysis.history import History
from rack_recipes.analysis.methods.change_points_and_trends import ChangePoint
from rack_recipes.analysis.run_data import RunData
from rack_recipes.analysis.values_over_runs import Series, SeriesValues
from rack_recipes.errors import UsageError
from rack_recipes.report.charts import stored_charts
from rack_recipes.report.charts.chart_elements import Quantity
from rack_recipes.report.charts.histogram_and_box_plot import histogram
from rack_recipes.report.charts.stored_charts import Wanted, draw

CHART = histogram(Quantity("rx", "frames"), [1, 2, 3, 4, 9])


def test_a_file_has_its_own_style_light_and_dark():
    text = stored_charts.to_svg(CHART)
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    style = root.find("{*}style").text
    assert "@media (prefers-color-scheme:dark)" in style
    assert "var(" not in style
    assert not re.findall(r"(?:href|src|url|@import)", text)


def test_a_png_shows_something():
    pytest.importorskip("resvg_py")
    png = stored_charts.to_png(CHART)
    assert png.startswith(b"\x89PNG")
    width, height = (int.from_bytes(png[place : place + 4]) for place in (16, 20))
    assert (width, height) == (1280, 648), "the title stands above"
    assert len(png) > 3000


def test_a_png_without_any_text_is_refused(monkeypatch: pytest.MonkeyPatch):
    resvg_py = pytest.importorskip("resvg_py")
    monkeypatch.setattr(resvg_py, "svg_to_bytes", partial(resvg_py.svg_to_bytes, skip_system_fonts=True))
    with pytest.raises(UsageError, match="no font for it is here, such as Debian's fonts-dejavu-core"):
        stored_charts.to_png(CHART)


HOSTS = [f"r{rack}-u{unit}" for rack in (1, 2) for unit in (1, 2, 3)]
ATTRIBUTES = {host: {"rack": host[:2], "position": host[3:], "model": f"M{host[1]}"} for host in HOSTS}
RUNS = [{"run_id": f"R{n}", "started": f"2026-11-{n:02}T00:00:00Z"} for n in range(1, 5)]


def series(name, values, step="burn", unit="C"):
    return SeriesValues(Series(step, name, unit), HOSTS, np.array(values, dtype=float))


@pytest.fixture
def history():
    measured = [{"step": "burn", "name": "heat", "limits": {"max": 90}} for _host in HOSTS]
    run = RunData({**RUNS[-1]}, measurements=measured, attributes=ATTRIBUTES)
    made = History(None, run)
    heat = [[40 + place + n for n in range(4)] for place in range(6)]
    heat[5][1] = float("nan")
    fan = [[9 - place] * 4 for place in range(6)]
    own = [
        series("heat", heat),
        series("fan", fan, unit="rpm"),
        series("fan", fan, step="idle"),
        series("n", [[1] * 4] * 6),
    ]
    made.__dict__.update(runs=RUNS[:-1], series=own)
    made.__dict__["level_changes"] = {made.over_runs[0].key: [ChangePoint(2, 1, 2.5, 0.001, 0, 4)]}
    return made


def heat(**fields):
    return Wanted(**{"keys": ("heat",), **fields})


def test_limits_stand_in_the_histogram(history, texts):
    assert "max 90" in texts(draw("histogram", history, heat()).svg)


def test_boxes_by_class_and_by_attribute(history):
    assert draw("box-plot", history, heat()).figures.values("group") == ["model M1", "model M2"]
    assert draw("box-plot", history, heat(by="rack")).figures.values("group") == ["rack r1", "rack r2"]
    assert draw("box-plot", history, heat(by="row")).figures.values("group") == ["no row"]


def test_the_trend_of_classes_with_changes(history):
    figures = draw("trend", history, heat()).figures
    assert figures.rows[:2] == (
        ("R1", "2026-11-01T00:00:00Z", "model M1", 41.0, 40.0, 42.0, None),
        ("R2", "2026-11-02T00:00:00Z", "model M1", 42.0, 41.0, 43.0, None),
    )
    assert {row[0] for row in figures.rows if row[-1]} == {"R3"}
    assert figures.rows[2][-1] == "r1-u1: from 1 to 2.5"


def test_the_trend_of_hosts_and_groups(history):
    by_host = draw("trend", history, heat(host="r2-*")).figures
    assert len(by_host.rows) == 3 * 4 - 1
    assert set(by_host.values("low")) == {None}
    assert set(draw("trend", history, heat(by="rack")).figures.values("series")) == {"rack r1", "rack r2"}


def test_a_map_by_rack_and_position(history):
    figures = draw("heat-map", history, heat()).figures
    assert figures.rows == (("r1", 43.0, 44.0, 45.0), ("r2", 46.0, 47.0, 48.0))
    assert [column.name for column in figures.columns] == ["rack", "u1", "u2", "u3"]


def test_what_moves_together(history):
    wanted = Wanted(step="burn", keys=("heat", "fan"))
    assert draw("correlation", history, wanted).figures.rows[0][2] == pytest.approx(-1)
    assert len(draw("correlation", history, Wanted()).figures.rows) == 3  # what never differs is left out


def test_a_name_that_several_steps_have(history):
    with pytest.raises(UsageError, match="several steps have 'fan': --step burn or --step idle"):
        draw("histogram", history, Wanted(keys=("fan",)))


def test_names_are_cut_in_errors(history):
    history.__dict__["series"] = [series(f"m{n}", [[1] * 4] * 6) for n in range(20)]
    with pytest.raises(UsageError, match=r"the run has m0, .*, m7 and 12 more"):
        draw("histogram", history, Wanted())


def test_every_kind_is_drawn_by_a_function_of_its_own():
    assert len(set(stored_charts.KINDS.values())) == len(stored_charts.KINDS)


GAUGE = [9.8 + n % 7 / 10 for n in range(50)]
BINS = {"count": 6, "rule": "given", "edges": [10, 25, 40, 100], "counts": [2, 2, 1], "below": 1, "above": 0}


@pytest.fixture
def sampled(history):
    """Hosts with a list of numbers each, a short list inside of a value, and stored bins."""
    values = [("gauge.samples_v1", host, [one + place for one in GAUGE]) for place, host in enumerate(HOSTS)]
    values += [("fan.speeds_v1", "", {"rpm": [900, 905, 910], "on": [True, False], "none": []})]
    values += [("numbers.histogram_v1", host, BINS) for host in HOSTS[:2]]
    rows = [{"key": key, "host": host, "step": "gauge", "value": value} for key, host, value in values]
    made = History(None, replace(history.run, context=rows))
    made.__dict__.update(history.__dict__ | {"run": made.run})
    return made


def sample(key="gauge.samples_v1", **fields):
    return Wanted(**{"keys": (key,), **fields})


def test_the_lists_of_hosts_stand_below_each_other(sampled, texts):
    chart = draw("histogram", sampled, sample(host="r1-*"))
    assert chart.svg.count('class="bar"') >= 6
    assert {"r1-u1", "r1-u2", "r1-u3", "Values", "gauge.samples_v1"} <= set(texts(chart.svg))
    assert "150 values, 3 of 3 hosts" in chart.svg
    by_host = {host: sum(row[3] for row in chart.figures.rows if row[0] == host) for host in HOSTS[:3]}
    assert by_host == dict.fromkeys(HOSTS[:3], 50)
    ranges = {row[1:3] for row in chart.figures.rows}
    assert len({high - low < 1 for low, high in ranges}) == 1


def test_one_list_is_drawn_as_the_values_of_hosts_are(sampled):
    one = draw("histogram", sampled, sample(host="r1-u1"))
    assert one == histogram(Quantity("gauge.samples_v1"), GAUGE)
    inside = draw("histogram", sampled, sample("fan.speeds_v1.rpm"))
    assert "3 values from 900 to 910, median 905" in inside.svg


def test_bins_that_are_stored_keep_their_edges(sampled):
    chart = draw("histogram", sampled, sample("numbers.histogram_v1"))
    assert chart.figures.rows[:3] == (("r1-u1", 10, 25, 2), ("r1-u1", 25, 40, 2), ("r1-u1", 40, 100, 1))
    assert "10 values, 2 of 2 hosts; 2 more lie outside" in chart.svg
    with pytest.raises(UsageError, match="has bins, and no values to draw boxes of: chart histogram draws bins"):
        draw("box-plot", sampled, sample("numbers.histogram_v1"))


@pytest.mark.parametrize(("by", "groups"), [("", HOSTS), ("rack", ["rack r1", "rack r2"])])
def test_a_box_for_each_list(sampled, by, groups):
    rows = draw("box-plot", sampled, sample(by=by)).figures.rows
    assert [row[:2] for row in rows] == [(name, 300 // len(groups)) for name in groups]


@pytest.mark.parametrize(
    ("kind", "wanted", "says"),
    [
        ("trend", sample(), "gauge.samples_v1 is a list of numbers: chart histogram and box-plot draw lists"),
        (
            "histogram",
            sample("gauge.sample_v1"),
            "no numbers of the name 'gauge.sample_v1' (did you mean 'gauge.samples_v1'?)",
        ),
        ("histogram", sample(host="r9*"), "no host that matches 'r9*' has a value"),
        ("histogram", sample("fan.speeds_v1.on"), "no numbers of the name 'fan.speeds_v1.on'"),
        ("histogram", sample(step="idle"), "is a list of numbers"),
    ],
)
def test_a_list_that_is_not_to_be_had(sampled, kind, wanted, says):
    with pytest.raises(UsageError, match=re.escape(says)):
        draw(kind, sampled, wanted)

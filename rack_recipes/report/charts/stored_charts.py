# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of charts, each drawn from a run in the store and its history.

A chart is an SVG or PNG file that stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import isfinite
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from markupsafe import escape

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.analysis.history import History
from rack_recipes.analysis.run_data import attribute_text, places_by_class
from rack_recipes.analysis.samples import Samples, samples_in, samples_of
from rack_recipes.analysis.value_and_write_history import gather_by_run
from rack_recipes.analysis.values_over_runs import Series, SeriesValues
from rack_recipes.errors import MOST_NAMED, UsageError, nearest
from rack_recipes.natural_order import natural
from rack_recipes.report.charts.chart_elements import FONT, Chart, Limit, Quantity, limits_of, plain_css, standalone_css
from rack_recipes.report.charts.correlation import MOST_MEASUREMENTS, correlation
from rack_recipes.report.charts.heat_map import gather_rows, map_by_place, pair_matrix, verdict_map
from rack_recipes.report.charts.histogram_and_box_plot import box_plot, histogram
from rack_recipes.report.charts.sample_charts import draw_boxes, draw_histogram
from rack_recipes.report.charts.timeline import run_timeline
from rack_recipes.report.charts.trend import Change, TrendPoint, trend
from rack_recipes.report.table_model import RUN_SCOPED, Table, named
from rack_recipes.report.tables.all_tables import tables
from rack_recipes.visible_text import cut

NAMESPACE = "http://www.w3.org/2000/svg"
PROBE = f'<svg xmlns="{NAMESPACE}" width="20" height="20"><text y="15" style="font:12px {FONT}">{{}}</text></svg>'
PNG_ZOOM = 2
"""Pixels of a PNG for each pixel of the SVG, so that it is sharp on paper too."""
HEAD, LETTER = 24, 8
"""Pixels of the SVG that the title of a PNG takes, and that one letter of it takes at most."""


def to_svg(chart: Chart) -> str:
    """The chart as an SVG file; its colours follow the reader's wish for light or dark."""
    return _with_style(chart, standalone_css())


def to_png(chart: Chart) -> bytes:
    """The chart as a light PNG. Raises UsageError where the package that draws it is missing, or any font."""
    try:
        from resvg_py import svg_to_bytes
    except ImportError as error:
        raise UsageError(f"a PNG cannot be drawn: {error}: `pip install rack-recipes[png]` brings it") from error
    if svg_to_bytes(svg_string=PROBE.format("A")) == svg_to_bytes(svg_string=PROBE.format("")):
        raise UsageError(
            "a PNG would have no text: no font for it is here, such as Debian's fonts-dejavu-core; SVG needs none"
        )
    return bytes(svg_to_bytes(svg_string=_titled(_with_style(chart, plain_css())), zoom=PNG_ZOOM))


def _titled(svg: str) -> str:
    """A drawing below its title, which is cut to its width: a PNG has nothing to point at."""
    said = ET.fromstring(svg)  # noqa: S314 - drawn here
    width, height = (int(said.attrib[name]) for name in ("width", "height"))
    title = escape(cut(said.findtext(f"{{{NAMESPACE}}}title", ""), width // LETTER))
    text = f'<text x="6" y="16" style="font:bold 12px {FONT}">{title}</text>'
    paper = '<rect fill="#fff" width="100%" height="100%"/>'
    below = svg.replace("<svg ", f'<svg y="{HEAD}" ', 1)
    return f'<svg xmlns="{NAMESPACE}" width="{width}" height="{height + HEAD}">{paper}{text}{below}</svg>'


def _with_style(chart: Chart, css: str) -> str:
    head, _end, rest = chart.svg.partition(">")
    style = f"<style>.chart{{font:12px {FONT}}}{css}</style>"
    paper = '<rect class="paper" width="100%" height="100%"></rect>'
    return f'{head} xmlns="{NAMESPACE}">{style}{paper}{rest}\n'


WRITERS: dict[str, Callable[[Chart], str | bytes]] = {".svg": to_svg, ".png": to_png}
"""For each ending of a file's name what its content is."""


def write_chart(chart: Chart, path: Path) -> None:
    """Write a chart to a file, as the ending of its name says; its folder is made.

    Raises UsageError for another ending, for a missing package, and for a file that cannot be written.
    """
    if path.suffix.lower() not in WRITERS:
        raise UsageError(f"expected a file that ends with {' or '.join(WRITERS)}, got {str(path)!r}")
    content = WRITERS[path.suffix.lower()](chart)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    except OSError as error:
        raise UsageError(f"the chart cannot be written to {path}: {error.strerror or error}") from error


NAMED = 8
"""How many names an error lists."""
RACK, POSITION = "rack", "position"
NO_CLASS = "all hosts"
PAIR = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a chart is to show: a step, names of values, a pattern of hosts, the attribute that groups hosts.

    Each is empty where everything is wanted.
    """

    step: str = ""
    keys: tuple[str, ...] = ()
    host: str = ""
    by: str = ""


def draw(kind: str, history: History, wanted: Wanted) -> Chart:
    """Draw a chart of a kind of `KINDS`. Raises UsageError where the run has not what is wanted, and StoreError."""
    return KINDS[kind](history, wanted)


# --- Values -----------------------------------------------------------------------------------------------------------
def _histogram(history: History, wanted: Wanted) -> Chart:
    if samples := _samples(history, wanted):
        return draw_histogram(Quantity(wanted.keys[0]), samples)
    one = _chosen(history, wanted)
    values = [value for _host, value in _last(one, wanted)]
    return histogram(_quantity(one.series), values, _limits(history, one.series))


def _box_plot(history: History, wanted: Wanted) -> Chart:
    if samples := _samples(history, wanted):
        grouping = ((lambda host: _group_of(history, host, wanted.by)),) if wanted.by else ()
        if drawn := draw_boxes(Quantity(wanted.keys[0]), samples, *grouping):
            return drawn
        raise UsageError(f"{wanted.keys[0]} has bins, and no values to draw boxes of: chart histogram draws bins")
    one = _chosen(history, wanted)
    groups: dict[str, list[tuple[str, float]]] = {}
    for host, value in _last(one, wanted):
        groups.setdefault(_group_of(history, host, wanted.by), []).append((host or RUN_SCOPED, value))
    ordered = {name: groups[name] for name in sorted(groups, key=natural)}
    return box_plot(_quantity(one.series), ordered, _limits(history, one.series))


def _trend(history: History, wanted: Wanted) -> Chart:
    one = _chosen(history, wanted)
    runs = [*history.runs, history.run.run]
    lines = {
        name: [TrendPoint(*value[:5]) for value in gather_by_run(one.values[[*places]], runs)]
        for name, places in _lines(history, one, wanted).items()
    }
    return trend(_quantity(one.series), lines, _limits(history, one.series), _changes(history, one.series))


def _lines(history: History, one: SeriesValues, wanted: Wanted) -> Mapping[str, Sequence[int]]:
    """The places of the hosts of each line: of each wanted host, else of each class or group."""
    places = [place for place, host in enumerate(one.hosts) if _is_wanted(host, wanted)]
    if wanted.host:
        return {one.hosts[place] or RUN_SCOPED: [place] for place in places}
    if wanted.by:
        found: dict[str, list[int]] = {}
        for place in places:
            found.setdefault(_group_of(history, one.hosts[place], wanted.by), []).append(place)
        return found
    classes = places_by_class(one.hosts, history.run.attributes)
    return {name or NO_CLASS: own for name, own in classes.items()} or {RUN_SCOPED: places}


def _changes(history: History, series: Series) -> list[Change]:
    """The changes of level of the series, computed from its values, whether anybody has analysed the run or not."""
    runs = [*history.runs, history.run.run]
    return [
        Change(runs[one.places[change.place]]["run_id"],
               f"{one.whose}: from {change.before:.6g} to {change.after:.6g}")
        for one in history.over_runs
        if one.series == series
        for change in history.level_changes.get(one.key, ())
    ]  # fmt: skip


def _correlation(history: History, wanted: Wanted) -> Chart:
    if len(wanted.keys) == 1:
        raise UsageError("a correlation needs no key, or two and more: --key NAME --key NAME")
    known = history.series if not wanted.keys else [_chosen(history, wanted, key) for key in wanted.keys]
    of_step = [one for one in known if wanted.step in ("", one.series.step)]
    measured = [(_quantity(one.series), dict(_last(one, wanted))) for one in of_step]
    varied = [pair for pair in measured if len(set(pair[1].values())) > 1]
    if len(varied) < 2:
        raise UsageError("a correlation needs two values that differ from host to host")
    return correlation(varied[:MOST_MEASUREMENTS])


# --- Verdicts and times -----------------------------------------------------------------------------------------------
def _heat_map(history: History, wanted: Wanted) -> Chart:
    if wanted.keys:
        return _by_place(history, wanted)
    if wanted.step and (pairs := _pairs(history, wanted.step)):
        return verdict_map(pair_matrix(pairs, wanted.step))
    matrix = named(tables(history.run))["matrix"]
    places = _columns(matrix, wanted.step)
    kept = tuple(tuple(row[place] for place in places) for row in matrix.rows if _is_wanted(row[0], wanted))
    shown = Table(matrix.name, matrix.title, tuple(matrix.columns[place] for place in places), kept, matrix.about)
    if wanted.by:
        shown = gather_rows(shown, lambda host: _group_of(history, host, wanted.by), wanted.by.capitalize())
    return verdict_map(shown)


def _columns(matrix: Table, step: str) -> Sequence[int]:
    """The places of the columns for hosts and for a step; all of them without one."""
    names = [column.name for column in matrix.columns]
    if step and step not in names[1:]:
        near = nearest(step, names[1:])
        hint = f" (did you mean {near!r}?)" if near else f": there are {first_few(names[1:], MOST_NAMED)}"
        raise UsageError(f"--step {step}: this run has no such step{hint}")
    return [0, names.index(step)] if step else range(len(names))


def _pairs(history: History, step: str) -> list[Mapping[str, Any]]:
    """The results of a step between hosts that are about two of them."""
    return [row for row in history.run.steps if row.get("parent") == step and len(row.get("members") or ()) == PAIR]


def _by_place(history: History, wanted: Wanted) -> Chart:
    """The values by rack and position, as the inventory says."""
    one, cells = _chosen(history, wanted), {}
    for host, value in _last(one, wanted):
        attributes = history.run.attributes.get(host, {})
        if RACK in attributes and POSITION in attributes:
            cells[attribute_text(attributes[RACK]), attribute_text(attributes[POSITION])] = value
    if not cells:
        raise UsageError(f"no host with this value has the attributes {RACK} and {POSITION} in the inventory")
    quantity = _quantity(one.series)
    return map_by_place(quantity, cells, "heat_map", quantity.label)


def _timeline(history: History, wanted: Wanted) -> Chart:
    steps = [row for row in history.run.steps if wanted.step in ("", row["step"], row.get("parent"))]
    hosts = {row["host"] for row in steps if _is_wanted(row["host"], wanted)}
    if not hosts:
        raise UsageError(_no_host(wanted, (row["host"] for row in history.run.steps)))
    return run_timeline([row for row in steps if row["host"] in hosts], history.run.run)


KINDS: Mapping[str, Callable[[History, Wanted], Chart]] = {
    "histogram": _histogram,
    "box-plot": _box_plot,
    "trend": _trend,
    "heat-map": _heat_map,
    "correlation": _correlation,
    "timeline": _timeline,
}
"""Every kind of chart, with what draws it from the store."""


# --- What is wanted ---------------------------------------------------------------------------------------------------
def _chosen(history: History, wanted: Wanted, key: str = "") -> SeriesValues:
    """The one series with the wanted name. Raises UsageError where there is none, or several."""
    name = key or (wanted.keys[0] if len(wanted.keys) == 1 else "")
    if not name:
        raise UsageError(f"which value? --key NAME; the run has {_list(one.series for one in history.series)}")
    found = [one for one in history.series if one.series.name == name and wanted.step in ("", one.series.step)]
    if not found:
        lists = {path for row in history.run.context for path, _list in samples_in(row.get("value"), row["key"])}
        if name in lists:
            raise UsageError(f"{name} is a list of numbers: chart histogram and box-plot draw lists")
        near = nearest(name, [*(one.series.name for one in history.series), *lists])
        hint = f" (did you mean {near!r}?)" if near else f"; it has {_list(one.series for one in history.series)}"
        raise UsageError(f"the run has no numbers of the name {name!r}{hint}")
    if len({one.series.step for one in found}) > 1:
        raise UsageError(f"several steps have {name!r}: --step {' or --step '.join(one.series.step for one in found)}")
    return found[0]


def _samples(history: History, wanted: Wanted) -> dict[str, Samples]:
    """By host, the wanted list of numbers in the context; empty where the name is that of one number."""
    name = wanted.keys[0] if len(wanted.keys) == 1 else ""
    if not name or any(one.series.name == name for one in history.series):
        return {}
    rows = [row for row in history.run.context if wanted.step in ("", row["step"])]
    found = samples_of(rows, name)
    chosen = {host: samples for host, samples in found.items() if _is_wanted(host, wanted)}
    if found and not chosen:
        raise UsageError(_no_host(wanted, found))
    return chosen


def _list(series: Iterable[Series]) -> str:
    names = list(dict.fromkeys(one.name for one in series))
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}" if names else "no numbers"


def _last(one: SeriesValues, wanted: Wanted) -> list[tuple[str, float]]:
    """The wanted hosts with their values in this run. Raises UsageError where there is no value."""
    pairs = zip(one.hosts, map(float, one.last), strict=True)
    found = [(host, value) for host, value in pairs if isfinite(value) and _is_wanted(host, wanted)]
    if not found:
        raise UsageError(_no_host(wanted, one.hosts))
    return found


def _is_wanted(host: str, wanted: Wanted) -> bool:
    return not wanted.host or fnmatchcase(host, wanted.host)


def _no_host(wanted: Wanted, hosts: Iterable[str]) -> str:
    near = nearest(wanted.host, [*hosts]) if wanted.host else ""
    return f"no host that matches {wanted.host or '*'!r} has a value{f' (did you mean {near!r}?)' if near else ''}"


def _group_of(history: History, host: str, by: str) -> str:
    """The group of a host: the value of an attribute, else its class in words."""
    attributes = history.run.attributes.get(host, {})
    if by:
        return f"{by} {attribute_text(attributes[by])}" if by in attributes else f"no {by}"
    return next((name for name in places_by_class([host], {host: attributes}) if name), NO_CLASS)


def _quantity(series: Series) -> Quantity:
    return Quantity(series.name, series.unit)


def _limits(history: History, series: Series) -> list[Limit]:
    """The limits of the measurement in this run; those that differ from host to host stand side by side."""
    own = (
        row["limits"]
        for row in history.run.measurements
        if (row["step"], row["name"]) == (series.step, series.name) and row["limits"]
    )
    return list(dict.fromkeys(limit for limits in own for limit in limits_of(limits)))

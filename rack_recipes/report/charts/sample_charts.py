# SPDX-License-Identifier: GPL-3.0-or-later

"""Charts of lists of numbers under a context key, those of several hosts beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain

from rack_recipes.analysis.samples import Samples, StoredBins
from rack_recipes.report.charts.chart_elements import Chart, Quantity, is_drawable
from rack_recipes.report.charts.histogram_and_box_plot import (
    Bins,
    bins_of,
    box_plot,
    count_in,
    histogram,
    histograms,
)
from rack_recipes.report.table_model import RUN_SCOPED


def draw_histogram(quantity: Quantity, of_hosts: Mapping[str, Samples]) -> Chart:
    """The histogram of each host's list, all with the same ranges, or of the bins that are stored."""
    lists = {host: _drawable(samples) for host, samples in of_hosts.items() if not isinstance(samples, StoredBins)}
    if len(of_hosts) == 1:
        for samples in of_hosts.values():
            if not isinstance(samples, StoredBins):
                return histogram(quantity, samples)
    edges = bins_of(sorted(chain(*lists.values()))).edges
    drawn = {
        host or RUN_SCOPED: Bins(samples.edges, samples.counts)
        if isinstance(samples, StoredBins)
        else count_in(edges, lists[host])
        for host, samples in of_hosts.items()
    }
    lost = sum(
        samples.outside if isinstance(samples, StoredBins) else len(samples) - len(lists[host])
        for host, samples in of_hosts.items()
    )
    return histograms(quantity, drawn, f"; {lost:,} more lie outside" if lost else "")


def draw_boxes(
    quantity: Quantity,
    of_hosts: Mapping[str, Samples],
    group_of: Callable[[str], str] = lambda host: host or RUN_SCOPED,
) -> Chart | None:
    """A box for the list of each host, or of each group; None for stored bins, which have no values."""
    groups: dict[str, list[tuple[str, float]]] = {}
    for host, samples in of_hosts.items():
        if not isinstance(samples, StoredBins):
            places = [(f"{host or RUN_SCOPED}[{place}]", value) for place, value in enumerate(samples)]
            groups.setdefault(group_of(host), []).extend(places)
    return box_plot(quantity, groups) if groups else None


def _drawable(samples: tuple[float, ...]) -> list[float]:
    return [value for value in samples if is_drawable(value)]

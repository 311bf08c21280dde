# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of numbers inside of context values: samples, and bins in which somebody has counted some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from rack_recipes.analysis.run_data import NUMBERS, Row, number_of


class StoredBins(NamedTuple):
    """Ranges by their `edges`, how many values lie in each, and how many lie `outside` of them all."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    outside: int = 0


type Samples = tuple[float, ...] | StoredBins


def samples_in(value: object, path: str = "") -> Iterator[tuple[str, Samples]]:
    """The lists of numbers and the bins inside of a JSON value, each with its path, such as `.ms`; "" is the value."""
    if isinstance(value, dict):
        bins = _bins(value)
        if bins:
            yield path, bins
            return
        for name, inner in value.items():
            yield from samples_in(inner, f"{path}.{name}")
    elif isinstance(value, list) and value and all(type(one) in NUMBERS for one in value):
        yield path, tuple(map(number_of, value))


def samples_of(rows: Iterable[Row], wanted: str) -> dict[str, Samples]:
    """By host, what these rows of the context have under a path, such as `gauge.samples_v1` or `fan.speeds_v1.rpm`."""
    return {
        row["host"]: samples
        for row in rows
        if wanted.startswith(row["key"])
        for path, samples in samples_in(row.get("value"), row["key"])
        if path == wanted
    }


def _bins(value: Mapping[str, object]) -> StoredBins | None:
    """The bins, as `numbers_histogram` stores them: `edges`, one more than `counts`, `below` and `above`."""
    edges, counts = value.get("edges"), value.get("counts")
    if not (isinstance(edges, list) and isinstance(counts, list) and len(edges) == len(counts) + 1 and counts):
        return None
    if not all(type(one) in NUMBERS for one in edges) or not all(type(one) is int and one >= 0 for one in counts):
        return None
    ordered = tuple(map(number_of, edges))
    outside = [one for name in ("below", "above") if type(one := value.get(name, 0)) is int]
    return StoredBins(ordered, tuple(counts), sum(outside)) if all(a <= b for a, b in pairwise(ordered)) else None

#!/usr/bin/python
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: numbers_histogram
short_description: How many of the numbers in a file lie in which bin
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
description:
  - Reads numbers from a text file and sets the context key C(numbers.histogram_v1).
  - The file is read as M(rack.recipes.numbers_stats) reads it.
  - A bin reaches from its lower edge to below its upper edge. The upper edge of the last bin belongs to it, as in
    NumPy.
  - The bins are those of O(edges), or else O(bins) bins of the same width from the smallest number to the largest.
  - Without either, the rule of Freedman and Diaconis (1981) gives the number of bins. A bin is then about 2 * IQR /
    n^(1/3) wide, with the interquartile range and the count of the numbers. Where the interquartile range is 0, the
    rule of Sturges (1926) gives log2(n) + 1 bins, rounded up. There are at most 1000 bins.
  - If all numbers are the same, there is one bin, without width.
  - Every number is counted exactly by the edges as they are written in the result.
options:
  src:
    description: The file with the numbers. In a recipe a relative path is a file of the project.
    type: path
    required: true
  bins:
    description: The number of bins of the same width, from 1 to 1000.
    type: int
  edges:
    description:
      - The edges of the bins, in ascending order, at least two.
      - Numbers outside of them are counted as V(below) and V(above).
    type: list
    elements: float
seealso:
  - module: rack.recipes.numbers_stats
  - module: rack.recipes.numbers_percentiles
"""

EXAMPLES = r"""
- name: Sort latencies in ms into bins
  rack.recipes.numbers_histogram:
    src: data/latencies.txt
    edges: [0, 1, 2, 5, 10]
"""

RETURN = r"""
verdict:
  description: How the step ended, V(passed), V(failed) or V(error).
  returned: always
  type: str
  sample: passed
reason:
  description: Why it did not pass.
  returned: always
  type: str
  sample: ""
context:
  description: The context key that was set. C(rule) is V(given), V(freedman_diaconis) or V(sturges).
  returned: always
  type: dict
  sample:
    numbers.histogram_v1: {count: 4, rule: given, edges: [10, 25, 40], counts: [2, 2], below: 0, above: 0}
measurements:
  description: The values measured, each with name, value and unit.
  returned: always
  type: list
  elements: dict
  sample: []
stdout:
  description: What the scriptlet printed.
  returned: always
  type: str
  sample: ""
stderr:
  description: Its log.
  returned: always
  type: str
  sample: ""
"""

import math
from bisect import bisect_left, bisect_right
from decimal import ROUND_CEILING, Context, Decimal, localcontext

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet, run_as_module
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_support.number_file import (
    NumberFile,
    exact_number,
    percentile,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView

MOST = 1000  # bins
QUARTILES = (Decimal(25), Decimal(75))  # percent


class NumbersHistogram(Scriptlet):
    """How many of the numbers in a file lie in which bin."""

    options = {
        "src": {"type": "path", "required": True},
        "bins": {"type": "int"},
        "edges": {"type": "list", "elements": "float"},
    }
    reads = ()
    writes = {
        "numbers.histogram_v1": (
            "`edges` of the bins (in the unit of the numbers) and `counts` in each; how many lie `below` and `above`"
        )
    }
    needs = ()
    verdicts = {"error": "the file cannot be read, or has something that is no number"}
    example = """
        - name: histogram
          module: rack.recipes.numbers_histogram
          args: {src: data/numbers.csv, bins: 10}
          success: {ctx_has_keys: [numbers.histogram_v1]}
    """

    def validate(self, ctx: ContextView, params: dict[str, Any]) -> None:
        bins, edges = params["bins"], params["edges"]
        if bins is not None and edges is not None:
            raise ValueError("bins, edges: expected one of them")
        if bins is not None and not 1 <= bins <= MOST:
            raise ValueError(f"bins: expected 1 to {MOST}, got {bins}")
        if edges is not None and not _are_edges(edges):
            raise ValueError(f"edges: expected 2 to {MOST + 1} finite numbers in ascending order")

    def run(self, ctx: ContextView, params: dict[str, Any]) -> None:
        with exact_number():
            found = histogram(NumberFile(params["src"]), params["bins"], params["edges"])
        ctx.set("numbers.histogram_v1", found)


def _are_edges(edges: list[float]) -> bool:
    is_ascending = all(low < high for low, high in zip(edges, edges[1:]))
    return 1 < len(edges) <= MOST + 1 and is_ascending and all(map(math.isfinite, edges))


def histogram(file: NumberFile, bins: int | None, edges: list[float] | None) -> dict[str, Any]:
    """The bins of the numbers in `file`: those between `edges`, else so many `bins`, else as many as the rule says."""
    ranked = sorted(number for block in file.blocks() for number in block)
    rule = "given"
    if edges is None and bins is None:
        rule, bins = suggested(ranked)
    found: list[int | float] = [*edges] if edges is not None else equal_edges(file, ranked, bins or 1)
    places = _places(ranked, found)
    if edges is None:
        places[0], places[-1] = 0, len(ranked)  # the smallest and the largest edge are rounded
    counts = [high - low for low, high in zip(places, places[1:])]
    outside = {"below": places[0], "above": len(ranked) - places[-1]}
    return {"count": len(ranked), "rule": rule, "edges": found, "counts": counts, **outside}


def suggested(ranked: list[Decimal]) -> tuple[str, int]:
    """The rule that applies to numbers in ascending order, and how many bins it gives."""
    count, span = len(ranked), ranked[-1] - ranked[0]
    low, high = (percentile(ranked, percent) for percent in QUARTILES)
    if not high - low:
        return "sturges", min(MOST, math.ceil(math.log2(count)) + 1)
    with localcontext(Context(prec=17)):  # the digits of a double: a quotient has no end otherwise
        bins = span / (2 * (high - low)) * Decimal(count ** (1 / 3))
    return "freedman_diaconis", int(min(bins, Decimal(MOST)).to_integral_value(ROUND_CEILING))


def equal_edges(file: NumberFile, ranked: list[Decimal], bins: int) -> list[int | float]:
    """The edges of bins of the same width, from the smallest number to the largest."""
    low, span = ranked[0], ranked[-1] - ranked[0]
    bins = bins if span else 1
    return [file.nearest("edge", low * bins + span * number, bins) for number in range(bins + 1)]


def _places(ranked: list[Decimal], edges: list[int | float]) -> list[int]:
    """How many of the numbers lie below each edge; for the last, up to it."""
    exact = [Decimal(repr(edge)) for edge in edges]
    return [*(bisect_left(ranked, edge) for edge in exact[:-1]), bisect_right(ranked, exact[-1])]


if __name__ == "__main__":
    run_as_module(NumbersHistogram)

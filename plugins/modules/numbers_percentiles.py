#!/usr/bin/python
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: numbers_percentiles
short_description: Percentiles of the numbers in a file
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
description:
  - Reads numbers from a text file and sets the context key C(numbers.percentiles_v1).
  - The file is read as M(rack.recipes.numbers_stats) reads it.
  - The percentiles are those of type 7 of Hyndman and Fan, as NumPy, pandas, R and spreadsheets have them by default.
    They are computed exactly and rounded once to the nearest double. An integer result of integers stays an integer.
  - The 50th is V(p50) in the key, and the 99.9th is V(p99_9), since a dot would end the name in a reference.
options:
  src:
    description: The file with the numbers. In a recipe a relative path is a file of the project.
    type: path
    required: true
  percentiles:
    description: Which percentiles are asked for, each from 0, the smallest number, to 100, the largest.
    type: list
    elements: float
    default: [50, 90, 95, 99]
seealso:
  - module: rack.recipes.numbers_stats
  - module: rack.recipes.numbers_histogram
"""

EXAMPLES = r"""
- name: Find how long all but one of a thousand requests took at most
  rack.recipes.numbers_percentiles:
    src: data/latencies.txt
    percentiles: [50, 99, 99.9]
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
  description: The context key that was set, with the count of the numbers and each percentile.
  returned: always
  type: dict
  sample:
    numbers.percentiles_v1: {count: 4, p50: 25, p90: 37, p95: 38.5, p99: 39.7}
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

from decimal import Decimal

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

LARGEST = 100  # percent


class NumbersPercentiles(Scriptlet):
    """Percentiles of the numbers in a file."""

    options = {
        "src": {"type": "path", "required": True},
        "percentiles": {"type": "list", "elements": "float", "default": [50, 90, 95, 99]},
    }
    reads = ()
    writes = {"numbers.percentiles_v1": "count, and each percentile as `p50` or `p99_9`, in the unit of the numbers"}
    needs = ()
    verdicts = {"error": "the file cannot be read, or has something that is no number"}
    example = """
        - name: percentiles
          module: rack.recipes.numbers_percentiles
          args:
            src: data/numbers.csv
            percentiles: [50, 99, 99.9]
          success: {ctx_has_keys: [numbers.percentiles_v1]}
    """

    def validate(self, ctx: ContextView, params: dict[str, Any]) -> None:
        wrong = [percent for percent in params["percentiles"] if not 0 <= percent <= LARGEST]
        if wrong or not params["percentiles"]:
            raise ValueError(f"percentiles: expected numbers from 0 to {LARGEST}, got {wrong[0] if wrong else 'none'}")

    def run(self, ctx: ContextView, params: dict[str, Any]) -> None:
        with exact_number():
            ctx.set("numbers.percentiles_v1", percentiles(NumberFile(params["src"]), params["percentiles"]))


def percentiles(file: NumberFile, percents: list[float]) -> dict[str, int | float]:
    """The percentiles of the numbers in `file` by their names, and the count."""
    ranked = sorted(number for block in file.blocks() for number in block)
    exact = [Decimal(repr(percent)).normalize() for percent in percents]
    found = {name_of(percent): file.nearest(name_of(percent), percentile(ranked, percent)) for percent in exact}
    return {"count": len(ranked), **found}


def name_of(percent: Decimal) -> str:
    """How a percentile is called: `p50`, `p99_9`."""
    return f"p{percent:f}".replace(".", "_")


if __name__ == "__main__":
    run_as_module(NumbersPercentiles)

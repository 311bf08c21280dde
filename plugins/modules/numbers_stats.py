#!/usr/bin/python
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: numbers_stats
short_description: Mean, variance, count, smallest and largest of the numbers in a file
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
description:
  - Reads numbers from a text file and sets the context key C(numbers.stats_v1).
  - A line holds one or several numbers between commas or white space. Blank lines, and everything from C(#) to the
    end of a line, are skipped.
  - The numbers are read as decimals, exactly as they are written, and added up exactly. So every result is the true
    one, rounded once to the nearest double. An integer result of integers stays an integer.
  - The variance is the population's (divided by the count).
  - Anything that is not a finite number is an error that names file and line; so is an empty field between commas. A
    file without numbers is an error, too.
options:
  src:
    description: The file with the numbers. In a recipe a relative path is a file of the project.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Describe the numbers in a file
  rack.recipes.numbers_stats:
    src: data/numbers.csv
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
  description: The context key that was set, with the figures of the numbers.
  returned: always
  type: dict
  sample:
    numbers.stats_v1: {mean: 25, variance: 125, count: 4, min: 10, max: 40}
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
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_support.number_file import NumberFile, exact_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView


class NumbersStats(Scriptlet):
    """Mean, variance, count, smallest and largest of the numbers in a file."""

    options = {"src": {"type": "path", "required": True}}
    reads = ()
    writes = {"numbers.stats_v1": "mean, variance, count, min and max, in the unit of the numbers"}
    needs = ()
    verdicts = {"error": "the file cannot be read, or has something that is no number"}
    example = """
        - name: stats
          module: rack.recipes.numbers_stats
          args: {src: data/numbers.csv}
          success: {ctx_has_keys: [numbers.stats_v1]}
    """

    def run(self, ctx: ContextView, params: dict[str, Any]) -> None:
        with exact_number():
            ctx.set("numbers.stats_v1", describe(NumberFile(params["src"])))


def describe(file: NumberFile) -> dict[str, int | float]:
    """The figures of the numbers in `file`, each rounded once."""
    count, total, squares = 0, Decimal(0), Decimal(0)
    lows: list[Decimal] = []
    highs: list[Decimal] = []
    for numbers in file.blocks():
        count += len(numbers)
        total += sum(numbers)
        squares += sum(number * number for number in numbers)
        lows.append(min(numbers))
        highs.append(max(numbers))
    return {
        "mean": file.nearest("mean", total, count),
        "variance": file.nearest("variance", count * squares - total * total, count * count),
        "count": count,
        "min": file.nearest("minimum", min(lows)),
        "max": file.nearest("maximum", max(highs)),
    }


if __name__ == "__main__":
    run_as_module(NumbersStats)

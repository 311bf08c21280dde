#!/usr/bin/python
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: numbers_median
short_description: Median and count of the numbers in a file
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
description:
  - Reads numbers from a text file and sets the context key C(numbers.median_v1).
  - The file is read as M(rack.recipes.numbers_stats) reads it.
  - If the count of numbers is even, the median is the mean of the two in the middle. It is computed exactly and rounded
    once to the nearest double. An integer result of integers stays an integer.
options:
  src:
    description: The file with the numbers. In a recipe a relative path is a file of the project.
    type: path
    required: true
seealso:
  - module: rack.recipes.numbers_stats
"""

EXAMPLES = r"""
- name: Find the median of the numbers in a file
  rack.recipes.numbers_median:
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
  description: The context key that was set, with the median and the count of the numbers.
  returned: always
  type: dict
  sample:
    numbers.median_v1: {median: 25, count: 4}
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

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet, run_as_module
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_support.number_file import NumberFile, exact_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView


class NumbersMedian(Scriptlet):
    """Median and count of the numbers in a file."""

    options = {"src": {"type": "path", "required": True}}
    reads = ()
    writes = {"numbers.median_v1": "median and count, in the unit of the numbers"}
    needs = ()
    verdicts = {"error": "the file cannot be read, or has something that is no number"}
    example = """
        - name: median
          module: rack.recipes.numbers_median
          args: {src: data/numbers.csv}
          success: {ctx_has_keys: [numbers.median_v1]}
    """

    def run(self, ctx: ContextView, params: dict[str, Any]) -> None:
        with exact_number():
            ctx.set("numbers.median_v1", middle(NumberFile(params["src"])))


def middle(file: NumberFile) -> dict[str, int | float]:
    """Median and count of the numbers in `file`."""
    numbers = sorted(number for block in file.blocks() for number in block)
    count = len(numbers)
    twice = numbers[(count - 1) // 2] + numbers[count // 2]
    return {"median": file.nearest("median", twice, 2), "count": count}


if __name__ == "__main__":
    run_as_module(NumbersMedian)

# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step compute_median of the first proposal: its recipes name it by this path."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_support.number_file import NumberFile, exact_number
from ansible_collections.rack.recipes.plugins.modules.numbers_median import middle
from rack_recipes import Scriptlet


class ComputeMedian(Scriptlet):
    """Median and count of the numbers in a file: the same as rack.recipes.numbers_median."""

    options = {
        "src": {
            "type": "path",
            "required": True,
            "description": "A text file with numbers",
        },
    }
    reads = ()
    writes = {"numbers.median_v1": "median and count, in the unit of the numbers"}
    needs = ()
    verdicts = {
        "error": "the file cannot be read, or has something that is no number",
    }
    example = """
        - name: compute_median
          module: steps.compute_median
          args: {src: data/numbers.csv}
          success: {ctx_has_keys: [numbers.median_v1]}
    """

    def run(self, ctx, params):
        with exact_number():
            ctx.set("numbers.median_v1", middle(NumberFile(params["src"])))

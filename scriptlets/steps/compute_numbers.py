# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step compute_numbers of the first proposal: its recipes name it by this path."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet_support.number_file import NumberFile, exact_number
from ansible_collections.rack.recipes.plugins.modules.numbers_stats import describe
from rack_recipes import Scriptlet


class ComputeNumbers(Scriptlet):
    """Mean, variance, count, smallest and largest of the numbers in a file: the same as rack.recipes.numbers_stats."""

    options = {
        "src": {
            "type": "path",
            "required": True,
            "description": "A text file with numbers",
        },
    }
    reads = ()
    writes = {"numbers.stats_v1": "mean, variance, count, min and max, in the unit of the numbers"}
    needs = ()
    verdicts = {
        "error": "the file cannot be read, or has something that is no number",
    }
    example = """
        - name: compute_numbers
          module: steps.compute_numbers
          args: {src: data/numbers.csv}
          success: {ctx_has_keys: [numbers.stats_v1]}
    """

    def run(self, ctx, params):
        with exact_number():
            ctx.set("numbers.stats_v1", describe(NumberFile(params["src"])))

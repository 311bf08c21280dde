# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The share of each verdict, as one bar."""

from __future__ import annotations

from markupsafe import Markup

from rack_recipes.report.charts.svg_elements import WIDTH, element, picture
from rack_recipes.report.table_model import Table
from rack_recipes.report.verdict_styles import style_of


def proportions(counts: Table) -> Markup:
    """One bar, divided by the shares of the verdicts."""
    parts, left = [], 0.0
    for verdict, results, share in counts.rows:
        width = share / 100 * WIDTH
        said = element("title", f"{verdict}: {results:,} ({share:.3g} %)")
        place = {"x": f"{left:.2f}", "y": 0, "width": f"{width:.2f}", "height": 14}
        parts.append(element("rect", said, **place, class_=f"v-{style_of(verdict)}"))
        left += width
    summary = ", ".join(f"{row[1]:,} {row[0]}" for row in counts.rows)
    title = f"Results by verdict: {summary}"
    return picture("proportions", WIDTH, 14, title, *parts, preserveAspectRatio="none")

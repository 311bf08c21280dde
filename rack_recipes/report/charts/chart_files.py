# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Charts as files that stand alone: SVG with its own style, and PNG drawn from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rack_recipes.errors import UsageError
from rack_recipes.report.charts.chart_model import Chart
from rack_recipes.report.charts.chart_style import FONT, plain_css, standalone_css

NAMESPACE = "http://www.w3.org/2000/svg"
PNG_ZOOM = 2
"""Pixels of a PNG for each pixel of the SVG, so that it is sharp on paper too."""


def svg(chart: Chart) -> str:
    """The chart as an SVG file; its colours follow the reader's wish for light or dark."""
    return _with_style(chart, standalone_css())


def png(chart: Chart) -> bytes:
    """The chart as a light PNG. Raises UsageError where the package that draws it is missing."""
    try:
        from resvg_py import svg_to_bytes
    except ImportError as error:
        raise UsageError(f"a PNG cannot be drawn: {error}: `pip install rack-recipes[png]` brings it") from error
    # Shapes alone would be drawn without any font, so a missing one is not an error there.
    return bytes(svg_to_bytes(svg_string=_with_style(chart, plain_css()), zoom=PNG_ZOOM))


def _with_style(chart: Chart, css: str) -> str:
    head, _end, rest = chart.svg.partition(">")
    style = f"<style>.chart{{font:12px {FONT}}}{css}</style>"
    paper = '<rect class="paper" width="100%" height="100%"></rect>'
    return f'{head} xmlns="{NAMESPACE}">{style}{paper}{rest}\n'


WRITERS: dict[str, Callable[[Chart], str | bytes]] = {".svg": svg, ".png": png}
"""For each ending of a file's name what its content is."""


def write(chart: Chart, path: Path) -> None:
    """Write a chart to a file, as the ending of its name says.

    Raises UsageError for another ending, for a missing package, and for a file that cannot be written.
    """
    if path.suffix.lower() not in WRITERS:
        raise UsageError(f"expected a file that ends with {' or '.join(WRITERS)}, got {str(path)!r}")
    content = WRITERS[path.suffix.lower()](chart)
    try:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    except OSError as error:
        raise UsageError(f"the chart cannot be written to {path}: {error.strerror or error}") from error

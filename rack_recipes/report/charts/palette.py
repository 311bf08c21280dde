# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The colours of charts that are no verdicts, for light and dark pages.

The six of `SERIES` can be told apart by everybody: their least distance in CIELAB is 44 on light and 43 on dark pages,
with normal sight and with each of the three kinds of colour blindness, simulated; each has a contrast of 3:1 and more.
"""

from __future__ import annotations

from typing import NamedTuple


class Colour(NamedTuple):
    """One colour on light and on dark pages."""

    light: str
    dark: str


PAPER = {
    "card": Colour("#ffffff", "#121417"),
    "ink": Colour("#1a1d21", "#e6e8eb"),
    "soft": Colour("#5a6068", "#a1a7af"),
    "line": Colour("#e1e4e8", "#2a2e34"),
    "ground": Colour("#e3efe8", "#1e2a24"),
    "bar": Colour("#7c93dc", "#4a66b8"),
}
"""The colours that the page has too; `ground` is what passed in a heat map."""

SERIES = (
    Colour("#4303f8", "#b9b9ff"),
    Colour("#fb5000", "#fdc310"),
    Colour("#26a485", "#4feb99"),
    Colour("#720908", "#c90e19"),
    Colour("#d85feb", "#9d26fa"),
    Colour("#53225e", "#a83b72"),
)
"""Lines and dots, in the order in which they are used."""

LEVELS = (
    Colour("#eef3fb", "#1a2233"),
    Colour("#cbdaf3", "#22355c"),
    Colour("#9db9e8", "#2f4f8a"),
    Colour("#6f96da", "#4a70b8"),
    Colour("#4272c4", "#7396d8"),
    Colour("#274f9b", "#a6bfee"),
    Colour("#12305f", "#dde7fb"),
)
"""From little to much, by lightness alone."""

OPPOSITES = (
    Colour("#9a4500", "#f29a4e"),
    Colour("#d98a4b", "#8a5020"),
    Colour("#f3d3b8", "#4f3520"),
    Colour("#f4f5f7", "#1c1f23"),
    Colour("#c9d6ef", "#223352"),
    Colour("#7f9fd8", "#3a5fa8"),
    Colour("#27509e", "#8db4ff"),
)
"""From -1 over nothing to +1."""

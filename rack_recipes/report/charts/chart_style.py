# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The style sheet of charts: for pages, and for pictures that stand alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from rack_recipes.report.charts.palette import LEVELS, OPPOSITES, PAPER, SERIES, Colour

STYLE_SHEET = Path(__file__).with_name("charts.css")
_NAME = re.compile(r"var\(--([a-z0-9-]+)\)")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"


@cache
def colours() -> Mapping[str, Colour]:
    """Every colour of a chart by its name in the style sheet."""
    named = {"s": SERIES, "l": LEVELS, "o": OPPOSITES}
    lists = {
        f"{letter}-{place}": colour
        for letter, several in named.items()
        for place, colour in enumerate(several, 1 if letter == "s" else 0)
    }
    return {**PAPER, **lists, **{name: Colour(own.light, own.dark) for name, own in VERDICTS.items()}}


def page_css() -> str:
    """The rules for a page, and the colours that it does not have from its own style sheet, dark ones too."""
    own = {name: colour for name, colour in colours().items() if name not in PAPER and name not in VERDICTS}
    light = "".join(f"--{name}:{colour.light};" for name, colour in own.items())
    dark = "".join(f"--{name}:{colour.dark};" for name, colour in own.items())
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}{rules()}"


@cache
def rules() -> str:
    """The rules, with colours by name: those of the file, and one for each verdict, line and level."""
    text = _COMMENT.sub("", STYLE_SHEET.read_text(encoding="utf-8"))
    verdicts = (f".chart .v-{name}{{fill:var(--{name})}}" for name in VERDICTS)
    lines = (
        f".chart .s-{n}{{stroke:var(--s-{n})}}.chart .f-{n}{{fill:var(--s-{n})}}" for n in range(1, len(SERIES) + 1)
    )
    levels = (
        f".chart .{letter}-{n}{{fill:var(--{letter}-{n})}}"
        for letter, several in (("l", LEVELS), ("o", OPPOSITES))
        for n in range(len(several))
    )
    return " ".join(text.split()) + "".join([*verdicts, *lines, *levels])


def plain_css(*, dark: bool = False) -> str:
    """The rules with the colours themselves, for programs that know no custom properties."""
    values = {name: colour.dark if dark else colour.light for name, colour in colours().items()}
    return _NAME.sub(lambda found: values[found[1]], rules())


def standalone_css() -> str:
    """The rules for a picture that stands alone: light, and dark where its reader wants it."""
    return f"{plain_css()}@media (prefers-color-scheme:dark){{{plain_css(dark=True)}}}"

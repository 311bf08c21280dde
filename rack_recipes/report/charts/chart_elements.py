# SPDX-License-Identifier: GPL-3.0-or-later

"""What charts are made of.

The model of a chart, SVG elements, colours for light and dark pages, and the style sheet.

The six of `SERIES` can be told apart by everybody: their least distance in CIELAB is 44 on light and 43 on dark pages,
with normal sight and with each of the three kinds of colour blindness, simulated; each has a contrast of 3:1 and more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeGuard

from markupsafe import Markup, escape

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import VERDICTS
from rack_recipes.report.format_values import custom_properties, visible
from rack_recipes.report.table_model import Table


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: `svg` is one SVG element for a page that has the style sheet of `page_css`.

    `figures` has the figures of the picture, for those who cannot see it and for those who want to know exactly.
    """

    svg: Markup
    figures: Table


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is measured, and in which unit; the unit is empty where there is none."""

    name: str
    unit: str = ""

    @property
    def label(self) -> str:
        """The text of an axis."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


LARGEST = 1e300
"""Larger numbers are not drawn: the distance of two of them is no number any more."""


def is_drawable(value: object) -> TypeGuard[float]:
    """Whether a value is a finite number that has a place on an axis."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


class Limit(NamedTuple):
    """A limit on a value, as a criterion has it: `word` is max, min, warn max, within."""

    word: str
    value: float


def limits_of(criterion: Mapping[str, object]) -> list[Limit]:
    """The limits of a measurement's criterion that are numbers; a tolerance has two ends."""
    return [limit for word, bound in criterion.items() for limit in _limits(word, bound)]


def _limits(word: str, bound: object) -> Sequence[Limit]:
    if word == "warn" and isinstance(bound, dict):
        return [Limit(f"warn {limit.word}", limit.value) for limit in limits_of(bound)]
    if isinstance(bound, dict):
        return _ends(word, bound)
    return [Limit(word, float(bound))] if is_drawable(bound) else []


def _ends(word: str, tolerance: Mapping[str, object]) -> Sequence[Limit]:
    of, by, percent = (tolerance.get(name) for name in ("of", "by", "percent"))
    if is_drawable(of) and is_drawable(percent):
        by = of * percent / 100
    return [Limit(word, of - abs(by)), Limit(word, of + abs(by))] if is_drawable(of) and is_drawable(by) else []


WIDTH = 1120
"""The width of a chart that fills the page, in pixels."""
LETTER = 7.3
"""The width of a letter of a label in pixels."""
LABEL_LETTERS = 30


def element(name: str, *content: str, **attributes: object) -> Markup:
    """One SVG element; content and attribute values are escaped unless they are markup already."""
    pairs = "".join(f' {key.strip("_").replace("_", "-")}="{_harmless(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{pairs}>{''.join(map(_harmless, content))}</{name}>")


def _harmless(value: object) -> Markup:
    return value if isinstance(value, Markup) else escape(visible(str(value)))


def label(text: str, letters: int = LABEL_LETTERS) -> str:
    """The text of a label; of a text that is too long, its beginning and its end."""
    plain = visible(text).replace("\n", "⏎")
    half = (letters - 1) // 2
    return plain if len(plain) <= letters else f"{plain[:half]}…{plain[-half:]}"


def label_width(texts: Iterable[str]) -> float:
    """The pixels that the longest of these labels needs."""
    return max((len(label(text)) for text in texts), default=0) * LETTER + 10


def dot(said: str, x: float, y: float, css: str) -> Markup:
    """A value as a dot; `said` is shown where somebody points at it."""
    return element("circle", element("title", said), cx=f"{x:.1f}", cy=f"{y:.1f}", r=3, class_=f"dot {css}")


def picture(css: str, width: float, height: float, title: str, *content: str, **attributes: str) -> Markup:
    """A whole picture; `title` says in words what it shows. One with links in it has another `role` than img."""
    return element(
        "svg", element("title", title), *content,
        class_=f"chart {css}", width=f"{width:.0f}", height=f"{height:.0f}",
        viewBox=f"0 0 {width:.0f} {height:.0f}", **{"role": "img", **attributes},
    )  # fmt: skip


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
    return custom_properties(own) + rules()


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

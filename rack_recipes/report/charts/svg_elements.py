# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Elements of SVG text. All text in them is escaped and harmless; colours are set by class, never here."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

from rack_recipes.report.format_values import visible

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


def picture(css: str, width: float, height: float, title: str, *content: str, **attributes: str) -> Markup:
    """A whole picture; `title` says in words what it shows."""
    return element(
        "svg", element("title", title), *content,
        class_=f"chart {css}", width=f"{width:.0f}", height=f"{height:.0f}",
        viewBox=f"0 0 {width:.0f} {height:.0f}", role="img", **attributes,
    )  # fmt: skip

# SPDX-License-Identifier: GPL-3.0-or-later

"""How light a colour is, and how well two of them can be told apart (WCAG 2.2)."""

from __future__ import annotations


def linear(colour: str) -> list[float]:
    """Red, green and blue as parts of the light."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def luminance(colour: str) -> float:
    """From 0 for black to 1 for white."""
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def contrast(one: str, other: str) -> float:
    """From 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)

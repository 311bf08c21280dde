# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits that a scriptlet takes as arguments: a number is judged if it has one, and is measured in any case."""

from __future__ import annotations

MANY = 1_000_000


def limits(params, names=("min", "max")):
    """Those of the limits that are given, as `ctx.check` takes them."""
    return {name: params[name] for name in names if params[name] is not None}


def judge(ctx, name, value, unit="", **given):
    """Record a value, and judge it if one of the limits is not None. Returns the verdict, `passed` without limits."""
    known = {word: limit for word, limit in given.items() if limit is not None}
    if known:
        return ctx.check(name, value, unit, **known)
    ctx.measure(name, value, unit)
    return "passed"


def in_words(given):
    """Limits for a message: `at least 1, at most 5`."""
    words = {"min": "at least", "max": "at most"}
    return ", ".join(f"{words[name]} {amount(limit)}" for name, limit in given.items())


def amount(value):
    """A number for a message, a large one with all its digits: `0.25`, `13016.9`, `90,000,000`."""
    return f"{value:g}" if abs(value) < MANY else f"{value:,.10g}"

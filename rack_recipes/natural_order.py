# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which people read names with numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any


@lru_cache(maxsize=10_000)
def natural(text: str) -> tuple[Sequence[str | int], str]:
    """A sort key by which r2 comes before r10, and the instance a[1] before a[1#2]."""
    parts = re.split(r"([0-9]{1,18})", text.replace("]", ""))
    return [int(part) if odd % 2 else part for odd, part in enumerate(parts)], text


def natural_places[Name](names: Iterable[Name], key: Callable[[Name], Any] = natural) -> dict[Name, int]:
    """The place of each name in natural order, or in the order of `key`. It is made once for each of many rows."""
    return {name: place for place, name in enumerate(sorted({*names}, key=key))}


def in_order_of[Row](rows: Sequence[Row], keys: Iterable[object]) -> list[Row]:
    """The rows in the order of their keys; where these are equal, in their own."""
    return [row for _key, row in sorted(zip(keys, rows, strict=True), key=itemgetter(0))]

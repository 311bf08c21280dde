# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where every value and key of a file stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import Place
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.model import Path

KEY = -1  # behind the path of a value: the place of its key; no index, and no text that a file could hold

# Line, column and what is inside: a list's items, or a mapping's keys, each with the spots of the key and its value.
type Spot = tuple[int, int, Inside]
type Inside = list[Spot] | dict[str, tuple[Spot, Spot]] | None


@dataclass(frozen=True, slots=True)
class Places(Mapping[Path, Place]):
    """Line and column of every value and key of one file, by path.

    They are looked up in a tree that mirrors the data, since most are never asked for, and since a value that a
    recipe repeats by an alias stands in that tree once.
    """

    file: str
    root: Spot = field(repr=False)

    def __getitem__(self, path: Path) -> Place:
        line, column, _end = self.spot(path)
        return Place(self.file, line, column)

    def __iter__(self) -> Iterator[Path]:
        yield from paths(self.root, ())

    def __len__(self) -> int:
        return sum(1 for _path in self)

    def spot(self, path: Path) -> Spot:
        """What the reader knows of the value at a path; raises KeyError."""
        of_key: Spot | None = None
        spot = self.root
        for name in path:
            match spot[2]:
                case dict() as keys if isinstance(name, str) and name in keys:
                    of_key, spot = keys[name]
                case list() as items if isinstance(name, int) and 0 <= name < len(items):
                    of_key, spot = None, items[name]
                case _ if name == KEY and of_key:
                    spot, of_key = of_key, None
                case _:
                    raise KeyError(path)
        return spot


def paths(spot: Spot, path: Path) -> Iterator[Path]:
    """The path of what is at `spot`, and of all inside of it."""
    yield path
    match spot[2]:
        case list() as items:
            for index, item in enumerate(items):
                yield from paths(item, (*path, index))
        case dict() as keys:
            for key, (_place, value) in keys.items():
                yield (*path, key, KEY)
                yield from paths(value, (*path, key))

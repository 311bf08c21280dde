# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the gallery tells of one scriptlet, module, recipe or role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["scriptlet", "recipe", "role", "module"]


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a scriptlet, a parameter of a recipe, or a variable of a role.

    `default` is None where there is none. `source` says where the default is from. `choices` are the values that it
    takes, empty where it takes any of its type. A `secret` is shown nowhere.
    """

    name: str
    type: str = "str"
    unit: str = ""
    default: Any = None
    required: bool = False
    choices: tuple[Any, ...] = ()
    description: str = ""
    source: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class GalleryEntry:
    """One entry.

    `name` is what a user writes: a scriptlet's `module` (with `function` where its file has several), the path of a
    recipe, the full name of a role or module. `family` is the page that it stands on.
    `sentence` is what it does, `details` are more paragraphs. `arguments` is None where any are taken.
    `keys` maps each context key that it sets to what it holds, with units. `needs` is None where nothing is said.
    `verdicts` maps each verdict besides `passed` to when it is given.
    `example` is YAML, or for a recipe a command. `steps` are the name, module and hosts of each step of a recipe.
    """

    kind: Kind
    name: str
    family: str
    sentence: str
    path: Path
    source: Literal["project", "collection"]
    language: str = "YAML"
    function: str = ""
    details: str = ""
    scope: str = "host"
    arguments: tuple[Argument, ...] | None = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] | None = ()
    verdicts: Mapping[str, str] = field(default_factory=dict)
    example: str = ""
    steps: tuple[tuple[str, str, str], ...] = ()
    deprecated: str = ""

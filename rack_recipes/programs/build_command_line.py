# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a program gives, as words of the command line and as files that the command reads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import check_value, shortened
from rack_recipes.errors import UsageError

Inventory = str | os.PathLike[str] | Sequence[str]


def written(folder: Path, name: str, data: Mapping[str, Any]) -> str:
    """The path of a new file of JSON in a folder. Raises UsageError for what is no JSON, with its path from `name`."""
    try:
        text = json.dumps(check_value(dict(data), name), indent=1)
    except ValueError as error:
        raise UsageError(shortened(str(error))) from None
    path = folder / f"{name}.json"
    path.write_text(text, encoding="utf-8")
    return str(path)


def options_of(given: Mapping[str, Any]) -> Iterator[str]:
    """The words of the options that have a value; a list gives one option for each of its items."""
    for name, value in given.items():
        if value is True:
            yield f"--{name}"
        elif value:
            values = [value] if isinstance(value, str | os.PathLike) else value
            yield from (word for one in values for word in (f"--{name}", os.fspath(one)))

# SPDX-License-Identifier: GPL-3.0-or-later

"""Swap two values in a file of a virtual rack: what an inventory says wrongly, or what two cords do.

    python -I -m rack_recipes.lab.swap_values FILE PLACE OTHER

FILE is YAML or JSON; a place is the way to its value, such as `all.children.servers.hosts.server1.bmc_address`.
"""

from __future__ import annotations

import json
import sys
from functools import reduce
from pathlib import Path

import yaml

from rack_recipes.private_files import FILE_MODE


def swap(file: Path, place: str, other: str) -> None:
    """Swap the values at two places. Raises KeyError where there is no such place."""
    is_json = file.suffix == ".json"
    text = file.read_text(encoding="utf-8")
    held = json.loads(text) if is_json else yaml.safe_load(text)
    (*way, name), (*other_way, other_name) = place.split("."), other.split(".")
    one, two = (reduce(lambda part, key: part[key], each, held) for each in (way, other_way))
    one[name], two[other_name] = two[other_name], one[name]
    new = file.with_suffix(".new")
    new.touch(FILE_MODE)
    new.write_text(json.dumps(held) if is_json else yaml.safe_dump(held, sort_keys=False, width=120), encoding="utf-8")
    new.replace(file)


if __name__ == "__main__":
    swap(Path(sys.argv[1]), *sys.argv[2:4])

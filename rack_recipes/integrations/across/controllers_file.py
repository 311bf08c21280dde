# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that says which controllers share a run, how each is reached, and how the hosts are split between them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rack_recipes.errors import UsageError, nearest
from rack_recipes.recipe.recipe_model import Path as ValuePath
from rack_recipes.recipe.values_in_messages import shown
from rack_recipes.recipe.yaml.files_beside_recipes import Problem, placed, read_file, refuse, unknown

FIELDS = ("split", "controllers")
OF_CONTROLLER = ("name", "command", "hosts")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SPLIT = "a number of hosts above 0, or the name of a variable of the inventory such as rack"


@dataclass(frozen=True, slots=True)
class Controller:
    """A controller: `command` runs `ansible-runner worker` there, with its stdin and stdout.

    `hosts` is the pattern of those that it takes, empty where the file leaves that to `split`.
    """

    name: str
    command: tuple[str, ...]
    hosts: str = ""


@dataclass(frozen=True, slots=True)
class Controllers:
    """What the file says. `split` is how many hosts a part has at most, or the variable whose values stay together.

    Where it is None and no controller names its hosts, the parts are of one size.
    """

    path: str
    each: tuple[Controller, ...]
    split: int | str | None = None


def read_controllers(path: str, only: str = "") -> Controllers:
    """Read the file; with `only`, names with commas between them, without the other controllers. Raises UsageError.

    Who is asked for by name takes what is left of a run, and so any hosts.
    """
    document, _digest = read_file(path, "a mapping with a list of controllers")
    refuse(placed(document, _problems(document.data)))
    each = tuple(
        Controller(one["name"], tuple(_words(one["command"])), one.get("hosts", ""))
        for one in document.data["controllers"]
    )
    if not only:
        return Controllers(path, each, document.data.get("split"))
    known, wanted = [one.name for one in each], [name.strip() for name in only.split(",")]
    if wrong := next((name for name in wanted if name not in known), None):
        near = nearest(wrong, known)
        there = f"did you mean {near!r}?" if near else f"there are {', '.join(known)}"
        raise UsageError(f"--on: {path} has no controller {wrong!r}: {there}")
    return Controllers(path, tuple(replace(one, hosts="") for one in each if one.name in wanted))


def _problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    yield from unknown(data, FIELDS, ())
    split, found = data.get("split"), data.get("controllers")
    is_number = isinstance(split, int) and not isinstance(split, bool) and split > 0
    if "split" in data and not is_number and not (isinstance(split, str) and split.isidentifier()):
        yield ("split",), SPLIT, shown(split), ""
    if not isinstance(found, list) or not found:
        yield (
            (("controllers",) if "controllers" in data else ()),
            "a list of controllers, each with a name and a command",
            shown(found),
            "",
        )
        return
    names: set[str] = set()
    for number, entry in enumerate(found):
        yield from _of_entry(entry, ("controllers", number), names, is_split="split" in data)
    having = [isinstance(entry, dict) and "hosts" in entry for entry in found]
    if any(having) and not all(having):
        yield ("controllers", having.index(False)), "hosts, since other controllers here name theirs", "none", ""


def _of_entry(entry: Any, path: ValuePath, names: set[str], *, is_split: bool) -> Iterator[Problem]:
    if not isinstance(entry, dict):
        yield path, "a mapping with a name and a command", shown(entry), ""
        return
    yield from unknown(entry, OF_CONTROLLER, path)
    name, command = entry.get("name"), entry.get("command")
    place = (*path, "name") if "name" in entry else path
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield place, "a name of letters, digits, '.', '_' and '-'", shown(name), ""
    elif name in names:
        yield place, "a name that no other controller has", shown(name), ""
    else:
        names.add(name)
    if not _words(command):
        place = (*path, "command") if "command" in entry else path
        yield place, "a command such as `ssh rack@north.lab ansible-runner worker`", shown(command), ""
    if "hosts" in entry and (not isinstance(entry["hosts"], str) or not entry["hosts"].strip()):
        yield (*path, "hosts"), "a pattern of hosts, as --limit takes it", shown(entry["hosts"]), ""
    elif "hosts" in entry and is_split:
        yield (*path, "hosts"), "either hosts or split, which divides them by itself", "both", ""


def _words(command: Any) -> list[str]:
    """The words of a command, which is a text as for a shell, or a list of them; none where it is neither."""
    if isinstance(command, list):
        return command if command and all(isinstance(word, str) and word for word in command) else []
    try:
        return shlex.split(command) if isinstance(command, str) else []
    except ValueError:  # a quote without its end
        return []

# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible itself has warned of in a run whose output nobody sees: each warning once, with its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

import ansible

from rack_recipes.collection_path import ROOT

SAID = re.compile(r"^\[(WARNING|DEPRECATION WARNING|DEPRECATED)\]: (.+)(?:\nOrigin: (.+))?", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[\d;]*m")  # the user may have Ansible use colours in any case
OURS = "rack.recipes."  # how our own warnings begin: the journal has them
NOT_OF_THE_RUN = (
    "Deprecation warnings can be disabled",
    " is using the discovered Python interpreter at ",
    "Could not match supplied host pattern, ignoring: ",  # the launcher says it of a limit, the plan of a recipe
)
NAME = re.compile(r"[\w.-]+")
LONGEST = 300  # characters
CODE = (str(ROOT), str(Path(ansible.__file__).parent))
"""Deprecations with a place in these folders are for their authors."""


def ansible_warnings(log: Path, hosts: Collection[str]) -> Iterator[str]:
    """The warnings in the log of a run, a line each: what is said of several of its hosts once, with their number.

    Only the sentence and its place are taken: the lines of the file that Ansible shows beside it may hold secrets.
    """
    text = COLOUR.sub("", log.read_text(encoding="utf-8", errors="replace")) if log.exists() else ""
    found: dict[str, list[str]] = {}
    for kind, said, place in SAID.findall(text):
        is_for_authors = kind != "WARNING" and place.startswith(CODE)
        if not (said.startswith(OURS) or is_for_authors or any(word in said for word in NOT_OF_THE_RUN)):
            line = f"{said[:LONGEST].rstrip(' .')}{f' ({shown(place)})' if place else ''}"
            found.setdefault(NAME.sub(lambda name: "" if name[0] in hosts else name[0], line), []).append(line)
    for lines in found.values():
        yield f"Ansible: {lines[0]}{f', {len(lines)} times' if len(lines) > 1 else ''}"


def shown(place: str) -> str:
    """The place, without the path to the working folder."""
    return place.removeprefix(f"{Path.cwd()}/")

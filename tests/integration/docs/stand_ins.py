# SPDX-License-Identifier: GPL-3.0-or-later

"""Examples of the documentation become whole recipes, with stubs for the scriptlets of a rack that does not exist here.

An example may be only a part of a recipe: some steps, or some other fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rack_recipes.errors import CatalogError
from rack_recipes.recipe.catalog.find_scriptlet import find_scriptlet
from rack_recipes.recipe.yaml.reader import read

KEYS: Mapping[str, Any] = {
    "bios.version_v1": "1.0",
    "disk.temperature_v1": 61,
    "fan.rpm_v1": 5000,
    "host.clock_v1": 0.1,
    "host.name_v1": "leaf1",
    "host.uptime_sec_v1": 7200,
    "latency.mean_v1": 5,
    "latency.samples_v1": [3, 4, 5],
    "links.errors_v1": {"total": 0},
    "links.mode_v1": "trunk",
    "links.speed_v1": 10,
    "links.state_v1": "up",
    "links.up_v1": [{"name": "eth0"}, {"name": "eth1"}],
}
CHECK = {"name": "ran", "value": True, "eq": True}
PYTHON = """\
from rack_recipes import Scriptlet


class {name}(Scriptlet):
    def run(self, ctx, params):
        for key, value in {keys!r}.items():
            ctx.set(key, value)
        ctx.check("ran", True, eq=True)
"""
MERGE = "def merge(key, base, theirs, ours):\n    return ours\n"
SHELL = "cat <<'END'\n{envelope}\nEND\n"
GIVEN = {"name": "given", "idx": 0, "module": "stand_in.given", "writes": [*KEYS]}


def provide(recipe: Mapping[str, Any], project: Path) -> None:
    """Write a stub for each scriptlet of a recipe that is missing here, and for each merge hook."""
    for use in _uses(recipe):
        module, kind, function = use["module"], use.get("type", "python"), use.get("function", "")
        if kind != "ansible" and not _is_there(module, function, kind, project):
            path = project.joinpath("scriptlets", *module.split("."))
            path.parent.mkdir(parents=True, exist_ok=True)
            WRITERS["plain" if use.get("envelope") == "none" else kind](path, function)
    for policy in ((recipe.get("context") or {}).get("merge") or {}).values():
        kind, _space, name = policy.partition(" ")
        if kind == "hook":
            path = project.joinpath("scriptlets", *name.split(".")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(MERGE)


def _uses(recipe: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the steps and hooks of a recipe."""
    yield from (step for step in recipe["steps"] if "module" in step)
    for hooks in (recipe.get("hooks") or {}).values():
        yield from hooks


def _is_there(module: str, function: str, kind: str, project: Path) -> bool:
    try:
        return bool(find_scriptlet(module, function, kind, [project / "scriptlets"]))
    except CatalogError:
        return False


def _python(path: Path, function: str) -> None:
    path.with_suffix(".py").write_text(PYTHON.format(name=function or "StandIn", keys=dict(KEYS)))


def _shell(path: Path, _function: str) -> None:
    envelope = {"status": "ok", "outputs": KEYS, "checks": [CHECK]}
    path.with_suffix(".sh").write_text(SHELL.format(envelope=json.dumps(envelope)))
    path.with_suffix(".yml").write_text("description: A stand-in\n")


def _plain(path: Path, _function: str) -> None:
    """A script that prints no envelope, but what the documents' patterns find."""
    path.with_suffix(".sh").write_text("echo 'model F-1'; echo 'slowest: 4200 RPM'\n")


WRITERS = {"python": _python, "shell": _shell, "plain": _plain}


# What would take long, or needs what not every machine has, by what is run instead.
INSTEAD = (
    ("for_sec: 3600", "for_sec: 0.5"),
    ("count: 100}", "count: 3}"),
    ("processes: 100,", "processes: 100000,"),
    ("min_mbits: 9000", "min_mbits: 1"),
    ("become: true", "become: false"),
    ("sandbox: true", "sandbox: false"),
    ("sandbox: {network: true, write: [/var/tmp/results]}", "sandbox: false"),
    ("ansible.builtin.service, args: {name: lldpd, state: restarted}", "ansible.builtin.ping"),
)
OF_A_RACK = re.compile(r"\b(hosts|canary|serial|groups|quorum|settle_sec|site_name)\b|@")


def needs_rack(text: str) -> bool:
    """Whether an example needs several hosts."""
    return bool(OF_A_RACK.search(text))


def whole(text: str) -> dict[str, Any]:
    """The recipe: as it stands where it is one; of a part, with what comes before it and without a word on success."""
    for written, instead in INSTEAD:
        text = text.replace(written, instead)
    part = read((f"steps:\n{text}" if text.startswith("- ") else text).encode(), "example").data
    if "test_meta" in part:
        return part
    steps = [{"success": "none", **step} for step in part.get("steps", ())]
    return {"test_meta": {"test_id": "T-1"}, **part, "steps": [GIVEN, *steps]}


def values_for(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each parameter that needs one."""
    declared = (recipe.get("params") or {}).items()
    return {name: VALUES[spec.get("type", "str")] for name, spec in declared if "default" not in spec}


VALUES: Mapping[str, Any] = {"str": "a-long-word", "int": 1, "float": 1, "bool": True, "list": [], "dict": {}}

# SPDX-License-Identifier: GPL-3.0-or-later

"""Complete an example to a whole recipe. An example may be only a part of one: some steps, or some other fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.rack.recipes.tests.integration.docs.stub_scriptlets import GIVEN
from rack_recipes.recipe.yaml.reader import read

# What would take long, or needs what not every machine has, by what is run instead.
INSTEAD = (
    ("for_sec: 3600", "for_sec: 0.5"),
    ("count: 100}", "count: 3}"),
    ("processes: 100,", "processes: 100000,"),
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

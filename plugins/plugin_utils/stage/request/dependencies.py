# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a step waits for, as a compiled step says it, its name for people, and how many hosts it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import Dependency

Written = str | Mapping[str, Any]


def as_dependency(written: Written) -> Dependency:
    """A name, or `{step, hosts, quorum}` with what differs from the default."""
    if isinstance(written, str):
        return Dependency(str(written))
    hosts, quorum = str(written.get("hosts") or ""), written.get("quorum")
    return Dependency(str(written["step"]), "" if hosts == "same" else hosts, quorum)


def label_of(written: Written) -> str:
    """Such as `wire`, `wire on all hosts`, `wire on leafs`, `wire on 80% of all hosts`."""
    return labelled(as_dependency(written))


def labelled(needed: Dependency) -> str:
    """The same of one that was read."""
    if not needed.is_wide:
        return needed.step
    hosts = "all hosts" if needed.hosts in ("", "all") else needed.hosts
    share = "" if needed.quorum is None else f"{needed.quorum} of "
    return f"{needed.step} on {share}{hosts}"


def enough_of(needed: Dependency, hosts: int) -> int:
    """On how many of the hosts that it asks about it has to have passed; a share is rounded up."""
    quorum = hosts if needed.quorum is None else needed.quorum
    return math.ceil(hosts * float(quorum.rstrip("%")) / 100) if isinstance(quorum, str) else quorum


def too_few(needed: Dependency, hosts: int) -> str:
    """Why so many hosts are never enough; empty where they may be."""
    if not hosts:
        return f"no host of {needed.step} in this run matches {needed.hosts}"
    return f"this run has {hosts} of them" if enough_of(needed, hosts) > hosts else ""

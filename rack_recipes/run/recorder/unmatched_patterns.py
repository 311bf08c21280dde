# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of hosts and groups that a run was to have and the inventory does not know.

Ansible warns of them in its output, which few see, and runs on the others: a run over them alone looks good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ansible.inventory.manager import split_host_pattern

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import few
from rack_recipes.errors import MOST_NAMED, nearest
from rack_recipes.run.recorder.ansible_api import Resolve

NOT_CHOSEN = ("!", "&", "@")  # how parts begin that leave hosts out, and files with names


def unmatched_patterns(plays: Iterable[Any], limit: str, resolve_whole: Resolve) -> Iterator[str]:
    """A warning for the hosts of the plays, and one for --limit, where a part of a pattern matches no host.

    `resolve_whole` finds hosts in the whole inventory.
    """
    patterns = [play.hosts for play in plays if "{{" not in str(play.hosts)]
    for where, parts in (("the recipe's hosts", split_host_pattern(patterns)), ("--limit", split_host_pattern(limit))):
        names = (name for name in dict.fromkeys(parts) if not name.startswith(NOT_CHOSEN))
        lost = [name for name in names if not resolve_whole(name)]
        if lost:
            near = nearest(lost[0], [*resolve_whole("all")]) if len(lost) == 1 else ""
            hint = f" (did you mean {near!r}?)" if near else ""
            yield f"{where}: no host or group of the inventory is {few(lost, MOST_NAMED)}{hint}"

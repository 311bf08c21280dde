# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventories of a run. One that cannot be read is an error, unless Ansible is set otherwise.

Ansible alone would only warn, and a run over the hosts of the other inventories would look good.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from rack_recipes.errors import UsageError, nearest
from rack_recipes.settings import config_file, read_config

IS_AN_ERROR = "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"
NO_INVENTORY = re.compile(r"^\.|^(host_vars|group_vars|vars_plugins)$")  # what Ansible never reads in a folder


def unreadable_is_error(given: Sequence[str]) -> dict[str, str]:
    """The variable by which Ansible takes an inventory that it cannot read for an error.

    `given` are the inventories of the command; without any, those of Ansible's settings count. Where one of them is a
    folder the answer is empty, since not every file in a folder is an inventory. Raises UsageError for one that is not
    there or may not be looked at, and for a folder without any file.
    """
    is_set = os.environ.get(IS_AN_ERROR) or read_config().has_option("inventory", "any_unparsed_is_failed")
    sources = [Path(source).expanduser() for source in given if "," not in source] if given else _configured()
    if is_set or not (given or sources):
        return {}
    for source in sources:
        try:
            _check(source)
        except OSError as error:
            raise UsageError(f"the inventory {str(source)!r} cannot be read: {error.strerror}") from error
    return {} if any(source.is_dir() for source in sources) else {IS_AN_ERROR: "1"}


def _configured() -> list[Path]:
    """The inventories in the environment or ansible.cfg; a path in ansible.cfg is relative to that file."""
    named, file = os.environ.get("ANSIBLE_INVENTORY"), config_file()
    folder = file.parent if file and named is None else Path()
    names = named if named is not None else read_config().get("defaults", "inventory", fallback="")
    paths = (name.strip().replace("{{CWD}}", str(Path.cwd())) for name in names.split(","))
    return [folder / Path(os.path.expandvars(path)).expanduser() for path in paths if path]


def _check(source: Path) -> None:
    if not source.exists():
        raise UsageError(f"there is no inventory {str(source)!r}{_near(source)}")
    if source.is_dir() and all(NO_INVENTORY.search(one.name) for one in source.iterdir()):
        raise UsageError(f"the folder {str(source)!r} has no inventory: expected a file in it")


def _near(path: Path) -> str:
    """The name in the same folder that was probably meant, as the end of an error. The ends of names do not count."""
    known = {one.stem: one.name for one in path.parent.iterdir()} if path.parent.is_dir() else {}
    near = nearest(path.stem, [*known])
    return f" (did you mean {known[near]!r}?)" if near else ""

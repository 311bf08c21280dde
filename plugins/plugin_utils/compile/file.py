# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recipe compiled to a file, for Ansible to read."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.rack.recipes.plugins.plugin_utils import settings as project
from ansible_collections.rack.recipes.plugins.plugin_utils.compile.playbook import to_playbook
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.make import make_plan
from ansible_collections.rack.recipes.plugins.plugin_utils.plan.model import Plan
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.load import load


def plan_of(recipe: str) -> Plan:
    """The plan of a recipe file, with the scriptlets that this project's settings trust. Raises RackError."""
    return make_plan(load(recipe), tuple(map(Path, project.load().scriptlets)))


def compile_to_file(recipe: str) -> Path:
    """Compile `recipe`; returns the playbook's absolute path. The file is replaced whole. Raises RackError."""
    folder = Path(project.load().runs).parent / "compiled"
    target = folder / f"{Path(recipe).stem}.yml"
    text = to_playbook(plan_of(recipe))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = folder / f".{target.name}.{os.getpid()}"
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        raise UsageError(f"{target}: {error.strerror}") from error
    return target.absolute()

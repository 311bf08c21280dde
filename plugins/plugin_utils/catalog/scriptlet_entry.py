# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a scriptlet says of itself, read without running any of its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["python", "shell", "native"]


@dataclass(frozen=True, slots=True)
class ScriptletEntry:
    """One scriptlet in one trusted folder.

    `name` is what a recipe writes as `module` in its shortest form: `rack.recipes.numbers_stats` for a published
    one, `steps.compute_numbers` for the drop-in `scriptlets/steps/compute_numbers.py`.
    `inside` is the file's path inside the payload that travels to the host, e.g.
    `ansible_collections/rack/recipes/plugins/modules/numbers_stats.py` or `scriptlets/steps/compute_numbers.py`.
    `options` is an Ansible argument spec, None where the scriptlet declares none and takes anything.
    `reads` None means "not declared": it may read any key.
    `scope` "run" marks one that is meant for steps with `scope: run`.
    `flags` are for the compiler of a C source.
    `digest` is `sha256:<hex>` of the code and of its sidecar.
    `deprecated` says what to use instead of one that should not be used any more.
    """

    name: str
    kind: Kind
    path: Path
    inside: str
    source: Literal["project", "collection"]
    description: str = ""
    function: str = ""
    options: Mapping[str, Any] | None = None
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] = ()
    digest: str = ""
    flags: tuple[str, ...] = ()
    scope: Literal["host", "run"] = "host"
    deprecated: str = ""

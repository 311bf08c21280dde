# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalog's entry of a scriptlet, read without running any of its code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["python", "shell", "native"]


@dataclass(frozen=True, slots=True)
class ScriptletEntry:
    """One scriptlet in one trusted folder.

    `name` is the shortest form of what a recipe writes as `module`: `rack.recipes.numbers_stats` for a published
    scriptlet, `steps.compute_numbers` for the drop-in `scriptlets/steps/compute_numbers.py`.
    `inside` is the path of the file in the payload that is sent to a host, such as
    `ansible_collections/rack/recipes/plugins/modules/numbers_stats.py` or `scriptlets/steps/compute_numbers.py`.
    `function` is the name of the class in a Python file.
    `options` is an Ansible argument spec. None means that the scriptlet declares no options and takes any argument.
    `reads` are the context keys that it may read. None means that it declares none and may read any key.
    `writes` are the context keys that it may set.
    `scope` is "run" for a scriptlet that is meant for steps with `scope: run`.
    `reads_results` is whether it reads the results of its run. `reads_history` are the measurements and keys of which
    it reads what they were in earlier runs.
    `live` is whether it uses the live bus.
    `flags` are options of the compiler, for a C source.
    `patterns` has, by key, the pattern that finds its value in what is printed; None where an envelope is printed.
    `digest` is `sha256:<hex>` of the file and of its sidecar.
    `deprecated` names what to use instead of a deprecated scriptlet.
    What is there for readers: `holds` says of keys in `writes` what they hold, with units; `needs` are tools, devices
    and rights; `verdicts` says when a step gets which verdict besides `passed`; `example` are steps of a recipe (YAML).
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
    patterns: Mapping[str, Mapping[str, Any]] | None = None
    scope: Literal["host", "run"] = "host"
    reads_results: bool = False
    reads_history: tuple[str, ...] = ()
    live: bool = False
    deprecated: str = ""
    holds: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] | None = None
    verdicts: Mapping[str, str] = field(default_factory=dict)
    example: str = ""

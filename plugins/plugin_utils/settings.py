# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings, each under one name in three forms.

An extra var `rack_recipes_<name>` wins over the environment's `RACK_RECIPES_<NAME>`, which wins over `<name>` in
ansible.cfg's section `[rack_recipes]`. Lists are separated by colons, as in PATH.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError

SECTION = "rack_recipes"
MEANING: dict[str, str] = {
    "db": "URL of the store",
    "runs": "folder of the run folders",
    "scriptlets": "trusted folders of drop-in scriptlets, before the collection's own",
    "flush_interval": "seconds between two flushes of a longer run into the store",
    "store_timeout": "seconds to wait for the store at the end of a run",
    "reconnect_timeout": "seconds for which a host and its controller wait for each other",
    "slots": "how many parallel steps a host runs at once",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a project can set; times are in seconds."""

    db: str = "sqlite:///.rack-recipes/results.db"
    runs: str = ".rack-recipes/runs"
    scriptlets: tuple[str, ...] = ("scriptlets",)
    flush_interval: float = 10.0
    store_timeout: float = 60.0
    reconnect_timeout: float = 120.0
    slots: int = 4


def load(extra_vars: Mapping[str, Any] | None = None) -> Settings:
    """The settings in force in this folder. Raises UsageError for a value of the wrong kind."""
    sources = (
        {name.removeprefix(f"{SECTION}_"): value for name, value in (extra_vars or {}).items()},
        {name: os.environ[variable] for name in MEANING if (variable := f"{SECTION}_{name}".upper()) in os.environ},
        _configured(),
    )
    given = {name: source[name] for source in reversed(sources) for name in MEANING if name in source}
    return Settings(**{name: _convert(name, value) for name, value in given.items()})


def config_file() -> Path | None:
    """The ansible.cfg that Ansible itself would read here."""
    candidates = (os.environ.get("ANSIBLE_CONFIG"), "ansible.cfg", "~/.ansible.cfg", "/etc/ansible/ansible.cfg")
    paths = (Path(candidate).expanduser() for candidate in candidates if candidate)
    return next((path for path in paths if path.is_file()), None)


def read_config() -> configparser.ConfigParser:
    """Ansible's configuration file, empty where there is none."""
    parser = configparser.ConfigParser(inline_comment_prefixes=(";",), interpolation=None, strict=False)
    path = config_file()
    try:
        if path is not None:
            parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as an ini file: {error}") from error
    return parser


def _configured() -> dict[str, str]:
    parser = read_config()
    return dict(parser[SECTION]) if parser.has_section(SECTION) else {}


def _convert(name: str, value: Any) -> Any:
    kind = next(str(field.type) for field in fields(Settings) if field.name == name)
    try:
        return KINDS[kind](value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"setting {name} ({MEANING[name]}): expected a number, got {value!r}") from error


def _paths(value: Any) -> tuple[str, ...]:
    return tuple(part for part in (value.split(":") if isinstance(value, str) else value) if part)


KINDS: dict[str, Callable[[Any], Any]] = {"str": str, "float": float, "int": int, "tuple[str, ...]": _paths}

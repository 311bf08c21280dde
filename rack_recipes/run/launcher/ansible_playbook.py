# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`ansible-playbook` as a child of the command: its arguments, its environment, its start and end."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rack_recipes.collection_path import ROOT
from rack_recipes.run import own_command
from rack_recipes.run.launcher.choose_forks import forks_in, room_here
from rack_recipes.run.launcher.inventory_sources import unreadable_is_error
from rack_recipes.run.launcher.start_ansible_early import KEEP_WRITING
from rack_recipes.run.run_ids import RUN_ID
from rack_recipes.run.run_signals import HANDLE_SIGNALS, ending_blocked
from rack_recipes.settings import SECTION, config_file, read_config

RECORDER = "rack.recipes.recorder"
FORKS_OPTION = ("-f", "--fork")  # how arguments with it begin
# As in `start_ansible_early`, no plugins come from a working folder that everybody may write to.
PROGRAM = f"""{HANDLE_SIGNALS}{KEEP_WRITING}
keep_writing()
import os, runpy
if os.stat(".").st_mode & 2:
    from ansible.plugins.loader import shell_loader
    shell_loader.config = []
runpy.run_module("ansible", run_name="__main__", alter_sys=True)
"""
TICK = 0.1  # seconds between two looks at the journal


@dataclass(frozen=True, slots=True)
class PlaybookCommand:
    """A call of `ansible-playbook`; `more` are arguments that the user gave for it."""

    playbook: Path
    run_id: str
    inventories: Sequence[str] = ()
    limit: str | None = None
    forks: int | None = None
    extra_vars: Sequence[str] = ()
    verbose: int = 0
    more: Sequence[str] = ()


def arguments(command: PlaybookCommand) -> list[str]:
    """The arguments of `ansible-playbook`. Without any inventory the run is on this machine."""
    line = [str(command.playbook)]
    line += [part for inventory in command.inventories for part in ("--inventory", inventory)]
    if is_here_only(command):
        python = json.dumps({"ansible_python_interpreter": sys.executable})
        line += ["--inventory", "localhost,", "--connection", "local", "--extra-vars", python]
    line += ["--limit", command.limit] if command.limit else []
    line += ["--forks", str(forks_of(command).number)]
    line += [part for given in command.extra_vars for part in ("--extra-vars", given)]
    line += ["-" + "v" * (command.verbose - 1)] if command.verbose > 1 else []
    return [*line, *command.more]


@dataclass(frozen=True, slots=True)
class Forks:
    """How many hosts at once. `reason` says how the number was chosen, empty where the user has set it."""

    number: int
    reason: str = ""


def forks_of(command: PlaybookCommand) -> Forks:
    """The user's choice, on the command line or in Ansible's settings; without one, what this machine has room for."""
    configured = _configured("forks")
    if command.forks or configured.isdigit():
        return Forks(command.forks or int(configured))
    room = room_here()
    is_given = any(argument.startswith(FORKS_OPTION) for argument in command.more)
    return Forks(forks_in(room), "" if is_given else str(room))


def is_here_only(command: PlaybookCommand) -> bool:
    """Whether no inventory is given, so that the run is on this machine."""
    return not command.inventories and not _has_inventory(command.more)


def environment(run_id: str, inventories: Sequence[str] = ()) -> dict[str, str]:
    """Ansible's environment in a run: it finds this copy of the collection first, and the recorder is enabled.

    Raises UsageError for inventories that are not there.
    """
    env = own_command.environment()
    enabled = [name.strip() for name in _configured("callbacks_enabled").split(",") if name.strip()]
    env["ANSIBLE_CALLBACKS_ENABLED"] = ",".join(dict.fromkeys([*enabled, RECORDER]))
    env["ANSIBLE_COLLECTIONS_PATH"] = f"{ROOT}:{_collections_path()}"
    env |= unreadable_is_error(inventories)
    env[RUN_ID] = run_id
    return env


def start(command: PlaybookCommand) -> subprocess.Popen[bytes]:
    """Start Ansible with its output on stderr, where people see it."""
    line = [*own_command.PYTHON, "-c", PROGRAM, "playbook", *arguments(command)]
    env = environment(command.run_id, command.inventories)
    with ending_blocked():
        return subprocess.Popen(line, env=env, stdin=subprocess.DEVNULL, stdout=2, stderr=subprocess.STDOUT)


def follow(child: subprocess.Popen[bytes], tick: Callable[[], None]) -> int:
    """Wait for Ansible's end and call `tick` meanwhile; returns its exit code, negative for a signal."""
    while True:
        try:
            return child.wait(TICK)
        except subprocess.TimeoutExpired:
            tick()


def extra_vars(given: Sequence[str]) -> dict[str, Any]:
    """The variables of those -e arguments that may hold our settings.

    What cannot be read is left out: Ansible reports it.
    """
    texts = (text for text in given if text.startswith("@") or SECTION in text)
    return {name: value for text in texts for name, value in _parsed(text).items()}


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        if text.startswith(("@", "{")):
            data = yaml.safe_load(Path(text[1:]).expanduser().read_bytes() if text.startswith("@") else text)
        else:
            data = dict(word.split("=", 1) for word in shlex.split(text) if "=" in word)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return data if isinstance(data, Mapping) else {}


def _has_inventory(more: Sequence[str]) -> bool:
    given = any(argument.startswith(("-i", "--inv")) for argument in more)
    return given or bool(_configured("inventory"))


def _configured(option: str) -> str:
    """The value of one of Ansible's options in the environment or ansible.cfg, empty where it is not set."""
    return os.environ.get(f"ANSIBLE_{option.upper()}") or read_config().get("defaults", option, fallback="") or ""


def _collections_path() -> str:
    """The folders of other collections; a path in ansible.cfg is relative to that file."""
    default = "~/.ansible/collections:/usr/share/ansible/collections"
    config = config_file()
    if os.environ.get("ANSIBLE_COLLECTIONS_PATH") or config is None:
        return os.environ.get("ANSIBLE_COLLECTIONS_PATH") or default
    paths = filter(None, _configured("collections_path").split(":"))
    return ":".join(str(config.absolute().parent / Path(path).expanduser()) for path in paths) or default

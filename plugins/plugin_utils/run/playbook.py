# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible as a child of the command line: its arguments, its environment, its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ansible_collections.rack.recipes.plugins.plugin_utils.run.ids import RUN_ID
from ansible_collections.rack.recipes.plugins.plugin_utils.settings import read_config

ROOT = str(Path(__file__).parents[6])
RECORDER = "rack.recipes.recorder"
TICK = 0.1  # seconds between two looks at the journal


@dataclass(frozen=True, slots=True)
class Invocation:
    """What `ansible-playbook` is asked."""

    playbook: Path
    run_id: str
    inventories: Sequence[str] = ()
    limit: str | None = None
    forks: int | None = None
    extra_vars: Sequence[str] = ()
    db: str | None = None
    verbose: int = 0
    more: Sequence[str] = ()


def command(asked: Invocation) -> list[str]:
    """The command line of Ansible. Without any inventory the run is about this machine."""
    line = [sys.executable, "-m", "ansible", "playbook", str(asked.playbook)]
    line += [part for inventory in asked.inventories for part in ("--inventory", inventory)]
    if not asked.inventories and not _has_inventory():
        python = json.dumps({"ansible_python_interpreter": sys.executable})
        line += ["--inventory", "localhost,", "--connection", "local", "--extra-vars", python]
    line += ["--limit", asked.limit] if asked.limit else []
    line += ["--forks", str(asked.forks or _forks())]
    line += [part for given in asked.extra_vars for part in ("--extra-vars", given)]
    line += ["-" + "v" * (asked.verbose - 1)] if asked.verbose > 1 else []
    return [*line, *asked.more]


def environment(asked: Invocation) -> dict[str, str]:
    """Ansible's environment: this collection before any other copy, and the recorder beside what is configured."""
    env = dict(os.environ)
    config = read_config()
    callbacks = env.get("ANSIBLE_CALLBACKS_ENABLED") or config.get("defaults", "callbacks_enabled", fallback="")
    enabled = [name.strip() for name in callbacks.split(",") if name.strip()]
    paths = env.get("ANSIBLE_COLLECTIONS_PATH") or config.get("defaults", "collections_path", fallback="")
    default = "~/.ansible/collections:/usr/share/ansible/collections"
    env["ANSIBLE_CALLBACKS_ENABLED"] = ",".join(dict.fromkeys([*enabled, RECORDER]))
    env["ANSIBLE_COLLECTIONS_PATH"] = f"{ROOT}:{paths or default}"
    env[RUN_ID] = asked.run_id
    if asked.db:
        env["RACK_RECIPES_DB"] = asked.db
    return env


def run_ansible(asked: Invocation, output: IO[bytes] | None, tick: Callable[[], None]) -> int:
    """Run Ansible to its end and call `tick` meanwhile; returns its exit code, negative for a signal."""
    child = subprocess.Popen(
        command(asked), env=environment(asked), stdin=subprocess.DEVNULL, stdout=output or 2, stderr=subprocess.STDOUT
    )
    with _signals_passed_on(child):
        while True:
            try:
                return child.wait(TICK)
            except subprocess.TimeoutExpired:
                tick()


@contextmanager
def _signals_passed_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ansible decides what a signal means for the run; the command waits for it, then tells how it ended."""
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),  # the terminal sends it to both
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda number, _frame: child.send_signal(number)),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_inventory() -> bool:
    return bool(os.environ.get("ANSIBLE_INVENTORY") or read_config().get("defaults", "inventory", fallback=""))


def _forks() -> int:
    """Enough for all hosts of a rack at once: a stage waits for its slowest host, not for a free fork."""
    configured = os.environ.get("ANSIBLE_FORKS") or read_config().get("defaults", "forks", fallback="")
    return int(configured) if configured.isdigit() else 64

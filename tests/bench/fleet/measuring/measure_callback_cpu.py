# SPDX-License-Identifier: GPL-3.0-or-later

"""`ansible-playbook` that also says what CPU one callback used: `measure_callback_cpu.py FILE CALLBACK [ARGUMENT ...]`.

This file is a script. It adds up the CPU time of the threads of Ansible's main process while they load the callback and
call its hooks, and of the processes that a hook waits for. It writes the seconds to FILE, as JSON.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.cli.playbook import PlaybookCLI
from ansible.plugins.loader import callback_loader

OWN_HOOKS = ("__init__", "set_options")


class Meter:
    """Adds up the CPU of stretches of code; a stretch inside another one counts once."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._inside = threading.local()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Measure the code of the block."""
        if getattr(self._inside, "yes", False):
            yield
            return
        self._inside.yes, started = True, used()
        try:
            yield
        finally:
            self.seconds.append(used() - started)
            self._inside.yes = False

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that calls this one and measures its CPU time."""

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.taken():
                return call(*args, **kwargs)

        return wrapped


def used() -> float:
    """CPU seconds of this thread and of the child processes that have been waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.thread_time() + children.ru_utime + children.ru_stime


def account(callback: str, meter: Meter) -> None:
    """From now on, measure the loading of the callback and its hooks."""
    get = callback_loader.get

    def found(name: str, *args: Any, **kwargs: Any) -> Any:
        if name != callback:
            return get(name, *args, **kwargs)
        with meter.taken():
            plugin = get(name, *args, **kwargs)
        for hook, call in list(vars(plugin).items()):
            if hook.startswith("v2_") or hook in OWN_HOOKS:
                setattr(plugin, hook, meter.around(call))
        return plugin

    callback_loader.get = found


def write(path: Path, meter: Meter, main: int) -> None:
    """Write the sum to the file, but not when a forked worker ends."""
    if os.getpid() == main:
        path.write_text(json.dumps({"seconds": sum(meter.seconds), "hooks": len(meter.seconds)}) + "\n")


def main() -> None:
    """Run the playbook; ends as `ansible-playbook` does."""
    path, callback, *words = sys.argv[1:]
    meter = Meter()
    account(callback, meter)
    atexit.register(write, Path(path).absolute(), meter, os.getpid())
    PlaybookCLI.cli_executor(["ansible-playbook", *words])


if __name__ == "__main__":
    main()

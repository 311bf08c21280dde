# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The executor's own code, kept on a host that has run it: the next stage need not compile it again, 20 ms of CPU."""

from __future__ import annotations

import os
import sys
import time
from zipimport import zipimporter

from ansible_collections.rack.recipes.plugins.module_utils.executor.folders import remove

PREFIX = "code-"
UNUSED = 30 * 24 * 3600  # seconds after which code that nobody asked for again is removed


def add_payload(payload: str) -> None:
    """Let our packages be found in the payload too, wherever this code itself came from."""
    if payload in sys.path:
        return
    sys.path.append(payload)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "ansible_collections" and hasattr(module, "__path__"):
            module.__path__.append(os.path.join(payload, *name.split(".")))


def content_of(payload: str, name: str) -> bytes:
    """A file of the payload, read as imports read it."""
    return zipimporter(payload).get_data(os.path.join(payload, name))


def keep_code(base: str, payload: str, digest: str, files: list[str]) -> None:
    """Keep the payload's `files`, compiled, where the next start looks for them. Raises OSError."""
    from importlib.machinery import SourceFileLoader  # 1 ms, and only the first stage needs it

    folder = os.path.join(base, PREFIX + digest)
    if os.path.isdir(folder):
        os.utime(folder)
        return
    _remove_unused(base)
    part = f"{folder}.{os.getpid()}"
    for name in files:
        path = os.path.join(part, name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path, "wb") as file:
            file.write(content_of(payload, name))
        SourceFileLoader(name, path).get_code(name)
    try:
        os.rename(part, folder)  # whole at once: several hosts may be one machine
    except OSError:
        remove(part)


def _remove_unused(base: str) -> None:
    for entry in list(os.scandir(base)):
        if entry.name.startswith(PREFIX) and time.time() - entry.stat(follow_symlinks=False).st_mtime > UNUSED:
            remove(entry.path)

# SPDX-License-Identifier: GPL-3.0-or-later

"""Python's `logging` in a step's process. Only a scriptlet that logs, or a run with a log, imports this."""

from __future__ import annotations

import logging
import sys
import time

USUAL = "warning"  # the level of a run without one, as Python's own


def set_up(where: tuple[str, str, str], level: str) -> None:
    """Let the root logger write to stderr what has this level or a worse one, an empty one being the usual level.

    `where` are run, step and host. Handlers that the scriptlet has set up itself stay as they are.
    """
    root = logging.getLogger()
    if level or not root.handlers:
        root.setLevel((level or USUAL).upper())
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Lines(f"[{' '.join(word or '-' for word in where)}]"))
        root.addHandler(handler)


class _Lines(logging.Formatter):
    """Formats `2026-11-25T14:44:31.123Z WARNING scriptlets.link.errors [RUN STEP HOST] text`."""

    converter = staticmethod(time.gmtime)

    def __init__(self, where: str) -> None:
        form = f"%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s {where.replace('%', '%%')} %(message)s"
        super().__init__(form, "%Y-%m-%dT%H:%M:%S")

# SPDX-License-Identifier: GPL-3.0-or-later

"""A scriptlet that takes all memory of a host, up to some GB on one that has more."""

import os
import time

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet

MEBIBYTE = 1024 * 1024
MOST = 2000
PATIENCE = 30  # seconds


class Eats(Scriptlet):
    """Takes memory; before that it may have the kernel rather kill the executor, of a stage that has gone on a while."""

    options = {"executor": {"type": "bool", "default": False}}

    def run(self, ctx, params):
        if params["executor"]:
            self.point_at_the_executor()
        eaten = [b"x" * MEBIBYTE for _mebibyte in range(MOST)]
        ctx.set("m.eaten_v1", len(eaten))

    def point_at_the_executor(self):
        """Its own folder is below that of the stage, in which the executor notes what the kernel has told."""
        until = time.monotonic() + PATIENCE
        while not os.path.exists("../oom_kills") and time.monotonic() < until:
            time.sleep(0.05)
        with open(f"/proc/{os.getppid()}/oom_score_adj", "w") as file:
            file.write("1000")

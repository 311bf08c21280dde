# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes the middle of what all hosts have seen."""

import os
import time
from pathlib import Path

from rack_recipes import Scriptlet


class Total(Scriptlet):
    """Notes that it has run, and sets the middle for all. It waits while there is a file `hang-total`."""

    options = {"folder": {"type": "path", "required": True}, "middle": {"type": "float", "required": True}}
    writes = ("hall.middle_v1",)

    def run(self, ctx, params):
        folder = Path(params["folder"])
        with (folder / "totals").open("a") as totals:
            totals.write(f"{os.getpid()}\n")
        while (folder / "hang-total").exists():
            time.sleep(0.1)
        ctx.set("hall.middle_v1", params["middle"], scope="run")
